//! Cosine spectra of pictures.

use std::sync::Arc;

use cd_core::CHANNELS;
use rustdct::{DctPlanner, TransformType2And3};

/// The orthonormal two-dimensional cosine transform of type II.
pub(super) struct Transform {
    height: usize,
    width: usize,
    along_rows: Arc<dyn TransformType2And3<f64>>,
    along_columns: Arc<dyn TransformType2And3<f64>>,
}

impl Transform {
    pub(super) fn new(height: usize, width: usize) -> Self {
        let mut planner = DctPlanner::new();
        Self {
            height,
            width,
            along_rows: planner.plan_dct2(width),
            along_columns: planner.plan_dct2(height),
        }
    }

    /// The spectrum `[3, H, W]` of bytes `[H, W, 3]`.
    pub(super) fn of(&self, pixels: &[u8]) -> Vec<f32> {
        let (height, width) = (self.height, self.width);
        let mut spectrum = vec![0.0_f32; pixels.len()];
        for channel in 0..CHANNELS {
            let values = pixels.iter().skip(channel).step_by(CHANNELS);
            let mut plane: Vec<f64> = values.map(|&byte| f64::from(byte)).collect();
            for row in plane.chunks_exact_mut(width) {
                self.along_rows.process_dct2(row);
                normalise(row);
            }
            let mut column = vec![0.0; height];
            for x in 0..width {
                for (y, value) in column.iter_mut().enumerate() {
                    *value = plane[y * width + x];
                }
                self.along_columns.process_dct2(&mut column);
                normalise(&mut column);
                for (y, &value) in column.iter().enumerate() {
                    spectrum[(channel * height + y) * width + x] = value as f32;
                }
            }
        }
        spectrum
    }
}

/// Gives the transform the lengths of an orthonormal one.
fn normalise(values: &mut [f64]) {
    let count = values.len() as f64;
    let usual = (2.0 / count).sqrt();
    for (at, value) in values.iter_mut().enumerate() {
        *value *= if at == 0 { count.sqrt().recip() } else { usual };
    }
}
