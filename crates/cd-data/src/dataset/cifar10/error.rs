//! What can be wrong with CIFAR-10, and what to do about it.

use std::io;
use std::path::PathBuf;

use cd_models::ImageSetError;
use thiserror::Error;

use super::records::RECORD_LEN;
use super::{ARCHIVE_FOLDER, CLASSES, PYTHON_FILE, PYTHON_FOLDER};
use crate::dataset::FolderError;
use crate::fetch::CIFAR10_FILE;
use crate::pickle::PickleError;

/// Why CIFAR-10 could not be read.
#[derive(Debug, Error)]
pub enum Cifar10Error {
    /// Nothing at the path looks like CIFAR-10.
    #[error(
        "no CIFAR-10 in `{}`: expected `{CIFAR10_FILE}` or `{PYTHON_FILE}`, one of their unpacked folders \
         `{ARCHIVE_FOLDER}` and `{PYTHON_FOLDER}`, or \
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
    /// A file of the Python version is larger than it can be.
    #[error("`{file}` has {got} bytes, expected at most {most}: it is another file")]
    Large {
        /// The file, or `archive:member`.
        file: String,
        /// Most bytes that it may have.
        most: u64,
        /// Bytes that came.
        got: u64,
    },
    /// A file of the Python version is no pickle of plain data.
    #[error("`{file}`, of the Python version of the data set: {source}; fetch or unpack it again")]
    Pickle {
        /// The file, or `archive:member`.
        file: String,
        /// What is wrong with it.
        source: PickleError,
    },
    /// A file of the Python version holds something else.
    #[error("`{file}`, of the Python version of the data set: {reason}")]
    Python {
        /// The file, or `archive:member`.
        file: String,
        /// What it holds and what was expected.
        reason: String,
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
