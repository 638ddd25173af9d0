//! One picture file to RGB bytes of a given size.

mod jpeg;

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use image::error::ImageError;
use image::imageops::{self, FilterType};
use image::{ImageFormat, ImageReader, Limits, RgbImage};
use thiserror::Error;

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
    /// The content is of none of the known formats, whatever the file is called.
    #[error("not a picture: the content is not PNG, JPEG, PNM, BMP, GIF, WebP or TIFF")]
    Unrecognised,
    /// Decoding would need more memory than is allowed.
    #[error(
        "too large: at most {MAX_SIDE} pixels a side and {} MiB are accepted",
        MAX_DECODED_BYTES >> 20
    )]
    TooLarge,
    /// The content starts like a picture but cannot be decoded.
    #[error("damaged or incomplete: {0}")]
    Damaged(String),
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
    Ok(resize_rgb(decode_rgb(path)?, height, width))
}

/// Decodes a picture at its own size.
pub(crate) fn decode_rgb(path: &Path) -> Result<RgbImage, PictureError> {
    let bytes = read_bytes(path)?;
    let reader = || ImageReader::new(Cursor::new(&bytes)).with_guessed_format();
    let mut reader_of_size = reader()?;
    reader_of_size.limits(limits());
    let mut reader = reader()?;
    match reader.format() {
        None => return Err(PictureError::Unrecognised),
        Some(ImageFormat::Jpeg) if !jpeg::is_complete(&bytes) => {
            return Err(PictureError::Damaged("the JPEG data ends early".into()));
        }
        Some(_) => {}
    }
    // Gray and palettes take less while they are decoded than what comes out.
    let (width, height) = reader_of_size.into_dimensions().map_err(classify)?;
    if u64::from(width) * u64::from(height) * 3 > MAX_DECODED_BYTES {
        return Err(PictureError::TooLarge);
    }
    reader.limits(limits());
    reader
        .decode()
        .map(|picture| picture.to_rgb8())
        .map_err(classify)
}

/// Resizes to `[height, width, 3]` bytes; a picture of that size already is returned unchanged.
pub(crate) fn resize_rgb(picture: RgbImage, height: usize, width: usize) -> Vec<u8> {
    let (to_width, to_height) = (width as u32, height as u32);
    if picture.dimensions() == (to_width, to_height) {
        return picture.into_raw();
    }
    imageops::resize(&picture, to_width, to_height, FilterType::Triangle).into_raw()
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    let longest = MAX_DECODED_BYTES + 1;
    let length = File::open(path)?.take(longest).read_to_end(&mut bytes)? as u64;
    match length {
        0 => Err(PictureError::Empty),
        _ if length == longest => Err(PictureError::TooLarge),
        _ => Ok(bytes),
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    limits
}

fn classify(error: ImageError) -> PictureError {
    match error {
        ImageError::Limits(_) => PictureError::TooLarge,
        ImageError::Unsupported(_) => PictureError::Unrecognised,
        other => PictureError::Damaged(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::{DynamicImage, GenericImageView, Luma, Rgb, Rgba};
    use tempfile::tempdir;

    use super::*;
    use crate::testing::golden_bytes;

    fn saved(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let folder = tempdir().expect("scratch");
        // The wrong extension on purpose: only the content counts.
        let path = folder.path().join("picture.jpg");
        picture.save_with_format(&path, format).expect("writes");
        let (width, height) = picture.dimensions();
        read_rgb(&path, height as usize, width as usize).expect("reads")
    }

    #[test]
    fn every_lossless_format_gives_the_same_bytes() {
        let rgb = RgbImage::from_fn(5, 3, |x, y| Rgb([x as u8 * 40, y as u8 * 90, 7]));
        let expected = rgb.clone().into_raw();
        for format in [
            ImageFormat::Png,
            ImageFormat::Pnm,
            ImageFormat::Bmp,
            ImageFormat::Gif,
            ImageFormat::WebP,
            ImageFormat::Tiff,
        ] {
            assert_eq!(saved(&rgb.clone().into(), format), expected, "{format:?}");
        }
    }

    #[test]
    fn gray_is_expanded_and_sixteen_bits_are_scaled() {
        let gray = image::GrayImage::from_pixel(2, 1, Luma([77]));
        assert_eq!(saved(&gray.into(), ImageFormat::Png), [77; 6]);
        let deep = image::ImageBuffer::from_pixel(1, 1, Rgb([65_535u16, 0, 32_896]));
        assert_eq!(
            saved(&DynamicImage::ImageRgb16(deep), ImageFormat::Png),
            [255, 0, 128]
        );
    }

    #[test]
    fn colours_under_transparent_pixels_are_kept() {
        let clear = image::RgbaImage::from_pixel(1, 1, Rgba([9, 8, 7, 0]));
        assert_eq!(saved(&clear.into(), ImageFormat::Png), [9, 8, 7]);
    }

    #[test]
    fn one_pixel_grows_to_a_plain_picture() {
        let dot = RgbImage::from_pixel(1, 1, Rgb([1, 2, 3]));
        assert_eq!(resize_rgb(dot, 2, 2), [1, 2, 3].repeat(4));
    }

    #[test]
    fn shrinking_follows_the_reference_within_rounding() {
        for (source, width, height) in [("raw0", 47, 53), ("raw1", 150, 121)] {
            let raw = golden_bytes(&format!("{source}_u8"));
            let picture = RgbImage::from_raw(width, height, raw).expect("golden shape");
            let expected = golden_bytes(&format!("{source}_gtsrb_clean_32"));
            let difference = resize_rgb(picture, 32, 32)
                .iter()
                .zip(&expected)
                .map(|(got, want)| got.abs_diff(*want))
                .max();
            assert!(difference <= Some(1), "{source}: {difference:?}");
        }
    }

    #[test]
    fn bad_files_say_what_is_wrong() {
        let folder = tempdir().expect("scratch");
        let path = folder.path().join("bad.png");
        let read = || read_rgb(&path, 8, 8).expect_err("bad file");
        assert!(matches!(read(), PictureError::Io(_)));
        fs::write(&path, b"").expect("writes");
        assert!(matches!(read(), PictureError::Empty));
        fs::write(&path, b"hello, world").expect("writes");
        assert!(matches!(read(), PictureError::Unrecognised));
        let whole = RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, y as u8, (x * y) as u8]));
        for format in [
            ImageFormat::Png,
            ImageFormat::Jpeg,
            ImageFormat::Bmp,
            ImageFormat::Gif,
            ImageFormat::WebP,
            ImageFormat::Tiff,
            ImageFormat::Pnm,
        ] {
            whole.save_with_format(&path, format).expect("writes");
            let bytes = fs::read(&path).expect("reads");
            fs::write(&path, &bytes[..bytes.len() / 2]).expect("writes");
            let error = read();
            assert!(
                matches!(error, PictureError::Damaged(_)),
                "{format:?}: {error}"
            );
        }
    }

    #[test]
    fn a_decompression_bomb_is_refused_before_it_goes_off() {
        let folder = tempdir().expect("scratch");
        let path = folder.path().join("bomb.ppm");
        for header in [
            "P6 60000 60000 255\n",
            "P6 16000 16000 255\n",
            "P5 15000 15000 255\n",
        ] {
            fs::write(&path, header).expect("writes");
            let error = read_rgb(&path, 8, 8).expect_err("bomb");
            assert!(matches!(error, PictureError::TooLarge), "{header}: {error}");
        }
    }
}
