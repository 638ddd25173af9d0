//! What a detector needs of a model: logits, and features at a named tap.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Tensor;
use thiserror::Error;

use crate::input_size::InputSizeError;

/// A place in a network where features can be read. The names are the same for every architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tap {
    /// Output of stage `n`, counted from 1: `stage1`, `stage2`, ...
    Stage(usize),
    /// The last convolutional feature map, before pooling: `deep`.
    Deep,
    /// The pooled vector that enters the linear head, as `[B, F, 1, 1]`: `penultimate`.
    Penultimate,
}

impl fmt::Display for Tap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage(number) => write!(out, "stage{number}"),
            Self::Deep => out.write_str("deep"),
            Self::Penultimate => out.write_str("penultimate"),
        }
    }
}

impl FromStr for Tap {
    type Err = TapError;

    fn from_str(text: &str) -> Result<Self, TapError> {
        let stage = text.strip_prefix("stage").and_then(|n| n.parse().ok());
        match (text, stage) {
            ("deep", _) => Ok(Self::Deep),
            ("penultimate", _) => Ok(Self::Penultimate),
            (_, Some(number)) => Ok(Self::Stage(number)),
            _ => Err(TapError::Name(text.to_owned())),
        }
    }
}

/// A tap that is no tap, or that a model lacks.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TapError {
    /// Not the name of a tap.
    #[error("`{0}` is not a feature tap; taps are `stage1`..`stageN`, `deep`, `penultimate`")]
    Name(String),
    /// The model has no such tap.
    #[error("the model has no feature tap `{tap}`; it has: {}", list(.available))]
    Missing {
        /// The tap that was asked for.
        tap: Tap,
        /// The model's taps.
        available: Vec<Tap>,
    },
}

fn list(taps: &[Tap]) -> String {
    if taps.is_empty() {
        return "none (logits only)".to_owned();
    }
    let names: Vec<String> = taps.iter().map(Tap::to_string).collect();
    names.join(", ")
}

/// A frozen image classifier, seen by detectors and crafted attacks.
///
/// Any closure from images to logits is one, so a model of your own needs no wrapper:
///
/// ```
/// # use cd_models::{Classifier, burn::tensor::Tensor};
/// # let device = cd_models::device::parse("cpu")?;
/// let mean_colour = |images: Tensor<4>| -> Tensor<2> {
///     images.mean_dims(&[2, 3]).flatten(1, 3)
/// };
/// assert_eq!(mean_colour.logits(Tensor::zeros([5, 3, 8, 8], &device)).dims(), [5, 3]);
/// # Ok::<(), cd_models::device::DeviceError>(())
/// ```
///
/// Several threads may ask at once. Implementations must not change while they are used (no dropout, BatchNorm in inference mode),
/// and gradients must reach the images.
pub trait Classifier: Sync {
    /// Class scores before the softmax.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]` in `[0, 1]`
    /// - output: `[B, K]`
    fn logits(&self, images: Tensor<4>) -> Tensor<2>;

    /// Features at `tap`.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]` in `[0, 1]`
    /// - output: `[B, F, h, w]`; `[B, F, 1, 1]` at [`Tap::Penultimate`]
    ///
    /// # Errors
    ///
    /// [`TapError::Missing`] when the model has no such tap.
    fn features(&self, _images: Tensor<4>, tap: Tap) -> Result<Tensor<4>, TapError> {
        Err(TapError::Missing {
            tap,
            available: self.taps(),
        })
    }

    /// The taps that [`features`](Self::features) serves.
    fn taps(&self) -> Vec<Tap> {
        Vec::new()
    }

    /// Checks that images of `height` x `width` pixels can be classified; ask before a long run.
    ///
    /// # Errors
    ///
    /// When they cannot; the message says which sizes can.
    fn check_size(&self, _height: usize, _width: usize) -> Result<(), InputSizeError> {
        Ok(())
    }
}

impl<F: Fn(Tensor<4>) -> Tensor<2> + Sync> Classifier for F {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self(images)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for tap in [Tap::Stage(3), Tap::Deep, Tap::Penultimate] {
            assert_eq!(tap.to_string().parse(), Ok(tap));
        }
        assert!("stage".parse::<Tap>().is_err());
    }

    #[test]
    fn a_missing_tap_lists_the_available_ones() {
        let error = TapError::Missing {
            tap: Tap::Stage(9),
            available: vec![Tap::Stage(1), Tap::Deep],
        };
        assert!(error.to_string().ends_with("it has: stage1, deep"));
    }
}
