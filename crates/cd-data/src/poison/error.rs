//! Why a data set could not be poisoned.

use std::io;
use std::path::PathBuf;

use cd_core::{ImageSetError, StorageError};
use thiserror::Error;

use super::LabelMap;
use super::manifest::ManifestError;
use crate::attack::AttackError;

/// Why a data set could not be poisoned.
#[derive(Debug, Error)]
pub enum PoisonError {
    /// The rate is no share.
    #[error("poison `rate` is {rate}, expected a number above 0 and at most 1 (0.1 is 10 %)")]
    Rate {
        /// The value that came.
        rate: f64,
    },
    /// The target is no class.
    #[error("poison `target` is {target}, but there are only {classes} classes (0 to {})", classes.saturating_sub(1))]
    Target {
        /// The value that came.
        target: u32,
        /// Number of classes.
        classes: usize,
    },
    /// The label map leads to a class that there is not.
    #[error(
        "the label map of the attack gives label {label}, but there are only {classes} classes"
    )]
    Label {
        /// The label.
        label: u32,
        /// Number of classes.
        classes: usize,
    },
    /// The label map leaves every label as it is.
    #[error(
        "no picture would get another label: name a source that is not the target, or a shift of `labels` that is no multiple of {classes}, the number of classes"
    )]
    NoChange {
        /// Number of classes.
        classes: usize,
    },
    /// The attack cannot follow the label map.
    #[error("poison `labels` is {labels}, but attack `{attack}` {reason}; leave `labels` out")]
    LabelMap {
        /// Name of the attack.
        attack: &'static str,
        /// The label map that was asked for.
        labels: LabelMap,
        /// What the attack does instead.
        reason: &'static str,
    },
    /// The images have no classes to change.
    #[error(
        "only images with one class each can be poisoned, and test images need the classes of the training images"
    )]
    NoClasses,
    /// The rate is too small for the data.
    #[error(
        "`rate` {rate} of {images} training images with {candidates} that may be poisoned is less \
         than one image; raise `rate` or use more images"
    )]
    NothingChosen {
        /// The rate.
        rate: f64,
        /// Number of training images.
        images: usize,
        /// Number of training images that the attack may change.
        candidates: usize,
    },
    /// There are fewer images than are asked for.
    #[error(
        "{wanted} {kind} training images are asked for, but there are only {available}: {reason}; lower {option}, use more images, or \
         set `select.fewer` to take what there is"
    )]
    TooMany {
        /// Images that are asked for.
        wanted: usize,
        /// `poisoned` or `cover`.
        kind: &'static str,
        /// Images that there are.
        available: usize,
        /// Why there are no more.
        reason: String,
        /// The option that asks for them.
        option: &'static str,
    },
    /// An option of the selection is out of range, or does not fit the attack.
    #[error("`select.{option}` is {value}, expected {expected}")]
    Select {
        /// Name of the option.
        option: &'static str,
        /// The value that came.
        value: String,
        /// What is accepted.
        expected: &'static str,
    },
    /// A listed image cannot be poisoned.
    #[error("`select.{option}` lists image {index}, {problem}")]
    Index {
        /// Name of the option.
        option: &'static str,
        /// The index.
        index: usize,
        /// Why it cannot be.
        problem: String,
    },
    /// The attack planned what makes no sense.
    #[error("the plan of attack `{attack}` makes no sense: {problem}")]
    Plan {
        /// Name of the attack.
        attack: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The attack could not be set up or applied.
    #[error(transparent)]
    Attack(#[from] AttackError),
    /// Images do not fit together.
    #[error(transparent)]
    Images(#[from] ImageSetError),
    /// Images could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A manifest could not be written or read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Stored images belong to other data or settings.
    #[error(
        "`{}` was written for other images or settings; remove its folder to have the images stamped again", path.display()
    )]
    Changed {
        /// The manifest.
        path: PathBuf,
    },
    /// Stored images could not be written, or are not what was written.
    #[error("stored images `{}`: {source}; remove the folder to have the images stamped again", path.display())]
    Stored {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// There is no place for what an attack keeps while it prepares its trigger.
    #[error(
        "cannot make a temporary folder to prepare the trigger in: {0}; the variable TMPDIR names another place"
    )]
    Scratch(io::Error),
}
