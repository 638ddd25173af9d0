//! Why weights could not be read, recognised or written.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::element::Element;
use super::entry::{Entries, Entry};
use super::misfit::StateError;

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
    #[error("{}: the architecture could not be recognised from {count} tensors ({sample}){hint}; the architectures are {known}", path.display())]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// How many tensors the file holds.
        count: usize,
        /// The first few names.
        sample: String,
        /// What is odd about the tensors, ready to append.
        hint: String,
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
    /// Several networks of the file fit equally.
    #[error("{}: several networks fit equally: {keys}; name the one that is meant with `--key` (`--weights-key` for a search)", path.display())]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// Where they stand.
        keys: String,
    },
    /// No network stands where it was asked for.
    #[error("{}: no network stands under that key; there are {keys}", path.display())]
    NoSuchKey {
        /// The file.
        path: PathBuf,
        /// Where networks stand.
        keys: String,
    },
    /// Tensors were saved with the network of which nothing is known, so its answers may depend on them.
    #[error("{}: {count} tensors were saved with the network that it has no place for: {names}; if they do not matter, name the network with `--key {key}`", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
        /// The first few names.
        names: String,
        /// Where the network stands.
        key: String,
    },
    /// Weights of a type that is not read.
    #[error("{}: {count} tensors of the network are {element} (`{example}`, ...), not floating-point numbers; save it in floating point, dequantised", path.display())]
    Elements {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
        /// Their type.
        element: Element,
        /// The first of them.
        example: String,
    },
    /// A normalisation that was saved with the network cannot be taken over.
    #[error("{}: the input normalisation {names} is not understood: {reason}; state it on the scale of 0 to 1 with `models convert --mean R,G,B --std R,G,B`", path.display())]
    Normalization {
        /// The file.
        path: PathBuf,
        /// The tensors.
        names: String,
        /// What is wrong with them.
        reason: String,
    },
    /// No such architecture.
    #[error(transparent)]
    Architecture(#[from] UnknownArchitecture),
}

impl WeightsError {
    pub(super) fn unknown(path: &Path, names: &[String], key: &str) -> Self {
        const SHOWN: usize = 6;
        let mut first = names[..names.len().min(SHOWN)].join(", ");
        if names.len() > SHOWN {
            first.push_str(", ...");
        }
        Self::Unknown {
            path: path.to_owned(),
            count: names.len(),
            names: first,
            key: key.to_owned(),
        }
    }
}

pub(super) fn unrecognised(path: &Path, entries: &Entries) -> WeightsError {
    if entries.is_empty() {
        return format_error(path, "it holds no tensors");
    }
    let mut sample: Vec<&str> = entries.keys().take(3).map(String::as_str).collect();
    if entries.len() > sample.len() {
        sample.push("...");
    }
    let odd = |entry: &&Entry| !entry.element.is_float() && entry.count() != Some(1);
    let hint = entries.values().find(odd).map(|first| {
        let same = entries
            .values()
            .filter(|entry| entry.element == first.element);
        format!(", of which {} are {}", same.count(), first.element)
    });
    let known: Vec<&str> = ARCHITECTURES.iter().map(|entry| entry.name).collect();
    WeightsError::Unrecognised {
        path: path.to_owned(),
        count: entries.len(),
        sample: sample.join(", "),
        hint: hint.unwrap_or_default(),
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
