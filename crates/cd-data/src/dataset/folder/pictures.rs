//! Listed pictures become sets whose pixels are decoded when they are asked for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cd_core::names::did_you_mean;
use cd_core::{ImageSet, PixelSource};

use super::error::{BadPictures, FolderError};
use super::list::{Listed, Listing};
use crate::dataset::LoadContext;
use crate::dataset::subset::balanced;
use crate::picture::{Check, Room};

/// Bytes of decoded pictures that a data set keeps in memory.
const KEPT_BYTES: usize = 256 << 20;

/// Pictures of one set with their labels.
#[derive(Debug)]
pub(in crate::dataset) struct Pictures {
    /// Folder that the names are relative to.
    base: PathBuf,
    listed: Vec<Listed>,
    /// One for each picture; empty when nothing tells the classes.
    labels: Vec<u32>,
}

impl Pictures {
    /// The pictures of `listing`, labelled by `class_names`; without classes there are no labels.
    pub(super) fn labelled(listing: Listing, class_names: &[String]) -> Result<Self, FolderError> {
        let labels = if class_names.is_empty() {
            Vec::new()
        } else {
            labels(&listing, class_names)?
        };
        Ok(Self {
            base: listing.base,
            listed: listing.pictures,
            labels,
        })
    }

    /// Leaves at most `limit` pictures, the classes as equal as they can be.
    pub(in crate::dataset) fn limit(&mut self, classes: usize, limit: usize, seed: u64) {
        let chosen = balanced(&self.labels, classes, limit, seed);
        self.listed = chosen.iter().map(|&at| self.listed[at].clone()).collect();
        self.labels = chosen.iter().map(|&at| self.labels[at]).collect();
    }
}

/// Reads the sets of one data set; they share the memory that pictures are kept in.
pub(in crate::dataset) struct Reader<'a> {
    side: usize,
    room: Arc<Room>,
    context: &'a LoadContext<'a>,
}

impl<'a> Reader<'a> {
    /// A reader of pictures at `side` x `side` pixels.
    pub(in crate::dataset) fn new(side: usize, context: &'a LoadContext<'a>) -> Self {
        Self {
            side,
            room: Room::new(KEPT_BYTES),
            context,
        }
    }

    /// Checks `pictures` and makes a set of them.
    pub(in crate::dataset) fn read(
        &self,
        pictures: &Pictures,
        class_names: &[String],
    ) -> Result<ImageSet, FolderError> {
        let source = self.checked(pictures)?;
        let named = pictures.listed.iter().map(|picture| picture.name.clone());
        if class_names.is_empty() {
            let mut set = ImageSet::unlabelled(self.side, self.side);
            for (index, name) in named.enumerate() {
                set.push_unlabelled(name, &source, index)?;
            }
            return Ok(set);
        }
        let mut set = ImageSet::new(self.side, self.side, class_names.to_vec());
        for (index, (name, &label)) in named.zip(&pictures.labels).enumerate() {
            set.push_from(name, &source, index, label)?;
        }
        Ok(set)
    }

    fn checked(&self, pictures: &Pictures) -> Result<Arc<dyn PixelSource>, FolderError> {
        let check = Check {
            base: &pictures.base,
            side: self.side,
            room: &self.room,
            index: self.context.index,
            progress: self.context.progress,
        };
        let listed = &pictures.listed;
        let named: Vec<(&str, &Path)> = listed
            .iter()
            .map(|picture| (picture.name.as_str(), picture.path.as_path()))
            .collect();
        match check.run(&named) {
            Ok(source) => Ok(Arc::new(source)),
            Err(bad) => Err(BadPictures {
                pictures: bad
                    .into_iter()
                    .map(|(at, reason)| (listed[at].path.clone(), reason))
                    .collect(),
                total: listed.len(),
            }
            .into()),
        }
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
