//! The embedded demo data set: road signs, drawn from a seed, so that nothing has to be downloaded.
//!
//! Ten classes of 32 x 32 pictures. A sign varies in position, size, turn, tilt, wear, background,
//! light, occlusion, blur and noise. Classes share shapes and colours and differ in a digit or in
//! the direction of an arrow, so that neither mean colours nor a linear classifier tell them apart,
//! but a small convolutional network does within a few epochs.
//!
//! Mirroring a picture turns `turn_left` into `turn_right` and the reverse: an augmentation for this
//! set must not flip.

mod camera;
mod canvas;
mod geometry;
mod glyphs;
#[cfg(test)]
mod linear_baseline;
mod noise;
mod plate;
mod pose;
mod scene;
mod signs;

use cd_models::{ImageSet, ImageSetError};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{DataError, Dataset, DatasetInfo, LoadContext, NotRead, Split};
use crate::IMAGES_AT_ONCE;
use canvas::SIDE;
pub(crate) use signs::CLASS_NAMES;

/// Most pictures that are drawn for a set: 3 GB of pixels.
const MOST_DRAWN: usize = 1_000_000;

/// What lists say about the demo pictures.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "demo",
    title: "Demo pictures",
    summary: "Small drawn pictures in ten classes, made on the spot from a seed.",
    source: "drawn by this program; nothing to download",
};

/// Options of the built-in drawn pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DemoConfig {
    /// Number of training images.
    pub train: usize,
    /// Number of test images.
    pub test: usize,
    /// Seed of every picture.
    pub seed: u64,
}

impl Default for DemoConfig {
    fn default() -> Self {
        Self {
            train: 2000,
            test: 500,
            seed: 0,
        }
    }
}

impl Dataset for DemoConfig {
    fn info(&self) -> &'static DatasetInfo {
        &INFO
    }

    fn load(&self, _context: &LoadContext<'_>) -> Result<Split, DataError> {
        if self.train == 0 {
            return Err(DataError::NoImages {
                dataset: INFO.name,
                option: "train",
            });
        }
        for (option, value) in [("train", self.train), ("test", self.test)] {
            if value > MOST_DRAWN {
                return Err(DataError::TooManyImages {
                    dataset: INFO.name,
                    option,
                    value,
                    most: MOST_DRAWN,
                });
            }
        }
        let test = (self.test > 0).then(|| draw_set(self.test, self.seed, Stream::Test));
        Ok(Split {
            name: INFO.name.into(),
            train: draw_set(self.train, self.seed, Stream::Train)?,
            test: test.transpose()?,
            not_read: NotRead::default(),
        })
    }
}

/// Which of the two disjoint random streams pictures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Pictures to train on.
    Train,
    /// Pictures to test on.
    Test,
}

impl Stream {
    /// Folder part of the pictures' names.
    const fn folder(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }

    /// The generator of picture `index`; no two pictures of a seed share a stream.
    fn generator(self, seed: u64, index: usize) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(2 * index as u64 + self as u64);
        rng
    }
}

/// Draws pictures `0..count` of a stream, `[count, 32, 32, 3]`, named like `train/00042`.
///
/// Picture `i` has label `i % 10` and depends on `seed`, `stream` and `i` alone: a longer set
/// begins with the shorter one, and the number of threads makes no difference.
pub(crate) fn draw_set(count: usize, seed: u64, stream: Stream) -> Result<ImageSet, ImageSetError> {
    let class_names = CLASS_NAMES.iter().map(ToString::to_string).collect();
    let mut set = ImageSet::new(SIDE, SIDE, class_names);
    for start in (0..count).step_by(IMAGES_AT_ONCE) {
        let indices = start..(start + IMAGES_AT_ONCE).min(count);
        let pictures: Vec<Vec<u8>> = indices
            .clone()
            .into_par_iter()
            .map(|index| draw_picture(label_of(index), &mut stream.generator(seed, index)))
            .collect();
        for (index, pixels) in indices.zip(pictures) {
            let name = format!("{}/{index:05}", stream.folder());
            set.push(name, &pixels, label_of(index) as u32)?;
        }
    }
    Ok(set)
}

fn label_of(index: usize) -> usize {
    index % CLASS_NAMES.len()
}

fn draw_picture(label: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let pose = pose::Pose::draw(rng);
    let mut canvas = scene::draw(rng, &pose);
    plate::draw(rng, &mut canvas, &pose, label);
    plate::draw_occluders(rng, &mut canvas);
    camera::photograph(rng, canvas)
}

#[cfg(test)]
mod tests;
