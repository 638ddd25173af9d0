//! The user's own pictures.
//!
//! | layout | meaning |
//! |---|---|
//! | `ROOT/CLASS/picture` | training pictures; the class is the folder's name |
//! | `ROOT/train/CLASS/picture` and `ROOT/test/CLASS/picture` (or `val`) | training and test pictures |
//! | `ROOT/labels.csv` with the columns `file,label` | pictures anywhere below `ROOT`; `labels.csv` may also stand in `ROOT/train` and `ROOT/test` |
//!
//! With `unlabelled` every picture below `ROOT` counts, whatever the layout.
//!
//! Classes are numbered in the order of their sorted names. Pictures are ordered by path. Hidden
//! files and files that are no pictures by their extension are skipped and counted in a warning.

mod error;
mod labels;
mod list;
mod pictures;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use error::{BadPictures, FolderError, LabelsError};

use self::list::{Listing, Root, list_root, list_unlabelled};
use self::pictures::{check_classes, read_listing};
use super::Split;
use super::subset::stratified_split;
use cd_models::Progress;

/// Largest side that pictures may be resized to.
const MAX_SIZE: usize = 4096;

/// Where the pictures lie and how to read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderConfig {
    /// Root folder of the pictures.
    pub path: PathBuf,
    /// Root folder of test pictures, when they lie elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// Side in pixels, 1 to 4096, that every picture is resized to.
    #[serde(default = "default_size")]
    pub size: usize,
    /// Seed of the choice that `test_fraction` makes.
    #[serde(default)]
    pub seed: u64,
    /// Without test pictures: the fraction of every class, above 0 and below 1, that is set aside
    /// for testing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
    /// Whether nothing tells the classes: all pictures below `path` get the one class `unknown`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlabelled: bool,
}

fn default_size() -> usize {
    32
}

impl FolderConfig {
    /// The pictures at `path`, with every option at its default.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            test: None,
            size: default_size(),
            seed: 0,
            test_fraction: None,
            unlabelled: false,
        }
    }

    /// Whether `path` holds pictures with nothing to tell their classes, so that `unlabelled` would be needed.
    pub fn is_flat(&self) -> bool {
        matches!(list_root(&self.path), Err(FolderError::Flat { .. }))
    }

    /// Number of training pictures, counted without opening them.
    ///
    /// # Errors
    ///
    /// When the folder cannot be listed or has none of the known layouts.
    pub fn count(&self) -> Result<usize, FolderError> {
        Ok(self.list()?.train.pictures.len())
    }

    fn list(&self) -> Result<Root, FolderError> {
        if self.unlabelled {
            return Ok(Root {
                train: list_unlabelled(&self.path)?,
                test: None,
            });
        }
        list_root(&self.path)
    }
}

/// Loads an image folder; its name becomes the name of the split.
pub(super) fn load(config: &FolderConfig, progress: &dyn Progress) -> Result<Split, FolderError> {
    check_options(config)?;
    let root = config.list()?;
    let test = test_listing(config, root.test)?;
    let class_names = root.train.class_names.clone();
    if let Some(test) = &test {
        // Before the pictures are decoded, which may take minutes.
        check_classes(test, &class_names)?;
    }
    let train = read_listing(&root.train, &class_names, config.size, progress)?;
    let (train, test) = match (test, config.test_fraction) {
        (Some(test), _) => (
            train,
            Some(read_listing(&test, &class_names, config.size, progress)?),
        ),
        (None, Some(fraction)) => {
            let (train, test) = stratified_split(&train, fraction, config.seed);
            if test.is_empty() {
                return Err(FolderError::NothingToTest { fraction });
            }
            (train, Some(test))
        }
        (None, None) => (train, None),
    };
    Ok(Split {
        name: split_name(&config.path),
        train,
        test,
    })
}

fn check_options(config: &FolderConfig) -> Result<(), FolderError> {
    if config.size == 0 || config.size > MAX_SIZE {
        return Err(FolderError::Size {
            size: config.size,
            largest: MAX_SIZE,
        });
    }
    if config.unlabelled && (config.test.is_some() || config.test_fraction.is_some()) {
        return Err(FolderError::UnlabelledTest);
    }
    match config.test_fraction {
        Some(fraction) if !(fraction > 0.0 && fraction < 1.0) => {
            Err(FolderError::TestFraction { fraction })
        }
        _ => Ok(()),
    }
}

/// The one source of test pictures, if there is any.
fn test_listing(
    config: &FolderConfig,
    beside_train: Option<Listing>,
) -> Result<Option<Listing>, FolderError> {
    let listing = match &config.test {
        // The folder that was asked for wins over one that merely lies there.
        Some(path) => Some(list_root(path)?.train),
        None => beside_train,
    };
    match (&listing, config.test_fraction) {
        (Some(listing), Some(_)) => Err(FolderError::TwoTestSets {
            path: listing.root.clone(),
        }),
        _ => Ok(listing),
    }
}

fn split_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || "folder".into(),
        |name| name.to_string_lossy().into_owned(),
    )
}

#[cfg(test)]
mod tests;
