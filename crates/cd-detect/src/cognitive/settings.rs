//! The settings of the search, in one list: the builder, the detectors' configurations, defaults and ranges are made from it.

use super::{CognitiveDistillation, Decay, Fill, Reduction};
use crate::error::DetectError;

/// Most steps of one image, over all repeats: their fill colours lie in memory at once.
const MOST_STEPS: usize = 100_000;

/// Calls the macro `$make` with `[$extra]` and the settings. A line has the documentation, how serde leaves the default out,
/// name, type and default of CD-L, the builder's method, and the range in words and as a function of all settings.
///
/// The order is that of the fields in configuration files.
macro_rules! with_settings {
    ($make:ident! { $($extra:tt)* }) => {
        $make! {
            [$($extra)*]
            /// Optimisation steps; at least 1 and, times the repeats, at most 100,000.
            steps: usize = 100, with_steps,
                "at least 1 and, times the other of `steps` and `repeats`, at most 100000"
                if |all| (1..=MOST_STEPS).contains(&all.steps);
            /// Adam's learning rate; above 0.
            learning_rate: f64 = 0.1, with_learning_rate,
                "a number above 0" if |all| all.learning_rate > 0.0 && all.learning_rate.is_finite();
            /// How the learning rate goes over the steps: `none` (constant) or `cosine`.
            decay: Decay = Decay::None, with_decay;
            /// Adam's decay rates of the first and the second moment, each at least 0 and below 1.
            betas: [f64; 2] = [0.1, 0.1], with_betas,
                "two numbers from 0 to below 1"
                if |all| all.betas.iter().all(|beta| (0.0..1.0).contains(beta));
            /// Searches per image, each with other fill colours; masks and norms are their means. At least 1 and, times the
            /// steps, at most 100,000.
            repeats: usize = 1, with_repeats,
                "at least 1 and, times the other of `steps` and `repeats`, at most 100000"
                if |all| (1..=MOST_STEPS / all.steps).contains(&all.repeats);
            /// The result is the mean of the masks after the last so many steps, which costs nothing and takes out the jitter of
            /// large steps. At least 1 (the last mask, as published); all steps where there are fewer.
            tail: usize = 1, with_tail, "at least 1" if |all| all.tail > 0;
            /// Weight of the mask's norm; at least 0.
            alpha: f64 = 0.01, with_alpha,
                "a number of at least 0" if |all| all.alpha >= 0.0 && all.alpha.is_finite();
            /// Share of its pixels that the mask of the median image keeps: `alpha` is then found for the set by searches of a sample
            /// of it, and the given one is where that begins. From 0 to below 0.8; with 0, the default, `alpha` is as it is given.
            {serde(skip_serializing_if = "is_zero")}
            median_mask: f64 = 0.0, with_median_mask,
                "a number from 0 to below 0.8" if |all| (0.0..0.8).contains(&all.median_mask);
            /// Weight of the total variation; at least 0.
            beta: f64 = 1.0, with_beta,
                "a number of at least 0" if |all| all.beta >= 0.0 && all.beta.is_finite();
            /// The norm to minimise: 1 or 2.
            p: u8 = 1, with_p, "1 or 2" if |all| [1, 2].contains(&all.p);
            /// Channels of the mask: 1 (shared by the colours) or 3.
            mask_channels: usize = 1, with_mask_channels,
                "1 or 3" if |all| [1, 3].contains(&all.mask_channels);
            /// Sides of the grid on which the mask is searched, as a share of the image's; above 0, at most 1. The mask is
            /// enlarged linearly to the pixels. With 1, the default, every pixel has a value of its own.
            {serde(skip_serializing_if = "is_one")}
            mask_scale: f64 = 1.0, with_mask_scale,
                "a number above 0 and at most 1" if |all| all.mask_scale > 0.0 && all.mask_scale <= 1.0;
            /// An image leaves the batch when the norm of its mask has changed by at most this share of itself over ten steps;
            /// from 0 to below 1. With 0, the default, every image takes all steps.
            {serde(skip_serializing_if = "is_zero")}
            tolerance: f64 = 0.0, with_tolerance,
                "a number from 0 to below 1" if |all| (0.0..1.0).contains(&all.tolerance);
            /// Seed of the fill colours.
            seed: u64 = 0, with_seed;
            /// How the fill colours of an image follow each other: `random` (independent), `stratified` or `shared`.
            fill: Fill = Fill::Random, with_fill;
            /// How the images of a batch are combined.
            reduction: Reduction = Reduction::Sum, with_reduction;
        }
    };
}

pub(crate) use with_settings;

macro_rules! method {
    ([] $(
        $(#[$doc:meta])* $({$serde:meta})?
        $name:ident: $type:ty = $default:expr, $with:ident $(, $expected:literal if $valid:expr)?;
    )*) => {
        /// What the search does, all but what the mask must keep.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub(crate) struct Settings {
            $(pub(crate) $name: $type,)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Settings {
            /// Checks every setting against its range.
            pub(super) fn check(&self) -> Result<(), DetectError> {
                $($(
                    let valid: fn(&Self) -> bool = $valid;
                    if !valid(self) {
                        return Err(DetectError::Config {
                            key: stringify!($name),
                            value: format!("{:?}", self.$name),
                            expected: $expected,
                        });
                    }
                )?)*
                Ok(())
            }
        }

        impl CognitiveDistillation {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $with(mut self, $name: $type) -> Self {
                    self.settings.$name = $name;
                    self
                }
            )*
        }
    };
}

with_settings!(method! {});
