//! Whether a JPEG file is all there.
//!
//! The decoder fills what is missing from a JPEG with gray and reports nothing. A picture that is
//! half gray would go into training unnoticed, so the structure is walked to its end first
//! (ITU-T T.81, annex B).

const START_OF_IMAGE: u8 = 0xD8;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;

/// Whether the segments of a JPEG lead to its end marker.
///
/// Markers inside a segment, such as those of an embedded preview, do not count.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((marker, after)) = next_marker(rest) {
        rest = match marker {
            END_OF_IMAGE => return true,
            START_OF_IMAGE | 0x01 | 0xD0..=0xD7 => after,
            _ => match skip_segment(after) {
                Some(data) if marker == START_OF_SCAN => skip_scan(data),
                Some(next) => next,
                None => return false,
            },
        };
    }
    false
}

/// The code of the marker that `bytes` begins with, and what follows it.
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    // A marker may be preceded by any number of fill bytes.
    let fill = bytes.iter().take_while(|&&byte| byte == 0xFF).count();
    match bytes.get(fill) {
        Some(&code) if fill > 0 => Some((code, &bytes[fill + 1..])),
        _ => None,
    }
}

fn skip_segment(bytes: &[u8]) -> Option<&[u8]> {
    let (length, _) = bytes.split_first_chunk::<2>()?;
    bytes.get(usize::from(u16::from_be_bytes(*length))..)
}

/// Skips compressed data: up to a marker that is neither an escaped byte nor a restart.
fn skip_scan(bytes: &[u8]) -> &[u8] {
    let ends = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xD0..=0xD7 | 0xFF);
    match bytes.windows(2).position(ends) {
        Some(position) => &bytes[position..],
        None => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageFormat, Rgb, RgbImage};

    use super::*;

    fn jpeg() -> Vec<u8> {
        let noisy = |x: u32, y: u32| Rgb([(x * 37) as u8, (y * 91) as u8, (x * y * 13) as u8]);
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::from_fn(40, 30, noisy)
            .write_to(&mut bytes, ImageFormat::Jpeg)
            .expect("encodes");
        bytes.into_inner()
    }

    #[test]
    fn only_the_whole_file_is_complete() {
        let jpeg = jpeg();
        assert!(is_complete(&jpeg));
        for length in 0..jpeg.len() {
            assert!(!is_complete(&jpeg[..length]), "{length} of {}", jpeg.len());
        }
    }

    #[test]
    fn bytes_behind_the_end_do_not_matter_and_an_embedded_preview_is_no_end() {
        let jpeg = jpeg();
        assert!(is_complete(&[&jpeg[..], b"trailing"].concat()));
        let preview = [&[0xFF, 0xE1, 0x00, 0x06][..], &[0xFF, 0xD8, 0xFF, 0xD9]].concat();
        let with_preview = [&jpeg[..2], &preview, &jpeg[2..]].concat();
        assert!(is_complete(&with_preview));
        assert!(!is_complete(&with_preview[..with_preview.len() - 2]));
    }
}
