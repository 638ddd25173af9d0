//! Cosine spectra of pictures.

use std::sync::Arc;

use cd_core::CHANNELS;
use rustdct::{DctPlanner, TransformType2And3};

/// The orthonormal two-dimensional cosine transform of type II of pictures of one size, and its inverse.
pub(crate) struct Cosine {
    height: usize,
    width: usize,
    along_rows: Arc<dyn TransformType2And3<f64>>,
    along_columns: Arc<dyn TransformType2And3<f64>>,
}

impl Cosine {
    pub(crate) fn new(height: usize, width: usize) -> Self {
        let mut planner = DctPlanner::new();
        Self {
            height,
            width,
            along_rows: planner.plan_dct2(width),
            along_columns: planner.plan_dct2(height),
        }
    }

    /// The spectrum `[3, H, W]` of bytes `[H, W, 3]`.
    pub(crate) fn of(&self, pixels: &[u8]) -> Vec<f32> {
        let mut spectrum = Vec::with_capacity(pixels.len());
        for channel in 0..CHANNELS {
            let values = pixels.iter().skip(channel).step_by(CHANNELS);
            let mut plane: Vec<f64> = values.map(|&byte| f64::from(byte)).collect();
            self.of_plane(&mut plane);
            spectrum.extend(plane.into_iter().map(|value| value as f32));
        }
        spectrum
    }

    /// Turns a plane `[H, W]` into its spectrum.
    pub(crate) fn of_plane(&self, plane: &mut [f64]) {
        self.each_line(plane, |transform, line| {
            transform.process_dct2(line);
            let count = line.len() as f64;
            scale(line, count.sqrt().recip(), (2.0 / count).sqrt());
        });
    }

    /// The values `[3, H, W]` that have this spectrum.
    pub(crate) fn back(&self, spectrum: &[f32]) -> Vec<f32> {
        let mut values = Vec::with_capacity(spectrum.len());
        for plane in spectrum.chunks_exact((self.height * self.width).max(1)) {
            let mut plane: Vec<f64> = plane.iter().map(|&value| f64::from(value)).collect();
            self.each_line(&mut plane, |transform, line| {
                let count = line.len() as f64;
                // The transform of type III counts the first value half.
                scale(line, 2.0 / count.sqrt(), (2.0 / count).sqrt());
                transform.process_dct3(line);
            });
            values.extend(plane.into_iter().map(|value| value as f32));
        }
        values
    }

    /// Changes every row of a plane and then every column.
    fn each_line(
        &self,
        plane: &mut [f64],
        change: impl Fn(&dyn TransformType2And3<f64>, &mut [f64]),
    ) {
        for row in plane.chunks_exact_mut(self.width) {
            change(&*self.along_rows, row);
        }
        let mut column = vec![0.0; self.height];
        for x in 0..self.width {
            for (y, value) in column.iter_mut().enumerate() {
                *value = plane[y * self.width + x];
            }
            change(&*self.along_columns, &mut column);
            for (y, &value) in column.iter().enumerate() {
                plane[y * self.width + x] = value;
            }
        }
    }
}

/// Scales the first value and the others.
fn scale(values: &mut [f64], first: f64, others: f64) {
    for (at, value) in values.iter_mut().enumerate() {
        *value *= if at == 0 { first } else { others };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_gives_the_picture_and_keeps_lengths() {
        let pixels: Vec<u8> = (0..3 * 6 * 10).map(|at| (at * 37 % 251) as u8).collect();
        let cosine = Cosine::new(6, 10);
        let spectrum = cosine.of(&pixels);
        let picture = cosine.back(&spectrum);
        for (at, &byte) in pixels.iter().enumerate() {
            let there = picture[at % CHANNELS * 60 + at / CHANNELS];
            assert!((there - f32::from(byte)).abs() < 1e-3, "{there} {byte}");
        }
        let length = |values: &[f32]| values.iter().map(|v| f64::from(v * v)).sum::<f64>();
        assert!((length(&spectrum) / length(&picture) - 1.0).abs() < 1e-5);
    }
}
