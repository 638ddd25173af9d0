//! MNIST (LeCun et al., Proceedings of the IEEE 86, 1998) and Fashion-MNIST (Xiao et al., arXiv:1708.07747).
//!
//! Both come as `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k`, plain or with `.gz`; the checksums of
//! the published labels tell which of the two they are. Gray becomes three equal channels.

mod idx;

use std::path::{Path, PathBuf};

use cd_core::ImageSet;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MnistKind {
    /// MNIST.
    Digits,
    /// Fashion-MNIST.
    Fashion,
}

/// MD5 of the published labels, unpacked, and what they are of.
const OFFICIAL: [(&str, MnistKind); 4] = [
    ("a25bea736e30d166cdddb491f175f624", MnistKind::Digits),
    ("27ae3e4e09519cfbb04c329615203637", MnistKind::Digits),
    ("9018921c3c673c538a1fc5bad174d6f9", MnistKind::Fashion),
    ("15d484375f8d13e6eb1aabb0c3f46965", MnistKind::Fashion),
];

impl MnistKind {
    /// What the labels of this checksum are of, where they are published ones.
    fn of_official(sum: &str) -> Option<Self> {
        let known = OFFICIAL.iter().find(|(official, _)| *official == sum);
        known.map(|(_, kind)| *kind)
    }

    fn title(self) -> &'static str {
        match self {
            Self::Digits => "MNIST (`digits`)",
            Self::Fashion => "Fashion-MNIST (`fashion`)",
        }
    }

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
    /// Whether they show `digits` or `fashion`; without it the published files are told apart, and others count as digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<MnistKind>,
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
            kind: None,
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
        let train = self.files("train")?.ok_or_else(|| FilesError::NotFound {
            dataset: INFO.title,
            path: self.path.clone(),
            expected: "`train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, also with `.gz`",
        })?;
        let test = self.files("t10k")?;
        let kind = self.kind(std::iter::once(&train).chain(&test))?;
        let train = self.part("train", train, kind)?;
        let test = test
            .map(|files| self.part("t10k", files, kind))
            .transpose()?;
        Ok(Split {
            name: match kind {
                MnistKind::Digits => "mnist".into(),
                MnistKind::Fashion => "fashion-mnist".into(),
            },
            train: limited(train, self.train_limit),
            test: test.map(|test| limited(test, self.test_limit)),
            not_read: NotRead::default(),
        })
    }
}

/// The files of one part.
struct Files {
    images: PathBuf,
    path: PathBuf,
    labels: idx::Labels,
}

impl MnistConfig {
    /// The files of `train` or `t10k`; none when neither of the two is there.
    fn files(&self, part: &str) -> Result<Option<Files>, FilesError> {
        let [images, labels] =
            ["images-idx3", "labels-idx1"].map(|kind| find(&self.path, part, kind));
        match (images, labels) {
            (None, None) => Ok(None),
            (Some(images), Some(path)) => Ok(Some(Files {
                images,
                labels: idx::labels(&path)?,
                path,
            })),
            (images, _) => {
                let missing = if images.is_some() {
                    "labels-idx1"
                } else {
                    "images-idx3"
                };
                Err(FilesError::Missing {
                    dataset: INFO.title,
                    path: self.path.clone(),
                    missing: format!("`{part}-{missing}-ubyte`"),
                })
            }
        }
    }

    /// What the pictures show: as the user says, which must not contradict the published files, or as those tell.
    fn kind<'a>(&self, files: impl Iterator<Item = &'a Files>) -> Result<MnistKind, FilesError> {
        let mut kind = self.kind;
        for files in files {
            let Some(found) = MnistKind::of_official(&files.labels.md5) else {
                continue;
            };
            match kind {
                Some(other) if other != found => {
                    let reason = format!(
                        "these are the published labels of {}, but {}",
                        found.title(),
                        match self.kind {
                            Some(kind) => format!("`kind` says {}", kind.title()),
                            None => format!("the others here are those of {}", other.title()),
                        }
                    );
                    return Err(FilesError::content(&files.path, reason));
                }
                _ => kind = Some(found),
            }
        }
        Ok(kind.unwrap_or_else(|| {
            tracing::warn!(
                path = %self.path.display(),
                "neither the published MNIST nor the published Fashion-MNIST; taken as digits, unless `kind` says otherwise"
            );
            MnistKind::Digits
        }))
    }

    fn part(&self, part: &str, files: Files, kind: MnistKind) -> Result<ImageSet, DataError> {
        let padding = if self.pad { PADDING } else { 0 };
        let labels = files.labels.values;
        let pictures = idx::Images::open(&files.images)?;
        pictures.check_count(labels.len())?;
        let (height, width) = (pictures.height + 2 * padding, pictures.width + 2 * padding);
        let source = pictures.source(padding)?;
        let mut set = ImageSet::new(height, width, kind.classes().map(String::from).to_vec());
        for (index, label) in labels.into_iter().enumerate() {
            set.push_from(format!("{part}:{index:05}"), &source, index, label.into())?;
        }
        Ok(set)
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

#[cfg(test)]
mod tests;
