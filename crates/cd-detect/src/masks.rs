//! Masks of many images, read one by one.

use std::sync::Arc;

use cd_core::{PixelSource, Records, StorageError};

/// Bytes of masks that are kept in memory; what is beyond them lies in a temporary file.
const IN_MEMORY: usize = 4 << 20;

/// Masks of many images as bytes, 0 (removed) to 255 (kept).
///
/// Those of a search with a [`Store`](crate::Store) stay in its part files and are read from there, so they can be read as
/// long as the files are there. Others are kept, 4 MiB of them in memory and the rest in a temporary file.
#[derive(Debug, Clone, PartialEq)]
pub struct Masks {
    shape: [usize; 3],
    values: Records,
    /// The images that they are of, in ascending order; `None` for the first images of the set.
    images: Option<Vec<usize>>,
}

impl Masks {
    /// No masks yet, of the shape `[channels, height, width]` each.
    pub fn new(shape: [usize; 3]) -> Self {
        Self {
            shape,
            values: Records::new(shape.iter().product(), IN_MEMORY),
            images: None,
        }
    }

    /// The first `count` masks of `source`, which stay there.
    pub(crate) fn of(shape: [usize; 3], source: &Arc<dyn PixelSource>, count: usize) -> Self {
        let mut masks = Self::new(shape);
        for index in 0..count {
            masks.values.push_from(source, index);
        }
        masks
    }

    /// The same masks as those of `images`, one for each, in ascending order.
    ///
    /// # Panics
    ///
    /// When there are not as many masks as images.
    #[must_use]
    pub fn with_images(self, images: Vec<usize>) -> Self {
        assert_eq!(self.count(), images.len(), "a mask for each image");
        Self {
            images: Some(images),
            ..self
        }
    }

    /// Appends masks, `[N, channels, height, width]`.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be made or written.
    ///
    /// # Panics
    ///
    /// When the last mask is not whole.
    pub fn extend(&mut self, masks: &[u8]) -> Result<(), StorageError> {
        let len = self.values.record_len().max(1);
        masks
            .chunks(len)
            .try_for_each(|mask| self.values.push(mask))
    }

    /// Number of masks.
    pub fn count(&self) -> usize {
        self.values.count()
    }

    /// Mask channels (1 or 3), height and width in pixels.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The images that they are of, in ascending order, where not every image has one.
    pub fn images(&self) -> Option<&[usize]> {
        self.images.as_deref()
    }

    /// Mask number `index`, `[channels, height, width]`: that of image `index` where every image has one, else that of
    /// the image at this place of [`images`](Self::images).
    ///
    /// # Errors
    ///
    /// When the file that it lies in cannot be read.
    ///
    /// # Panics
    ///
    /// When `index` is out of range, like slice indexing.
    pub fn get(&self, index: usize) -> Result<Arc<[u8]>, StorageError> {
        self.values.get(index)
    }

    /// Mask of image `image`, `[channels, height, width]`; `None` where it has none.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn of_image(&self, image: usize) -> Result<Option<Arc<[u8]>>, StorageError> {
        let place = match &self.images {
            Some(images) => images.binary_search(&image).ok(),
            None => (image < self.count()).then_some(image),
        };
        place.map(|place| self.get(place)).transpose()
    }
}
