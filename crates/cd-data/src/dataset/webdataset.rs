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
mod members;
mod samples;

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use self::label::Telling;
use self::samples::Wanted;
use super::classes::Labels;
use super::container::{self, Part, Parts, Reading};
use super::files::{FilesError, Limits};
use super::folder::Item;
use super::shards::{self, Shard, foreign};
use super::{DataError, Dataset, DatasetInfo, LoadContext, NotRead, Pictured, Split};
use crate::picture::{Container, Orientation, Place, Stamp, side_of};

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
/// Files with a class name in each line.
const NAMES: [&str; 2] = ["classnames.txt", "classes.txt"];
/// Longest such file.
const LONGEST_NAMES: u64 = 8 << 20;
/// How many times larger than its archive the unpacked content may be; pictures hardly shrink.
const MOST_UNPACKED: u64 = 100;
/// What unpacked content may have in any case.
const ALWAYS_UNPACKED: u64 = 256 << 20;

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
        let mut found = SHARDS.find(&self.path)?;
        let names = class_names(&self.path)?;
        found.not_read.retain(|file| !NAMES.contains(&file));
        let mut tests = found.tests().into_iter();
        let test = tests.next();
        tests.for_each(|shards| found.leave_out(shards));
        let mut listing = Listing {
            wanted: self.wanted(),
            telling: None,
            labels: Labels::default(),
            not_read: found.not_read,
        };
        let train = listing.part(&found.train)?;
        let test = test.map(|shards| listing.part(&shards)).transpose()?;
        let Listing {
            labels, not_read, ..
        } = listing;
        let wrong = |reason| FilesError::content(&self.path, reason);
        if self.unlabelled {
            let class_names = Vec::new();
            let parts = Parts {
                train,
                test: None,
                class_names,
            };
            return Ok((parts, not_read));
        }
        let classes = labels.classes(names).map_err(wrong)?;
        let of_class = |mut part: Part<Item>| {
            for label in &mut part.labels {
                *label = classes.of(*label);
            }
            part
        };
        let (train, test) = (of_class(train), test.map(of_class));
        if let Some(test) = &test {
            classes
                .check_test(&train.labels, &test.labels)
                .map_err(wrong)?;
        }
        let class_names = classes.names;
        Ok((
            Parts {
                train,
                test,
                class_names,
            },
            not_read,
        ))
    }
}

/// What is gathered from all shards.
struct Listing<'a> {
    wanted: Wanted<'a>,
    /// How the first sample tells its class.
    telling: Option<Telling>,
    labels: Labels,
    not_read: NotRead,
}

impl Listing<'_> {
    fn part(&mut self, shards: &[Shard]) -> Result<Part<Item>, FilesError> {
        let mut part = Part {
            items: Vec::new(),
            labels: Vec::new(),
        };
        for shard in shards {
            self.shard(shard, &mut part)?;
        }
        Ok(part)
    }

    fn shard(&mut self, shard: &Shard, part: &mut Part<Item>) -> Result<(), FilesError> {
        let container = opened(&shard.path)?;
        let file = container.file();
        let length = file.metadata().map_err(FilesError::io(&shard.path))?.len();
        let input = || {
            let mut input = BufReader::new(file);
            input.seek(SeekFrom::Start(0)).map(|_| input)
        };
        let wrong = |error: members::TarError| match foreign(&shard.path) {
            Some(what) if error.at == 0 => {
                FilesError::content(&shard.path, format!("it is no tar archive but {what}"))
            }
            _ => FilesError::content(&shard.path, format!("byte {}: {}", error.at, error.reason)),
        };
        if self.telling.is_none() && !self.wanted.unlabelled {
            let input = input().map_err(FilesError::io(&shard.path))?;
            let telling = samples::telling(input, length, self.wanted).map_err(wrong)?;
            let telling = telling.map_err(|fields| no_labels(&shard.path, &fields))?;
            self.telling = Some(telling);
        }
        let input = input().map_err(FilesError::io(&shard.path))?;
        let samples = samples::read(
            input,
            length,
            self.wanted,
            self.telling.as_ref(),
            &mut self.labels,
            (&shard.name, &mut self.not_read),
        );
        for sample in samples.map_err(wrong)? {
            let picture = sample.picture;
            part.labels.extend(sample.label);
            part.items.push(Item {
                name: format!("{}/{}", shard.name, picture.path),
                place: Place::Part {
                    container: Arc::clone(&container),
                    name: picture.path.into(),
                    start: picture.start,
                    len: picture.len,
                },
            });
        }
        Ok(())
    }
}

fn no_labels(path: &Path, fields: &[String]) -> FilesError {
    let reason = if fields.is_empty() {
        "it holds no samples".to_owned()
    } else {
        format!(
            "nothing tells the class of its first sample, which has the endings {}; choose one with `label`, and `label_key` where it is JSON",
            fields.join(", ")
        )
    };
    FilesError::content(path, reason)
}

/// An archive to read at any place: the file itself, or its unpacked content in a temporary one.
fn opened(path: &Path) -> Result<Arc<Container>, FilesError> {
    let failed = FilesError::io(path);
    let stamp = Stamp::of(path);
    let mut file = File::open(path).map_err(&failed)?;
    let mut magic = [0; 2];
    let is_packed = file.read(&mut magic).map_err(&failed)? == 2 && magic == [0x1f, 0x8b];
    file.seek(SeekFrom::Start(0)).map_err(&failed)?;
    if !is_packed {
        return Ok(Container::unpacked(path, stamp, file));
    }
    let most = file.metadata().map_err(&failed)?.len() * MOST_UNPACKED + ALWAYS_UNPACKED;
    let mut unpacked = tempfile::tempfile().map_err(&failed)?;
    let mut content = MultiGzDecoder::new(BufReader::new(file)).take(most + 1);
    let bytes = io::copy(&mut content, &mut unpacked).map_err(|error| {
        FilesError::content(
            path,
            format!("its gzip layer is damaged or cut short: {error}"),
        )
    })?;
    if bytes > most {
        let reason = format!("it unpacks to more than {most} bytes, which pictures do not");
        return Err(FilesError::content(path, reason));
    }
    Ok(Container::unpacked(path, stamp, unpacked))
}

/// Names of the classes from a file beside the shards, one in each line.
fn class_names(path: &Path) -> Result<Option<Vec<String>>, FilesError> {
    let folder = container::base(path);
    let file = NAMES
        .iter()
        .map(|name| folder.join(name))
        .find(|file| file.is_file());
    let Some(file) = file else {
        return Ok(None);
    };
    let length = fs::metadata(&file).map_err(FilesError::io(&file))?.len();
    if length > LONGEST_NAMES {
        return Err(FilesError::content(
            &file,
            format!("it has {length} bytes, too many for names of classes"),
        ));
    }
    let text = fs::read_to_string(&file).map_err(FilesError::io(&file))?;
    Ok(Some(
        text.lines().map(|line| line.trim().to_owned()).collect(),
    ))
}

#[cfg(test)]
mod tests;
