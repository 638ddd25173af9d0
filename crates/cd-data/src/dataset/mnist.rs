//! MNIST (LeCun et al., Proceedings of the IEEE 86, 1998) and Fashion-MNIST (Xiao et al., arXiv:1708.07747).
//!
//! Both come as `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k`, plain or with `.gz`; which of the two
//! it is only the user knows. Gray becomes three equal channels.

mod idx;

use std::path::{Path, PathBuf};

use cd_core::{CHANNELS, ImageSet};
use serde::{Deserialize, Serialize};

use super::files::{FilesError, Limits};
use super::subset::balanced_subset;
use super::{DataError, Dataset, DatasetInfo, LoadContext, NotRead, Split};

/// What lists say about MNIST.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "mnist",
    title: "MNIST and Fashion-MNIST",
    summary: "Gray pictures of 28 x 28 pixels in 10 classes, digits or clothes: 60,000 to train, 10,000 to test.",
    source: "https://ossci-datasets.s3.amazonaws.com/mnist/ and https://github.com/zalandoresearch/fashion-mnist",
};
/// Blank pixels around a picture that is padded.
const PADDING: usize = 2;

/// What the pictures show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MnistKind {
    /// MNIST.
    #[default]
    Digits,
    /// Fashion-MNIST.
    Fashion,
}

impl MnistKind {
    fn classes(self) -> [&'static str; 10] {
        match self {
            Self::Digits => ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
            Self::Fashion => [
                "t-shirt",
                "trouser",
                "pullover",
                "dress",
                "coat",
                "sandal",
                "shirt",
                "sneaker",
                "bag",
                "ankle boot",
            ],
        }
    }
}

/// Where the files lie and how to read them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MnistConfig {
    /// Folder of the four files.
    pub path: PathBuf,
    /// Whether they show `digits` or `fashion`.
    pub kind: MnistKind,
    /// Whether two blank pixels are added on every side, which makes 32 of 28.
    pub pad: bool,
    /// At most this many training images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// At most this many test images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
    /// Seed of the choice that the limits make.
    pub seed: u64,
}

impl Default for MnistConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/mnist"),
            kind: MnistKind::default(),
            pad: false,
            train_limit: None,
            test_limit: None,
            seed: 0,
        }
    }
}

impl Dataset for MnistConfig {
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
        let limited = |set: ImageSet, limit: Option<usize>| match limit {
            Some(limit) => balanced_subset(&set, limit, self.seed),
            None => set,
        };
        let train = self.part("train")?.ok_or_else(|| FilesError::NotFound {
            dataset: INFO.title,
            path: self.path.clone(),
            expected: "`train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, also with `.gz`",
        })?;
        Ok(Split {
            name: match self.kind {
                MnistKind::Digits => "mnist".into(),
                MnistKind::Fashion => "fashion-mnist".into(),
            },
            train: limited(train, self.train_limit),
            test: self
                .part("t10k")?
                .map(|test| limited(test, self.test_limit)),
            not_read: NotRead::default(),
        })
    }
}

impl MnistConfig {
    /// The pictures of `train` or `t10k`; none when neither of their files is there.
    fn part(&self, part: &str) -> Result<Option<ImageSet>, DataError> {
        let [images, labels] =
            ["images-idx3", "labels-idx1"].map(|kind| find(&self.path, part, kind));
        let (images, labels) = match (images, labels) {
            (None, None) => return Ok(None),
            (Some(images), Some(labels)) => (images, labels),
            (images, _) => {
                let missing = if images.is_some() {
                    "labels-idx1"
                } else {
                    "images-idx3"
                };
                return Err(FilesError::Missing {
                    dataset: INFO.title,
                    path: self.path.clone(),
                    missing: format!("`{part}-{missing}-ubyte`"),
                }
                .into());
            }
        };
        let labels = idx::labels(&labels)?;
        let padding = if self.pad { PADDING } else { 0 };
        let mut pictures = idx::Images::open(&images)?;
        pictures.check_count(labels.len())?;
        let (height, width) = (pictures.height + 2 * padding, pictures.width + 2 * padding);
        let mut set = ImageSet::new(
            height,
            width,
            self.kind.classes().map(String::from).to_vec(),
        );
        let mut gray = vec![0; pictures.height * pictures.width];
        for (index, &label) in labels.iter().enumerate() {
            pictures.next(&mut gray)?;
            let pixels = colours(&gray, pictures.width, padding);
            set.push(format!("{part}:{index:05}"), &pixels, label.into())?;
        }
        pictures.finish()?;
        Ok(Some(set))
    }
}

/// The first of the names under which a file is passed on.
fn find(folder: &Path, part: &str, kind: &str) -> Option<PathBuf> {
    let dotted = kind.replace("-idx", ".idx");
    let names = [kind, dotted.as_str()].map(|kind| format!("{part}-{kind}-ubyte"));
    let folders = [folder.to_path_buf(), folder.join("raw")];
    let paths = folders.iter().flat_map(|folder| {
        names
            .iter()
            .flat_map(move |name| ["", ".gz"].map(|ending| folder.join(format!("{name}{ending}"))))
    });
    paths.into_iter().find(|path| path.is_file())
}

/// A gray picture with `padding` black pixels around it, in three equal channels.
fn colours(gray: &[u8], width: usize, padding: usize) -> Vec<u8> {
    let row_len = (width + 2 * padding) * CHANNELS;
    let blank = vec![0; padding * row_len];
    let mut pixels = blank.clone();
    for row in gray.chunks_exact(width) {
        pixels.resize(pixels.len() + padding * CHANNELS, 0);
        pixels.extend(row.iter().flat_map(|&value| [value; CHANNELS]));
        pixels.resize(pixels.len() + padding * CHANNELS, 0);
    }
    pixels.extend(blank);
    pixels
}

#[cfg(test)]
mod tests;
