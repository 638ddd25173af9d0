//! Parquet shards as hubs of data sets publish them.
//!
//! A column of pictures is one of bytes, or of structures with `bytes` and `path` as the library `datasets` writes them; pictures whose
//! bytes are null lie under their path beside the shard. A column of labels is one of whole numbers or of names. The names of numbers
//! stand in the metadata of the file under the key `huggingface`. Of several columns the user chooses.
//!
//! Shards called `train-00000-of-00005.parquet` or `train/0000.parquet` are for training, those with `test` in their names for
//! testing, and those with `validation` where there are none or they have no labels.
//!
//! Pages of pictures are packed and a page has many, so that a shuffled pass would unpack each of them many times. Encoded pictures are
//! therefore copied once into a temporary file without a name, page by page, and read from there; it is as large as they are.

mod columns;
mod copying;
mod data;
mod listing;
mod packed;
mod pages;
mod rows;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::columns::Wanted;
use self::copying::copied;
use self::listing::{LabelReader, Row};
use super::classes::Labels;
use super::container::{self, Part, Parts, Reading};
use super::files::{FilesError, Limits};
use super::folder::Item;
use super::shards::{self, Shard};
use super::spool::Spool;
use super::{DataError, Dataset, DatasetInfo, LoadContext, NotRead, Pictured, Split};
use crate::picture::{Orientation, Place, side_of};

/// What lists say about parquet shards.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "parquet",
    title: "Parquet shards",
    summary: "Your own pictures or a data set of a hub in .parquet shards, with a column of pictures and one of labels; resized to one size.",
    source: "a folder or a file on this computer, such as one of https://huggingface.co/datasets",
};
const SHARDS: shards::Wanted = shards::Wanted {
    dataset: INFO.title,
    expected: "shards that end in .parquet, such as `train-00000-of-00001.parquet`, there or in folders inside",
    endings: &[".parquet"],
};
/// Pictures whose sizes decide the side of all.
const SAMPLE: usize = 1000;

/// Where the shards lie and how to read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ParquetConfig {
    /// Folder of shards, or one shard. In a folder, shards with `test` or `validation` in their names are for testing.
    pub path: PathBuf,
    /// Side in pixels, 1 to 4096, that every picture is resized to; without it one that fits the first pictures, at most 224.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    /// Column of the pictures, where several can hold them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_column: Option<String>,
    /// Column of the labels, where several can hold them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
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

impl Default for ParquetConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/parquet"),
            size: None,
            image_column: None,
            label_column: None,
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

impl Dataset for ParquetConfig {
    fn info(&self) -> &'static DatasetInfo {
        &INFO
    }

    fn load(&self, context: &LoadContext<'_>) -> Result<Split, DataError> {
        let reading = self.reading();
        reading.check(INFO.name)?;
        let listing = self.listed()?;
        let parts = listing.parts.divided(&self.path, &reading)?;
        let mut spool = Spool::new().map_err(FilesError::io(&std::env::temp_dir()))?;
        let wanted = self.wanted();
        let mut copied = |part: Part<Row>| -> Result<Part<Item>, FilesError> {
            let items = copied(&listing.shards, &part.items, wanted, &mut spool)?;
            let labels = part.labels;
            Ok(Part { items, labels })
        };
        let parts = Parts {
            train: copied(parts.train)?,
            test: parts.test.map(&mut copied).transpose()?,
            class_names: parts.class_names,
        };
        spool
            .finish()
            .map_err(FilesError::io(&std::env::temp_dir()))?;
        let base = container::base(&self.path);
        Ok(container::read(
            &self.path,
            &base,
            parts,
            listing.not_read,
            &reading,
            context,
        )?)
    }

    fn pictures(&self) -> Result<Option<Pictured>, DataError> {
        let listing = self.listed()?;
        let rows = listing.parts.train.items;
        let count = rows.len();
        let mut spool = Spool::new().map_err(FilesError::io(&std::env::temp_dir()))?;
        let first = &rows[..count.min(SAMPLE)];
        let items = copied(&listing.shards, first, self.wanted(), &mut spool)?;
        spool
            .finish()
            .map_err(FilesError::io(&std::env::temp_dir()))?;
        let places: Vec<&Place> = items.iter().map(|item| &item.place).collect();
        let side = side_of(&places);
        Ok(Some(Pictured { count, side }))
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

/// What is found without looking at pictures.
struct Listing {
    shards: Vec<Shard>,
    parts: Parts<Row>,
    not_read: NotRead,
}

impl ParquetConfig {
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
            image: self.image_column.as_deref(),
            label: self.label_column.as_deref(),
            unlabelled: self.unlabelled,
        }
    }

    /// Finds the rows and their classes.
    fn listed(&self) -> Result<Listing, FilesError> {
        let mut found = SHARDS.find(&self.path)?;
        let tests = found.tests();
        let mut reader = LabelReader {
            wanted: self.wanted(),
            shards: Vec::new(),
            labels: Labels::default(),
            names: None,
            not_read: std::mem::take(&mut found.not_read),
        };
        let train = reader.part(std::mem::take(&mut found.train))?;
        let mut test = None;
        for shards in tests {
            if test.is_some() || self.unlabelled {
                found.leave_out(shards);
                continue;
            }
            // The official test split of a hub is often without labels.
            test = Some(reader.part(shards)?).filter(|part| !part.items.is_empty());
        }
        reader.not_read.append(std::mem::take(&mut found.not_read));
        let finished = reader.finish(train, test);
        let (parts, shards, not_read) =
            finished.map_err(|reason| FilesError::content(&self.path, reason))?;
        Ok(Listing {
            shards,
            parts,
            not_read,
        })
    }
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod made;
#[cfg(test)]
mod tests;
