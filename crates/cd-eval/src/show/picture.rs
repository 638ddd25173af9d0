//! Small pictures for people: images, masks and patterns as RGB buffers.
//!
//! A mask says which pixels the model needs; the pattern is the image seen through it. Buffers are
//! `u8`, row by row, channel last, like the images themselves.
//!
//! ```
//! use cd_eval::picture::{Picture, mask_to_rgb, strip};
//!
//! let image = Picture::new(2, 1, vec![255, 0, 0, 0, 255, 0])?;
//! let mask = [255, 0];
//! let pattern = image.masked(&mask, 1)?;
//! assert_eq!(pattern.rgb(), [255, 0, 0, 0, 0, 0]);
//!
//! let side_by_side = strip(&[image, mask_to_rgb(&mask, 2, 1, 1)?, pattern], 1);
//! assert_eq!((side_by_side.width(), side_by_side.height()), (8, 1));
//! assert!(side_by_side.to_data_uri()?.starts_with("data:image/png;base64,"));
//! # Ok::<(), cd_eval::picture::PictureError>(())
//! ```

mod colour_map;
mod compose;
mod encode;

pub use colour_map::{mask_colour, mask_to_rgb};
pub use compose::strip;

use thiserror::Error;

/// Bytes of one pixel.
const RGB: usize = 3;

/// Why a picture could not be made or written.
#[derive(Debug, Error)]
pub enum PictureError {
    /// A pixel buffer does not fit the shape that it is said to have.
    #[error(
        "{what} of {width} x {height} pixels and {channels} channels needs {expected} bytes, but there are {got}"
    )]
    Length {
        /// What the buffer holds.
        what: &'static str,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Values per pixel.
        channels: usize,
        /// Bytes that the shape needs.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// A mask has neither one nor three channels.
    #[error("a mask has 1 or 3 channels, but this one has {0}")]
    MaskChannels(usize),
    /// The picture has no pixels, or too many for a picture file.
    #[error("a picture of {width} x {height} pixels cannot be written; each side must be 1 to {limit}", limit = u32::MAX)]
    Size {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// The picture could not be encoded.
    #[error("the picture could not be encoded")]
    Encode(#[from] image::ImageError),
}

/// An RGB picture, 8 bits per channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Picture {
    /// A picture from `height * width * 3` bytes, row by row, channel last.
    ///
    /// # Errors
    /// [`PictureError::Length`].
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Result<Self, PictureError> {
        check_length("a picture", width, height, RGB, rgb.len())?;
        Ok(Self { width, height, rgb })
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels, row by row, channel last.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The image seen through a mask: every value times `mask / 255`, rounded. This is the
    /// cognitive pattern.
    ///
    /// `mask` has `height * width * channels` values, channel last; a single channel applies to all
    /// three colours.
    ///
    /// # Errors
    /// [`PictureError::MaskChannels`] or [`PictureError::Length`].
    pub fn masked(&self, mask: &[u8], channels: usize) -> Result<Self, PictureError> {
        check_mask(mask, self.width, self.height, channels)?;
        let rgb = self
            .rgb
            .iter()
            .enumerate()
            .map(|(position, &value)| {
                let weight = if channels == 1 {
                    mask[position / RGB]
                } else {
                    mask[position]
                };
                ((u32::from(value) * u32::from(weight) + 127) / 255) as u8
            })
            .collect();
        Ok(Self { rgb, ..*self })
    }

    fn pixel(&self, column: usize, row: usize) -> &[u8] {
        let start = (row * self.width + column) * RGB;
        &self.rgb[start..start + RGB]
    }
}

fn check_mask(
    mask: &[u8],
    width: usize,
    height: usize,
    channels: usize,
) -> Result<(), PictureError> {
    if channels != 1 && channels != RGB {
        return Err(PictureError::MaskChannels(channels));
    }
    check_length("a mask", width, height, channels, mask.len())
}

fn check_length(
    what: &'static str,
    width: usize,
    height: usize,
    channels: usize,
    got: usize,
) -> Result<(), PictureError> {
    let expected = width.saturating_mul(height).saturating_mul(channels);
    if expected == got {
        return Ok(());
    }
    Err(PictureError::Length {
        what,
        width,
        height,
        channels,
        expected,
        got,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mask_channel_applies_to_all_colours() {
        let image = Picture::new(2, 1, vec![200, 100, 50, 10, 20, 30]).expect("fits");
        let pattern = image.masked(&[128, 255], 1).expect("fits");
        assert_eq!(pattern.rgb(), [100, 50, 25, 10, 20, 30]);
    }

    #[test]
    fn three_mask_channels_apply_one_each() {
        let image = Picture::new(1, 1, vec![200, 100, 50]).expect("fits");
        let pattern = image.masked(&[255, 0, 255], 3).expect("fits");
        assert_eq!(pattern.rgb(), [200, 0, 50]);
    }

    #[test]
    fn misfits_are_named() {
        let error = Picture::new(2, 2, vec![0; 11]).expect_err("one byte short");
        assert_eq!(
            error.to_string(),
            "a picture of 2 x 2 pixels and 3 channels needs 12 bytes, but there are 11"
        );
        let image = Picture::new(1, 1, vec![0; 3]).expect("fits");
        assert!(matches!(
            image.masked(&[0, 0], 2),
            Err(PictureError::MaskChannels(2))
        ));
        assert!(matches!(
            image.masked(&[0, 0], 1),
            Err(PictureError::Length { .. })
        ));
    }
}
