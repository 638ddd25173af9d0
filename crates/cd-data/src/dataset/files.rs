//! What data sets of published layouts share: missing files named, limits applied, pictures turned into a split.

use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::folder::{Listing, Pictures, Reader};
use super::{DataError, FolderError, LoadContext, Split};
use crate::picture::{Decoding, kind};
use crate::table::TableError;
use crate::zipped;

/// Why the files of a data set cannot be used.
#[derive(Debug, Error)]
pub enum FilesError {
    /// Nothing of the data set is there.
    #[error("no {dataset} in `{}`: expected {expected}; set `path` to where it lies", path.display())]
    NotFound {
        /// Title of the data set.
        dataset: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// The layouts that are understood.
        expected: &'static str,
    },
    /// A part of the data set is missing.
    #[error("{dataset} in `{}` lacks {missing}", path.display())]
    Missing {
        /// Title of the data set.
        dataset: &'static str,
        /// Where the others lie.
        path: PathBuf,
        /// What is missing, and where it is from.
        missing: String,
    },
    /// A file holds something else.
    #[error("`{}`: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where in it.
        reason: String,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A table of the data set cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Pictures cannot be listed or decoded.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl From<FilesError> for DataError {
    fn from(error: FilesError) -> Self {
        Self::Other(Box::new(error))
    }
}

impl FilesError {
    /// A file that holds something else.
    pub(super) fn content(path: &Path, reason: impl Into<String>) -> Self {
        Self::Content {
            path: path.into(),
            reason: reason.into(),
        }
    }

    /// A file that cannot be read.
    pub(super) fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Io {
            path: path.into(),
            source,
        }
    }
}

/// The text of a list of at most `most` bytes.
pub(super) fn text(path: &Path, most: u64) -> Result<String, FilesError> {
    let mut text = Vec::new();
    let file = zipped::open(path).map_err(FilesError::io(path))?;
    file.take(most + 1)
        .read_to_end(&mut text)
        .map_err(FilesError::io(path))?;
    if text.len() as u64 > most {
        let reason = format!("it has more than {most} bytes, too many for this list");
        return Err(FilesError::content(path, reason));
    }
    let start = &text[..text.len().min(kind::LOOKED_AT as usize)];
    if let Some(what) = kind::foreign(start) {
        let reason =
            format!("it is {what}, not the list: fetch it again, by hand where a quota stops it");
        return Err(FilesError::content(path, reason));
    }
    let text = String::from_utf8(text);
    text.map_err(|_| FilesError::content(path, "it is no text in UTF-8"))
}

/// How much of a data set to take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) train: Option<usize>,
    pub(super) test: Option<usize>,
    pub(super) seed: u64,
}

impl Limits {
    /// Fails when a limit leaves nothing.
    pub(super) fn check(self, dataset: &'static str) -> Result<(), DataError> {
        let limits = [("train_limit", self.train), ("test_limit", self.test)];
        match limits.into_iter().find(|(_, limit)| *limit == Some(0)) {
            Some((option, _)) => Err(DataError::NoImages { dataset, option }),
            None => Ok(()),
        }
    }
}

/// Fails when pictures cannot be brought to this side.
pub(super) fn check_side(size: usize) -> Result<(), FolderError> {
    const LARGEST: usize = 4096;
    if (1..=LARGEST).contains(&size) {
        return Ok(());
    }
    Err(FolderError::Size {
        size,
        largest: LARGEST,
    })
}

/// Reads listed pictures; both listings are of the classes of the first.
pub(super) fn read(
    name: &str,
    mut train: Listing,
    test: Option<Listing>,
    limits: Limits,
    size: usize,
    context: &LoadContext<'_>,
) -> Result<Split, FilesError> {
    let class_names = train.class_names.clone();
    let mut not_read = std::mem::take(&mut train.not_read);
    let listings =
        std::iter::once((train, limits.train)).chain(test.map(|test| (test, limits.test)));
    let mut parts = Vec::new();
    for (mut listing, limit) in listings {
        not_read.append(std::mem::take(&mut listing.not_read));
        let mut pictures = Pictures::labelled(listing, &class_names)?;
        if let Some(limit) = limit {
            pictures.limit(class_names.len(), limit, limits.seed);
        }
        parts.push(pictures);
    }
    let reader = Reader::new(Decoding::of_side(size), context);
    let (sets, _) = reader.read(parts, &class_names)?;
    let mut sets = sets.into_iter();
    Ok(Split {
        name: name.into(),
        train: sets.next().expect("one set for each part"),
        test: sets.next(),
        not_read,
    })
}
