//! What detectors may look at. What is really poisoned is not among it.

use std::collections::BTreeMap;

use cd_core::{Matrix, Pixels};
use cd_models::{Classifier, Model, Predictions, Tap};

use crate::compute::Compute;
use crate::error::DetectError;
use crate::needs::Need;

type Features = BTreeMap<Tap, Matrix>;

static NO_FEATURES: Features = BTreeMap::new();

/// What a detector may look at: a classifier, images without names, and what its [`Needs`](crate::Needs) asked for.
///
/// The methods give what was asked for and name it when it is absent or does not fit the images.
///
/// The pixels of the images can be had, and that is all of them:
///
/// ```
/// # fn f(evidence: &cd_detect::Evidence<'_>) -> Result<(), Box<dyn std::error::Error>> {
/// let pixels = evidence.images.get(0)?;
/// # Ok(()) }
/// ```
///
/// Their names, which may give the true class away, cannot:
///
/// ```compile_fail
/// # fn f(evidence: &cd_detect::Evidence<'_>) -> Result<(), Box<dyn std::error::Error>> {
/// let name = evidence.images.name(0);
/// # Ok(()) }
/// ```
///
/// Nor can the answer be imported, because this crate does not depend on the one that has it:
///
/// ```compile_fail
/// use cd_data::Truth;
/// ```
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// The classifier that was trained on the images, or on others of their kind.
    pub model: &'a dyn Classifier,
    /// The images under suspicion.
    pub images: Pixels<'a>,
    /// The class of each image, as training saw it.
    pub labels: Option<&'a [u32]>,
    /// Number of classes.
    pub class_count: usize,
    /// Logits of each image.
    pub predictions: Option<&'a Predictions>,
    /// Features by tap, one row per image.
    pub features: &'a BTreeMap<Tap, Matrix>,
    /// Losses of training, one row per epoch and one column per image.
    pub losses: Option<&'a Matrix>,
    /// Images that are known to be clean.
    pub clean: Option<Clean<'a>>,
    /// A classifier to copy and train.
    pub trainable: Option<&'a Model>,
    /// Penultimate features of a reference network, one row per image.
    pub reference: Option<&'a Matrix>,
    /// Where to compute.
    pub compute: Compute<'a>,
}

/// The same of images that are known to be clean.
#[derive(Debug, Clone, Copy)]
pub struct Clean<'a> {
    /// The images.
    pub images: Pixels<'a>,
    /// The true class of each image.
    pub labels: Option<&'a [u32]>,
    /// Logits of each image.
    pub predictions: Option<&'a Predictions>,
    /// Features by tap, one row per image.
    pub features: &'a BTreeMap<Tap, Matrix>,
}

impl<'a> Evidence<'a> {
    /// Images and classifier alone; the fields take the rest.
    pub fn new(
        model: &'a dyn Classifier,
        images: impl Into<Pixels<'a>>,
        compute: Compute<'a>,
    ) -> Self {
        Self {
            model,
            images: images.into(),
            labels: None,
            class_count: 0,
            predictions: None,
            features: &NO_FEATURES,
            losses: None,
            clean: None,
            trainable: None,
            reference: None,
            compute,
        }
    }

    /// The class of each image, below [`class_count`](Self::class_count).
    ///
    /// # Errors
    ///
    /// When they are absent, of another number of images, or out of range.
    pub fn labels(&self) -> Result<&'a [u32], DetectError> {
        checked_labels(self.labels, self.images, self.class_count)
    }

    /// Logits of each image.
    ///
    /// # Errors
    ///
    /// When they are absent or of another number of images.
    pub fn predictions(&self) -> Result<&'a Predictions, DetectError> {
        checked_predictions(self.predictions, self.images)
    }

    /// Features at `tap`, one row per image: `[F]` at the penultimate tap, `[F * h * w]` at the others.
    ///
    /// # Errors
    ///
    /// When they are absent, of another number of images, or not finite.
    pub fn features(&self, tap: Tap) -> Result<&'a Matrix, DetectError> {
        checked_features(self.features, tap, self.images)
    }

    /// Losses of training, `[epochs, images]`: cross-entropy at the start of each epoch.
    ///
    /// # Errors
    ///
    /// When they are absent, of another number of images, or not finite.
    pub fn losses(&self) -> Result<&'a Matrix, DetectError> {
        let losses = self.losses.filter(|losses| losses.rows() > 0);
        let losses = losses.ok_or(DetectError::Absent(Need::Losses))?;
        fits(Need::Losses, losses.columns(), self.images)?;
        finite(losses, Need::Losses, |at| at % losses.columns())?;
        Ok(losses)
    }

    /// Images that are known to be clean; at least one.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub fn clean(&self) -> Result<Clean<'a>, DetectError> {
        let clean = self.clean.filter(|clean| !clean.images.is_empty());
        clean.ok_or(DetectError::Absent(Need::Clean))
    }

    /// A classifier to copy and train.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn trainable(&self) -> Result<&'a Model, DetectError> {
        self.trainable.ok_or(DetectError::Absent(Need::Trainable))
    }

    /// Penultimate features, `[images, F]`, of a network that was not trained on the images under suspicion.
    ///
    /// # Errors
    ///
    /// When they are absent, of another number of images, or not finite.
    pub fn reference(&self) -> Result<&'a Matrix, DetectError> {
        let features = self.reference.ok_or(DetectError::Absent(Need::Reference))?;
        fits(Need::Reference, features.rows(), self.images)?;
        finite(features, Need::Reference, |at| at / features.columns())?;
        Ok(features)
    }
}

impl<'a> Clean<'a> {
    /// The images alone; the fields take the rest.
    pub fn new(images: impl Into<Pixels<'a>>) -> Self {
        Self {
            images: images.into(),
            labels: None,
            predictions: None,
            features: &NO_FEATURES,
        }
    }

    /// The true class of each image, below `class_count`.
    ///
    /// # Errors
    ///
    /// As [`Evidence::labels`].
    pub fn labels(&self, class_count: usize) -> Result<&'a [u32], DetectError> {
        checked_labels(self.labels, self.images, class_count)
    }

    /// Logits of each image.
    ///
    /// # Errors
    ///
    /// As [`Evidence::predictions`].
    pub fn predictions(&self) -> Result<&'a Predictions, DetectError> {
        checked_predictions(self.predictions, self.images)
    }

    /// Features at `tap`, one row per image.
    ///
    /// # Errors
    ///
    /// As [`Evidence::features`].
    pub fn features(&self, tap: Tap) -> Result<&'a Matrix, DetectError> {
        checked_features(self.features, tap, self.images)
    }
}

fn checked_labels<'a>(
    labels: Option<&'a [u32]>,
    images: Pixels<'_>,
    class_count: usize,
) -> Result<&'a [u32], DetectError> {
    let labels = labels.ok_or(DetectError::Absent(Need::Labels))?;
    fits(Need::Labels, labels.len(), images)?;
    match labels
        .iter()
        .position(|&label| label as usize >= class_count)
    {
        Some(index) => Err(DetectError::Label {
            index,
            label: labels[index],
            class_count,
        }),
        None => Ok(labels),
    }
}

fn checked_predictions<'a>(
    predictions: Option<&'a Predictions>,
    images: Pixels<'_>,
) -> Result<&'a Predictions, DetectError> {
    let predictions = predictions.ok_or(DetectError::Absent(Need::Predictions))?;
    fits(Need::Predictions, predictions.len(), images)?;
    Ok(predictions)
}

fn checked_features<'a>(
    features: &'a Features,
    tap: Tap,
    images: Pixels<'_>,
) -> Result<&'a Matrix, DetectError> {
    let need = Need::Features(tap);
    let matrix = features.get(&tap).ok_or(DetectError::Absent(need))?;
    fits(need, matrix.rows(), images)?;
    finite(matrix, need, |at| at / matrix.columns())?;
    Ok(matrix)
}

fn fits(need: Need, got: usize, images: Pixels<'_>) -> Result<(), DetectError> {
    let expected = images.len();
    if got == expected {
        return Ok(());
    }
    Err(DetectError::Misfit {
        need,
        got,
        expected,
    })
}

fn finite(matrix: &Matrix, need: Need, image: impl Fn(usize) -> usize) -> Result<(), DetectError> {
    match matrix.values().iter().position(|value| !value.is_finite()) {
        Some(at) => Err(DetectError::NotFinite {
            need,
            index: image(at),
        }),
        None => Ok(()),
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
