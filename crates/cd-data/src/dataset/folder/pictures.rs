//! Decodes listed pictures into one set.

use std::collections::HashMap;

use cd_models::ImageSet;
use rayon::prelude::*;

use super::error::{BadPictures, FolderError};
use super::list::{Listed, Listing};
use crate::IMAGES_AT_ONCE;
use crate::picture::{PictureError, read_rgb};
use cd_models::names::did_you_mean;
use cd_models::{Progress, Task};

/// Reads all pictures of `listing` at `size` x `size` pixels, labelled by `class_names`.
pub(super) fn read_listing(
    listing: &Listing,
    class_names: &[String],
    size: usize,
    progress: &dyn Progress,
) -> Result<ImageSet, FolderError> {
    let labels = labels(listing, class_names)?;
    let total = listing.pictures.len();
    let task = Task::start(progress, "reading pictures", Some(total as u64));
    let mut set = ImageSet::new(size, size, class_names.to_vec());
    let mut bad = Vec::new();
    for (pictures, labels) in listing
        .pictures
        .chunks(IMAGES_AT_ONCE)
        .zip(labels.chunks(IMAGES_AT_ONCE))
    {
        let decoded = decode(pictures, size, &task);
        for ((picture, pixels), &label) in pictures.iter().zip(decoded).zip(labels) {
            match pixels {
                Ok(pixels) => set.push(picture.name.clone(), &pixels, label)?,
                Err(reason) => bad.push((picture.path.clone(), reason)),
            }
        }
    }
    if bad.is_empty() {
        return Ok(set);
    }
    Err(BadPictures {
        pictures: bad,
        total,
    }
    .into())
}

/// Fails when a picture's class is none of `class_names`.
pub(super) fn check_classes(listing: &Listing, class_names: &[String]) -> Result<(), FolderError> {
    labels(listing, class_names).map(drop)
}

fn decode(pictures: &[Listed], size: usize, task: &Task<'_>) -> Vec<Result<Vec<u8>, PictureError>> {
    pictures
        .par_iter()
        .map(|picture| {
            let pixels = read_rgb(&picture.path, size, size);
            task.advance(1);
            pixels
        })
        .collect()
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
