//! Images as detectors see them: pixels without names and labels.

use std::sync::Arc;

use crate::images::ImageSet;
use crate::source::StorageError;

/// The pixels of a set and nothing else of it.
///
/// A poisoned picture keeps the name of the clean one that it was made from, and names often begin with the true class; what
/// looks for poison gets this view, which cannot be asked for them.
#[derive(Debug, Clone, Copy)]
pub struct Pixels<'a>(&'a ImageSet);

impl<'a> From<&'a ImageSet> for Pixels<'a> {
    fn from(set: &'a ImageSet) -> Self {
        Self(set)
    }
}

impl Pixels<'_> {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.0.height()
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.0.width()
    }

    /// Bytes of one image: `height * width * 3`.
    pub fn image_len(&self) -> usize {
        self.0.image_len()
    }

    /// Pixels of image `index`, `[H, W, 3]`.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    ///
    /// # Panics
    ///
    /// When `index` is out of range, like slice indexing.
    pub fn get(&self, index: usize) -> Result<Arc<[u8]>, StorageError> {
        self.0.pixels(index)
    }

    /// The images at `indices`, in that order; their pixels are shared, not copied.
    ///
    /// # Panics
    ///
    /// When an index is out of range.
    pub fn select(&self, indices: &[usize]) -> SelectedPixels {
        SelectedPixels(self.0.subset(indices))
    }
}

/// Some of the images of a set, without names and labels.
#[derive(Debug)]
pub struct SelectedPixels(ImageSet);

impl SelectedPixels {
    /// What can be seen of them.
    pub fn pixels(&self) -> Pixels<'_> {
        Pixels(&self.0)
    }
}
