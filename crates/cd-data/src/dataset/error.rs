//! Why a data set could not be loaded.

use cd_core::ImageSetError;
use thiserror::Error;

use super::{Cifar10Error, FolderError};

/// Why a data set could not be loaded.
#[derive(Debug, Error)]
pub enum DataError {
    /// CIFAR-10 files are missing or wrong.
    #[error(transparent)]
    Cifar10(#[from] Cifar10Error),
    /// The image folder is not usable as it is.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A size option asks for nothing.
    #[error("`{option}` of data set `{dataset}` is 0: at least one image is needed")]
    NoImages {
        /// The data set's name.
        dataset: &'static str,
        /// The option that is 0.
        option: &'static str,
    },
    /// More images are asked for than can be meant.
    #[error("data set `{dataset}`: `{option}` is {value}, at most {most}")]
    TooManyImages {
        /// Name of the data set.
        dataset: &'static str,
        /// The option.
        option: &'static str,
        /// Its value.
        value: usize,
        /// The largest accepted.
        most: usize,
    },
    /// Images do not fit together.
    #[error(transparent)]
    Images(#[from] ImageSetError),
    /// What a data set says in an error type of its own.
    #[error(transparent)]
    Other(#[from] Box<dyn std::error::Error + Send + Sync>),
}
