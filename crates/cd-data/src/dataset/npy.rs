//! Arrays of pictures and labels as NumPy saves them: `.npy` files of a folder, or `.npz` files.
//!
//! | names | meaning |
//! |---|---|
//! | `x`, `images`, `data` and `y`, `labels`, `targets` | pictures and labels, to train |
//! | the same with `train`, `test` or `val` before or behind | pictures and labels of that part |
//! | `arr_0` and `arr_1` (and `arr_2` and `arr_3`) | the arrays with three or four axes are pictures, the others labels (the second pair is for testing) |
//!
//! Pictures are `[N, height, width, channels]`, `[N, channels, height, width]` or `[N, height, width]`, of bytes, of whole numbers from 0
//! to 255, or of floats from 0 to 1. Floats from 0 to 255 are read when all are whole, and else only when `range` says so: a wrong guess would
//! show nowhere. Labels are `[N]`, `[N, 1]`, or `[N, classes]` with a single 1 in each row. Arrays that are stored as they are stay where they
//! are; packed ones are unpacked once.

mod arrays;
mod labels;
mod pixels;
mod roles;

use std::path::PathBuf;
use std::sync::Arc;

use cd_core::{ImageSet, PixelSource};
use serde::{Deserialize, Serialize};

pub use pixels::{ArrayLayout, ArrayRange};

use self::arrays::Array;
use self::pixels::{ArraySource, Form};
use self::roles::{Pair, Wanted};
use super::classes::Labels;
use super::container::{self, Part, Parts, Reading};
use super::files::{FilesError, Limits};
use super::{DataError, Dataset, DatasetInfo, LoadContext, NotRead, Pictured, Split};
use crate::picture::{Orientation, side_of_sizes};

/// What lists say about arrays.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "npy",
    title: "NumPy arrays",
    summary: "Your own pictures and labels as arrays: x.npy and y.npy in a folder, or an .npz file; at their own size unless another is set.",
    source: "a folder or a file on this computer",
};
const OTHER: &str = "arrays whose names tell neither pictures nor labels";

/// Where the arrays lie and how to read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NpyConfig {
    /// Folder of `.npy` or `.npz` files, or one file.
    pub path: PathBuf,
    /// Side in pixels, 1 to 4096, that every picture is resized to; without it pictures keep their size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    /// Name of the array of training pictures, where names do not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<String>,
    /// Name of the array of their labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// Name of the array of test pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_images: Option<String>,
    /// Name of the array of their labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_labels: Option<String>,
    /// Where colours stand, when the shape does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<ArrayLayout>,
    /// What floats mean: `unit` (0 to 1), `bytes` (0 to 255) or `symmetric` (-1 to 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<ArrayRange>,
    /// Whether nothing tells the classes.
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
    /// Seed of the choices that limits and fraction make.
    pub seed: u64,
}

impl Default for NpyConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/npy"),
            size: None,
            images: None,
            labels: None,
            test_images: None,
            test_labels: None,
            layout: None,
            range: None,
            unlabelled: false,
            train_limit: None,
            test_limit: None,
            test_fraction: None,
            seed: 0,
        }
    }
}

impl Dataset for NpyConfig {
    fn info(&self) -> &'static DatasetInfo {
        &INFO
    }

    fn load(&self, _context: &LoadContext<'_>) -> Result<Split, DataError> {
        let reading = self.reading();
        reading.check(INFO.name)?;
        let found = self.found()?;
        let parts = found.parts.divided(&self.path, &reading)?;
        let set = |pair: Pair, part: &Part<usize>| {
            self.set(&found.arrays[pair.images], part, &parts.class_names)
        };
        let train = set(found.train, &parts.train)?;
        let test = match (&parts.test, found.test) {
            (Some(part), Some(pair)) => Some(set(pair, part)?),
            // Set aside from the training pictures.
            (Some(part), None) => Some(set(found.train, part)?),
            (None, _) => None,
        };
        if let Some(test) = &test
            && (test.height(), test.width()) != (train.height(), train.width())
        {
            let of = |set: &ImageSet| format!("{} x {}", set.width(), set.height());
            let reason = format!(
                "training pictures have {} pixels and test pictures {}; set `size`",
                of(&train),
                of(test)
            );
            return Err(FilesError::content(&self.path, reason).into());
        }
        Ok(Split {
            name: container::name(&self.path),
            train,
            test,
            not_read: found.not_read,
        })
    }

    fn pictures(&self) -> Result<Option<Pictured>, DataError> {
        let found = self.found()?;
        let array = &found.arrays[found.train.images];
        let (height, width) = Form::of(array, self.layout, self.range, None)?.stored();
        let side = side_of_sizes(vec![(width as u32, height as u32)]);
        let count = found.parts.train.items.len();
        Ok(Some(Pictured { count, side }))
    }

    fn settle(&mut self) -> Result<Option<String>, DataError> {
        // Without a size they keep theirs.
        Ok(None)
    }

    fn size(&mut self) -> Option<&mut Option<usize>> {
        Some(&mut self.size)
    }

    fn is_unlabelled(&self) -> bool {
        self.unlabelled
    }

    fn drop_missing_labels(&mut self) -> bool {
        if !self.unlabelled && self.found().is_err() {
            self.unlabelled = true;
            self.unlabelled = self.found().is_ok();
        }
        self.unlabelled
    }
}

/// Arrays and what they hold.
struct Found {
    arrays: Vec<Array>,
    train: Pair,
    test: Option<Pair>,
    /// Rows of the arrays of pictures.
    parts: Parts<usize>,
    not_read: NotRead,
}

impl NpyConfig {
    fn reading(&self) -> Reading {
        Reading {
            size: self.size,
            limits: Limits {
                train: self.train_limit,
                test: self.test_limit,
                seed: self.seed,
            },
            test_fraction: self.test_fraction,
            skip_bad: 0.0,
            orientation: Orientation::Ignore,
            unlabelled: self.unlabelled,
        }
    }

    fn found(&self) -> Result<Found, FilesError> {
        let (arrays, mut not_read) = arrays::find(&self.path)?;
        let wrong = |reason: String| FilesError::content(&self.path, reason);
        let wanted = Wanted {
            images: self.images.as_deref(),
            labels: self.labels.as_deref(),
            test_images: self.test_images.as_deref(),
            test_labels: self.test_labels.as_deref(),
        };
        let roles = roles::of(&arrays, wanted).map_err(wrong)?;
        let test = roles.test.filter(|_| !self.unlabelled);
        let used = |pair: Pair| [Some(pair.images), pair.labels.filter(|_| !self.unlabelled)];
        let used: Vec<usize> = used(roles.train)
            .into_iter()
            .chain(test.map(used).into_iter().flatten())
            .flatten()
            .collect();
        for (at, array) in arrays.iter().enumerate() {
            if !used.contains(&at) {
                not_read.add(OTHER, array.name.clone());
            }
        }
        let mut labels = Labels::default();
        let mut part = |pair: Pair| self.part(&arrays, pair, &mut labels);
        let train_part = part(roles.train)?;
        let test_part = test.map(&mut part).transpose()?;
        let mut parts = Parts {
            train: train_part,
            test: test_part,
            class_names: Vec::new(),
        };
        if !self.unlabelled {
            parts = parts.classed(labels, None).map_err(wrong)?;
        }
        Ok(Found {
            arrays,
            train: roles.train,
            test,
            parts,
            not_read,
        })
    }

    /// All rows of the pictures with their labels.
    fn part(
        &self,
        arrays: &[Array],
        pair: Pair,
        labels: &mut Labels,
    ) -> Result<Part<usize>, FilesError> {
        let images = &arrays[pair.images];
        let items: Vec<usize> = (0..images.count()).collect();
        if self.unlabelled {
            let labels = Vec::new();
            return Ok(Part { items, labels });
        }
        let Some(of_labels) = pair.labels else {
            return Err(images.wrong("these pictures have no labels: name their array with `labels`, or set `unlabelled = true`"));
        };
        let labels = labels::read(&arrays[of_labels], items.len(), labels)?;
        Ok(Part { items, labels })
    }

    /// The pictures of `array` at the rows of `part`.
    fn set(
        &self,
        array: &Array,
        part: &Part<usize>,
        class_names: &[String],
    ) -> Result<ImageSet, DataError> {
        let form = Form::of(array, self.layout, self.range, self.size)?;
        let (height, width) = form.sides();
        let mut set = if class_names.is_empty() {
            ImageSet::unlabelled(height, width)
        } else {
            ImageSet::new(height, width, class_names.to_vec())
        };
        let name = |row: usize| format!("{}:{row:05}", array.name);
        let source: Arc<dyn PixelSource> = match array.rows()? {
            Some(rows) => Arc::new(ArraySource {
                path: array.path.clone(),
                rows,
                form,
            }),
            None => Arc::new(unpacked(array, &form, &part.items)?),
        };
        for (at, &row) in part.items.iter().enumerate() {
            let index = if array.is_packed() { at } else { row };
            match part.labels.get(at) {
                Some(&label) => set.push_from(name(row), &source, index, label)?,
                None => set.push_unlabelled(name(row), &source, index)?,
            }
        }
        Ok(set)
    }
}

/// The pictures at `rows`, ascending, of a packed array, kept as sets in memory are.
fn unpacked(array: &Array, form: &Form, rows: &[usize]) -> Result<Unpacked, DataError> {
    let (height, width) = form.sides();
    let mut set = ImageSet::new(height, width, vec![String::new()]);
    let mut wanted = rows.iter().copied().peekable();
    array.each_row(|row, bytes| {
        if wanted.next_if_eq(&row).is_some() {
            let pushed = set.push(String::new(), &form.pixels(bytes), 0);
            pushed.map_err(|error| array.wrong(error))?;
        }
        Ok(())
    })?;
    Ok(Unpacked(set))
}

/// Pictures that were unpacked, as a source.
#[derive(Debug)]
struct Unpacked(ImageSet);

impl PixelSource for Unpacked {
    fn read(&self, index: usize) -> Result<Arc<[u8]>, cd_core::StorageError> {
        self.0.pixels(index)
    }
}

#[cfg(test)]
mod tests;
