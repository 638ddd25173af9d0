//! CIFAR-100 (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009).
//!
//! Read from the official binary or Python archive or their unpacked folders. A picture has two labels: one of 20 coarse classes,
//! which comes first, and one of 100 fine ones.

mod names;
mod records;

use std::path::PathBuf;

use cd_core::ImageSet;
use serde::{Deserialize, Serialize};

use super::files::{FilesError, Limits};
use super::members;
use super::subset::balanced_subset;
use super::{DataError, Dataset, DatasetInfo, LoadContext, NotRead, Split};

/// What lists say about CIFAR-100.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "cifar100",
    title: "CIFAR-100",
    summary: "60,000 photographs of 32 x 32 pixels in 100 classes, or 20 coarse ones: 50,000 to train, 10,000 to test.",
    source: "https://www.cs.toronto.edu/~kriz/cifar.html",
};
/// The official archives and the folders that they unpack to.
const PLACES: [&str; 4] = [
    "cifar-100-binary",
    "cifar-100-python",
    "cifar-100-binary.tar.gz",
    "cifar-100-python.tar.gz",
];

/// Which of its two labels a picture has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cifar100Labels {
    /// One of 100 classes.
    #[default]
    Fine,
    /// One of 20 classes.
    Coarse,
}

/// Where CIFAR-100 lies and how much of it to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cifar100Config {
    /// An official archive, its unpacked folder, or the folder that holds one of them.
    pub path: PathBuf,
    /// Whether labels are `fine` or `coarse`.
    pub labels: Cifar100Labels,
    /// At most this many training images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// At most this many test images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
    /// Seed of the choice that the limits make.
    pub seed: u64,
}

impl Default for Cifar100Config {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/cifar100"),
            labels: Cifar100Labels::default(),
            train_limit: None,
            test_limit: None,
            seed: 0,
        }
    }
}

impl Dataset for Cifar100Config {
    fn info(&self) -> &'static DatasetInfo {
        &INFO
    }

    fn load(&self, _context: &LoadContext<'_>) -> Result<Split, DataError> {
        let limits = Limits {
            train: self.train_limit,
            test: self.test_limit,
            seed: self.seed,
        };
        limits.check(INFO.name)?;
        let inner = PLACES.iter().map(|place| self.path.join(place));
        let place = inner.into_iter().find(|place| place.exists());
        let place = place.unwrap_or_else(|| self.path.clone());
        let not_found = || FilesError::NotFound {
            dataset: INFO.title,
            path: self.path.clone(),
            expected: "`cifar-100-binary.tar.gz` or `cifar-100-python.tar.gz`, or what they unpack to",
        };
        if !place.exists() {
            return Err(not_found().into());
        }
        let mut members = members::read(&place, records::most_bytes, records::BUDGET)?;
        if members.is_empty() {
            return Err(not_found().into());
        }
        let mut read = |part| records::read(&place, &mut members, part, self.labels);
        let limited = |set: ImageSet, limit: Option<usize>| match limit {
            Some(limit) => balanced_subset(&set, limit, self.seed),
            None => set,
        };
        Ok(Split {
            name: INFO.name.into(),
            train: limited(read("train")?, self.train_limit),
            test: Some(limited(read("test")?, self.test_limit)),
            not_read: NotRead::default(),
        })
    }
}

#[cfg(test)]
mod tests;
