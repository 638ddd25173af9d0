//! Why a detector stopped.

use std::io;
use std::path::PathBuf;

use cd_models::{StorageError, TapError};
use thiserror::Error;

use crate::needs::Need;

/// Why a detector stopped.
#[derive(Debug, Error)]
pub enum DetectError {
    /// A setting is out of its range.
    #[error("detector: `{key}` is {value}, expected {expected}")]
    Config {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// Its range.
        expected: &'static str,
    },
    /// There is nothing to look at.
    #[error("detector: the image set is empty")]
    Empty,
    /// A run cannot give what a detector needs.
    #[error("`{detector}` needs {need}: {remedy}")]
    Unmet {
        /// The detector.
        detector: String,
        /// What it needs.
        need: String,
        /// Why it is not there, and the option that would give it.
        remedy: String,
    },
    /// A detector asked for what it did not get.
    #[error("the evidence lacks {0}; a detector gets what its `needs` ask for")]
    Absent(Need),
    /// Part of the evidence belongs to other images.
    #[error("the evidence holds {need} for {got} images, expected {expected}")]
    Misfit {
        /// The part.
        need: Need,
        /// Images that it is of.
        got: usize,
        /// Images that there are.
        expected: usize,
    },
    /// Part of the evidence is not a number.
    #[error(
        "the evidence holds {need}, but that of image {index} is NaN or infinite; the training may have diverged: try a smaller learning rate"
    )]
    NotFinite {
        /// The part.
        need: Need,
        /// Position of the image in its set.
        index: usize,
    },
    /// A class that does not exist.
    #[error("the evidence holds classes, but image {index} has class {label} of {class_count}")]
    Label {
        /// Position of the image in its set.
        index: usize,
        /// Its class, from 0.
        label: u32,
        /// Number of classes.
        class_count: usize,
    },
    /// The classifier lacks what the method works on.
    #[error(
        "`{detector}` does not fit this classifier: {reason}; choose another detector, or another `model`"
    )]
    Unfit {
        /// The detector.
        detector: &'static str,
        /// What is missing.
        reason: &'static str,
    },
    /// The model has no such features.
    #[error(transparent)]
    Tap(#[from] TapError),
    /// The model's own output is not a number; the weights are damaged or the input is out of range.
    #[error(
        "the model's output for image {index} is NaN or infinite; check the weights and that images lie in [0, 1]"
    )]
    ModelOutput {
        /// Position of the image in its set or batch.
        index: u64,
    },
    /// The optimised mask is not a number.
    #[error(
        "the mask of image {index} became NaN or infinite; a smaller learning rate helps if it persists on `--device cpu`"
    )]
    Mask {
        /// Position of the image in its set or batch.
        index: u64,
    },
    /// Partial results could not be written or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Partial results are damaged.
    #[error("{}: damaged partial result: {reason}; delete this file to compute it again", path.display())]
    DamagedPart {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Images or masks could not be kept or read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Partial results are of another run.
    #[error("{}: partial results of another run (other images, model or settings); choose another output folder or delete this one", path.display())]
    OtherRun {
        /// The folder.
        path: PathBuf,
    },
}
