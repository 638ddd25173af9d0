//! What is put into images, and the images that it is put into.

use std::fmt::Debug;
use std::path::Path;

use cd_core::CHANNELS;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{AttackError, CraftRecord};

/// Images that a thread takes at once, so that small stamps are worth it.
const IMAGES_A_TASK: usize = 8;
/// Bytes that one thread changes sooner than another has woken up.
const BYTES_ALONE: usize = 1 << 16;

/// What an image that gets the trigger is for. Some attacks stamp another form in each role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A training image that teaches the backdoor.
    Train,
    /// A stamped training image with its true label, so that the trigger alone is not enough.
    Cover,
    /// A test image that is to be sent to another label.
    Test,
}

/// A trigger, ready to be put into images.
pub trait Trigger: Debug + Send + Sync {
    /// Puts the trigger into every image of `batch`.
    ///
    /// The result for an image must not depend on the other images of the batch: batches are cut at will.
    ///
    /// # Errors
    ///
    /// When the images are too small for the trigger.
    fn apply(&self, batch: &mut Batch, role: Role) -> Result<(), AttackError>;

    /// Writes what [`Attack::load`](super::Attack::load) reads back. Nothing, unless the attack stores something.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    fn save(&self, _folder: &Path) -> Result<(), AttackError> {
        Ok(())
    }

    /// What making it came to, where networks were trained for it.
    fn record(&self) -> Option<&CraftRecord> {
        None
    }
}

/// Images of one size that get the trigger together, each with a random generator of its own.
#[derive(Debug, Clone)]
pub struct Batch {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
    images: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    place: Place,
    random: ChaCha8Rng,
}

/// Which image of its set it is, and which of those that get the trigger for the same purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Position in its set of clean images, from 0.
    pub index: usize,
    /// The label that the image gets.
    pub label: u32,
    /// Position among the images of its role, in the order in which they are stored, from 0.
    pub rank: usize,
    /// Number of images of its role; at least 1.
    pub count: usize,
}

/// One image of a [`Batch`].
#[derive(Debug)]
pub struct Image<'a> {
    /// `[height, width, 3]`, RGB, 0 to 255.
    pub pixels: &'a mut [u8],
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Position in its set of clean images, from 0.
    pub index: usize,
    /// The label that the image gets.
    pub label: u32,
    /// Position among the images of its role, from 0; for triggers of which each image gets one.
    pub rank: usize,
    /// Number of images of its role.
    pub count: usize,
    /// This image's own generator: what is drawn from it does not depend on other images.
    pub random: &'a mut ChaCha8Rng,
}

impl Batch {
    /// No images yet, of `height` x `width` pixels.
    pub fn new(height: usize, width: usize) -> Self {
        Self {
            height,
            width,
            pixels: Vec::new(),
            images: Vec::new(),
        }
    }

    /// Appends image `index` of its set as the only one of its role; `pixels` is `[height, width, 3]` and `label` the one it
    /// gets.
    ///
    /// # Errors
    ///
    /// When the buffer does not fit the size.
    pub fn push(
        &mut self,
        pixels: &[u8],
        index: usize,
        label: u32,
        random: ChaCha8Rng,
    ) -> Result<(), AttackError> {
        let place = Place {
            index,
            label,
            rank: 0,
            count: 1,
        };
        self.push_at(pixels, place, random)
    }

    /// Appends an image of which it is known which one it is; `pixels` is `[height, width, 3]`.
    ///
    /// # Errors
    ///
    /// When the buffer does not fit the size.
    pub fn push_at(
        &mut self,
        pixels: &[u8],
        place: Place,
        random: ChaCha8Rng,
    ) -> Result<(), AttackError> {
        let (height, width) = (self.height, self.width);
        if pixels.is_empty() || pixels.len() != self.image_len() {
            return Err(AttackError::PixelCount {
                got: pixels.len(),
                height,
                width,
            });
        }
        self.pixels.extend_from_slice(pixels);
        self.images.push(Entry { place, random });
        Ok(())
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Rows of every image.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns of every image.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Bytes of an image.
    pub fn image_len(&self) -> usize {
        self.height * self.width * CHANNELS
    }

    /// All pixels, `[images, height, width, 3]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All pixels, `[images, height, width, 3]`, for triggers that a network computes for many images at once.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The label that each image gets.
    pub fn labels(&self) -> Vec<u32> {
        self.images.iter().map(|entry| entry.place.label).collect()
    }

    /// Which images they are, each with its own generator.
    pub fn places_mut(&mut self) -> impl Iterator<Item = (Place, &mut ChaCha8Rng)> {
        let entries = self.images.iter_mut();
        entries.map(|entry| (entry.place, &mut entry.random))
    }

    /// The position of each image among the images of its role.
    pub(super) fn ranks(&self) -> Vec<usize> {
        self.images.iter().map(|entry| entry.place.rank).collect()
    }

    /// The images that get this label, with their positions here.
    pub(super) fn with_label(&self, label: u32) -> (Self, Vec<usize>) {
        let mut part = Self::new(self.height, self.width);
        let mut places = Vec::new();
        let pixels = self.pixels.chunks_exact(self.image_len().max(1));
        for (at, (pixels, entry)) in pixels.zip(&self.images).enumerate() {
            if entry.place.label == label {
                part.pixels.extend_from_slice(pixels);
                part.images.push(entry.clone());
                places.push(at);
            }
        }
        (part, places)
    }

    /// Takes the pixels of `part`, which [`with_label`](Self::with_label) gave.
    pub(super) fn put_back(&mut self, part: &Self, places: &[usize]) {
        let image_len = self.image_len().max(1);
        for (pixels, at) in part.pixels.chunks_exact(image_len).zip(places) {
            self.pixels[at * image_len..(at + 1) * image_len].copy_from_slice(pixels);
        }
    }

    /// Changes every image with `stamp`, several at a time.
    ///
    /// # Errors
    ///
    /// The error of the first image that has one.
    pub fn each(
        &mut self,
        stamp: impl Fn(&mut Image<'_>) -> Result<(), AttackError> + Sync,
    ) -> Result<(), AttackError> {
        self.each_with(|| (), |(), image| stamp(image))
    }

    /// [`each`](Self::each) with something that one image leaves to the next of the same thread, such as memory.
    pub(super) fn each_with<T>(
        &mut self,
        new: impl Fn() -> T + Sync + Send,
        stamp: impl Fn(&mut T, &mut Image<'_>) -> Result<(), AttackError> + Sync,
    ) -> Result<(), AttackError> {
        let size = [self.height, self.width];
        let image_len = self.image_len().max(1);
        let failed = self
            .pixels
            .par_chunks_exact_mut(image_len)
            .zip(&mut self.images)
            .with_min_len(IMAGES_A_TASK)
            .map_init(new, |kept, (pixels, entry)| {
                stamp(kept, &mut entry.image(pixels, size)).err()
            })
            .find_first(Option::is_some);
        failed.flatten().map_or(Ok(()), Err)
    }

    /// [`each`](Self::each) for a stamp that changes at most `bytes` bytes of an image: on this thread where they are so few in all that waking others
    /// would take longer.
    pub(super) fn each_of_few(
        &mut self,
        bytes: usize,
        stamp: impl Fn(&mut Image<'_>) -> Result<(), AttackError> + Sync,
    ) -> Result<(), AttackError> {
        if self.len() * bytes > BYTES_ALONE {
            return self.each(stamp);
        }
        let size = [self.height, self.width];
        let image_len = self.image_len().max(1);
        let pixels = self.pixels.chunks_exact_mut(image_len);
        let mut images = pixels.zip(&mut self.images);
        images.try_for_each(|(pixels, entry)| stamp(&mut entry.image(pixels, size)))
    }
}

impl Entry {
    fn image<'a>(&'a mut self, pixels: &'a mut [u8], [height, width]: [usize; 2]) -> Image<'a> {
        Image {
            pixels,
            height,
            width,
            index: self.place.index,
            label: self.place.label,
            rank: self.place.rank,
            count: self.place.count,
            random: &mut self.random,
        }
    }
}

#[cfg(test)]
mod tests {
    use cd_core::random::stream;

    use super::*;

    #[test]
    fn every_image_is_changed_with_its_own_index_label_and_numbers() {
        use rand::Rng;
        let run = |order: &[usize]| {
            let mut batch = Batch::new(1, 2);
            for &index in order {
                let random = stream(1, index as u64);
                batch
                    .push(&[0; 6], index, 7, random)
                    .expect("one image long");
            }
            let stamp = |image: &mut Image<'_>| {
                image.pixels[0] = image.index as u8;
                image.pixels[1] = image.label as u8;
                image.random.fill(&mut image.pixels[2..]);
                Ok(())
            };
            batch.each(stamp).expect("no image is refused");
            batch.pixels().to_vec()
        };
        let (forth, back) = (run(&[3, 9]), run(&[9, 3]));
        assert_eq!(forth[..2], [3, 7]);
        assert_eq!((&forth[..6], &forth[6..]), (&back[6..], &back[..6]));
        assert_ne!(forth[2..6], forth[8..]);
    }

    #[test]
    fn the_first_error_and_buffers_of_another_size_are_reported() {
        let mut batch = Batch::new(1, 1);
        let short = batch.push(&[0; 2], 0, 0, stream(0, 0)).expect_err("short");
        assert!(short.to_string().contains("got 2 bytes"), "{short}");
        for index in 0..9 {
            batch
                .push(&[0; 3], index, 0, stream(0, 0))
                .expect("one image");
        }
        let refuse = |image: &mut Image<'_>| match image.index {
            0..=4 => Ok(()),
            index => Err(AttackError::Prepare {
                attack: "test",
                problem: format!("image {index}"),
            }),
        };
        let error = batch.each(refuse).expect_err("refused");
        assert!(error.to_string().ends_with("image 5"), "{error}");
    }
}
