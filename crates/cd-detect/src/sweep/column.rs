//! Values of images, of the three kinds that a sweep can keep.

/// What a column keeps of each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One number.
    Numbers,
    /// A vector, of the same length for all images.
    Vectors,
    /// Bytes `[channels, height, width]`, of the same shape for all images.
    Bytes,
}

/// Values of consecutive images.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// One number per image.
    Numbers(Vec<f64>),
    /// One vector per image.
    Vectors {
        /// Length of a vector; at least 1.
        width: usize,
        /// Vector after vector.
        values: Vec<f32>,
    },
    /// Bytes of each image.
    Bytes {
        /// Channels, height and width; each at least 1.
        shape: [usize; 3],
        /// `[N, channels, height, width]`.
        values: Vec<u8>,
    },
}

impl Column {
    /// What it keeps.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Numbers(_) => Kind::Numbers,
            Self::Vectors { .. } => Kind::Vectors,
            Self::Bytes { .. } => Kind::Bytes,
        }
    }

    /// Number of images; `None` when the last one is not whole.
    pub(crate) fn images(&self) -> Option<usize> {
        let (values, width) = match self {
            Self::Numbers(values) => (values.len(), 1),
            Self::Vectors { width, values } => (values.len(), *width),
            Self::Bytes { shape, values } => (values.len(), shape.iter().product()),
        };
        (values.checked_rem(width) == Some(0)).then(|| values / width)
    }

    /// Removes and returns the first `count` images.
    pub(crate) fn take(&mut self, count: usize) -> Self {
        match self {
            Self::Numbers(values) => Self::Numbers(values.drain(..count).collect()),
            Self::Vectors { width, values } => Self::Vectors {
                width: *width,
                values: values.drain(..count * *width).collect(),
            },
            Self::Bytes { shape, values } => {
                let len = count * shape.iter().product::<usize>();
                Self::Bytes {
                    shape: *shape,
                    values: values.drain(..len).collect(),
                }
            }
        }
    }

    /// Appends images; `false`, and nothing is appended, when they are of another kind or width.
    #[must_use]
    pub(crate) fn append(&mut self, other: Self) -> bool {
        match (self, other) {
            (Self::Numbers(mine), Self::Numbers(more)) => mine.extend(more),
            (
                Self::Vectors { width, values },
                Self::Vectors {
                    width: same,
                    values: more,
                },
            ) if *width == same => values.extend(more),
            (
                Self::Bytes { shape, values },
                Self::Bytes {
                    shape: same,
                    values: more,
                },
            ) if *shape == same => values.extend(more),
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_cut_and_put_together_by_images() {
        let whole = [
            Column::Numbers(vec![1.0, 2.0, 3.0]),
            Column::Vectors {
                width: 2,
                values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            },
            Column::Bytes {
                shape: [1, 1, 2],
                values: vec![1, 2, 3, 4, 5, 6],
            },
        ];
        for column in whole {
            assert_eq!(column.images(), Some(3));
            let mut rest = column.clone();
            let mut first = rest.take(1);
            assert_eq!((first.images(), rest.images()), (Some(1), Some(2)));
            assert!(first.append(rest));
            assert_eq!(first, column);
        }
    }

    #[test]
    fn misfits_are_noticed() {
        let mut vectors = Column::Vectors {
            width: 2,
            values: vec![1.0, 2.0, 3.0],
        };
        assert_eq!(vectors.images(), None);
        assert!(!vectors.append(Column::Numbers(vec![1.0])));
        let wider = Column::Vectors {
            width: 3,
            values: vec![0.0; 3],
        };
        assert!(!vectors.append(wider));
    }
}
