//! Images that carry a trigger already: outputs of somebody else's network.

use std::path::{Path, PathBuf};

use cd_core::npy::{Kind, Rows};
use walkdir::WalkDir;

use crate::attack::artefact::{unreadable, unusable};
use crate::attack::{AttackError, AttackNeeds, Batch, Role, Trigger};
use crate::picture::{Orientation, decode_rgb};

/// Training images and test images with the trigger, by their number.
#[derive(Debug)]
pub(in crate::attack) struct Imported {
    attack: &'static str,
    train: Option<Images>,
    test: Option<Images>,
    /// Largest mean difference to the clean image in grey levels: further away lies another image.
    furthest: f64,
}

#[derive(Debug)]
enum Images {
    Array(PathBuf, Rows),
    Folder(PathBuf, Vec<PathBuf>),
}

impl Imported {
    /// What published images need: the set, whose images must be as many.
    pub(in crate::attack) const NEEDS: AttackNeeds = AttackNeeds {
        images: 1,
        stored: false,
    };

    /// Opens the arrays or lists the folders that are there. An image that differs from the clean one by more than `furthest` grey
    /// levels on average is refused when it is its turn.
    pub(in crate::attack) fn open(
        attack: &'static str,
        paths: [&Option<PathBuf>; 2],
        furthest: f64,
    ) -> Result<Self, AttackError> {
        let open = |path: &Option<PathBuf>| {
            let path = path.as_ref();
            path.map(|path| Images::open(attack, path)).transpose()
        };
        Ok(Self {
            attack,
            train: open(paths[0])?,
            test: open(paths[1])?,
            furthest,
        })
    }

    /// The same, unless there are more or fewer training images than these: their numbers would be those of others.
    pub(in crate::attack) fn for_images(self, images: usize) -> Result<Self, AttackError> {
        match &self.train {
            Some(train) if train.count() != images => {
                let problem = format!(
                    "it has {} images, but there are {images} training images; it must hold every one of them, in their order",
                    train.count()
                );
                Err(unusable(self.attack, train.path(), problem))
            }
            _ => Ok(self),
        }
    }

    /// The files whose content counts: the arrays, or all pictures of the folders.
    pub(in crate::attack) fn files(paths: [&Option<PathBuf>; 2]) -> Vec<PathBuf> {
        let of = |path: &PathBuf| {
            if path.is_dir() {
                // A folder that cannot be listed is reported when it is opened.
                return listed(path).unwrap_or_default();
            }
            vec![path.clone()]
        };
        paths.into_iter().flatten().flat_map(of).collect()
    }
}

/// Files below a folder in the order of their paths.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, walkdir::Error> {
    let entries = WalkDir::new(folder).sort_by_file_name().into_iter();
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    files.sort();
    Ok(files)
}

impl Images {
    fn open(attack: &'static str, path: &Path) -> Result<Self, AttackError> {
        if path.is_dir() {
            let files = listed(path);
            let files = files.map_err(|error| unreadable(attack, path, error.into()))?;
            if files.is_empty() {
                return Err(unusable(attack, path, "there is no picture in it".into()));
            }
            return Ok(Self::Folder(path.into(), files));
        }
        let rows = Rows::open(path);
        let rows = rows.map_err(|error| unusable(attack, path, error.to_string()))?;
        if rows.header().kind != Kind::U8 || rows.shape().len() != 3 {
            let problem = format!(
                "it holds {} rows of shape {:?}, expected bytes (uint8) of shape [images, height, width, 3]",
                rows.count(),
                rows.shape()
            );
            return Err(unusable(attack, path, problem));
        }
        Ok(Self::Array(path.into(), rows))
    }

    fn path(&self) -> &Path {
        let (Self::Array(path, _) | Self::Folder(path, _)) = self;
        path
    }

    fn count(&self) -> usize {
        match self {
            Self::Array(_, rows) => rows.count(),
            Self::Folder(_, files) => files.len(),
        }
    }

    /// Image `index` of `height` x `width` pixels.
    fn get(
        &self,
        attack: &'static str,
        index: usize,
        [height, width]: [usize; 2],
    ) -> Result<Vec<u8>, AttackError> {
        let missing = |path: &Path, count: usize| {
            let problem = format!("it has {count} images, image {index} (from 0) is asked for");
            unusable(attack, path, problem)
        };
        let (path, size, pixels) = match self {
            Self::Array(path, rows) => {
                if index >= rows.count() {
                    return Err(missing(path, rows.count()));
                }
                let bytes = rows.bytes(index);
                let bytes = bytes.map_err(|error| unusable(attack, path, error.to_string()))?;
                (path, rows.shape().to_vec(), bytes)
            }
            Self::Folder(folder, files) => {
                let path = files
                    .get(index)
                    .ok_or_else(|| missing(folder, files.len()))?;
                let picture = decode_rgb(path, Orientation::Ignore);
                let picture = picture.map_err(|source| AttackError::Picture {
                    attack,
                    path: path.clone(),
                    source,
                })?;
                let size = vec![picture.height() as usize, picture.width() as usize, 3];
                (path, size, picture.into_raw())
            }
        };
        if size != [height, width, 3] {
            let problem = format!(
                "an image of it is {size:?}, expected [{height}, {width}, 3] as the images of the data set"
            );
            return Err(unusable(attack, path, problem));
        }
        Ok(pixels)
    }
}

impl Trigger for Imported {
    fn apply(&self, batch: &mut Batch, role: Role) -> Result<(), AttackError> {
        let (images, option) = match role {
            Role::Train | Role::Cover => (&self.train, "train_images"),
            Role::Test => (&self.test, "test_images"),
        };
        let Some(images) = images else {
            return Err(AttackError::Option {
                attack: self.attack,
                option,
                value: "absent".into(),
                expected: "a file or folder, as for the other images",
            });
        };
        batch.each(|image| {
            let pixels = images.get(self.attack, image.index, [image.height, image.width])?;
            let pairs = pixels.iter().zip(image.pixels.iter());
            let differences = pairs.map(|(new, old)| f64::from(new.abs_diff(*old)));
            let mean = differences.sum::<f64>() / pixels.len() as f64;
            if mean > self.furthest {
                let problem = format!(
                    "image {} (from 0) of it differs from that of the data set by {mean:.0} grey levels on average, expected at most {}; is it of another set, or in another order?",
                    image.index, self.furthest
                );
                return Err(unusable(self.attack, images.path(), problem));
            }
            image.pixels.copy_from_slice(&pixels);
            Ok(())
        })
    }
}
