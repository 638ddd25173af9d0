//! SVHN, house numbers on photographs (Netzer et al., NIPS workshop on deep learning, 2011): the cropped digits.
//!
//! `train_32x32.mat`, `test_32x32.mat` and `extra_32x32.mat` are MATLAB files of level 5 with `X`, bytes of shape `[32, 32, 3, N]` whose
//! first dimension is the fastest, and `y`, labels from 1 to 10, where 10 stands for the digit 0.

mod mat;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use cd_core::ImageSet;
use serde::{Deserialize, Serialize};

use self::mat::{MatError, Variable};
use super::files::{FilesError, Limits};
use super::shards::foreign;
use super::subset::balanced;
use super::{DataError, Dataset, DatasetInfo, LoadContext, NotRead, Split};

/// What lists say about SVHN.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "svhn",
    title: "SVHN",
    summary: "Digits of house numbers on photographs, 32 x 32 pixels, in 10 classes: 73,257 to train, 26,032 to test, 531,131 more.",
    source: "http://ufldl.stanford.edu/housenumbers/",
};
/// Side of a picture in pixels.
const SIDE: usize = 32;
/// Bytes of a picture.
const PIXELS: usize = SIDE * SIDE * 3;
/// Number of classes.
const CLASSES: usize = 10;

/// Where the files lie and how to read them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SvhnConfig {
    /// Folder of the files.
    pub path: PathBuf,
    /// Whether the pictures of `extra_32x32.mat` are added to those for training.
    pub extra: bool,
    /// At most this many training images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// At most this many test images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
    /// Seed of the choice that the limits make.
    pub seed: u64,
}

impl Default for SvhnConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/svhn"),
            extra: false,
            train_limit: None,
            test_limit: None,
            seed: 0,
        }
    }
}

impl Dataset for SvhnConfig {
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
        if !self.file("train").is_file() {
            return Err(self.missing());
        }
        let mut parts = vec!["train"];
        if self.extra {
            parts.push("extra");
        }
        let train = self.set(&parts, self.train_limit)?;
        let test = self.file("test").is_file();
        let test = test
            .then(|| self.set(&["test"], self.test_limit))
            .transpose()?;
        Ok(Split {
            name: INFO.name.into(),
            train,
            test,
            not_read: NotRead::default(),
        })
    }
}

impl SvhnConfig {
    fn file(&self, part: &str) -> PathBuf {
        self.path.join(format!("{part}_32x32.mat"))
    }

    fn missing(&self) -> DataError {
        let path = self.path.clone();
        let full = ["digitStruct.mat", "train/digitStruct.mat"];
        if let Some(full) = full
            .iter()
            .map(|name| path.join(name))
            .find(|file| file.is_file())
        {
            let reason = "it belongs to the full numbers (HDF5), which have no class each; the cropped digits are `train_32x32.mat` and `test_32x32.mat`";
            return FilesError::content(&full, reason).into();
        }
        FilesError::NotFound {
            dataset: INFO.title,
            path,
            expected: "`train_32x32.mat` and `test_32x32.mat`",
        }
        .into()
    }

    /// The pictures of some files, at most `limit` of them.
    fn set(&self, parts: &[&str], limit: Option<usize>) -> Result<ImageSet, DataError> {
        let mut set = ImageSet::new(
            SIDE,
            SIDE,
            (0..CLASSES).map(|digit| digit.to_string()).collect(),
        );
        let mut labels = Vec::new();
        let mut counts = Vec::new();
        for part in parts {
            let of_part = read_labels(&self.file(part))?;
            counts.push(of_part.len());
            labels.extend(of_part);
        }
        let chosen = match limit {
            Some(limit) => balanced(&labels, CLASSES, limit, self.seed),
            None => (0..labels.len()).collect(),
        };
        let mut first = 0;
        for (part, count) in parts.iter().zip(counts) {
            let of_part = &labels[first..first + count];
            let wanted = |row: usize| chosen.binary_search(&(first + row)).is_ok();
            let push = |row: usize, pixels: &[u8]| {
                set.push(format!("{part}:{row:06}"), pixels, of_part[row])
            };
            read_pictures(&self.file(part), count, wanted, push)?;
            first += count;
        }
        Ok(set)
    }
}

/// Calls `each` with the variables of the file at `path`.
fn variables(
    path: &Path,
    each: impl FnMut(&Variable, &mut dyn Read) -> Result<(), String>,
) -> Result<(), FilesError> {
    let file = File::open(path).map_err(FilesError::io(path))?;
    let length = file.metadata().map_err(FilesError::io(path))?.len();
    mat::each(BufReader::new(file), length, each).map_err(|MatError { at, reason }| {
        match foreign(path) {
            Some(what) if at == 0 && !reason.contains("HDF5") => {
                FilesError::content(path, format!("it is no MATLAB file but {what}"))
            }
            _ => FilesError::content(path, format!("byte {at}: {reason}")),
        }
    })
}

/// The digits of a file.
fn read_labels(path: &Path) -> Result<Vec<u32>, FilesError> {
    let mut labels = None;
    variables(path, |variable, input| {
        if variable.name == "y" {
            labels = Some(digits(variable, input)?);
        }
        Ok(())
    })?;
    labels.ok_or_else(|| FilesError::content(path, "it has no variable `y`"))
}

/// Labels as digits: 10 stands for 0.
fn digits(variable: &Variable, input: &mut dyn Read) -> Result<Vec<u32>, String> {
    let mut labels = Vec::new();
    variable.numbers(input, |label| {
        if label.fract() != 0.0 || !(0.0..=10.0).contains(&label) {
            return Err(format!(
                "label {} is {label}, expected 1 to 10",
                labels.len()
            ));
        }
        labels.push(label as u32);
        Ok(())
    })?;
    if labels.contains(&0) && labels.contains(&10) {
        return Err("both 0 and 10 are among the labels; 10 stands for the digit 0".into());
    }
    Ok(labels
        .into_iter()
        .map(|label| label % CLASSES as u32)
        .collect())
}

/// Calls `push` with the pixels of each of `count` pictures of a file that is wanted.
fn read_pictures(
    path: &Path,
    count: usize,
    wanted: impl Fn(usize) -> bool,
    mut push: impl FnMut(usize, &[u8]) -> Result<(), cd_core::ImageSetError>,
) -> Result<(), FilesError> {
    let mut found = false;
    variables(path, |variable, input| {
        if variable.name != "X" {
            return Ok(());
        }
        found = true;
        pictures(variable, count, input, |row, pixels| {
            if !wanted(row) {
                return Ok(());
            }
            push(row, pixels).map_err(|error| error.to_string())
        })
    })?;
    if found {
        return Ok(());
    }
    Err(FilesError::content(path, "it has no variable `X`"))
}

fn pictures(
    variable: &Variable,
    count: usize,
    input: &mut dyn Read,
    mut each: impl FnMut(usize, &[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let shape = &variable.shape;
    let of_one = [SIDE as u64, SIDE as u64, 3];
    // The last dimension is dropped when it is 1.
    let fits = shape.starts_with(&of_one)
        && shape.len() <= 4
        && shape.get(3).copied().unwrap_or(1) == count as u64;
    if !fits || !variable.is_bytes() || variable.bytes != (count * PIXELS) as u64 {
        return Err(format!(
            "`X` has shape {shape:?} and {} bytes, expected bytes of [32, 32, 3, {count}]",
            variable.bytes
        ));
    }
    let (mut planes, mut pixels) = ([0; PIXELS], [0; PIXELS]);
    for row in 0..count {
        input
            .read_exact(&mut planes)
            .map_err(|error| format!("`X` ends in picture {row} of {count}: {error}"))?;
        turned(&planes, &mut pixels);
        each(row, &pixels)?;
    }
    Ok(())
}

/// From `[channel, column, row]` to `[row, column, channel]`.
fn turned(planes: &[u8; PIXELS], pixels: &mut [u8; PIXELS]) {
    for (at, pixel) in pixels.chunks_exact_mut(3).enumerate() {
        let (row, column) = (at / SIDE, at % SIDE);
        for (channel, value) in pixel.iter_mut().enumerate() {
            *value = planes[(channel * SIDE + column) * SIDE + row];
        }
    }
}

#[cfg(test)]
mod tests;
