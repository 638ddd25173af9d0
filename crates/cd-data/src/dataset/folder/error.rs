//! What can be wrong with an image folder, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use cd_models::ImageSetError;
use thiserror::Error;

use crate::dataset::NotRead;
use crate::picture::PictureError;
use crate::table::TableError;

/// How many bad pictures a message names.
const NAMED: usize = 10;

/// The layouts that are understood, for messages.
const LAYOUT: &str = "put every picture into a folder named after its class (ROOT/cat/1.png), the \
    same below ROOT/train and ROOT/test, or add ROOT/labels.csv with the columns file,label";

/// Why an image folder could not be loaded.
#[derive(Debug, Error)]
pub enum FolderError {
    /// The root is missing or no folder.
    #[error("`{}` is no folder and no zip archive; name the folder or the archive that holds the pictures", path.display())]
    NotAFolder {
        /// The path that was given.
        path: PathBuf,
    },
    /// A file or folder could not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A symbolic link leads back to a folder that contains it.
    #[error(
        "`{}` is a link back to `{}`, which contains it; remove the link",
        path.display(), ancestor.display()
    )]
    LinkLoop {
        /// The link.
        path: PathBuf,
        /// The folder it leads to.
        ancestor: PathBuf,
    },
    /// A name is not Unicode.
    #[error("the name of `{}` is not valid Unicode; rename it", path.display())]
    NotUnicode {
        /// The file or folder.
        path: PathBuf,
    },
    /// Pictures lie in the root with nothing to tell their classes.
    #[error("`{}` holds {count} pictures but no class folders; {LAYOUT}. Only a search with given weights needs no classes", path.display())]
    Flat {
        /// The root.
        path: PathBuf,
        /// How many pictures lie in it.
        count: usize,
    },
    /// The root has neither pictures nor class folders.
    #[error("`{}` holds no pictures and no class folders; {LAYOUT}", path.display())]
    Nothing {
        /// The root.
        path: PathBuf,
    },
    /// A class folder has no pictures.
    #[error("class folder `{}` holds no pictures; add some or remove the folder{}", path.display(), beside(not_read))]
    EmptyClass {
        /// The class folder.
        path: PathBuf,
        /// What lies in it instead.
        not_read: NotRead,
    },
    /// All pictures of a class are bad.
    #[error(
        "none of the pictures of class `{class}` can be used; replace them, or remove the class"
    )]
    LostClass {
        /// The class.
        class: String,
    },
    /// All pictures are bad.
    #[error("none of the pictures can be used")]
    NothingLeft,
    /// The list of bad pictures could not be written.
    #[error("cannot write the list of bad pictures: {0}")]
    List(TableError),
    /// A test picture's class has no training pictures.
    #[error("class `{class}` of `{}` is no class of the training pictures: {suggestion}", path.display())]
    UnknownClass {
        /// Root of the test pictures.
        path: PathBuf,
        /// The class.
        class: String,
        /// The nearest known class and all of them.
        suggestion: String,
    },
    /// `labels.csv` is not readable as a table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// `labels.csv` is not usable.
    #[error("`{}`: {problem}", path.display())]
    Labels {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: LabelsError,
    },
    /// Pictures that could not be decoded.
    #[error(transparent)]
    Pictures(#[from] BadPictures),
    /// `size` is out of range.
    #[error("`size` is {size}, expected 1 to {largest} pixels")]
    Size {
        /// The value that came.
        size: usize,
        /// The largest accepted value.
        largest: usize,
    },
    /// `skip_bad` is out of range.
    #[error(
        "`skip_bad` is {share}, expected a number from 0 to 1: the largest share of bad pictures that is left out"
    )]
    SkipBad {
        /// The value that came.
        share: f64,
    },
    /// `test_fraction` is out of range.
    #[error("`test_fraction` is {fraction}, expected a number above 0 and below 1")]
    TestFraction {
        /// The value that came.
        fraction: f64,
    },
    /// Test pictures without classes measure nothing.
    #[error("`unlabelled` pictures have no test pictures; leave out `test` and `test_fraction`")]
    UnlabelledTest,
    /// `test_fraction` picks no picture.
    #[error("`test_fraction` {fraction} sets no picture aside: the classes are too small for it")]
    NothingToTest {
        /// The value that came.
        fraction: f64,
    },
    /// Both a test folder and a test fraction.
    #[error("`test_fraction` is set, but `{}` already holds test pictures; use one of the two", path.display())]
    TwoTestSets {
        /// Root of the test pictures.
        path: PathBuf,
    },
    /// Images do not fit together.
    #[error(transparent)]
    Images(#[from] ImageSetError),
}

/// What is wrong with a `labels.csv`.
#[derive(Debug, Error)]
pub enum LabelsError {
    /// No rows.
    #[error("there are no rows below the header")]
    NoRows,
    /// A row has an empty field.
    #[error("line {line}: `{column}` is empty")]
    EmptyField {
        /// Line of the file, from 1.
        line: u64,
        /// The empty column.
        column: &'static str,
    },
    /// A path leads out of the folder.
    #[error(
        "line {line}: `{file}` does not lie below the folder of labels.csv; use relative paths without `..`"
    )]
    Outside {
        /// Line of the file, from 1.
        line: u64,
        /// The path that came.
        file: String,
    },
    /// A file is listed under two labels.
    #[error("line {line}: `{file}` is listed twice, as `{former}` and as `{label}`")]
    Twice {
        /// Line of the file, from 1.
        line: u64,
        /// The path that came.
        file: String,
        /// Its label in an earlier line.
        former: String,
        /// Its label in this line.
        label: String,
    },
}

/// Every picture of a folder that could not be decoded, in order.
#[derive(Debug)]
pub struct BadPictures {
    /// Path and reason of each.
    pub pictures: Vec<(PathBuf, PictureError)>,
    /// How many pictures were read in all.
    pub total: usize,
    /// The largest share of bad pictures that would have been left out, 0 to 1.
    pub allowed: f64,
    /// The share that would have to be left out, where that is possible.
    pub needed: Option<f64>,
    /// The file that lists them all.
    pub list: Option<PathBuf>,
}

impl std::error::Error for BadPictures {}

impl fmt::Display for BadPictures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.pictures.len();
        write!(out, "{count} of {} pictures cannot be used", self.total)?;
        if self.allowed > 0.0 {
            write!(
                out,
                ", more than the {} % that are left out",
                self.allowed * 100.0
            )?;
        }
        write!(out, ":")?;
        for (path, reason) in self.pictures.iter().take(NAMED) {
            write!(out, "\n  {}: {reason}", path.display())?;
        }
        if count > NAMED {
            write!(out, "\n  and {} more", count - NAMED)?;
        }
        write!(out, "\nreplace or remove them and run again")?;
        if let Some(share) = self.needed {
            write!(
                out,
                ", or leave them out with `skip_bad = {share}` of the data set, which is `--skip-bad {share}` of commands with that option"
            )?;
        }
        match &self.list {
            Some(path) => write!(out, "; all of them are listed in `{}`", path.display()),
            None => Ok(()),
        }
    }
}

fn beside(not_read: &NotRead) -> String {
    let lines = std::iter::once(String::new()).chain(not_read.lines());
    lines.collect::<Vec<_>>().join("\n  ")
}
