//! Why an attack could not be set up, prepared or applied.

use std::io;
use std::path::PathBuf;

use cd_core::StorageError;
use cd_models::TrainError;
use thiserror::Error;

use crate::picture::PictureError;

/// Why an attack could not be set up, prepared or applied.
#[derive(Debug, Error)]
pub enum AttackError {
    /// No attack has this name.
    #[error("there is no attack `{name}`: {suggestion}")]
    UnknownName {
        /// The name that came.
        name: String,
        /// The nearest name and all names.
        suggestion: String,
    },
    /// An option is out of range.
    #[error("option `{option}` of attack `{attack}` is {value}, expected {expected}")]
    Option {
        /// Name of the attack.
        attack: &'static str,
        /// Name of the option.
        option: &'static str,
        /// The value that came.
        value: String,
        /// The values that are accepted.
        expected: &'static str,
    },
    /// The trigger does not fit into the image.
    #[error(
        "attack `{attack}` needs images of at least {least} x {least} pixels, these have {height} x \
         {width}; choose a larger `size`"
    )]
    TooSmall {
        /// Name of the attack.
        attack: &'static str,
        /// Smallest side in pixels.
        least: usize,
        /// Height of the image.
        height: usize,
        /// Width of the image.
        width: usize,
    },
    /// The pixel buffer does not fit the stated size.
    #[error("got {got} bytes for images of {height} x {width} x 3")]
    PixelCount {
        /// Bytes that came.
        got: usize,
        /// Stated height.
        height: usize,
        /// Stated width.
        width: usize,
    },
    /// The picture of a trigger could not be read.
    #[error("the trigger picture `{}` of attack `{attack}` cannot be used: {source}", path.display())]
    Picture {
        /// Name of the attack.
        attack: &'static str,
        /// The picture.
        path: PathBuf,
        /// Why.
        source: PictureError,
    },
    /// A file that an option names could not be read.
    #[error("the file `{}` that attack `{attack}` names cannot be read: {source}", path.display())]
    File {
        /// Name of the attack.
        attack: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of a trigger is not what the attack needs.
    #[error("the file `{}` of attack `{attack}` cannot be used: {problem}", path.display())]
    Artefact {
        /// Name of the attack.
        attack: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong, and what is expected.
        problem: String,
    },
    /// There are too few clean images to prepare with.
    #[error(
        "attack `{attack}` prepares its trigger on at least {least} training images, there are {got}"
    )]
    TooFewImages {
        /// Name of the attack.
        attack: &'static str,
        /// Images that are needed.
        least: usize,
        /// Images that there are.
        got: usize,
    },
    /// The trigger cannot be computed from these images or this network.
    #[error("attack `{attack}` cannot prepare its trigger: {problem}")]
    Prepare {
        /// Name of the attack.
        attack: &'static str,
        /// What is in the way, and what to do.
        problem: String,
    },
    /// The surrogate could not be trained.
    #[error("surrogate of attack `{attack}`: {source}")]
    Surrogate {
        /// Name of the attack.
        attack: &'static str,
        /// Why.
        source: TrainError,
    },
    /// A stored trigger could not be written, read or believed.
    #[error("stored trigger `{}` of attack `{attack}`: {problem}; remove it to have the trigger made again", path.display())]
    Stored {
        /// Name of the attack.
        attack: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Images could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
