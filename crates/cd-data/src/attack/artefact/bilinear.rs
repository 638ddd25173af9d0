//! Bilinear resizing of bytes in whole numbers, as Pillow does it and with it the published code that reads trigger pictures.

use cd_core::CHANNELS;
use image::RgbImage;

/// Bits after the point of a weight.
const BITS: u32 = 22;

/// Where a line of places is taken from: for each the first one and the weights from there on.
type Weights = Vec<(usize, Vec<i64>)>;

/// The picture at another size, `[height, width, 3]`: across first, then down, each rounded to bytes. Smaller pictures are made from
/// wider triangles, so that every pixel counts.
pub(super) fn resized(picture: &RgbImage, height: usize, width: usize) -> Vec<u8> {
    let (own_width, own_height) = (picture.width() as usize, picture.height() as usize);
    let mut pixels = picture.as_raw().clone();
    if own_width != width {
        let weights = weights(own_width, width);
        let lines = pixels.chunks_exact(own_width * CHANNELS);
        pixels = lines.flat_map(|line| across(line, &weights)).collect();
    }
    if own_height != height {
        pixels = down(&pixels, width * CHANNELS, &weights(own_height, height));
    }
    pixels
}

fn weights(from: usize, to: usize) -> Weights {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let place = |at: usize| {
        let centre = (at as f64 + 0.5) * scale;
        let start = (centre - reach + 0.5).max(0.0) as usize;
        let end = ((centre + reach + 0.5) as usize).min(from);
        let weight = |at: usize| {
            let distance = (at as f64 - centre + 0.5) * (1.0 / reach);
            (1.0 - distance.abs()).max(0.0)
        };
        let weights: Vec<f64> = (start..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let whole = |weight: &f64| (weight / sum * f64::from(1 << BITS) + 0.5) as i64;
        (start, weights.iter().map(whole).collect())
    };
    (0..to).map(place).collect()
}

fn across(line: &[u8], weights: &Weights) -> Vec<u8> {
    let mut made = Vec::with_capacity(weights.len() * CHANNELS);
    for (start, weights) in weights {
        for channel in 0..CHANNELS {
            let values = line[start * CHANNELS + channel..].iter().step_by(CHANNELS);
            made.push(byte(values.zip(weights)));
        }
    }
    made
}

fn down(pixels: &[u8], row_len: usize, weights: &Weights) -> Vec<u8> {
    let mut made = Vec::with_capacity(weights.len() * row_len);
    for (start, weights) in weights {
        for at in 0..row_len {
            let values = pixels[start * row_len + at..].iter().step_by(row_len);
            made.push(byte(values.zip(weights)));
        }
    }
    made
}

fn byte<'a>(weighted: impl Iterator<Item = (&'a u8, &'a i64)>) -> u8 {
    let sum: i64 = weighted
        .map(|(&value, &weight)| i64::from(value) * weight)
        .sum();
    ((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels by a formula.
    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([0, 1, 2].map(|c| ((x * 53 + y * 101 + c * 29 + x * y * 7) % 256) as u8))
        })
    }

    #[test]
    fn equals_pillow() {
        // Image.fromarray(a).resize((width, height), Image.BILINEAR) of Pillow 13.0.0.
        assert_eq!(resized(&picture(5, 3), 2, 4), ENLARGED_AND_SHRUNK);
        assert_eq!(resized(&picture(3, 2), 4, 5), ENLARGED);
        assert_eq!(resized(&picture(4, 3), 3, 4), *picture(4, 3).as_raw());
    }

    const ENLARGED_AND_SHRUNK: [u8; 24] = [
        52, 81, 110, 117, 146, 135, 126, 155, 144, 151, 180, 89, 140, 169, 78, 95, 124, 113, 115,
        144, 132, 149, 178, 87,
    ];
    const ENLARGED: [u8; 60] = [
        0, 29, 58, 21, 50, 79, 53, 82, 111, 85, 114, 143, 106, 135, 164, 25, 54, 83, 47, 76, 105,
        80, 109, 138, 113, 142, 133, 135, 164, 129, 76, 105, 134, 99, 128, 157, 134, 163, 192, 169,
        198, 112, 192, 221, 58, 101, 130, 159, 125, 154, 183, 161, 190, 219, 197, 226, 101, 221,
        250, 23,
    ];
}
