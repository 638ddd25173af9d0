//! What is said about the images of a set: a class each, attributes each, or nothing.

use serde::Serialize;

/// Labels of all images of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// One class each, an index into the names of the classes.
    Class(Vec<u32>),
    /// Any number of attributes each, such as the 40 of `CelebA`.
    Attributes(Attributes),
    /// Nothing is known.
    None,
}

/// Whether each of a fixed list of attributes holds, for every image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attributes {
    count: usize,
    /// `[images][count]`.
    present: Vec<bool>,
}

impl Attributes {
    /// No images yet, of `count` attributes each.
    pub fn new(count: usize) -> Self {
        Self {
            count,
            present: Vec::new(),
        }
    }

    /// Attributes of an image.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Which attributes image `index` has, one value each.
    ///
    /// # Panics
    ///
    /// When `index` is out of range, like slice indexing.
    pub fn of(&self, index: usize) -> &[bool] {
        &self.present[index * self.count..(index + 1) * self.count]
    }

    /// Appends an image.
    ///
    /// # Panics
    ///
    /// When the number of values is not that of the attributes, like `copy_from_slice`.
    pub fn push(&mut self, present: &[bool]) {
        assert_eq!(present.len(), self.count, "attributes of an image");
        self.present.extend_from_slice(present);
    }

    fn select(&self, indices: &[usize]) -> Self {
        let mut some = Self::new(self.count);
        for &index in indices {
            some.push(self.of(index));
        }
        some
    }
}

impl Labels {
    /// Those of the images at `indices`, in that order.
    pub(crate) fn select(&self, indices: &[usize]) -> Self {
        match self {
            Self::Class(labels) => {
                Self::Class(indices.iter().map(|&index| labels[index]).collect())
            }
            Self::Attributes(attributes) => Self::Attributes(attributes.select(indices)),
            Self::None => Self::None,
        }
    }
}
