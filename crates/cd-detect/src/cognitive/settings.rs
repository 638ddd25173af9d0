//! Settings of the search and their ranges.

use cd_models::Tap;

use super::{CognitiveDistillation, Decay, Fill, Objective, Reduction};
use crate::error::DetectError;

/// Most steps of one image, over all repeats: their fill colours lie in memory at once.
const MOST_STEPS: usize = 100_000;
const STEPS_EXPECTED: &str =
    "at least 1 and, times the other of `steps` and `repeats`, at most 100000";

impl CognitiveDistillation {
    /// Keeps the features at `tap` instead.
    #[must_use]
    pub fn with_tap(mut self, tap: Tap) -> Self {
        self.objective = Objective::Features(tap);
        self
    }

    /// Optimisation steps; at least 1 and, times the repeats, at most 100,000.
    #[must_use]
    pub fn with_steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Adam's learning rate; above 0.
    #[must_use]
    pub fn with_learning_rate(mut self, learning_rate: f64) -> Self {
        self.learning_rate = learning_rate;
        self
    }

    /// How the learning rate goes over the steps.
    #[must_use]
    pub fn with_decay(mut self, decay: Decay) -> Self {
        self.decay = decay;
        self
    }

    /// Adam's decay rates of the first and the second moment, each at least 0 and below 1.
    #[must_use]
    pub fn with_betas(mut self, betas: [f64; 2]) -> Self {
        self.betas = betas;
        self
    }

    /// Searches per image, each with other fill colours; masks and norms are their means. At least 1 and, times
    /// the steps, at most 100,000.
    #[must_use]
    pub fn with_repeats(mut self, repeats: usize) -> Self {
        self.repeats = repeats;
        self
    }

    /// The result is the mean of the masks after the last so many steps, which costs nothing and takes
    /// out the jitter of large steps. At least 1 (the last mask, as published); all steps where there are fewer.
    #[must_use]
    pub fn with_tail(mut self, tail: usize) -> Self {
        self.tail = tail;
        self
    }

    /// Weight of the mask's norm; at least 0.
    #[must_use]
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Weight of the total variation; at least 0.
    #[must_use]
    pub fn with_beta(mut self, beta: f64) -> Self {
        self.beta = beta;
        self
    }

    /// The norm to minimise: 1 or 2.
    #[must_use]
    pub fn with_p(mut self, p: u8) -> Self {
        self.p = p;
        self
    }

    /// Channels of the mask: 1 (shared by the colours) or 3.
    #[must_use]
    pub fn with_mask_channels(mut self, channels: usize) -> Self {
        self.mask_channels = channels;
        self
    }

    /// Sides of the grid on which the mask is searched, as a share of the image's; above 0, at most 1. The mask is
    /// enlarged linearly to the pixels. With 1, the default, every pixel has a value of its own.
    #[must_use]
    pub fn with_mask_scale(mut self, scale: f64) -> Self {
        self.mask_scale = scale;
        self
    }

    /// An image leaves the batch when the norm of its mask has changed by at most this share of itself over ten steps; from 0 to
    /// below 1. With 0, the default, every image takes all steps.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Seed of the fill colours.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How the fill colours of an image follow each other.
    #[must_use]
    pub fn with_fill(mut self, fill: Fill) -> Self {
        self.fill = fill;
        self
    }

    /// How a batch is combined.
    #[must_use]
    pub fn with_reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// Channels of the mask, 1 or 3.
    pub fn mask_channels(&self) -> usize {
        self.mask_channels
    }

    /// Steps per image, over all repeats.
    pub fn total_steps(&self) -> usize {
        self.steps * self.repeats
    }

    /// Checks every setting against its range.
    ///
    /// # Errors
    ///
    /// Names the first setting that is out of range.
    pub fn check(&self) -> Result<(), DetectError> {
        let wrong = |key, value: String, expected| {
            Err(DetectError::Config {
                key,
                value,
                expected,
            })
        };
        if !(1..=MOST_STEPS).contains(&self.steps) {
            return wrong("steps", self.steps.to_string(), STEPS_EXPECTED);
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return wrong(
                "learning_rate",
                self.learning_rate.to_string(),
                "a number above 0",
            );
        }
        if !self.betas.iter().all(|beta| (0.0..1.0).contains(beta)) {
            let value = format!("{:?}", self.betas);
            return wrong("betas", value, "two numbers from 0 to below 1");
        }
        if !(1..=MOST_STEPS / self.steps).contains(&self.repeats) {
            return wrong("repeats", self.repeats.to_string(), STEPS_EXPECTED);
        }
        if self.tail == 0 {
            return wrong("tail", "0".into(), "at least 1");
        }
        if !(self.alpha >= 0.0 && self.alpha.is_finite()) {
            return wrong("alpha", self.alpha.to_string(), "a number of at least 0");
        }
        if !(self.beta >= 0.0 && self.beta.is_finite()) {
            return wrong("beta", self.beta.to_string(), "a number of at least 0");
        }
        if ![1, 2].contains(&self.p) {
            return wrong("p", self.p.to_string(), "1 or 2");
        }
        if ![1, 3].contains(&self.mask_channels) {
            return wrong("mask_channels", self.mask_channels.to_string(), "1 or 3");
        }
        if !(self.mask_scale > 0.0 && self.mask_scale <= 1.0) {
            return wrong(
                "mask_scale",
                self.mask_scale.to_string(),
                "a number above 0 and at most 1",
            );
        }
        if !(0.0..1.0).contains(&self.tolerance) {
            return wrong(
                "tolerance",
                self.tolerance.to_string(),
                "a number from 0 to below 1",
            );
        }
        Ok(())
    }
}
