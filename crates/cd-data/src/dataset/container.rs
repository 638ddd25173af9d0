//! What data sets share whose pictures lie in files with many: options, the division into parts, the way to a split.

use std::path::{Path, PathBuf};

use super::classes::Labels;
use super::files::{FilesError, Limits};
use super::folder::{self, FolderError, Item, Pictures, Reader};
use super::subset::{balanced, stratified};
use super::{DataError, LoadContext, NotRead, Split};
use crate::picture::{Decoding, Orientation};

/// Options of such data sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) size: Option<usize>,
    pub(super) limits: Limits,
    pub(super) test_fraction: Option<f64>,
    pub(super) skip_bad: f64,
    pub(super) orientation: Orientation,
    pub(super) unlabelled: bool,
}

/// Pictures of one part, or what they will be found by.
#[derive(Debug)]
pub(super) struct Part<T> {
    pub(super) items: Vec<T>,
    /// One for each; empty when nothing tells the classes.
    pub(super) labels: Vec<u32>,
}

/// What a data set consists of once its parts and classes are known.
#[derive(Debug)]
pub(super) struct Parts<T> {
    pub(super) train: Part<T>,
    pub(super) test: Option<Part<T>>,
    pub(super) class_names: Vec<String>,
}

impl Reading {
    /// Fails when an option is out of range.
    pub(super) fn check(&self, dataset: &'static str) -> Result<(), DataError> {
        self.limits.check(dataset)?;
        folder::check_ranges(self.size, self.skip_bad, self.test_fraction)?;
        if self.unlabelled && self.test_fraction.is_some() {
            return Err(FolderError::UnlabelledTest.into());
        }
        Ok(())
    }
}

impl<T> Parts<T> {
    /// Turns what pictures refer to among `labels` into classes, of these `names` where there are any.
    pub(super) fn classed(
        mut self,
        labels: Labels,
        names: Option<Vec<String>>,
    ) -> Result<Self, String> {
        let classes = labels.classes(names)?;
        for part in std::iter::once(&mut self.train).chain(&mut self.test) {
            for label in &mut part.labels {
                *label = classes.of(*label);
            }
        }
        if let Some(test) = &self.test {
            classes.check_test(&self.train.labels, &test.labels)?;
        }
        self.class_names = classes.names;
        Ok(self)
    }

    /// Sets test pictures aside where that is asked for, and leaves as many pictures as wanted.
    pub(super) fn divided(mut self, place: &Path, reading: &Reading) -> Result<Self, FolderError> {
        let (classes, limits) = (self.class_names.len(), reading.limits);
        if let Some(fraction) = reading.test_fraction {
            if self.test.is_some() {
                return Err(FolderError::TwoTestSets { path: place.into() });
            }
            let (rest, part) = stratified(&self.train.labels, classes, fraction, limits.seed);
            if part.is_empty() {
                return Err(FolderError::NothingToTest { fraction });
            }
            let (train, test) = self.train.divided(&rest, &part);
            self.train = train;
            self.test = Some(test);
        }
        self.train.limit(classes, limits.train, limits.seed);
        if let Some(test) = &mut self.test {
            test.limit(classes, limits.test, limits.seed);
        }
        if self.train.items.is_empty() {
            return Err(FolderError::NothingLeft);
        }
        Ok(self)
    }
}

impl<T> Part<T> {
    /// The items at `rest` and those at `part`, both ascending.
    fn divided(self, rest: &[usize], part: &[usize]) -> (Self, Self) {
        let labels = |chosen: &[usize]| chosen.iter().map(|&at| self.labels[at]).collect();
        let (rest_labels, part_labels) = (labels(rest), labels(part));
        let (mut rest_items, mut part_items) = (Vec::new(), Vec::new());
        for (at, item) in self.items.into_iter().enumerate() {
            if part.binary_search(&at).is_ok() {
                part_items.push(item);
            } else if rest.binary_search(&at).is_ok() {
                rest_items.push(item);
            }
        }
        let of = |items, labels| Self { items, labels };
        (of(rest_items, rest_labels), of(part_items, part_labels))
    }

    fn limit(&mut self, classes: usize, limit: Option<usize>, seed: u64) {
        let Some(limit) = limit else {
            return;
        };
        let chosen = if classes == 0 {
            balanced(&vec![0; self.items.len()], 1, limit, seed)
        } else {
            balanced(&self.labels, classes, limit, seed)
        };
        let mut at = 0;
        self.items.retain(|_| {
            at += 1;
            chosen.binary_search(&(at - 1)).is_ok()
        });
        if !self.labels.is_empty() {
            self.labels = chosen.iter().map(|&at| self.labels[at]).collect();
        }
    }
}

/// Reads the pictures of all parts.
pub(super) fn read(
    place: &Path,
    base: &Path,
    parts: Parts<Item>,
    mut not_read: NotRead,
    reading: &Reading,
    context: &LoadContext<'_>,
) -> Result<Split, FilesError> {
    let pictures =
        |part: Part<Item>| Pictures::of_items(base.to_path_buf(), part.items, part.labels);
    let train = pictures(parts.train);
    let decoding = Decoding {
        side: reading.size.unwrap_or_else(|| train.side()),
        orientation: reading.orientation,
    };
    let parts_read = std::iter::once(train)
        .chain(parts.test.map(pictures))
        .collect();
    let reader = Reader::new(decoding, context).skipping(reading.skip_bad);
    let (sets, skipped) = reader.read(parts_read, &parts.class_names)?;
    not_read.append(skipped);
    let mut sets = sets.into_iter();
    Ok(Split {
        name: name(place),
        train: sets.next().expect("one set for each part"),
        test: sets.next(),
        not_read,
    })
}

/// What a data set at `place` is called in reports.
pub(super) fn name(place: &Path) -> String {
    let stem = if place.is_dir() {
        place.file_name()
    } else {
        place.file_stem()
    };
    stem.map_or_else(
        || "pictures".into(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// The folder that names are relative to: that of a file, or the folder itself.
pub(super) fn base(place: &Path) -> PathBuf {
    if place.is_dir() {
        return place.into();
    }
    place.parent().unwrap_or(Path::new(".")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(count: usize) -> Parts<usize> {
        Parts {
            train: Part {
                items: (0..count).collect(),
                labels: (0..count as u32).map(|at| at % 2).collect(),
            },
            test: None,
            class_names: vec!["a".into(), "b".into()],
        }
    }

    fn reading(train: Option<usize>, test_fraction: Option<f64>) -> Reading {
        Reading {
            size: None,
            limits: Limits {
                train,
                test: None,
                seed: 3,
            },
            test_fraction,
            skip_bad: 0.0,
            orientation: Orientation::Ignore,
            unlabelled: false,
        }
    }

    #[test]
    fn parts_are_divided_by_class_and_then_limited() {
        let place = Path::new("x");
        let divided = parts(20).divided(place, &reading(Some(6), Some(0.2)));
        let divided = divided.expect("enough");
        let test = divided.test.expect("set aside");
        assert_eq!((divided.train.items.len(), test.items.len()), (6, 4));
        for part in [&divided.train, &test] {
            let labels: Vec<u32> = part.items.iter().map(|&at| at as u32 % 2).collect();
            assert_eq!(part.labels, labels);
            assert_eq!(labels.iter().sum::<u32>() as usize * 2, labels.len());
        }
        assert!(
            divided
                .train
                .items
                .iter()
                .all(|at| !test.items.contains(at))
        );
        let refused = parts(4).divided(place, &reading(None, Some(0.1)));
        assert!(matches!(refused, Err(FolderError::NothingToTest { .. })));
    }

    #[test]
    fn unlabelled_pictures_are_limited_too() {
        let mut parts = parts(10);
        parts.train.labels.clear();
        parts.class_names.clear();
        let limited = parts.divided(Path::new("x"), &reading(Some(3), None));
        assert_eq!(limited.expect("enough").train.items.len(), 3);
    }
}
