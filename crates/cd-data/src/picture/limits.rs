//! How much memory a picture may take, by what its file can hold: a header may claim anything.

use image::Limits;

use super::{MAX_DECODED_BYTES, MAX_SIDE, PictureError};

/// Bytes that decoding may take whatever the file is: profiles, palettes, tables.
const OVERHEAD: u64 = 32 << 20;
/// Pixels that any file may claim; some formats hold a picture of one colour in a few bytes.
const ANY: u64 = 5 << 20;
/// Most pixels for each byte of larger ones. A byte of JPEG holds 512 pixels, one of PNG 8,256, if they are of one bit each.
const MOST_PER_BYTE: u64 = 8256;
/// Bytes for each pixel while it is decoded: samples of 16 bits, several passes, what comes out.
const PER_PIXEL: u64 = 24;

/// Limits for a file of `length` bytes with `pixels` pixels, 0 while they are not known.
pub(super) fn limits(length: usize, pixels: u64) -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    let bytes = OVERHEAD + 4 * length as u64 + PER_PIXEL * pixels;
    limits.max_alloc = Some(bytes.min(MAX_DECODED_BYTES));
    limits
}

/// Number of pixels of a picture; fails when they would take too much memory, or a file of `length` bytes cannot hold them.
pub(super) fn pixels((width, height): (u32, u32), length: usize) -> Result<u64, PictureError> {
    let pixels = u64::from(width) * u64::from(height);
    // Gray and palettes take less while they are decoded than what comes out.
    if pixels * 3 > MAX_DECODED_BYTES {
        return Err(PictureError::TooLarge);
    }
    if pixels > ANY && pixels > MOST_PER_BYTE * length as u64 {
        return Err(PictureError::Damaged(format!(
            "its header claims {width} x {height} pixels, which {length} bytes cannot hold"
        )));
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_compared_with_the_file() {
        assert_eq!(pixels((2000, 2000), 30).expect("few"), 4_000_000);
        assert_eq!(pixels((8000, 8000), 100_000).expect("held"), 64_000_000);
        let message = pixels((8000, 8000), 1000).expect_err("a claim").to_string();
        assert!(
            message.contains("8000 x 8000 pixels, which 1000 bytes"),
            "{message}"
        );
        let error = pixels((16_000, 16_000), usize::MAX / 10_000);
        assert!(matches!(error, Err(PictureError::TooLarge)));
    }
}
