//! Gram matrices of several orders, and the bands in which those of clean images lie.

use cd_models::burn::tensor::Tensor;
use faer::Mat;

use super::{LEAST, to_host};
use crate::dense::product;
use crate::statistics::lower_median;

/// Half the width of a band in median absolute deviations.
const WIDTH: f64 = 10.0;
/// Keeps the deviation finite at a border of 0.
const FLOOR: f64 = 1e-6;

/// The feature map of one image.
pub(super) struct Map {
    channels: usize,
    /// Row after row, one for each channel.
    values: Vec<f64>,
}

impl Map {
    /// Those of a batch `[B, C, h, w]`.
    pub(super) fn of(features: Tensor<4>) -> impl Iterator<Item = Self> {
        let [batch, channels, height, width] = features.dims();
        let values = to_host(features);
        let len = channels * height * width;
        (0..batch).map(move |image| Self {
            channels,
            values: values[image * len..(image + 1) * len]
                .iter()
                .map(|&value| f64::from(value))
                .collect(),
        })
    }

    /// The upper triangles, row by row, of the Gram matrices of orders 1 to `orders`: signed roots of products of powers.
    pub(super) fn gram(&self, orders: u32) -> Vec<f64> {
        let positions = self.values.len() / self.channels.max(1);
        let mut triangles = Vec::new();
        for order in 1..=orders as i32 {
            let powers = Mat::from_fn(self.channels, positions, |channel, position| {
                self.values[channel * positions + position].powi(order)
            });
            let products = product(powers.as_ref(), powers.transpose());
            for row in 0..self.channels {
                for column in row..self.channels {
                    let value = products[(row, column)];
                    triangles.push(value.signum() * value.abs().powf(f64::from(order).recip()));
                }
            }
        }
        triangles
    }
}

/// Between which borders each entry lies for clean images.
#[derive(Debug)]
pub(super) struct Bands {
    pub(super) low: Vec<f64>,
    pub(super) high: Vec<f64>,
}

impl Bands {
    /// Of the Gram matrices of clean images.
    pub(super) fn of(grams: &[&Vec<f64>]) -> Self {
        let entries = grams.first().map_or(0, |gram| gram.len());
        let (mut low, mut high) = (Vec::with_capacity(entries), Vec::with_capacity(entries));
        let mut values = vec![0.0; grams.len()];
        for entry in 0..entries {
            for (value, gram) in values.iter_mut().zip(grams) {
                *value = gram[entry];
            }
            let middle = lower_median(&mut values);
            for value in &mut values {
                *value = (*value - middle).abs();
            }
            let spread = lower_median(&mut values);
            low.push(middle - WIDTH * spread);
            high.push(middle + WIDTH * spread);
        }
        Self { low, high }
    }

    /// How far a Gram matrix lies outside, by the borders, as a mean over the entries.
    pub(super) fn deviation(&self, gram: &[f64]) -> f64 {
        let borders = self.low.iter().zip(&self.high);
        let outside = gram.iter().zip(borders).map(|(&value, (&low, &high))| {
            (low - value).max(0.0) / (low + FLOOR).abs()
                + (value - high).max(0.0) / (high + FLOOR).abs()
        });
        outside.sum::<f64>() / gram.len().max(1) as f64
    }
}

/// Deviations of clean images from the bands of the others, in contiguous folds; the remainder is in no fold.
pub(super) fn folded(grams: &[Vec<f64>]) -> Vec<f64> {
    let size = grams.len() / LEAST;
    let folds = (0..LEAST).filter(|_| size > 0);
    let judged = folds.flat_map(|fold| {
        let inside = fold * size..(fold + 1) * size;
        let others = grams.iter().enumerate();
        let others = others
            .filter(|(at, _)| !inside.contains(at))
            .map(|(_, gram)| gram);
        let bands = Bands::of(&others.collect::<Vec<_>>());
        inside
            .map(move |at| bands.deviation(&grams[at]))
            .collect::<Vec<_>>()
    });
    judged.collect()
}

/// The value at `share` of the sorted deviations; infinite for none.
pub(super) fn threshold(mut deviations: Vec<f64>, share: f64) -> f64 {
    deviations.sort_by(f64::total_cmp);
    let place = (share * deviations.len() as f64).floor() as usize;
    deviations.get(place).copied().unwrap_or(f64::INFINITY)
}
