//! Patterns laid over some pixels of an image, more or less opaque.

use std::path::Path;

use cd_core::CHANNELS;

use super::AttackError;
use super::artefact::{Cached, Raster};
use super::option::Rounding;

/// What happens to one value of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spot {
    /// Offset in `[height, width, 3]`.
    at: usize,
    value: u8,
    /// 0 keeps the image's value, 1 puts in the pattern's.
    weight: f32,
}

/// A pattern and where it lies.
#[derive(Debug)]
pub(super) struct Overlay {
    pattern: Cached,
    /// Grey levels: 255 where the pattern covers the image. Without it, wherever a channel of the pattern is above 0.
    mask: Option<Cached>,
}

impl Overlay {
    /// The pattern in one file, covering what another one says.
    pub(super) fn from_files(
        attack: &'static str,
        pattern: &Path,
        mask: Option<&Path>,
    ) -> Result<Self, AttackError> {
        let mask = mask.map(|mask| Cached::from_file(attack, mask, Raster::in_levels));
        Ok(Self {
            pattern: Cached::from_file(attack, pattern, Raster::in_levels)?,
            mask: mask.transpose()?,
        })
    }

    /// A pattern that is drawn for every size; what is black in all channels lets the image through.
    pub(super) fn drawn(draw: impl Fn(usize, usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self {
            pattern: Cached::new(move |height, width| {
                Ok(Raster::of_bytes(height, width, &draw(height, width)))
            }),
            mask: None,
        }
    }

    /// What it does to images of this size at an opacity of 0 to 1.
    pub(super) fn spots(
        &self,
        height: usize,
        width: usize,
        opacity: f64,
    ) -> Result<Vec<Spot>, AttackError> {
        let pattern = self.pattern.get(height, width)?.bytes();
        let mask = match &self.mask {
            Some(mask) => Some(mask.get(height, width)?),
            None => None,
        };
        let opacity = opacity as f32;
        let mut spots = Vec::new();
        for (pixel, values) in pattern.chunks_exact(CHANNELS).enumerate() {
            for (channel, &value) in values.iter().enumerate() {
                let at = pixel * CHANNELS + channel;
                let covered = match &mask {
                    Some(mask) => mask.values[at] as f32 / 255.0,
                    None => f32::from(u8::from(values.iter().any(|&value| value > 0))),
                };
                let weight = opacity * covered;
                if weight > 0.0 {
                    spots.push(Spot { at, value, weight });
                }
            }
        }
        Ok(spots)
    }
}

/// Lays spots over an image in single precision, as the backdoor-toolbox does: `x + w (t - x)`, which at full weight can be one
/// level below the pattern when it is cut.
pub(super) fn lay_over(pixels: &mut [u8], spots: &[Spot], rounding: Rounding) {
    for spot in spots {
        let pixel = &mut pixels[spot.at];
        *pixel = mixed(*pixel, spot.value, spot.weight, rounding);
    }
}

/// Puts spots over an image; what is fully covered gets exactly the pattern's value.
pub(super) fn replace(pixels: &mut [u8], spots: &[Spot], rounding: Rounding) {
    for spot in spots {
        let pixel = &mut pixels[spot.at];
        *pixel = if spot.weight >= 1.0 {
            spot.value
        } else {
            mixed(*pixel, spot.value, spot.weight, rounding)
        };
    }
}

/// `x + w (t - x)` of bytes, in single precision on the scale 0 to 1.
pub(super) fn mixed(pixel: u8, value: u8, weight: f32, rounding: Rounding) -> u8 {
    let (pixel, value) = (f32::from(pixel) / 255.0, f32::from(value) / 255.0);
    rounding.byte_of_single((pixel + weight * (value - pixel)) * 255.0)
}

/// Paints a rectangle of one colour into `[height, width, 3]` bytes; what lies outside is cut off.
pub(super) fn paint(
    picture: &mut [u8],
    width: usize,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    colour: [u8; CHANNELS],
) {
    for row in rows {
        for column in columns.start..columns.end.min(width) {
            let at = (row * width + column) * CHANNELS;
            if let Some(pixel) = picture.get_mut(at..at + CHANNELS) {
                pixel.copy_from_slice(&colour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_black_covers_and_opacity_mixes() {
        let overlay = Overlay::drawn(|height, width| {
            let mut picture = vec![0; height * width * CHANNELS];
            paint(&mut picture, width, 0..1, 1..9, [200, 0, 100]);
            picture
        });
        let spots = overlay.spots(2, 2, 0.5).expect("drawn");
        let mut image = [100; 12];
        replace(&mut image, &spots, Rounding::Nearest);
        assert_eq!(image[..6], [100, 100, 100, 150, 50, 100]);
        assert_eq!(image[6..], [100; 6]);
        let spots = overlay.spots(2, 2, 1.0).expect("drawn");
        replace(&mut image, &spots, Rounding::Truncate);
        assert_eq!(image[3..6], [200, 0, 100]);
    }
}
