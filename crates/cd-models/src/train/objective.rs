//! What a network is trained for: one class per image, or each of several attributes.

use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{Device, Int, Tensor, TensorData};
use cd_core::{Attributes, ImageSet, Labels};
use thiserror::Error;

use crate::predict::Predictions;
use crate::registry::{ARCHITECTURES, Architecture};

/// The images are labelled with something else than the network learns.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("training: {architecture} learns {learned}, but the images have {found}; {advice}")]
pub struct LabelsError {
    architecture: &'static str,
    learned: &'static str,
    found: String,
    advice: String,
}

/// What the labels of a set ask of a network.
///
/// The output for classes is one score each; the loss is cross-entropy. The output for attributes is the log-odds of each,
/// that is the score for present less the score for absent; the loss is the mean over attributes of the cross-entropy
/// between the two.
#[derive(Debug, Clone, Copy)]
pub(super) enum Objective<'a> {
    Classes(&'a [u32]),
    Attributes(&'a Attributes),
}

impl<'a> Objective<'a> {
    /// The objective of `set`, if it is what `architecture` is for.
    pub(super) fn of(set: &'a ImageSet, architecture: &Architecture) -> Result<Self, LabelsError> {
        match set.annotations() {
            Labels::Class(labels) if !architecture.sees_attributes() => Ok(Self::Classes(labels)),
            Labels::Attributes(attributes)
                if architecture.sees_attributes() && attributes.count() > 0 =>
            {
                Ok(Self::Attributes(attributes))
            }
            other => Err(misfit(architecture, other)),
        }
    }

    /// What the network should say of the images at `indices`.
    pub(super) fn targets(&self, indices: &[usize], device: &Device) -> Targets {
        match self {
            Self::Classes(labels) => {
                let labels: Vec<i64> = indices.iter().map(|&i| i64::from(labels[i])).collect();
                let data = TensorData::new(labels, [indices.len()]);
                Targets::Classes(Tensor::from_data(data, device))
            }
            Self::Attributes(attributes) => {
                let images = indices.iter().map(|&index| attributes.of(index));
                let signs: Vec<f32> = images.flatten().map(|&present| sign(present)).collect();
                let data = TensorData::new(signs, [indices.len(), attributes.count()]);
                Targets::Attributes(Tensor::from_data(data, device))
            }
        }
    }

    /// How many answers a network gives for one image.
    pub(super) fn answers(&self) -> usize {
        match self {
            Self::Classes(_) => 1,
            Self::Attributes(attributes) => attributes.count(),
        }
    }

    /// The loss of image `index`, natural logarithm.
    pub(super) fn sample_loss(&self, predictions: &Predictions, index: usize) -> f32 {
        match self {
            Self::Classes(labels) => predictions.cross_entropy(index, labels[index]),
            Self::Attributes(attributes) => {
                let odds = predictions.logits(index).iter();
                let losses = odds
                    .zip(attributes.of(index))
                    .map(|(odds, &present)| softplus(-sign(present) * odds));
                losses.sum::<f32>() / attributes.count() as f32
            }
        }
    }

    /// Share of right answers over all images, in `[0, 1]`; `None` for no images.
    pub(super) fn accuracy(&self, predictions: &Predictions) -> Option<f64> {
        match self {
            Self::Classes(labels) => predictions.accuracy(labels),
            Self::Attributes(attributes) => {
                let images = predictions.len();
                let right = (0..images).flat_map(|index| {
                    let odds = predictions.logits(index).iter();
                    let pairs = odds.zip(attributes.of(index));
                    pairs.filter(|(odds, present)| (**odds > 0.0) == **present)
                });
                let answers = images * attributes.count();
                (images > 0).then(|| right.count() as f64 / answers as f64)
            }
        }
    }
}

/// What a network should say of the images of a batch.
#[derive(Debug, Clone)]
pub(super) enum Targets {
    /// `[B]`.
    Classes(Tensor<1, Int>),
    /// `[B, K]`: 1 where present, -1 where absent.
    Attributes(Tensor<2>),
}

impl Targets {
    /// Mean loss of `logits`, `[B, K]`, with the share `smoothing` of each target spread evenly over the classes, or over
    /// present and absent.
    pub(super) fn loss(self, logits: Tensor<2>, smoothing: f64) -> Tensor<1> {
        match self {
            Self::Classes(classes) => cross_entropy(logits, classes.autodiff(), smoothing),
            Self::Attributes(signs) => {
                let odds = logits * signs.autodiff();
                if smoothing == 0.0 {
                    return log_sigmoid(odds).mean().neg();
                }
                let right = log_sigmoid(odds.clone()).mean() * (1.0 - smoothing / 2.0);
                let wrong = log_sigmoid(odds.neg()).mean() * (smoothing / 2.0);
                (right + wrong).neg()
            }
        }
    }

    /// How many answers are right.
    pub(super) fn right(&self, logits: &Tensor<2>) -> Tensor<1, Int> {
        let logits = logits.clone().inner();
        match self {
            Self::Classes(classes) => {
                let predicted = logits.argmax(1).flatten::<1>(0, 1);
                predicted.equal(classes.clone()).int().sum()
            }
            Self::Attributes(signs) => {
                let predicted = logits.greater_scalar(0.0);
                let present = signs.clone().greater_scalar(0.0);
                predicted.equal(present).int().sum()
            }
        }
    }
}

/// Mean cross-entropy, `[B, K]` against `[B]`, with the share `smoothing` of each target spread
/// evenly over the classes.
fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let log_shares = log_softmax(logits, 1);
    let targets = targets.unsqueeze_dim(1);
    if smoothing == 0.0 {
        return log_shares.gather(1, targets).mean().neg();
    }
    let picked = log_shares.clone().gather(1, targets).mean();
    let even = log_shares.mean();
    (picked * (1.0 - smoothing) + even * smoothing).neg()
}

fn sign(present: bool) -> f32 {
    if present { 1.0 } else { -1.0 }
}

/// `ln(1 + exp(x))` without overflow.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn misfit(architecture: &Architecture, labels: &Labels) -> LabelsError {
    let others = ARCHITECTURES.iter().filter(|entry| entry.sees_attributes());
    let others: Vec<&str> = others.map(|entry| entry.name).collect();
    let (learned, advice) = if architecture.sees_attributes() {
        (
            "attributes",
            "label every image with attributes, or choose another architecture".to_owned(),
        )
    } else {
        let advice = format!(
            "label every image with a class, or for attributes choose {}",
            others.join(", ")
        );
        ("one class per image", advice)
    };
    LabelsError {
        architecture: architecture.title,
        learned,
        found: match labels {
            Labels::Class(_) => "one class each".to_owned(),
            Labels::Attributes(some) => format!("{} attributes each", some.count()),
            Labels::None => "no labels".to_owned(),
        },
        advice,
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
