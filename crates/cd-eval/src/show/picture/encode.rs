//! Pictures as files and as data URIs.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::{Picture, PictureError};

/// Longest side of a picture that a page embeds without loss.
const EXACT_SIDE: usize = 64;
const THUMBNAIL_QUALITY: u8 = 85;

impl Picture {
    /// The picture as the bytes of a PNG file.
    ///
    /// # Errors
    /// [`PictureError::Size`] for a picture without pixels, [`PictureError::Encode`].
    pub fn to_png(&self) -> Result<Vec<u8>, PictureError> {
        let mut bytes = Cursor::new(Vec::new());
        let encoder =
            PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive);
        self.encode(encoder)?;
        Ok(bytes.into_inner())
    }

    /// The picture as a `data:` URI holding a PNG, pixel for pixel.
    ///
    /// # Errors
    /// As [`to_png`](Self::to_png).
    pub fn to_data_uri(&self) -> Result<String, PictureError> {
        Ok(data_uri("image/png", &self.to_png()?))
    }

    /// A `data:` URI for a gallery: pictures of up to 64 pixels exactly (PNG), larger ones as JPEG, shrunk to
    /// `longest_side` pixels where they are larger, so that a page with many of them stays small.
    ///
    /// # Errors
    /// As [`to_png`](Self::to_png).
    pub fn to_thumbnail_uri(&self, longest_side: usize) -> Result<String, PictureError> {
        if self.is_small() {
            return self.to_data_uri();
        }
        let mut bytes = Vec::new();
        self.shrunk_to(longest_side)
            .encode(JpegEncoder::new_with_quality(&mut bytes, THUMBNAIL_QUALITY))?;
        Ok(data_uri("image/jpeg", &bytes))
    }

    /// Whether a page embeds the picture pixel for pixel, to be enlarged by the browser.
    pub(crate) fn is_small(&self) -> bool {
        self.width().max(self.height()) <= EXACT_SIDE
    }

    fn encode(&self, encoder: impl ImageEncoder) -> Result<(), PictureError> {
        let side = |length: usize| u32::try_from(length).ok().filter(|&side| side > 0);
        let (Some(width), Some(height)) = (side(self.width()), side(self.height())) else {
            return Err(PictureError::Size {
                width: self.width(),
                height: self.height(),
            });
        };
        encoder.write_image(self.rgb(), width, height, ExtendedColorType::Rgb8)?;
        Ok(())
    }
}

fn data_uri(media_type: &str, bytes: &[u8]) -> String {
    format!("data:{media_type};base64,{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(side: usize) -> Picture {
        let rgb = (0..side * side * 3).map(|value| (value * 255 / (side * side * 3)) as u8);
        Picture::new(side, side, rgb.collect()).expect("fits")
    }

    #[test]
    fn png_bytes_decode_to_the_same_pixels() {
        let picture = gradient(9);
        let decoded = image::load_from_memory(&picture.to_png().expect("encodes"))
            .expect("a valid file")
            .to_rgb8();
        assert_eq!(decoded.dimensions(), (9, 9));
        assert_eq!(decoded.as_raw(), picture.rgb());
    }

    #[test]
    fn thumbnails_are_exact_when_small_and_shrunk_when_large() {
        let small = gradient(64);
        assert_eq!(
            small.to_thumbnail_uri(8).expect("encodes"),
            small.to_data_uri().expect("encodes")
        );
        let uri = gradient(224).to_thumbnail_uri(112).expect("encodes");
        let encoded = uri.strip_prefix("data:image/jpeg;base64,").expect("a JPEG");
        let bytes = STANDARD.decode(encoded).expect("valid base64");
        let decoded = image::load_from_memory(&bytes).expect("a valid file");
        assert_eq!((decoded.width(), decoded.height()), (112, 112));
    }

    #[test]
    fn nothing_cannot_be_encoded() {
        let nothing = Picture::new(0, 3, Vec::new()).expect("fits");
        assert!(matches!(
            nothing.to_png(),
            Err(PictureError::Size {
                width: 0,
                height: 3
            })
        ));
    }
}
