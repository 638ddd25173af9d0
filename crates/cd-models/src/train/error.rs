//! Why training stopped.

use cd_core::StorageError;
use thiserror::Error;

use super::checkpoint::CheckpointError;
use super::objective::LabelsError;
use super::setting::SettingError;
use crate::input_size::InputSizeError;
use crate::registry::UnknownArchitecture;

/// Why training stopped.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A setting is out of its range.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The images are labelled with something else than the network learns.
    #[error(transparent)]
    Labels(#[from] LabelsError),
    /// Nothing to learn from.
    #[error(
        "training: the training set has {images} images in {classes} classes; at least 2 of each are needed"
    )]
    TooSmall {
        /// Number of images.
        images: usize,
        /// Number of classes.
        classes: usize,
    },
    /// The loss became NaN or infinite.
    #[error(
        "training diverged: the loss is {loss} in epoch {epoch}; a smaller learning_rate usually helps (last checkpoint kept)"
    )]
    Diverged {
        /// Epoch, from 0.
        epoch: usize,
        /// The loss.
        loss: f32,
    },
    /// Weights became NaN or infinite under a loss that did not.
    #[error(
        "training diverged: parameter `{parameter}` holds NaN or infinite values at the end; a smaller learning_rate usually helps"
    )]
    NotFinite {
        /// The first such parameter.
        parameter: String,
    },
    /// No such architecture.
    #[error(transparent)]
    Architecture(#[from] UnknownArchitecture),
    /// The architecture cannot take images of this size.
    #[error("training: {0}")]
    InputSize(#[from] InputSizeError),
    /// The checkpoint could not be written or continued.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The images could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
