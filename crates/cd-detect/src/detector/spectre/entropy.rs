//! Quantum entropy scores of whitened rows.

use faer::Mat;

use crate::dense::{Spectrum, product, scale, trace};

/// How sharply the directions of largest spread are preferred.
const SHARPNESS: f64 = 4.0;

/// Weights of directions by how much whitened rows still spread along them.
pub(super) struct Entropy {
    pub(super) weights: Mat<f64>,
    /// The weighted spread: 1 where whitening explains all of it.
    pub(super) excess: f64,
}

impl Entropy {
    /// Of whitened rows, whose squares are averaged as they are.
    pub(super) fn of(white: &Mat<f64>) -> Self {
        let mut spread = product(white.transpose(), white.as_ref());
        scale(&mut spread, 1.0 / white.nrows().max(1) as f64);
        Self::of_spread(&spread)
    }

    /// Of the spread of whitened rows.
    pub(super) fn of_spread(spread: &Mat<f64>) -> Self {
        let spectrum = Spectrum::of(spread.as_ref());
        let most = spectrum.values.last().copied().unwrap_or(0.0);
        let largest = spectrum.values.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
        // Nothing spreads more than expected: all directions weigh the same.
        let factor = if largest > 1.0 {
            SHARPNESS / (largest - 1.0)
        } else {
            0.0
        };
        // The largest eigenvalue is subtracted for the exponential not to overflow; the trace below cancels it.
        let mut weights = spectrum.map(|value| (factor * (value - most)).exp());
        let whole = trace(weights.as_ref());
        if whole > 0.0 {
            scale(&mut weights, 1.0 / whole);
        }
        let excess = trace(product(spread.as_ref(), weights.as_ref()).as_ref());
        Self { weights, excess }
    }

    /// The weighted squares of each row.
    pub(super) fn scores(&self, white: &Mat<f64>) -> Vec<f64> {
        let turned = product(white.as_ref(), self.weights.as_ref());
        let score = |row| {
            let pairs = turned.row(row).iter().zip(white.row(row).iter());
            pairs.map(|(a, b)| a * b).sum()
        };
        (0..white.nrows()).map(score).collect()
    }
}
