//! Tar shards in the convention of `WebDataset`: files of one name with several endings are a sample.
//!
//! | file of a sample | meaning |
//! |---|---|
//! | `KEY.jpg`, `KEY.png` and every other ending of a picture | the picture |
//! | `KEY.cls` | number or name of its class |
//! | `KEY.json` | an object that tells the class under `label`, `cls`, `class`, `target` or `class_id` |
//! | `KEY.txt` | name of its class |
//!
//! The key ends at the first dot of the file's name. `.cls` counts before `.json` and `.txt`; which of them it is, the first sample tells.
//! A file `classnames.txt` or `classes.txt` beside the shards has the name of a class in each line. Pictures are read where they lie in
//! the archives; a `.tar.gz` is unpacked to a temporary file first.

mod label;
mod listing;
mod members;
mod samples;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::samples::Wanted;
use super::container::{self, Parts, Reading};
use super::files::{FilesError, Limits};
use super::folder::Item;
use super::shards;
use super::{DataError, Dataset, DatasetInfo, LoadContext, NotRead, Pictured, Split};
use crate::picture::{Orientation, Place, side_of};

/// What lists say about tar shards.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "webdataset",
    title: "Tar shards (WebDataset)",
    summary: "Your own pictures in .tar or .tar.gz shards, each with a .cls, .json or .txt of the same name; resized to one size.",
    source: "a folder, a file or a pattern such as train-{000..012}.tar on this computer",
};
const SHARDS: shards::Wanted = shards::Wanted {
    dataset: INFO.title,
    expected: "shards that end in .tar, .tar.gz or .tgz, in a folder or as a pattern such as `train-{000..012}.tar`",
    endings: &[".tar", ".tar.gz", ".tgz"],
};

/// Where the shards lie and how to read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebDatasetConfig {
    /// Folder of shards, one shard, or a pattern such as `train-{000..012}.tar`. In a folder, shards with `test` or `val` in their
    /// names are for testing.
    pub path: PathBuf,
    /// Side in pixels, 1 to 4096, that every picture is resized to; without it one that fits the pictures, at most 224.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    /// Ending of the pictures where samples have several, such as `left.jpg`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Ending of the files that tell the class; without it `cls`, `json` or `txt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Key of a JSON file that tells the class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_key: Option<String>,
    /// Whether nothing tells the classes: all pictures count and have no labels.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unlabelled: bool,
    /// At most this many training images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// At most this many test images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
    /// Without test pictures: the fraction of every class, above 0 and below 1, that is set aside for testing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
    /// Largest share of pictures, 0 to 1, that is left out because they cannot be decoded; with more, nothing is read.
    #[serde(skip_serializing_if = "super::folder::is_zero")]
    pub skip_bad: f64,
    /// Whether pictures are turned as their cameras noted.
    #[serde(skip_serializing_if = "Orientation::is_ignored")]
    pub orientation: Orientation,
    /// Seed of the choices that limits and fraction make.
    pub seed: u64,
}

impl Default for WebDatasetConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/webdataset"),
            size: None,
            image: None,
            label: None,
            label_key: None,
            unlabelled: false,
            train_limit: None,
            test_limit: None,
            test_fraction: None,
            skip_bad: 0.0,
            orientation: Orientation::default(),
            seed: 0,
        }
    }
}

impl Dataset for WebDatasetConfig {
    fn info(&self) -> &'static DatasetInfo {
        &INFO
    }

    fn load(&self, context: &LoadContext<'_>) -> Result<Split, DataError> {
        let reading = self.reading();
        reading.check(INFO.name)?;
        let (parts, not_read) = self.listed()?;
        let parts = parts.divided(&self.path, &reading)?;
        let base = container::base(&self.path);
        Ok(container::read(
            &self.path, &base, parts, not_read, &reading, context,
        )?)
    }

    fn pictures(&self) -> Result<Option<Pictured>, DataError> {
        let (parts, _) = self.listed()?;
        let places: Vec<&Place> = parts.train.items.iter().map(|item| &item.place).collect();
        Ok(Some(Pictured {
            count: places.len(),
            side: side_of(&places),
        }))
    }

    fn size(&mut self) -> Option<&mut Option<usize>> {
        Some(&mut self.size)
    }

    fn is_unlabelled(&self) -> bool {
        self.unlabelled
    }

    fn drop_missing_labels(&mut self) -> bool {
        if !self.unlabelled && self.listed().is_err() {
            self.unlabelled = true;
            self.unlabelled = self.listed().is_ok();
        }
        self.unlabelled
    }
}

impl WebDatasetConfig {
    fn reading(&self) -> Reading {
        Reading {
            size: self.size,
            limits: Limits {
                train: self.train_limit,
                test: self.test_limit,
                seed: self.seed,
            },
            test_fraction: self.test_fraction,
            skip_bad: self.skip_bad,
            orientation: self.orientation,
            unlabelled: self.unlabelled,
        }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            picture: self.image.as_deref(),
            label: self.label.as_deref(),
            key: self.label_key.as_deref(),
            unlabelled: self.unlabelled,
        }
    }

    /// Finds the pictures and their classes; no picture is opened.
    fn listed(&self) -> Result<(Parts<Item>, NotRead), FilesError> {
        listing::list(&self.path, SHARDS.find(&self.path)?, self.wanted())
    }
}

#[cfg(test)]
mod tests;
