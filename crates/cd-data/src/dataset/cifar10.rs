//! CIFAR-10 (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009).
//!
//! Read from the official `cifar-10-binary.tar.gz` or `cifar-10-python.tar.gz`, from their unpacked folders, or from a tree
//! `train/CLASS/picture`, `test/CLASS/picture`, as the same pictures are often passed on. Every
//! size is checked before anything is read into memory, and no pickle is run.

mod archive;
mod error;
mod python;
mod records;
mod tree;
mod unpacked;

use std::path::PathBuf;

use cd_models::ImageSet;
use serde::{Deserialize, Serialize};

pub use error::Cifar10Error;

use self::records::RECORDS_PER_BATCH;
use super::subset::balanced_subset;
use super::{DataError, Dataset, DatasetInfo, LoadContext, NotRead, Split};
use crate::fetch::CIFAR10_FILE;

/// What lists say about CIFAR-10.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "cifar10",
    title: "CIFAR-10",
    summary: "60,000 photographs of 32 x 32 pixels in 10 classes: 50,000 to train, 10,000 to test.",
    source: "https://www.cs.toronto.edu/~kriz/cifar.html",
};

/// Side of a picture in pixels.
const SIDE: usize = 32;
/// Folder inside the official archive.
const ARCHIVE_FOLDER: &str = "cifar-10-batches-bin";
/// The official archive for Python.
const PYTHON_FILE: &str = "cifar-10-python.tar.gz";
/// Folder inside of it.
const PYTHON_FOLDER: &str = "cifar-10-batches-py";
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
    /// An official archive (binary or Python), a folder that holds one, its unpacked folder, or a folder with `train/`
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

impl Dataset for Cifar10Config {
    fn info(&self) -> &'static DatasetInfo {
        &INFO
    }

    fn load(&self, context: &LoadContext<'_>) -> Result<Split, DataError> {
        for (option, limit) in [
            ("train_limit", self.train_limit),
            ("test_limit", self.test_limit),
        ] {
            if limit == Some(0) {
                return Err(DataError::NoImages {
                    dataset: INFO.name,
                    option,
                });
            }
        }
        let (train, test, not_read) = read(self, RECORDS_PER_BATCH, context)?;
        Ok(Split {
            name: INFO.name.into(),
            train,
            test: Some(test),
            not_read,
        })
    }
}

/// Reads (train, test, what was left out) in whichever form they lie at the configured path. `records` is the number of pictures in a
/// batch file; only tests have other than the official one.
fn read(
    config: &Cifar10Config,
    records: usize,
    context: &LoadContext<'_>,
) -> Result<(ImageSet, ImageSet, NotRead), Cifar10Error> {
    let (path, progress) = (config.path.as_path(), context.progress);
    let inner = [ARCHIVE_FOLDER, PYTHON_FOLDER].map(|folder| path.join(folder));
    let archives = [CIFAR10_FILE, PYTHON_FILE].map(|file| path.join(file));
    let batches = if path.is_file() {
        archive::read(path, records, progress)?
    } else if unpacked::looks_like_one(path) {
        unpacked::read(path, records, progress)?
    } else if let Some(inner) = inner.iter().find(|folder| folder.is_dir()) {
        unpacked::read(inner, records, progress)?
    } else if path.join("train").is_dir() {
        return tree::read(config, context);
    } else if let Some(archive) = archives.iter().find(|file| file.is_file()) {
        archive::read(archive, records, progress)?
    } else {
        return Err(Cifar10Error::NotFound { path: path.into() });
    };
    let (train, test) = batches.into_sets()?;
    Ok((
        limited(train, config.train_limit, config.seed),
        limited(test, config.test_limit, config.seed),
        NotRead::default(),
    ))
}

fn limited(set: ImageSet, limit: Option<usize>, seed: u64) -> ImageSet {
    match limit {
        Some(limit) => balanced_subset(&set, limit, seed),
        None => set,
    }
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;
