//! Tiny-ImageNet (Le and Yang, "Tiny ImageNet Visual Recognition Challenge", 2015).
//!
//! `train/WNID/images/*.JPEG` and either `val/images/*.JPEG` with `val_annotations.txt`, as it is downloaded, or
//! `val/WNID/*.JPEG`, as many tools leave it. A class is its number in WordNet, in sorted order, and not that of `wnids.txt`. The
//! pictures of `test` have no labels and are not read.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::{self, FilesError, Limits};
use super::folder::{Listed, Listing, list_classes};
use super::imagenet::Classes;
use super::{DataError, Dataset, DatasetInfo, LoadContext, NotRead, Split, archives};
use crate::zipped;

/// What lists say about Tiny-ImageNet.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "tiny_imagenet",
    title: "Tiny-ImageNet",
    summary: "Photographs of 64 x 64 pixels in 200 classes: 100,000 to train, 10,000 to test.",
    source: "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
};
/// Folder inside the archive.
const FOLDER: &str = "tiny-imagenet-200";
/// Table of the validation pictures: file, class and box, separated by tabs.
const ANNOTATIONS: &str = "val_annotations.txt";
/// Largest accepted table in bytes.
const MOST_BYTES: u64 = 16 << 20;

/// Where Tiny-ImageNet lies and how much of it to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TinyImageNetConfig {
    /// The folder `tiny-imagenet-200` or its zip archive, or the folder that holds one of them.
    pub path: PathBuf,
    /// Side in pixels, 1 to 4096, that every picture is resized to.
    pub size: usize,
    /// Only the first so many classes in the order of their numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<usize>,
    /// At most this many training images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// At most this many test images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
    /// Seed of the choice that the limits make.
    pub seed: u64,
}

impl Default for TinyImageNetConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/tiny-imagenet-200"),
            size: 64,
            first: None,
            train_limit: None,
            test_limit: None,
            seed: 0,
        }
    }
}

impl Dataset for TinyImageNetConfig {
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
        let root = root(&self.path)?;
        let train = root.join("train");
        let classes = Classes::chosen(&train, self.first, &[])?;
        let mut train =
            list_classes(&root, &train, |class| classes.has(class)).map_err(FilesError::from)?;
        // Every class folder has a table of boxes.
        train.not_read.retain(|file| !file.ends_with("_boxes.txt"));
        let test = test(&root, &classes)?;
        Ok(files::read(
            INFO.name, train, test, limits, self.size, context,
        )?)
    }
}

/// Where `train` and `val` lie: in a folder, or in the archive as it is downloaded.
fn root(path: &Path) -> Result<PathBuf, FilesError> {
    let complete = |outer: &Path| {
        let roots = [outer.to_path_buf(), outer.join(FOLDER)];
        roots
            .into_iter()
            .find(|root| zipped::is_dir(&root.join("train")))
    };
    if let Some(root) = complete(path) {
        return Ok(root);
    }
    let folder: Vec<PathBuf> = path.is_dir().then(|| path.into()).into_iter().collect();
    let archives = archives::in_folders(path, &folder)?;
    let found = archives.iter().find_map(|archive| complete(archive));
    found.ok_or_else(|| FilesError::NotFound {
        dataset: INFO.title,
        path: path.into(),
        expected: "`train` with folders such as `n01443537`, and `val`, or `tiny-imagenet-200.zip`",
    })
}

/// The validation pictures of the classes.
fn test(root: &Path, classes: &Classes) -> Result<Option<Listing>, FilesError> {
    let folder = root.join("val");
    let table = folder.join(ANNOTATIONS);
    let is_flat = zipped::is_dir(&folder.join("images"));
    if zipped::is_file(&table) && is_flat {
        let text = files::text(&table, MOST_BYTES)?;
        return annotated(root, &folder, &table, &text, classes).map(Some);
    }
    if !zipped::is_dir(&folder) {
        return Ok(None);
    }
    if is_flat {
        return Err(FilesError::Missing {
            dataset: INFO.title,
            path: folder,
            missing: format!("`{ANNOTATIONS}`, which has the labels of `images`"),
        });
    }
    Ok(Some(list_classes(root, &folder, |class| {
        classes.has(class)
    })?))
}

fn annotated(
    root: &Path,
    folder: &Path,
    table: &Path,
    text: &str,
    classes: &Classes,
) -> Result<Listing, FilesError> {
    let mut pictures = Vec::new();
    for (number, line) in (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let mut fields = line.split('\t').map(str::trim);
        let plain = |file: &&str| !file.is_empty() && !file.contains(['/', '\\']) && *file != "..";
        let (Some(file), Some(class)) = (fields.next().filter(plain), fields.next()) else {
            return Err(FilesError::content(
                table,
                format!(
                    "line {number} is `{line}`, expected a file and a class, separated by tabs"
                ),
            ));
        };
        if classes.has(class) {
            let path = folder.join("images").join(file);
            let below = path.strip_prefix(root).unwrap_or(&path);
            let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
            pictures.push(Listed::new(parts.join("/"), path, class));
        }
    }
    if pictures.is_empty() {
        return Err(FilesError::content(
            table,
            "it names no picture of the classes",
        ));
    }
    pictures.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(Listing {
        root: folder.into(),
        base: root.into(),
        pictures,
        class_names: Vec::new(),
        not_read: NotRead::default(),
    })
}

#[cfg(test)]
mod tests;
