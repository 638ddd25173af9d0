//! The user's own pictures.
//!
//! | layout | meaning |
//! |---|---|
//! | `ROOT/CLASS/picture` | training pictures; the class is the folder's name |
//! | `ROOT/train/CLASS/picture` and `ROOT/test/CLASS/picture` (or `val`) | training and test pictures |
//! | `ROOT/labels.csv` with the columns `file,label` | pictures anywhere below `ROOT`; `labels.csv` may also stand in `ROOT/train` and `ROOT/test` |
//!
//! `ROOT` may be a zip archive of such a folder, which need not be unpacked. With `unlabelled` every picture below `ROOT` counts, whatever the layout.
//!
//! Classes are numbered in the order of their sorted names. Pictures are ordered by path. What lies there and is not
//! read (thumbnails, hidden files, pictures that a table does not list, test pictures of other classes) is counted by reason.

mod bad;
mod beside;
mod error;
mod kinds;
mod labels;
mod list;
mod pictures;
mod walk;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use error::{BadPictures, FolderError, LabelsError};

pub(super) use self::kinds::{HIDDEN, has_picture_ending};
pub(super) use self::list::{Listed, Listing, list_classes, list_pictures, list_unlabelled};
use self::list::{Root, list_root};
pub(super) use self::pictures::{Item, Pictures, Reader};
use super::subset::stratified_split;
use super::{DataError, Dataset, DatasetInfo, LoadContext, NotRead, Pictured, Split};
use crate::picture::{Decoding, Orientation};

/// What lists say about image folders.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "folder",
    title: "Image folder",
    summary: "Your own pictures: one folder per class, or a labels.csv; resized to one size.",
    source: "a folder on this computer",
};
/// Largest side that pictures may be resized to.
const MAX_SIZE: usize = 4096;

/// Where the pictures lie and how to read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderConfig {
    /// Root folder of the pictures, or a zip archive of it.
    pub path: PathBuf,
    /// Root folder of test pictures, when they lie elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// Side in pixels, 1 to 4096, that every picture is resized to; without it one that fits the pictures, at most 224, which
    /// [`DatasetConfig::settle`](super::DatasetConfig::settle) puts here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    /// Seed of the choice that `test_fraction` makes.
    #[serde(default)]
    pub seed: u64,
    /// Without test pictures: the fraction of every class, above 0 and below 1, that is set aside
    /// for testing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
    /// Whether nothing tells the classes: all pictures below `path` count and have no labels.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlabelled: bool,
    /// Largest share of pictures, 0 to 1, that is left out because they cannot be decoded; with more, nothing is read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip_bad: f64,
    /// Whether pictures are turned as their cameras noted.
    #[serde(default, skip_serializing_if = "Orientation::is_ignored")]
    pub orientation: Orientation,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
pub(super) fn is_zero(share: &f64) -> bool {
    *share == 0.0
}

impl FolderConfig {
    /// The pictures at `path`, with every option at its default.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            test: None,
            size: None,
            seed: 0,
            test_fraction: None,
            unlabelled: false,
            skip_bad: 0.0,
            orientation: Orientation::default(),
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
        Ok(list(self)?.train.count())
    }

    /// The side for its training pictures when nobody says one: their own when all are the same square, else the nearest of 32, 64,
    /// 96, 128 and 224 pixels to the median of their shorter sides; at most 224. Only headers are read.
    ///
    /// # Errors
    ///
    /// When the folder cannot be listed or has none of the known layouts.
    pub fn side(&self) -> Result<usize, FolderError> {
        Ok(list(self)?.train.side())
    }

    fn root(&self) -> Result<Root, FolderError> {
        if self.unlabelled {
            return Ok(Root {
                train: list_unlabelled(&self.path)?,
                test: None,
            });
        }
        list_root(&self.path)
    }
}

impl Dataset for FolderConfig {
    fn info(&self) -> &'static DatasetInfo {
        &INFO
    }

    fn load(&self, context: &LoadContext<'_>) -> Result<Split, DataError> {
        Ok(load(self, context)?)
    }

    fn pictures(&self) -> Result<Option<Pictured>, DataError> {
        let train = list(self)?.train;
        Ok(Some(Pictured {
            count: train.count(),
            side: train.side(),
        }))
    }

    fn size(&mut self) -> Option<&mut Option<usize>> {
        Some(&mut self.size)
    }

    fn is_unlabelled(&self) -> bool {
        self.unlabelled
    }

    fn drop_missing_labels(&mut self) -> bool {
        self.unlabelled |= self.is_flat();
        self.unlabelled
    }
}

/// The pictures of a data set, none of them opened yet.
#[derive(Debug)]
pub(super) struct ListedSplit {
    pub(super) train: Pictures,
    pub(super) test: Option<Pictures>,
    /// Classes of both by label; none when nothing tells them.
    pub(super) class_names: Vec<String>,
    /// What else lies there.
    pub(super) not_read: NotRead,
}

/// Lists an image folder.
pub(super) fn list(config: &FolderConfig) -> Result<ListedSplit, FolderError> {
    check_options(config)?;
    let mut root = config.root()?;
    let mut not_read = std::mem::take(&mut root.train.not_read);
    let mut test = test_listing(config, root.test)?;
    if let Some(test) = &mut test {
        not_read.append(std::mem::take(&mut test.not_read));
    }
    let class_names = root.train.class_names.clone();
    Ok(ListedSplit {
        test: test
            .map(|test| Pictures::labelled(test, &class_names))
            .transpose()?,
        train: Pictures::labelled(root.train, &class_names)?,
        class_names,
        not_read,
    })
}

/// Loads an image folder; its name becomes the name of the split.
fn load(config: &FolderConfig, context: &LoadContext<'_>) -> Result<Split, FolderError> {
    let listed = list(config)?;
    let repeated = listed.train.repeated() + listed.test.as_ref().map_or(0, Pictures::repeated);
    if repeated > 0 {
        tracing::warn!(repeated, "labels.csv lists pictures more than once");
    }
    let decoding = Decoding {
        side: config.size.unwrap_or_else(|| listed.train.side()),
        orientation: config.orientation,
    };
    let reader = Reader::new(decoding, context).skipping(config.skip_bad);
    let parts = std::iter::once(listed.train).chain(listed.test).collect();
    let (sets, skipped) = reader.read(parts, &listed.class_names)?;
    let mut not_read = listed.not_read;
    not_read.append(skipped);
    let mut sets = sets.into_iter();
    let train = sets.next().expect("one set for each part");
    let (train, test) = match (sets.next(), config.test_fraction) {
        (None, Some(fraction)) => {
            let (train, test) = stratified_split(&train, fraction, config.seed);
            if test.is_empty() {
                return Err(FolderError::NothingToTest { fraction });
            }
            (train, Some(test))
        }
        (test, _) => (train, test),
    };
    Ok(Split {
        name: split_name(&config.path),
        train,
        test,
        not_read,
    })
}

fn check_options(config: &FolderConfig) -> Result<(), FolderError> {
    check_ranges(config.size, config.skip_bad, config.test_fraction)?;
    if config.unlabelled && (config.test.is_some() || config.test_fraction.is_some()) {
        return Err(FolderError::UnlabelledTest);
    }
    Ok(())
}

/// Fails when one of these options is out of range.
pub(super) fn check_ranges(
    size: Option<usize>,
    skip_bad: f64,
    test_fraction: Option<f64>,
) -> Result<(), FolderError> {
    if let Some(size) = size.filter(|size| !(1..=MAX_SIZE).contains(size)) {
        return Err(FolderError::Size {
            size,
            largest: MAX_SIZE,
        });
    }
    if !(0.0..=1.0).contains(&skip_bad) {
        return Err(FolderError::SkipBad { share: skip_bad });
    }
    match test_fraction {
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
mod archive_tests;
#[cfg(test)]
mod left_out_tests;
#[cfg(test)]
mod tests;
