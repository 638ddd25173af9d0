//! ImageNet (Deng et al., CVPR 2009) as class folders called by their numbers in WordNet.
//!
//! `train/n01440764/*.JPEG` and `val/n01440764/*.JPEG`. A class is its folder, in the order of the sorted numbers, which is that of
//! torchvision; the numbers of the challenge's own tools are others. Validation pictures without class folders are
//! read where a list of their classes lies beside them.

mod classes;
mod flat;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(super) use classes::Classes;

use super::files::{self, FilesError, Limits};
use super::folder::{FolderError, Listing, list_classes};
use super::{DataError, Dataset, DatasetInfo, LoadContext, Split};
use crate::zipped;

/// What lists say about ImageNet.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "imagenet",
    title: "ImageNet",
    summary: "Photographs in class folders `train/WNID` and `val/WNID`: all of them, the first few classes, or a list.",
    source: "https://www.image-net.org/download.php",
};

/// Folder of `train` and `val` in what Kaggle has of the challenge.
const KAGGLE: &str = "ILSVRC/Data/CLS-LOC";

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
        let root = self.root()?;
        let train = root.join("train");
        let classes = Classes::chosen(&train, self.first, &self.classes)?;
        let mut train =
            list_classes(&root, &train, |class| classes.has(class)).map_err(FilesError::from)?;
        let test = self.test(&root, &classes, &mut train)?;
        Ok(files::read(
            INFO.name, train, test, limits, self.size, context,
        )?)
    }
}

impl ImageNetConfig {
    /// The folder of `train` and `val`.
    fn root(&self) -> Result<PathBuf, FilesError> {
        let roots = [self.path.clone(), self.path.join(KAGGLE)];
        let found = roots
            .into_iter()
            .find(|root| zipped::is_dir(&root.join("train")));
        found.ok_or_else(|| FilesError::NotFound {
            dataset: INFO.title,
            path: self.path.clone(),
            expected: "the folder `train` with a folder for each class, such as `n01440764`",
        })
    }

    /// The validation pictures of the classes; some that lie there without any are noted with `train`.
    fn test(
        &self,
        root: &Path,
        classes: &Classes,
        train: &mut Listing,
    ) -> Result<Option<Listing>, FilesError> {
        let folder = root.join("val");
        if !zipped::is_dir(&folder) {
            return Ok(None);
        }
        match list_classes(root, &folder, |class| classes.has(class)) {
            Ok(test) => Ok(Some(test)),
            Err(FolderError::Flat { count, .. }) => {
                if let Some(map) = flat::Map::find(&[&folder, root, &self.path])? {
                    return map.listing(root, &folder, classes).map(Some);
                }
                let reason = format!(
                    "validation pictures without class folders; move them into val/WNID, or put {} beside them",
                    flat::KNOWN
                );
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
