//! Pictures as bytes with what is said about them: what data sets produce and training consumes.

use std::sync::Arc;

use thiserror::Error;

use crate::labels::{Attributes, Labels};
use crate::records::Records;
use crate::source::{PixelSource, StorageError};

/// Colour channels of every picture; grayscale sources are expanded when they are decoded.
pub const CHANNELS: usize = 3;

/// Bytes of pixels that a set keeps in memory; what is beyond them lies in a temporary file.
const IN_MEMORY: usize = 256 << 20;

/// Why a set of images could not be put together.
#[derive(Debug, Error)]
pub enum ImageSetError {
    /// The pixel buffer of an image has the wrong length.
    #[error("image `{name}` has {got} bytes, expected {expected} ({height} x {width} x 3)")]
    PixelCount {
        /// The image's name.
        name: String,
        /// Height of the set in pixels.
        height: usize,
        /// Width of the set in pixels.
        width: usize,
        /// Bytes that came.
        got: usize,
        /// Bytes that the set's shape needs.
        expected: usize,
    },
    /// A label is not smaller than the number of classes.
    #[error("image `{name}` has label {label}, but there are only {classes} classes (0..={})", classes.saturating_sub(1))]
    Label {
        /// The image's name.
        name: String,
        /// The label that came.
        label: u32,
        /// Number of classes of the set.
        classes: usize,
    },
    /// The image comes with labels of another kind than the set's.
    #[error("image `{name}` has labels of another kind: the set has {has}")]
    Kind {
        /// The image's name.
        name: String,
        /// What the images of the set have.
        has: String,
    },
    /// The pixels could not be kept.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Images of one size with a name each and, as [`Labels`] says, a class, attributes or nothing.
///
/// Pixels are `u8`, RGB, row by row, channel last (`[N, H, W, 3]`), 0 to 255. A name identifies an
/// image for people: a path relative to the data set, or a record of an archive.
///
/// Pixels that are pushed are kept, 256 MiB of them in memory and the rest in a temporary file; those of a
/// [`PixelSource`] are read from it whenever they are asked for. Copies and subsets share both.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageSet {
    height: usize,
    width: usize,
    pixels: Records,
    labels: Labels,
    names: Vec<String>,
    class_names: Vec<String>,
}

impl ImageSet {
    /// An empty set for images of `height` x `width` pixels with one class each.
    pub fn new(height: usize, width: usize, class_names: Vec<String>) -> Self {
        Self {
            height,
            width,
            pixels: Records::new(height * width * CHANNELS, IN_MEMORY),
            labels: Labels::Class(Vec::new()),
            names: Vec::new(),
            class_names,
        }
    }

    /// An empty set for images with attributes of these names; [`class_names`](Self::class_names) has them.
    pub fn with_attributes(height: usize, width: usize, attribute_names: Vec<String>) -> Self {
        let attributes = Attributes::new(attribute_names.len());
        Self {
            labels: Labels::Attributes(attributes),
            ..Self::new(height, width, attribute_names)
        }
    }

    /// An empty set for images of which nothing is known; it has no classes.
    pub fn unlabelled(height: usize, width: usize) -> Self {
        Self {
            labels: Labels::None,
            ..Self::new(height, width, Vec::new())
        }
    }

    /// Appends one image; `pixels` is `[H, W, 3]`.
    ///
    /// # Errors
    ///
    /// When the buffer does not fit the set's shape or the label its classes, or the pixels cannot be kept.
    pub fn push(&mut self, name: String, pixels: &[u8], label: u32) -> Result<(), ImageSetError> {
        self.check_pixels(&name, pixels)?;
        self.check_label(&name, label)?;
        self.pixels.push(pixels)?;
        self.push_class(name, label);
        Ok(())
    }

    /// Appends image `index` of `source`, which must have strings of [`image_len`](Self::image_len) bytes, `[H, W, 3]`.
    ///
    /// # Errors
    ///
    /// When the label does not fit the set's classes.
    pub fn push_from(
        &mut self,
        name: String,
        source: &Arc<dyn PixelSource>,
        index: usize,
        label: u32,
    ) -> Result<(), ImageSetError> {
        self.check_label(&name, label)?;
        self.pixels.push_from(source, index);
        self.push_class(name, label);
        Ok(())
    }

    /// Appends image `index` of `source` to a set without labels.
    ///
    /// # Errors
    ///
    /// When the set has labels.
    pub fn push_unlabelled(
        &mut self,
        name: String,
        source: &Arc<dyn PixelSource>,
        index: usize,
    ) -> Result<(), ImageSetError> {
        if self.labels != Labels::None {
            return Err(self.kind(name));
        }
        self.pixels.push_from(source, index);
        self.names.push(name);
        Ok(())
    }

    /// Appends one image with its attributes, one value for each name.
    ///
    /// # Errors
    ///
    /// When the buffer does not fit the set's shape, the set has no attributes or another number of them.
    pub fn push_attributes(
        &mut self,
        name: String,
        pixels: &[u8],
        present: &[bool],
    ) -> Result<(), ImageSetError> {
        self.check_pixels(&name, pixels)?;
        match &self.labels {
            Labels::Attributes(some) if some.count() == present.len() => {}
            _ => return Err(self.kind(name)),
        }
        self.pixels.push(pixels)?;
        if let Labels::Attributes(attributes) = &mut self.labels {
            attributes.push(present);
        }
        self.names.push(name);
        Ok(())
    }

    /// To be called after [`check_label`](Self::check_label).
    fn push_class(&mut self, name: String, label: u32) {
        if let Labels::Class(labels) = &mut self.labels {
            labels.push(label);
        }
        self.names.push(name);
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Bytes of one image: `height * width * 3`.
    pub fn image_len(&self) -> usize {
        self.pixels.record_len()
    }

    /// Names of the classes (a label is an index into them) or of the attributes; none without labels.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Number of classes or attributes.
    pub fn class_count(&self) -> usize {
        self.class_names.len()
    }

    /// Pixels of image `index`, `[H, W, 3]`.
    ///
    /// # Errors
    ///
    /// When they lie in the temporary file and it cannot be read.
    ///
    /// # Panics
    ///
    /// When `index` is out of range, like slice indexing.
    pub fn pixels(&self, index: usize) -> Result<Arc<[u8]>, StorageError> {
        self.pixels.get(index)
    }

    /// Replaces the pixels of image `index`; copies of the set keep the former ones.
    ///
    /// # Errors
    ///
    /// When the buffer does not fit the set's shape, or the pixels cannot be kept.
    ///
    /// # Panics
    ///
    /// When `index` is out of range, like slice indexing.
    pub fn set_pixels(&mut self, index: usize, pixels: &[u8]) -> Result<(), ImageSetError> {
        self.check_pixels(&self.names[index], pixels)?;
        Ok(self.pixels.replace(index, pixels)?)
    }

    /// Puts image `from` of `source` at `index`; copies of the set keep the former one.
    ///
    /// # Panics
    ///
    /// When `index` is out of range, like slice indexing.
    pub fn set_pixels_from(&mut self, index: usize, source: &Arc<dyn PixelSource>, from: usize) {
        self.pixels.replace_from(index, source, from);
    }

    /// SHA-256 of the pixels of image `index`; cheap when it is known or was asked for before.
    ///
    /// # Errors
    ///
    /// When they have to be read and cannot.
    ///
    /// # Panics
    ///
    /// When `index` is out of range, like slice indexing.
    pub fn digest(&self, index: usize) -> Result<[u8; 32], StorageError> {
        self.pixels.digest(index)
    }

    /// The class of every image, in order; empty in a set without classes.
    pub fn labels(&self) -> &[u32] {
        match &self.labels {
            Labels::Class(labels) => labels,
            Labels::Attributes(_) | Labels::None => &[],
        }
    }

    /// What is said about the images.
    pub fn annotations(&self) -> &Labels {
        &self.labels
    }

    /// The same images with other classes and the label `label_of(index)` each.
    ///
    /// # Errors
    ///
    /// When a label does not fit the classes.
    pub fn relabelled(
        mut self,
        class_names: Vec<String>,
        label_of: impl Fn(usize) -> u32,
    ) -> Result<Self, ImageSetError> {
        self.class_names = class_names;
        self.labels = Labels::Class(vec![0; self.len()]);
        for index in 0..self.len() {
            self.set_label(index, label_of(index))?;
        }
        Ok(self)
    }

    /// The same images with attributes of these names, `present_of(index)` each, one value for each name.
    ///
    /// # Errors
    ///
    /// When an image comes with another number of values.
    pub fn with_attributes_of<'a>(
        mut self,
        attribute_names: Vec<String>,
        present_of: impl Fn(usize) -> &'a [bool],
    ) -> Result<Self, ImageSetError> {
        let mut attributes = Attributes::new(attribute_names.len());
        for index in 0..self.len() {
            let present = present_of(index);
            if present.len() != attributes.count() {
                return Err(ImageSetError::Kind {
                    name: self.names[index].clone(),
                    has: format!("{} attributes each", attributes.count()),
                });
            }
            attributes.push(present);
        }
        self.class_names = attribute_names;
        self.labels = Labels::Attributes(attributes);
        Ok(self)
    }

    /// Replaces the label of image `index`.
    ///
    /// # Errors
    ///
    /// When the label does not fit the set's classes, or the set has none.
    pub fn set_label(&mut self, index: usize, label: u32) -> Result<(), ImageSetError> {
        self.check_label(&self.names[index], label)?;
        if let Labels::Class(labels) = &mut self.labels {
            labels[index] = label;
        }
        Ok(())
    }

    /// Name of image `index`.
    pub fn name(&self, index: usize) -> &str {
        &self.names[index]
    }

    /// All names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many images each class has.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.class_count()];
        for &label in self.labels() {
            counts[label as usize] += 1;
        }
        counts
    }

    /// The images at `indices`, in that order; their pixels are shared, not copied.
    ///
    /// # Panics
    ///
    /// When an index is out of range.
    #[must_use]
    pub fn subset(&self, indices: &[usize]) -> Self {
        Self {
            height: self.height,
            width: self.width,
            pixels: self.pixels.select(indices),
            labels: self.labels.select(indices),
            names: indices
                .iter()
                .map(|&index| self.names[index].clone())
                .collect(),
            class_names: self.class_names.clone(),
        }
    }

    fn kind(&self, name: String) -> ImageSetError {
        ImageSetError::Kind {
            name,
            has: match &self.labels {
                Labels::Class(_) => "a class each".to_owned(),
                Labels::Attributes(some) => format!("{} attributes each", some.count()),
                Labels::None => "no labels".to_owned(),
            },
        }
    }

    fn check_pixels(&self, name: &str, pixels: &[u8]) -> Result<(), ImageSetError> {
        let (got, expected) = (pixels.len(), self.image_len());
        if got == expected {
            return Ok(());
        }
        Err(ImageSetError::PixelCount {
            name: name.to_owned(),
            height: self.height,
            width: self.width,
            got,
            expected,
        })
    }

    fn check_label(&self, name: &str, label: u32) -> Result<(), ImageSetError> {
        if !matches!(self.labels, Labels::Class(_)) {
            return Err(self.kind(name.to_owned()));
        }
        if (label as usize) < self.class_count() {
            return Ok(());
        }
        Err(ImageSetError::Label {
            name: name.to_owned(),
            label,
            classes: self.class_count(),
        })
    }
}

#[cfg(test)]
mod tests;
