//! One picture file to RGB bytes of a given size, and many of them as a source of pixels.

mod animation;
mod check;
mod decoding;
mod index;
mod jpeg;
pub(crate) mod kind;
mod limits;
mod place;
mod region;
mod size;
mod source;

use std::io::{self, Cursor, Read};
use std::path::Path;

use cd_core::{CHANNELS, resample};
use image::error::{ImageError, ImageFormatHint, UnsupportedErrorKind};
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader, RgbImage};
use thiserror::Error;

use crate::zipped;

pub(crate) use check::{BadPicture, Check, Checked};
pub(crate) use decoding::Decoding;
pub use decoding::Orientation;
pub(crate) use index::{Stamp, changed};
use limits::limits;
pub(crate) use place::{Container, Place};
pub(crate) use region::Region;
pub use size::picture_side;
pub(crate) use size::{side_of, side_of_sizes};
pub(crate) use source::Room;

/// Largest accepted side of a picture in pixels.
const MAX_SIDE: u32 = 16_384;
/// Most bytes that a picture may take, as a file and decoded.
const MAX_DECODED_BYTES: u64 = 256 << 20;

/// Why a picture file could not be read.
#[derive(Debug, Error)]
pub enum PictureError {
    /// The file holds nothing.
    #[error("the file is empty")]
    Empty,
    /// The file could not be opened or read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The name of the file, or of a folder that holds it, is no text.
    #[error("its name is not valid Unicode; rename it")]
    Name,
    /// The content is of none of the known formats, whatever the file is called.
    #[error("not a picture: the content is not PNG, JPEG, PNM, BMP, GIF, WebP or TIFF")]
    Unrecognised,
    /// The file is something else.
    #[error("not a picture that is decoded here: the content is {0}; convert it to PNG or JPEG")]
    Foreign(&'static str),
    /// The format is known, but not this kind of it.
    #[error(
        "a valid {format} file, but this kind of {format} is not decoded here: {reason}; save it as PNG"
    )]
    Unsupported {
        /// Name of the format.
        format: String,
        /// What is special about it.
        reason: String,
    },
    /// Decoding would need more memory than is allowed.
    #[error(
        "too large: at most {MAX_SIDE} pixels a side and {} MiB are accepted",
        MAX_DECODED_BYTES >> 20
    )]
    TooLarge,
    /// The content starts like a picture but cannot be decoded.
    #[error("damaged or incomplete: {0}")]
    Damaged(String),
    /// The part that is to be read does not lie in the picture.
    #[error("the region {region} does not lie in the picture, which has {width} x {height} pixels")]
    Region {
        /// Its corners.
        region: String,
        /// Width of the picture in pixels.
        width: u32,
        /// Height of the picture in pixels.
        height: u32,
    },
}

/// Reads a picture as `[height, width, 3]` RGB bytes.
///
/// The format is told from the content. Gray is expanded to three equal channels and 16 bits are
/// scaled to 8. An alpha channel is dropped and the stored colours are kept, as common training
/// code does, so that a trigger hidden under transparent pixels stays visible here too. Orientation
/// tags are not applied. A picture of another size is resized with an antialiased bilinear filter,
/// aspect ratio not kept.
///
/// # Errors
///
/// When the file cannot be read, is no known picture format, is damaged or too large.
pub fn read_rgb(path: &Path, height: usize, width: usize) -> Result<Vec<u8>, PictureError> {
    let picture = decode_rgb(path, Orientation::Ignore)?;
    Ok(resize_rgb(picture, height, width))
}

/// Decodes the picture at `path` at its own size.
pub(crate) fn decode_rgb(path: &Path, orientation: Orientation) -> Result<RgbImage, PictureError> {
    decode_bytes(&read_bytes(path)?, orientation)
}

/// Decodes an encoded picture at its own size.
pub(crate) fn decode_bytes(
    bytes: &[u8],
    orientation: Orientation,
) -> Result<RgbImage, PictureError> {
    let mut reader = reader(bytes)?;
    if reader.format() == Some(ImageFormat::Jpeg) && !jpeg::is_complete(bytes) {
        return Err(PictureError::Damaged("the JPEG data ends early".into()));
    }
    let pixels = limits::pixels(dimensions(bytes)?, bytes.len())?;
    let limits = limits(bytes.len(), pixels);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(classify)?;
    let turn = match orientation {
        Orientation::Ignore => None,
        Orientation::Apply => Some(decoder.orientation().map_err(classify)?),
    };
    let mut limits = limits;
    limits.reserve(decoder.total_bytes()).map_err(classify)?;
    decoder.set_limits(limits).map_err(classify)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(classify)?;
    if let Some(turn) = turn {
        picture.apply_orientation(turn);
    }
    Ok(picture.into_rgb8())
}

/// Width and height of a picture as its header states them.
fn dimensions(bytes: &[u8]) -> Result<(u32, u32), PictureError> {
    let mut reader = reader(bytes)?;
    reader.limits(limits(bytes.len(), 0));
    reader.into_dimensions().map_err(classify)
}

/// A reader of a picture whose format is one that can be decoded.
fn reader(bytes: &[u8]) -> Result<ImageReader<Cursor<&[u8]>>, PictureError> {
    let start = &bytes[..bytes.len().min(kind::LOOKED_AT as usize)];
    if let Some(what) = kind::foreign(start) {
        return Err(PictureError::Foreign(what));
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    match reader.format() {
        Some(format) if format.reading_enabled() => Ok(reader),
        _ => Err(PictureError::Unrecognised),
    }
}

/// Resizes to `[height, width, 3]` bytes; a picture of that size already is returned unchanged.
pub(crate) fn resize_rgb(picture: RgbImage, height: usize, width: usize) -> Vec<u8> {
    let (to_width, to_height) = (width as u32, height as u32);
    if picture.dimensions() == (to_width, to_height) {
        return picture.into_raw();
    }
    let (from_width, from_height) = picture.dimensions();
    if from_width * from_height == 0 {
        return vec![0; height * width * CHANNELS];
    }
    let from = (from_width as usize, from_height as usize);
    resample::triangle(&picture.into_raw(), from, (width, height))
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    let longest = MAX_DECODED_BYTES + 1;
    let length = zipped::open(path)?.take(longest).read_to_end(&mut bytes)? as u64;
    match length {
        0 => Err(PictureError::Empty),
        _ if length == longest => Err(PictureError::TooLarge),
        _ => Ok(bytes),
    }
}

fn classify(error: ImageError) -> PictureError {
    match error {
        ImageError::Limits(_) => PictureError::TooLarge,
        ImageError::Unsupported(error) => PictureError::Unsupported {
            format: format_name(&error.format_hint()),
            reason: feature(&error.kind()),
        },
        other => PictureError::Damaged(other.to_string()),
    }
}

/// What people call a format.
fn format_name(hint: &ImageFormatHint) -> String {
    match hint {
        ImageFormatHint::Exact(format) => format!("{format:?}").to_ascii_uppercase(),
        other => other.to_string(),
    }
}

fn feature(kind: &UnsupportedErrorKind) -> String {
    match kind {
        UnsupportedErrorKind::GenericFeature(feature) => feature.clone(),
        UnsupportedErrorKind::Color(ExtendedColorType::Unknown(bits)) => {
            format!("its samples have {bits} bits")
        }
        UnsupportedErrorKind::Color(color) => format!("its colours are {color:?}"),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tests;
