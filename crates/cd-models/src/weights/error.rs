//! Why weights could not be read, recognised or written.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::misfit::StateError;
use super::state::StateDict;
use crate::registry::{ARCHITECTURES, UnknownArchitecture};

/// Why weights could not be read, recognised or written.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// None of the formats, or a damaged file.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A weight is NaN or infinite.
    #[error("{}: parameter `{name}` holds NaN or infinite values", path.display())]
    NonFinite {
        /// The file.
        path: PathBuf,
        /// The first such parameter.
        name: String,
    },
    /// No registered architecture has these names and shapes.
    #[error("{}: the architecture could not be recognised from {count} parameters ({sample}, ...); name it if the weights are of one of these: {known}", path.display())]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// How many parameters the file holds.
        count: usize,
        /// The first few names.
        sample: String,
        /// Registered architectures.
        known: String,
    },
    /// The weights are of another architecture than the one asked for.
    #[error("{}: {source}", path.display())]
    Misfit {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: StateError,
    },
    /// The file does not determine what was not asked for.
    #[error("{}: the number of classes cannot be read off the weights; they lack the head of {architecture}", path.display())]
    Classes {
        /// The file.
        path: PathBuf,
        /// The architecture asked for.
        architecture: &'static str,
    },
    /// No such architecture.
    #[error(transparent)]
    Architecture(#[from] UnknownArchitecture),
}

pub(super) fn unrecognised(path: &Path, state: &StateDict) -> WeightsError {
    let sample: Vec<&str> = state.iter().take(3).map(|(name, _)| name).collect();
    let known: Vec<&str> = ARCHITECTURES.iter().map(|entry| entry.name).collect();
    WeightsError::Unrecognised {
        path: path.to_owned(),
        count: state.len(),
        sample: sample.join(", "),
        known: known.join(", "),
    }
}

pub(super) fn format_error(path: &Path, reason: &str) -> WeightsError {
    WeightsError::Format {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

pub(super) fn io_error(path: &Path, source: io::Error) -> WeightsError {
    WeightsError::Io {
        path: path.to_owned(),
        source,
    }
}
