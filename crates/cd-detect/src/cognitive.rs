//! Cognitive Distillation: the smallest mask that keeps a classifier's output.
//!
//! Huang, Ma, Erfani, Bailey: *Distilling Cognitive Backdoor Patterns within an Image*, ICLR 2023,
//! arXiv 2301.10908. For an image `x` and a classifier `f` it minimises over the mask `m`
//!
//! ```text
//! mean |f(x_cp) - f(x)|  +  alpha |m|_p  +  beta TV(m),
//! x_cp = x m + (1 - m) delta,      m = (tanh(theta) + 1) / 2
//! ```
//!
//! with a fresh uniform colour `delta` per image and step. Ours differs from the released code in
//! two ways: the objective is summed over the batch, so an image's mask does not depend on its
//! batch mates ([`Reduction::Mean`] brings the old behaviour back), and the colours are a function
//! of (seed, image, step).

mod fitted;
mod grid;
mod host;
mod noise;
mod preset;
mod search;
mod settings;
mod terms;

use std::f64::consts::PI;

use cd_conv::Occupied;
use cd_models::burn::optim::{Adam, AdamConfig, AdamState, Optimizer};
use cd_models::burn::tensor::Tensor;
use cd_models::device::is_cpu;
use cd_models::{Classifier, Tap, to_host};
use serde::{Deserialize, Serialize};

use crate::error::DetectError;

use grid::{cells, upsampled};
use terms::{mask_of, norm, total_variation};

pub use fitted::search_of_large;
pub use noise::Fill;
pub use preset::Preset;
pub(crate) use settings::{Settings, with_settings};

/// Adam's epsilon, that of the released code.
const EPSILON: f32 = 1e-8;

/// What the mask must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// The logits (CD-L).
    Logits,
    /// The features at a tap (CD-F), as published at [`Tap::Deep`].
    Features(Tap),
}

/// How the objectives of a batch are combined before the gradient is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// Added: every image is optimised as if it were alone.
    #[default]
    Sum,
    /// Averaged, like the released code: through Adam's epsilon the result depends on the batch.
    Mean,
}

/// How the learning rate goes over the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// The same at every step, as published.
    #[default]
    None,
    /// Half a cosine, from the full rate at the first step towards zero after the last.
    Cosine,
}

/// Cognitive Distillation with all of its settings.
#[derive(Debug, Clone, PartialEq)]
pub struct CognitiveDistillation {
    objective: Objective,
    pub(crate) settings: Settings,
}

impl CognitiveDistillation {
    /// CD-L: keeps the logits. 100 steps, lr 0.1, alpha 0.01, beta 1 (the released defaults).
    pub fn logits() -> Self {
        Self {
            objective: Objective::Logits,
            settings: Settings::default(),
        }
    }

    /// CD-F: keeps the last convolutional feature map. 100 steps, lr 0.05, alpha 0.001, beta 10.
    pub fn features() -> Self {
        Self {
            objective: Objective::Features(Tap::Deep),
            ..Self::logits()
        }
        .with_learning_rate(0.05)
        .with_alpha(0.001)
        .with_beta(10.0)
    }

    /// Keeps the features at `tap` instead.
    #[must_use]
    pub fn with_tap(mut self, tap: Tap) -> Self {
        self.objective = Objective::Features(tap);
        self
    }

    pub(crate) fn with_all(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Where the features are read that the mask keeps; `None` when it keeps the logits.
    pub fn tap(&self) -> Option<Tap> {
        match self.objective {
            Objective::Logits => None,
            Objective::Features(tap) => Some(tap),
        }
    }

    /// Channels of the mask, 1 or 3.
    pub fn mask_channels(&self) -> usize {
        self.settings.mask_channels
    }

    /// Weight of the mask's norm.
    pub fn alpha(&self) -> f64 {
        self.settings.alpha
    }

    /// Steps per image, over all repeats.
    pub fn total_steps(&self) -> usize {
        self.settings.steps * self.settings.repeats
    }

    /// Checks every setting against its range.
    ///
    /// # Errors
    ///
    /// Names the first setting that is out of range.
    pub fn check(&self) -> Result<(), DetectError> {
        self.settings.check()
    }

    /// Masks of a batch of images that `model` may be any classifier for.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]` in `[0, 1]`
    /// - output: `[B, 1, H, W]` in `(0, 1)`; 3 channels if so configured
    ///
    /// # Errors
    ///
    /// When a setting is out of range, the model lacks the tap, or numbers stop being finite.
    pub fn masks(
        &self,
        model: &dyn Classifier,
        images: Tensor<4>,
    ) -> Result<Tensor<4>, DetectError> {
        let numbers: Vec<u64> = (0..images.dims()[0] as u64).collect();
        Ok(self.distill(model, images, &numbers)?.masks)
    }

    /// Masks and norms of a batch whose images have the given numbers within their data set.
    ///
    /// The numbers choose the fill colours, so a set gives the same result however it is split.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]` in `[0, 1]`, with `B` numbers
    ///
    /// # Errors
    ///
    /// As [`masks`](Self::masks).
    pub fn distill(
        &self,
        model: &dyn Classifier,
        images: Tensor<4>,
        numbers: &[u64],
    ) -> Result<Distilled, DetectError> {
        self.check()?;
        let device = images.device();
        let _occupied = is_cpu(&device).then(Occupied::begin);
        let target = self.target(model, images.clone())?;
        require_finite(&target, numbers, |index| DetectError::ModelOutput { index })?;
        let colours = noise::colours(
            self.settings.fill,
            self.settings.seed,
            numbers,
            self.total_steps(),
            &device,
        );
        let mut mean = Mean::default();
        let mut steps = vec![0; numbers.len()];
        for repeat in 0..self.settings.repeats {
            let colours =
                colours
                    .clone()
                    .narrow(0, repeat * self.settings.steps, self.settings.steps);
            let found = self.search(model, &images, &target, colours)?;
            mean.add(found.masks);
            for (total, done) in steps.iter_mut().zip(found.steps) {
                *total += done;
            }
        }
        let masks = mean.value().expect("`check` made sure of a repeat");
        let norms = norms_of(&masks);
        match norms.iter().position(|norm| !norm.is_finite()) {
            Some(at) => Err(DetectError::Mask { index: numbers[at] }),
            None => Ok(Distilled {
                masks,
                norms,
                steps,
            }),
        }
    }

    /// What the mask has to keep of `images`, as `[B, values]`.
    ///
    /// # Errors
    ///
    /// When the model lacks the tap.
    pub fn target(
        &self,
        model: &dyn Classifier,
        images: Tensor<4>,
    ) -> Result<Tensor<2>, DetectError> {
        Ok(match self.objective {
            Objective::Logits => model.logits(images),
            Objective::Features(tap) => model.features(images, tap)?.flatten(1, 3),
        })
    }

    /// Where every mask starts: theta = 1 everywhere, a mask of 0.8808. `[B, Cm, H, W]`, or smaller with a
    /// [mask scale](Self::with_mask_scale) below 1.
    pub fn initial_theta(&self, images: &Tensor<4>) -> Tensor<4> {
        let [count, _, height, width] = images.dims();
        let [height, width] = [height, width].map(|pixels| cells(pixels, self.settings.mask_scale));
        Tensor::ones(
            [count, self.settings.mask_channels, height, width],
            &images.device(),
        )
    }

    /// One optimiser step, the building block of [`distill`](Self::distill).
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`; `target`: `[B, values]`; `colour`: `[B, 3]`
    ///
    /// # Errors
    ///
    /// When the model lacks the tap.
    pub fn step(
        &self,
        model: &dyn Classifier,
        images: &Tensor<4>,
        target: &Tensor<2>,
        colour: Tensor<2>,
        search: Search,
    ) -> Result<Step, DetectError> {
        if is_cpu(&images.device()) && is_cpu(&search.theta.device()) {
            return self.step_on_host(model, images, target, colour, search);
        }
        let tracked = search.theta.clone().autodiff().require_grad();
        let [_, _, height, width] = images.dims();
        let mask = upsampled(mask_of(tracked.clone()), [height, width]);
        let colour = colour.unsqueeze_dims::<4>(&[2, 3]);
        let kept = images.clone().autodiff() * mask.clone();
        let filled = (mask.clone().neg() + 1.0) * colour.autodiff();
        let output = self.target(model, kept + filled)?;
        let distance = (output - target.clone().autodiff()).abs().mean_dim(1);
        let norm = norm(mask.clone(), self.settings.p) * self.settings.alpha;
        let variation = total_variation(mask) * self.settings.beta;
        let terms = Tensor::cat(vec![distance, norm, variation], 1);
        let loss = match self.settings.reduction {
            Reduction::Sum => terms.clone().sum(),
            Reduction::Mean => terms.clone().sum() / images.dims()[0] as f64,
        };
        let gradients = loss.backward();
        let gradient = tracked
            .grad(&gradients)
            .expect("theta requires a gradient and enters the loss");
        Ok(Step {
            next: self.update(search, gradient.clone()),
            gradient,
            terms: terms.inner(),
        })
    }

    /// What Adam makes of a gradient in the shape of theta.
    pub fn update(&self, search: Search, gradient: Tensor<4>) -> Search {
        if is_cpu(&search.theta.device()) {
            return self.update_on_host(search, gradient);
        }
        let rate = self.learning_rate_at(search.step);
        let (theta, adam) = self.adam().step(rate, search.theta, gradient, search.adam);
        Search {
            step: search.step + 1,
            theta,
            adam,
        }
    }

    fn learning_rate_at(&self, step: usize) -> f64 {
        match self.settings.decay {
            Decay::None => self.settings.learning_rate,
            Decay::Cosine => {
                let done = step as f64 / self.settings.steps as f64;
                self.settings.learning_rate * 0.5 * (1.0 + (PI * done).cos())
            }
        }
    }

    /// With the published betas of 0.1 nearly the sign of the gradient.
    fn adam(&self) -> Adam {
        AdamConfig::new()
            .with_beta_1(self.settings.betas[0] as f32)
            .with_beta_2(self.settings.betas[1] as f32)
            .with_epsilon(EPSILON)
            .build()
    }
}

/// A mean of tensors, built up one by one.
#[derive(Default)]
struct Mean {
    sum: Option<Tensor<4>>,
    count: usize,
}

impl Mean {
    fn add(&mut self, value: Tensor<4>) {
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum + value,
            None => value,
        });
        self.count += 1;
    }

    /// `None` when nothing was added.
    fn value(self) -> Option<Tensor<4>> {
        let sum = self.sum?;
        Some(match self.count {
            1 => sum,
            count => sum / count as f64,
        })
    }
}

/// Masks of a batch and their sizes.
#[derive(Debug, Clone)]
pub struct Distilled {
    /// `[B, Cm, H, W]`, values in `(0, 1)`.
    pub masks: Tensor<4>,
    /// L1 norm of each mask: the sum of its values, 0 to `Cm * H * W`.
    pub norms: Vec<f64>,
    /// Steps that each image took, over all repeats.
    pub steps: Vec<usize>,
}

/// A search between two steps.
#[derive(Clone)]
pub struct Search {
    /// Steps done.
    pub step: usize,
    /// The parameters of the masks, as [`CognitiveDistillation::initial_theta`] shapes them.
    pub theta: Tensor<4>,
    /// Adam's state; `None` before the first step.
    pub adam: Option<AdamState<4>>,
}

/// Everything that one optimiser step produces.
#[derive(Clone)]
pub struct Step {
    /// The search after the step.
    pub next: Search,
    /// Gradient of the objective at the old parameters, in their shape.
    pub gradient: Tensor<4>,
    /// Distance, alpha * norm, beta * variation of each image before the step, `[B, 3]`.
    pub terms: Tensor<2>,
}

/// L1 norms on the host, in double precision and a fixed order.
fn norms_of(masks: &Tensor<4>) -> Vec<f64> {
    let [count, channels, height, width] = masks.dims();
    let values = to_host(masks.clone());
    let per_image = channels * height * width;
    (0..count)
        .map(|at| {
            values[at * per_image..(at + 1) * per_image]
                .iter()
                .map(|&v| f64::from(v))
                .sum()
        })
        .collect()
}

fn require_finite(
    output: &Tensor<2>,
    numbers: &[u64],
    error: impl Fn(u64) -> DetectError,
) -> Result<(), DetectError> {
    let width = output.dims()[1].max(1);
    let values = to_host(output.clone());
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(error(numbers[at / width])),
        None => Ok(()),
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
