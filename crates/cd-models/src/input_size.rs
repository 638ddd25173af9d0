//! Sizes of images that an architecture takes.

use std::fmt;

use thiserror::Error;

/// Image sizes that an architecture takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputSize {
    /// Only square images of this many pixels a side.
    Exactly(usize),
    /// Published for squares of `published` pixels; takes any size from `smallest` on.
    From {
        /// Pixels a side as published.
        published: usize,
        /// Fewest pixels a side.
        smallest: usize,
    },
}

impl InputSize {
    /// Pixels a side as published.
    pub fn published(self) -> usize {
        match self {
            Self::Exactly(side) => side,
            Self::From { published, .. } => published,
        }
    }

    /// Fewest pixels a side.
    pub fn smallest(self) -> usize {
        match self {
            Self::Exactly(side) => side,
            Self::From { smallest, .. } => smallest,
        }
    }

    /// Whether images of `height` x `width` pixels can be classified.
    pub fn accepts(self, height: usize, width: usize) -> bool {
        match self {
            Self::Exactly(side) => (height, width) == (side, side),
            Self::From { smallest, .. } => height.min(width) >= smallest,
        }
    }
}

impl fmt::Display for InputSize {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(side) => write!(out, "{side} x {side}"),
            Self::From {
                published,
                smallest,
            } => write!(out, "{published} x {published} (any from {smallest})"),
        }
    }
}

/// Images of a size that an architecture cannot take.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error(
    "{architecture} takes images of {expected} pixels, got {height} x {width}; resize the images or choose another model"
)]
pub struct InputSizeError {
    /// The architecture.
    pub architecture: &'static str,
    /// What it takes.
    pub expected: InputSize,
    /// Rows of the images.
    pub height: usize,
    /// Columns of the images.
    pub width: usize,
}
