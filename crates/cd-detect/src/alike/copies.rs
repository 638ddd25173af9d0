//! Near copies: pictures taken in a row, or stored twice, share everything, and count as one.

use cd_core::CHANNELS;
use rayon::prelude::*;

/// Coefficients along each side that show what a picture is of.
const COARSE: usize = 12;
/// Correlation from which two pictures are of the same.
const ALIKE: f32 = 0.97;

/// What a picture of this spectrum shows by and large, of length 1: its lowest frequencies without its brightness.
pub(crate) fn sketch(spectrum: &[f32], [height, width]: [usize; 2]) -> Vec<f32> {
    let (rows, columns) = (COARSE.min(height), COARSE.min(width));
    let mut sketch = Vec::with_capacity(rows * columns * CHANNELS);
    for plane in spectrum.chunks_exact((height * width).max(1)) {
        let start = sketch.len();
        for row in plane.chunks_exact(width).take(rows) {
            sketch.extend_from_slice(&row[..columns]);
        }
        sketch[start] = 0.0;
    }
    let length = sketch.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        for value in &mut sketch {
            *value /= length;
        }
    }
    sketch
}

/// Positions of the pictures that are no near copy of one before them.
pub(super) fn distinct(sketches: &[Vec<f32>]) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    for (at, sketch) in sketches.iter().enumerate() {
        let is_copy = kept.par_iter().any(|&other| {
            let products = sketches[other].iter().zip(sketch);
            products.map(|(one, other)| one * other).sum::<f32>() > ALIKE
        });
        if !is_copy {
            kept.push(at);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosine::Cosine;

    #[test]
    fn a_brighter_copy_counts_as_one_with_its_original() {
        let cosine = Cosine::new(16, 16);
        let picture = |seed: usize, brighter: u8| -> Vec<u8> {
            let value = |at: usize| {
                let (y, x) = (at / 48, at / 3 % 16);
                let wave = ((seed + 1) * x) as f64 * 0.21 + ((seed + 3) * y) as f64 * 0.13;
                (120.0 + 80.0 * wave.sin()) as u8 + brighter
            };
            (0..16 * 16 * 3).map(value).collect()
        };
        let sketches: Vec<Vec<f32>> = [(0, 0), (1, 0), (0, 4), (2, 0), (1, 4)]
            .map(|(seed, brighter)| sketch(&cosine.of(&picture(seed, brighter)), [16, 16]))
            .into();
        assert_eq!(distinct(&sketches), [0, 1, 3]);
    }
}
