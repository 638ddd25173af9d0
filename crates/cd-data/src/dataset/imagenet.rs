//! ImageNet (Deng et al., CVPR 2009) as class folders called by their numbers in WordNet.
//!
//! `train/n01440764/*.JPEG` and `val/n01440764/*.JPEG`. A class is its folder, in the order of the sorted numbers, which is that of
//! torchvision; the numbers of the challenge's own tools are others. Validation pictures without class folders are not read.

mod classes;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(super) use classes::Classes;

use super::files::{self, FilesError, Limits};
use super::folder::{FolderError, Listing, list_classes};
use super::{DataError, Dataset, DatasetInfo, LoadContext, Split};

/// What lists say about ImageNet.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "imagenet",
    title: "ImageNet",
    summary: "Photographs in class folders `train/WNID` and `val/WNID`: all of them, the first few classes, or a list.",
    source: "https://www.image-net.org/download.php",
};

/// Where ImageNet lies and which classes to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageNetConfig {
    /// Folder that holds `train` and, for testing, `val`.
    pub path: PathBuf,
    /// Side in pixels, 1 to 4096, that every picture is resized to.
    pub size: usize,
    /// Only the first so many classes in the order of their numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<usize>,
    /// Only these classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// At most this many training images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// At most this many test images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
    /// Seed of the choice that the limits make.
    pub seed: u64,
}

impl Default for ImageNetConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/imagenet"),
            size: 224,
            first: None,
            classes: Vec::new(),
            train_limit: None,
            test_limit: None,
            seed: 0,
        }
    }
}

impl Dataset for ImageNetConfig {
    fn info(&self) -> &'static DatasetInfo {
        &INFO
    }

    fn load(&self, context: &LoadContext<'_>) -> Result<Split, DataError> {
        let limits = Limits {
            train: self.train_limit,
            test: self.test_limit,
            seed: self.seed,
        };
        limits.check(INFO.name)?;
        files::check_side(self.size)?;
        let train = self.path.join("train");
        if !train.is_dir() {
            return Err(FilesError::NotFound {
                dataset: INFO.title,
                path: self.path.clone(),
                expected: "the folder `train` with a folder for each class, such as `n01440764`",
            }
            .into());
        }
        let classes = Classes::chosen(&train, self.first, &self.classes)?;
        let mut train = list_classes(&self.path, &train, |class| classes.has(class))
            .map_err(FilesError::from)?;
        let test = self.test(&classes, &mut train)?;
        Ok(files::read(
            INFO.name, train, test, limits, self.size, context,
        )?)
    }
}

impl ImageNetConfig {
    /// The validation pictures of the classes; some that lie there without any are noted with `train`.
    fn test(&self, classes: &Classes, train: &mut Listing) -> Result<Option<Listing>, FilesError> {
        let folder = self.path.join("val");
        if !folder.is_dir() {
            return Ok(None);
        }
        match list_classes(&self.path, &folder, |class| classes.has(class)) {
            Ok(test) => Ok(Some(test)),
            Err(FolderError::Flat { count, .. }) => {
                let reason = "validation pictures without class folders; move them into val/WNID";
                train
                    .not_read
                    .add(reason, format!("val ({count} pictures)"));
                Ok(None)
            }
            Err(FolderError::Nothing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
