//! CIFAR-10 (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009).
//!
//! Read from the official `cifar-10-binary.tar.gz`, from its unpacked folder, or from a tree
//! `train/CLASS/picture`, `test/CLASS/picture`, as the same pictures are often passed on. Every
//! size is checked before anything is read into memory.

mod archive;
mod records;
mod unpacked;

use std::io;
use std::path::{Path, PathBuf};

use cd_models::{ImageSet, ImageSetError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::records::{RECORD_LEN, RECORDS_PER_BATCH};
use super::folder::{self, FolderError};
use super::subset::balanced_subset;
use super::{DataError, Split};
use crate::fetch::CIFAR10_FILE;
use cd_models::Progress;

/// Side of a picture in pixels.
const SIDE: usize = 32;
/// Folder inside the official archive.
const ARCHIVE_FOLDER: &str = "cifar-10-batches-bin";
/// Class names by label.
const CLASSES: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

/// Where CIFAR-10 lies and how much of it to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cifar10Config {
    /// The official archive, a folder that holds it, its unpacked folder, or a folder with `train/`
    /// and `test/` class folders.
    pub path: PathBuf,
    /// At most this many training images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// At most this many test images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
    /// Seed of the choice that the limits make.
    pub seed: u64,
}

impl Default for Cifar10Config {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/cifar10"),
            train_limit: None,
            test_limit: None,
            seed: 0,
        }
    }
}

/// Why CIFAR-10 could not be read.
#[derive(Debug, Error)]
pub enum Cifar10Error {
    /// Nothing at the path looks like CIFAR-10.
    #[error(
        "no CIFAR-10 in `{}`: expected `{CIFAR10_FILE}`, its unpacked folder `{ARCHIVE_FOLDER}`, or \
         train/CLASS and test/CLASS folders; fetch it with `cd-cli data fetch`, or set `path` to \
         where it lies",
        path.display()
    )]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file or the archive could not be read.
    #[error("cannot read `{file}`: {source}; if it was cut short, fetch or unpack it again")]
    Io {
        /// The file, or `archive:member`.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A batch has the wrong number of bytes.
    #[error(
        "`{file}` has {got} bytes, expected {expected} (whole records of {RECORD_LEN} bytes): it is \
         {}; fetch or unpack it again",
        if got < expected { "cut short" } else { "too long" }
    )]
    Size {
        /// The file, or `archive:member`.
        file: String,
        /// Bytes that a batch has.
        expected: u64,
        /// Bytes that came.
        got: u64,
    },
    /// A record's label is not a CIFAR-10 class.
    #[error("record {record} of `{file}` has label {label}, expected 0 to 9: the file is damaged")]
    Label {
        /// The file, or `archive:member`.
        file: String,
        /// Number of the record, from 0.
        record: usize,
        /// The label that came.
        label: u8,
    },
    /// An archive member could write outside its folder or is no plain file.
    #[error(
        "`{archive}` is not the official archive: member `{member}` {reason}; nothing was read"
    )]
    UnsafeMember {
        /// The archive.
        archive: String,
        /// Name of the member.
        member: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file of the data set is missing.
    #[error("`{container}` lacks `{missing}`; fetch or unpack it again")]
    Missing {
        /// The archive or folder.
        container: String,
        /// Name of the missing file.
        missing: String,
    },
    /// `batches.meta.txt` does not name the ten classes.
    #[error("`{file}` does not list the 10 class names, one a line; restore or remove it")]
    ClassNames {
        /// The file, or `archive:member`.
        file: String,
    },
    /// A class-folder tree has other classes.
    #[error(
        "`{}` has the class folders {}, but CIFAR-10 has {}; for other pictures use the data set \
         `folder`",
        path.display(), found.join(", "), CLASSES.join(", ")
    )]
    TreeClasses {
        /// Root of the tree.
        path: PathBuf,
        /// Class folders found.
        found: Vec<String>,
    },
    /// A class-folder tree has no test pictures.
    #[error("`{}` has no `test` folder beside `train`", path.display())]
    TreeWithoutTest {
        /// Root of the tree.
        path: PathBuf,
    },
    /// A class-folder tree could not be read.
    #[error(transparent)]
    Tree(#[from] FolderError),
    /// Images do not fit together.
    #[error(transparent)]
    Images(#[from] ImageSetError),
}

/// Loads CIFAR-10 in whichever form it lies at the configured path.
pub(super) fn load(config: &Cifar10Config, progress: &dyn Progress) -> Result<Split, DataError> {
    for (option, limit) in [
        ("train_limit", config.train_limit),
        ("test_limit", config.test_limit),
    ] {
        if limit == Some(0) {
            return Err(DataError::NoImages {
                dataset: "cifar10",
                option,
            });
        }
    }
    let (train, test) = read(&config.path, RECORDS_PER_BATCH, progress)?;
    Ok(Split {
        name: "cifar10".into(),
        train: limited(train, config.train_limit, config.seed),
        test: Some(limited(test, config.test_limit, config.seed)),
    })
}

fn limited(set: ImageSet, limit: Option<usize>, seed: u64) -> ImageSet {
    match limit {
        Some(limit) => balanced_subset(&set, limit, seed),
        None => set,
    }
}

/// Reads (train, test). `records` is the number of pictures in a batch file; only tests have other
/// than the official one.
fn read(
    path: &Path,
    records: usize,
    progress: &dyn Progress,
) -> Result<(ImageSet, ImageSet), Cifar10Error> {
    let inner = path.join(ARCHIVE_FOLDER);
    let archive = path.join(CIFAR10_FILE);
    if path.is_file() {
        archive::read(path, records, progress)?.into_sets()
    } else if unpacked::looks_like_one(path) {
        unpacked::read(path, records, progress)?.into_sets()
    } else if inner.is_dir() {
        unpacked::read(&inner, records, progress)?.into_sets()
    } else if path.join("train").is_dir() {
        read_tree(path, progress)
    } else if archive.is_file() {
        archive::read(&archive, records, progress)?.into_sets()
    } else {
        Err(Cifar10Error::NotFound { path: path.into() })
    }
}

fn read_tree(path: &Path, progress: &dyn Progress) -> Result<(ImageSet, ImageSet), Cifar10Error> {
    let split = folder::load(&folder::FolderConfig::new(path), progress)?;
    if split.train.class_names() != CLASSES {
        return Err(Cifar10Error::TreeClasses {
            path: path.into(),
            found: split.train.class_names().to_vec(),
        });
    }
    let test = split
        .test
        .ok_or_else(|| Cifar10Error::TreeWithoutTest { path: path.into() })?;
    Ok((split.train, test))
}

#[cfg(test)]
mod tests;
