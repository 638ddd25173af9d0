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

use super::Split;
use crate::IMAGES_AT_ONCE;
use canvas::SIDE;
pub(crate) use signs::CLASS_NAMES;

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

/// The demo data set: `train` and `test` pictures of `seed`.
pub(crate) fn load(train: usize, test: usize, seed: u64) -> Result<Split, ImageSetError> {
    let test = (test > 0).then(|| draw_set(test, seed, Stream::Test));
    Ok(Split {
        name: "demo".to_owned(),
        train: draw_set(train, seed, Stream::Train)?,
        test: test.transpose()?,
    })
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
mod tests {
    use super::*;
    use crate::testing::pixels;

    fn drawn(count: usize, seed: u64, stream: Stream) -> ImageSet {
        draw_set(count, seed, stream).expect("small sets are in memory")
    }

    #[test]
    fn labels_cycle_and_names_count() {
        let set = drawn(25, 7, Stream::Test);
        assert_eq!(set.len(), 25);
        assert_eq!((set.height(), set.width()), (32, 32));
        assert_eq!(set.class_counts(), [3, 3, 3, 3, 3, 2, 2, 2, 2, 2]);
        assert_eq!(set.labels()[13], 3);
        assert_eq!(set.name(13), "test/00013");
        assert_eq!(set.class_names()[6], "stop");
    }

    #[test]
    fn pictures_depend_on_seed_stream_and_index_alone() {
        let set = drawn(30, 7, Stream::Train);
        let longer = drawn(40, 7, Stream::Train);
        let first: Vec<usize> = (0..30).collect();
        assert_eq!(longer.subset(&first), set);
        let one_thread = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .expect("one thread can be started");
        assert_eq!(one_thread.install(|| drawn(30, 7, Stream::Train)), set);
        let other_seed = drawn(30, 8, Stream::Train);
        let other_stream = drawn(30, 7, Stream::Test);
        for index in 0..30 {
            assert_ne!(pixels(&set, index), pixels(&other_seed, index));
            assert_ne!(pixels(&set, index), pixels(&other_stream, index));
            assert_ne!(pixels(&set, index), pixels(&set, (index + 10) % 30));
        }
    }

    #[test]
    fn an_empty_set_has_the_classes() {
        let set = drawn(0, 0, Stream::Train);
        assert!(set.is_empty());
        assert_eq!(set.class_count(), 10);
    }

    /// Small triggers sit in a corner, so the corner itself must not tell the classes apart.
    #[test]
    fn mean_colours_of_the_corner_hardly_depend_on_the_class() {
        let set = drawn(2000, 3, Stream::Train);
        let means: Vec<f32> = (0..10).map(|label| corner_mean(&set, label)).collect();
        let lowest = means.iter().copied().fold(f32::INFINITY, f32::min);
        let highest = means.iter().copied().fold(0.0, f32::max);
        assert!(highest - lowest < 25.0, "{means:?}");
    }

    /// Mean of the 3 x 3 pixels at the bottom right over all pictures of a class.
    fn corner_mean(set: &ImageSet, label: usize) -> f32 {
        let mut sum = 0.0;
        let mut count = 0.0;
        for index in (label..set.len()).step_by(10) {
            let pixels = pixels(set, index);
            for row in 29..32 {
                for value in &pixels[(row * 32 + 29) * 3..(row + 1) * 32 * 3] {
                    sum += f32::from(*value);
                    count += 1.0;
                }
            }
        }
        sum / count
    }
}
