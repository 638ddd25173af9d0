//! Listed pictures become sets whose pixels are decoded when they are asked for.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use cd_core::names::did_you_mean;
use cd_core::{ImageSet, PixelSource};

use super::bad;
use super::error::{BadPictures, FolderError};
use super::list::Listing;
use crate::dataset::subset::balanced;
use crate::dataset::{LoadContext, NotRead};
use crate::picture::{Check, Checked, Decoding, PictureError, Place, Room, side_of};

/// Bytes of decoded pictures that a data set keeps in memory.
const KEPT_BYTES: usize = 256 << 20;

/// A picture with the name that people know it by.
#[derive(Debug, Clone)]
pub(in crate::dataset) struct Item {
    pub(in crate::dataset) name: String,
    pub(in crate::dataset) place: Place,
}

/// Pictures of one set with their labels.
#[derive(Debug)]
pub(in crate::dataset) struct Pictures {
    /// Folder that the names are relative to.
    base: PathBuf,
    listed: Vec<Item>,
    /// One for each picture; empty when nothing tells the classes.
    labels: Vec<u32>,
}

impl Pictures {
    /// The pictures of `listing`, labelled by `class_names`; without classes there are no labels.
    pub(in crate::dataset) fn labelled(
        listing: Listing,
        class_names: &[String],
    ) -> Result<Self, FolderError> {
        let labels = if class_names.is_empty() {
            Vec::new()
        } else {
            labels(&listing, class_names)?
        };
        let item = |picture: super::Listed| Item {
            name: picture.name,
            place: match picture.region {
                Some(region) => Place::Region {
                    path: picture.path,
                    region,
                },
                None => Place::File(picture.path),
            },
        };
        let items = listing.pictures.into_iter().map(item).collect();
        Ok(Self::of_items(listing.base, items, labels))
    }

    /// Pictures with a label each, or with none at all; names are relative to `base`.
    pub(in crate::dataset) fn of_items(base: PathBuf, items: Vec<Item>, labels: Vec<u32>) -> Self {
        Self {
            base,
            listed: items,
            labels,
        }
    }

    /// Leaves at most `limit` pictures, the classes as equal as they can be.
    pub(in crate::dataset) fn limit(&mut self, classes: usize, limit: usize, seed: u64) {
        let chosen = balanced(&self.labels, classes, limit, seed);
        self.keep(&chosen);
    }

    /// Leaves the pictures at these positions.
    fn keep(&mut self, chosen: &[usize]) {
        self.listed = chosen.iter().map(|&at| self.listed[at].clone()).collect();
        if !self.labels.is_empty() {
            self.labels = chosen.iter().map(|&at| self.labels[at]).collect();
        }
    }

    /// How often a picture is listed again.
    pub(in crate::dataset) fn repeated(&self) -> usize {
        let pairs = self.listed.windows(2);
        pairs.filter(|pair| pair[0].name == pair[1].name).count()
    }

    /// How many there are.
    pub(in crate::dataset) fn count(&self) -> usize {
        self.listed.len()
    }

    /// The side for these pictures when nobody says one.
    pub(in crate::dataset) fn side(&self) -> usize {
        side_of(
            &self
                .listed
                .iter()
                .map(|item| &item.place)
                .collect::<Vec<_>>(),
        )
    }

    /// How many pictures each of so many classes has.
    fn counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for &label in &self.labels {
            counts[label as usize] += 1;
        }
        counts
    }

    /// Fails when a class that had pictures, as `before` says, has none any more, or there is none at all.
    fn check_classes(&self, class_names: &[String], before: &[usize]) -> Result<(), FolderError> {
        let counts = self.counts(class_names.len());
        let lost = counts
            .iter()
            .zip(before)
            .position(|(&count, &before)| count == 0 && before > 0);
        match lost {
            Some(lost) => Err(FolderError::LostClass {
                class: class_names[lost].clone(),
            }),
            None if self.listed.is_empty() => Err(FolderError::NothingLeft),
            None => Ok(()),
        }
    }
}

/// Reads the sets of one data set; they share the memory that pictures are kept in.
pub(in crate::dataset) struct Reader<'a> {
    decoding: Decoding,
    /// Largest share of pictures that may be left out because they cannot be used, where the user may say one.
    skip_bad: Option<f64>,
    room: Arc<Room>,
    context: &'a LoadContext<'a>,
}

impl<'a> Reader<'a> {
    /// A reader that brings pictures to pixels like this and leaves none out.
    pub(in crate::dataset) fn new(decoding: Decoding, context: &'a LoadContext<'a>) -> Self {
        Self {
            decoding,
            skip_bad: None,
            room: Room::new(KEPT_BYTES),
            context,
        }
    }

    /// Leaves out pictures that cannot be used, when they are at most this share of all.
    pub(in crate::dataset) fn skipping(self, share: f64) -> Self {
        Self {
            skip_bad: Some(share),
            ..self
        }
    }

    /// Checks the pictures of every one of `parts` and makes a set of each; what was left out comes along.
    ///
    /// In the first part, every class keeps a picture.
    pub(in crate::dataset) fn read(
        &self,
        mut parts: Vec<Pictures>,
        class_names: &[String],
    ) -> Result<(Vec<ImageSet>, NotRead), FolderError> {
        let before = parts.first().map(|first| first.counts(class_names.len()));
        let checked: Vec<Checked> = parts.iter().map(|part| self.checked(part)).collect();
        let total = parts.iter().map(|part| part.listed.len()).sum();
        let mut sources = Vec::with_capacity(parts.len());
        let mut bad: Vec<(Item, PictureError)> = Vec::new();
        for (part, checked) in parts.iter_mut().zip(checked) {
            let named =
                |wrong: crate::picture::BadPicture| (part.listed[wrong.at].clone(), wrong.reason);
            bad.extend(checked.bad.into_iter().map(named));
            part.keep(&checked.good);
            sources.push(Arc::new(checked.source) as Arc<dyn PixelSource>);
        }
        let left = match parts.first() {
            Some(first) => first.check_classes(class_names, &before.unwrap_or_default()),
            None => Ok(()),
        };
        let not_read = self.without(bad, total, left.is_ok())?;
        if !not_read.is_empty() {
            left?;
        }
        let sets = parts
            .iter()
            .zip(&sources)
            .map(|(part, source)| self.set(part, source, class_names));
        Ok((sets.collect::<Result<_, _>>()?, not_read))
    }

    /// As [`read`](Self::read), for pictures with attributes of these names, one list of values for each picture of each part.
    pub(in crate::dataset) fn read_attributes(
        &self,
        parts: Vec<Pictures>,
        names: &[String],
        attributes: &[Vec<Vec<bool>>],
    ) -> Result<Vec<ImageSet>, FolderError> {
        let (unlabelled, _) = self.read(parts, &[])?;
        let with_attributes = |(plain, attributes): (ImageSet, &Vec<Vec<bool>>)| {
            Ok(plain.with_attributes_of(names.to_vec(), |index| &attributes[index])?)
        };
        unlabelled
            .into_iter()
            .zip(attributes)
            .map(with_attributes)
            .collect()
    }

    /// What the bad pictures come to: nothing, a note, or an error; `enough` says whether there are pictures without them.
    fn without(
        &self,
        bad: Vec<(Item, PictureError)>,
        total: usize,
        enough: bool,
    ) -> Result<NotRead, FolderError> {
        let list = self.context.bad_list;
        if let Some(list) = list {
            bad::write(list, &bad)?;
        }
        let allowed = self.skip_bad.unwrap_or(0.0);
        if bad.len() as f64 > allowed * total as f64 {
            // Rounded up to hundredths.
            let needed = (bad.len() * 100).div_ceil(total) as f64 / 100.0;
            return Err(BadPictures {
                pictures: bad
                    .into_iter()
                    .map(|(picture, reason)| (picture.place.shown(), reason))
                    .collect(),
                total,
                allowed,
                needed: self.skip_bad.filter(|_| enough).map(|_| needed),
                list: list.map(Into::into),
            }
            .into());
        }
        let mut not_read = NotRead::default();
        for (picture, _) in bad {
            not_read.add(bad::SKIPPED, picture.name);
        }
        Ok(not_read)
    }

    fn set(
        &self,
        pictures: &Pictures,
        source: &Arc<dyn PixelSource>,
        class_names: &[String],
    ) -> Result<ImageSet, FolderError> {
        let side = self.decoding.side;
        let named = pictures.listed.iter().map(|picture| picture.name.clone());
        if class_names.is_empty() {
            let mut set = ImageSet::unlabelled(side, side);
            for (index, name) in named.enumerate() {
                set.push_unlabelled(name, source, index)?;
            }
            return Ok(set);
        }
        let mut set = ImageSet::new(side, side, class_names.to_vec());
        for (index, (name, &label)) in named.zip(&pictures.labels).enumerate() {
            set.push_from(name, source, index, label)?;
        }
        Ok(set)
    }

    fn checked(&self, pictures: &Pictures) -> Checked {
        let check = Check {
            base: &pictures.base,
            decoding: self.decoding,
            room: &self.room,
            index: self.context.index,
            progress: self.context.progress,
        };
        let named: Vec<(&str, &Place)> = pictures
            .listed
            .iter()
            .map(|picture| (picture.name.as_str(), &picture.place))
            .collect();
        check.run(&named)
    }
}

fn labels(listing: &Listing, class_names: &[String]) -> Result<Vec<u32>, FolderError> {
    let numbers: HashMap<&str, u32> = class_names.iter().map(String::as_str).zip(0..).collect();
    listing
        .pictures
        .iter()
        .map(|picture| {
            numbers
                .get(picture.class.as_str())
                .copied()
                .ok_or_else(|| FolderError::UnknownClass {
                    path: listing.root.clone(),
                    class: picture.class.clone(),
                    suggestion: did_you_mean(
                        &picture.class,
                        class_names.iter().map(String::as_str),
                    ),
                })
        })
        .collect()
}
