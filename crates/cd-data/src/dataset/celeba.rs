//! CelebA (Liu et al., "Deep Learning Face Attributes in the Wild", ICCV 2015).
//!
//! `img_align_celeba/*.jpg`, `list_attr_celeba.txt` and `list_eval_partition.txt`, or the tables with commas that Kaggle has of
//! them. An image has 40 attributes. Attack benchmarks make eight classes of three of them, which is the default here; with
//! `classes = []` images keep their attributes.

mod lists;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::lists::{Faces, Part};
use super::files::{self, FilesError, Limits};
use super::folder::{Listed, Listing, Pictures, Reader};
use super::subset::balanced;
use super::{DataError, Dataset, DatasetInfo, LoadContext, NotRead, Split};
use crate::picture::Decoding;

/// What lists say about CelebA.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "celeba",
    title: "CelebA",
    summary: "Photographs of faces of 178 x 218 pixels with 40 attributes: 162,770 to train, 19,867 to validate, 19,962 to test.",
    source: "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
};
/// Most attributes that make classes together.
const MOST_TOGETHER: usize = 8;

/// Which images are tested on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CelebATest {
    /// Those of the test part.
    #[default]
    Test,
    /// Those of the validation part, as published attacks do.
    Valid,
}

/// Where CelebA lies and what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CelebAConfig {
    /// Folder of the pictures' folder and the two lists.
    pub path: PathBuf,
    /// Side in pixels, 1 to 4096, that every picture is resized to.
    pub size: usize,
    /// Attributes that make the classes together, the first one counting most; none keeps all attributes.
    pub classes: Vec<String>,
    /// Which part is tested on.
    pub test: CelebATest,
    /// At most this many training images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// At most this many test images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
    /// Seed of the choice that the limits make.
    pub seed: u64,
}

impl Default for CelebAConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/celeba"),
            size: 64,
            classes: ["Heavy_Makeup", "Smiling", "Mouth_Slightly_Open"]
                .map(String::from)
                .to_vec(),
            test: CelebATest::default(),
            train_limit: None,
            test_limit: None,
            seed: 0,
        }
    }
}

impl Dataset for CelebAConfig {
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
        let faces = lists::read(&self.path)?;
        let columns = self.columns(&faces)?;
        let tested = match self.test {
            CelebATest::Test => Part::Test,
            CelebATest::Valid => Part::Valid,
        };
        let train = self.chosen(&faces, &columns, Part::Train, self.train_limit);
        let test = self.chosen(&faces, &columns, tested, self.test_limit);
        if train.is_empty() {
            return Err(
                FilesError::content(&self.path, "its list of parts has no training image").into(),
            );
        }
        let parts: Vec<&[usize]> = [&train[..], &test[..]]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        self.read(&faces, &columns, &parts, context)
    }
}

impl CelebAConfig {
    /// Where the attributes of the classes stand.
    fn columns(&self, faces: &Faces) -> Result<Vec<usize>, DataError> {
        let wrong = |reason: String| Err(FilesError::content(&self.path, reason).into());
        if self.classes.len() > MOST_TOGETHER {
            return wrong(format!(
                "`classes` names {} attributes, at most {MOST_TOGETHER}",
                self.classes.len()
            ));
        }
        let mut columns = Vec::new();
        for name in &self.classes {
            match faces.names.iter().position(|known| known == name) {
                Some(column) if !columns.contains(&column) => columns.push(column),
                Some(_) => return wrong(format!("`classes` names `{name}` twice")),
                None => {
                    let known = faces.names.iter().map(String::as_str);
                    let hint = cd_core::names::did_you_mean(name, known);
                    return wrong(format!(
                        "`classes` names the unknown attribute `{name}`; {hint}"
                    ));
                }
            }
        }
        Ok(columns)
    }

    /// Positions of the images of a part that are taken.
    fn chosen(
        &self,
        faces: &Faces,
        columns: &[usize],
        part: Part,
        limit: Option<usize>,
    ) -> Vec<usize> {
        let of_part: Vec<usize> = (0..faces.files.len())
            .filter(|&at| faces.parts[at] == part)
            .collect();
        let Some(limit) = limit else {
            return of_part;
        };
        let labels: Vec<u32> = of_part
            .iter()
            .map(|&at| class(faces, columns, at) as u32)
            .collect();
        let chosen = balanced(&labels, 1 << columns.len(), limit, self.seed);
        chosen.into_iter().map(|at| of_part[at]).collect()
    }

    fn read(
        &self,
        faces: &Faces,
        columns: &[usize],
        parts: &[&[usize]],
        context: &LoadContext<'_>,
    ) -> Result<Split, DataError> {
        let class_names: Vec<String> = match columns {
            [] => Vec::new(),
            columns => (0..1 << columns.len())
                .map(|class| class_name(&self.classes, class))
                .collect(),
        };
        let listings = parts
            .iter()
            .map(|part| self.listing(faces, columns, part, &class_names));
        let pictures: Result<Vec<Pictures>, _> = listings
            .map(|listing| Pictures::labelled(listing, &class_names))
            .collect();
        let reader = Reader::new(Decoding::of_side(self.size), context);
        let sets = if columns.is_empty() {
            let attributes = |part: &&[usize]| {
                part.iter()
                    .map(|&at| faces.attributes(at).to_vec())
                    .collect()
            };
            reader.read_attributes(
                pictures?,
                &faces.names,
                &parts.iter().map(attributes).collect::<Vec<_>>(),
            )?
        } else {
            reader.read(pictures?, &class_names)?.0
        };
        let mut sets = sets.into_iter();
        Ok(Split {
            name: INFO.name.into(),
            train: sets.next().expect("one set for each part"),
            test: sets.next(),
            not_read: NotRead::default(),
        })
    }

    fn listing(
        &self,
        faces: &Faces,
        columns: &[usize],
        part: &[usize],
        class_names: &[String],
    ) -> Listing {
        let listed = |&at: &usize| {
            let (file, class) = (&faces.files[at], class_names.get(class(faces, columns, at)));
            let class = class.cloned().unwrap_or_default();
            Listed::new(file.clone(), faces.folder.join(file), class)
        };
        Listing {
            root: Path::new(&self.path).into(),
            base: faces.folder.clone(),
            pictures: part.iter().map(listed).collect(),
            class_names: class_names.to_vec(),
            not_read: NotRead::default(),
        }
    }
}

/// The class that the attributes at `columns` make together.
fn class(faces: &Faces, columns: &[usize], at: usize) -> usize {
    let present = faces.attributes(at);
    columns
        .iter()
        .fold(0, |class, &column| 2 * class + usize::from(present[column]))
}

/// The attributes that a class has.
fn class_name(attributes: &[String], class: usize) -> String {
    let count = attributes.len();
    let has = |at: &usize| class >> (count - 1 - at) & 1 == 1;
    let names: Vec<&str> = (0..count)
        .filter(has)
        .map(|at| attributes[at].as_str())
        .collect();
    if names.is_empty() {
        return format!("{class} none");
    }
    format!("{class} {}", names.join("+"))
}

#[cfg(test)]
mod tests;
