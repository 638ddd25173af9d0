//! Turns and shifts of pictures, to the nearest pixel and black outside, in the fixed point that Pillow computes them in.

use cd_core::{CHANNELS, random};
use rand::Rng;

/// Largest shift as a share of the side.
const SHIFT: f64 = 0.2;

/// A turn around the centre, then a shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Transform {
    /// Counter-clockwise, in degrees.
    pub(super) angle: f64,
    /// Pixels to the right and down.
    pub(super) shift: [i64; 2],
}

impl Transform {
    /// That of image `number`.
    pub(super) fn drawn(seed: u64, number: u64, height: usize, width: usize) -> Self {
        let purpose = random::named("consistency").wrapping_add(number);
        let mut drawn = random::stream(seed, purpose);
        let mut within = |side: usize| {
            let most = SHIFT * side as f64;
            drawn.random_range(-most..=most).round() as i64
        };
        let shift = [within(width), within(height)];
        Self {
            angle: drawn.random_range(-180.0..=180.0),
            shift,
        }
    }

    /// The picture `[H, W, 3]` after it.
    pub(super) fn apply(self, pixels: &[u8], height: usize, width: usize) -> Vec<u8> {
        let turned = self.turned(pixels, height, width);
        let mut out = vec![0; pixels.len()];
        for y in 0..height {
            for x in 0..width {
                let from = [x as i64 - self.shift[0], y as i64 - self.shift[1]];
                copy(&turned, from, &mut out, [x, y], height, width);
            }
        }
        out
    }

    fn turned(self, pixels: &[u8], height: usize, width: usize) -> Vec<u8> {
        let angle = -self.angle.rem_euclid(360.0).to_radians();
        let rounded = |value: f64| (value * 1e15).round() / 1e15;
        let (cosine, sine) = (rounded(angle.cos()), rounded(angle.sin()));
        let (middle_x, middle_y) = (width as f64 / 2.0, height as f64 / 2.0);
        let start_x = -cosine * middle_x - sine * middle_y + middle_x;
        let start_y = sine * middle_x - cosine * middle_y + middle_y;
        let fixed = |value: f64| (value * 65536.0 + 0.5).floor() as i64;
        let steps = [cosine, sine, -sine, cosine].map(fixed);
        let first = [
            fixed(start_x + cosine * 0.5 + sine * 0.5),
            fixed(start_y - sine * 0.5 + cosine * 0.5),
        ];
        let mut out = vec![0; pixels.len()];
        for y in 0..height {
            for x in 0..width {
                let (right, down) = (x as i64, y as i64);
                let from = [
                    (first[0] + down * steps[1] + right * steps[0]) >> 16,
                    (first[1] + down * steps[3] + right * steps[2]) >> 16,
                ];
                copy(pixels, from, &mut out, [x, y], height, width);
            }
        }
        out
    }
}

/// Copies a pixel that lies within the picture.
fn copy(
    pixels: &[u8],
    from: [i64; 2],
    out: &mut [u8],
    to: [usize; 2],
    height: usize,
    width: usize,
) {
    let [x, y] = from;
    if (0..width as i64).contains(&x) && (0..height as i64).contains(&y) {
        let source = (y as usize * width + x as usize) * CHANNELS;
        let target = (to[1] * width + to[0]) * CHANNELS;
        out[target..target + CHANNELS].copy_from_slice(&pixels[source..source + CHANNELS]);
    }
}
