//! Patterns that are drawn rather than read: noise, and waves of low frequency.

use std::f64::consts::PI;

use cd_core::CHANNELS;
use cd_core::random::{named, stream};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::artefact::{Precision, Raster};

/// Waves a side that make up a smooth pattern.
const WAVES: usize = 4;

/// Uniform noise, 0 to 255.
pub(super) fn noise(seed: u64, height: usize, width: usize) -> Raster {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let values = (0..height * width * CHANNELS).map(|_| f64::from(random.random::<u8>()));
    Raster {
        height,
        width,
        values: values.collect(),
        precision: Precision::Whole,
    }
}

/// A sum of cosine waves of low frequency, from 0 to `peak`: the same shape at every size, similar in all channels.
pub(super) fn smooth(seed: u64, peak: f64, height: usize, width: usize) -> Raster {
    let mut random = stream(seed, named("smooth pattern"));
    let mut draw = || random.random_range(-1.0..1.0);
    let mut weights = vec![[0.0; CHANNELS]; WAVES * WAVES];
    for (wave, weights) in weights.iter_mut().enumerate().skip(1) {
        let fading = 1.0 / (wave / WAVES + wave % WAVES) as f64;
        let common: f64 = draw();
        *weights = [(); CHANNELS].map(|()| fading * (common + 0.5 * draw()));
    }
    let (rows, columns) = (waves(height), waves(width));
    let mut values = Vec::with_capacity(height * width * CHANNELS);
    for row in &rows {
        for column in &columns {
            for channel in 0..CHANNELS {
                let mut sum = 0.0;
                for (wave, weights) in weights.iter().enumerate() {
                    sum += weights[channel] * row[wave / WAVES] * column[wave % WAVES];
                }
                values.push(sum);
            }
        }
    }
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = (high - low).max(f64::MIN_POSITIVE);
    for value in &mut values {
        *value = (*value - low) / span * peak;
    }
    Raster {
        height,
        width,
        values,
        precision: Precision::Double,
    }
}

/// For every place along a side, the values of the cosine waves there.
fn waves(side: usize) -> Vec<[f64; WAVES]> {
    let at = |place: usize, wave: usize| {
        (PI * (2 * place + 1) as f64 * wave as f64 / (2 * side) as f64).cos()
    };
    let place = |place| {
        let mut values = [0.0; WAVES];
        for (wave, value) in values.iter_mut().enumerate() {
            *value = at(place, wave);
        }
        values
    };
    (0..side).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smooth_patterns_fill_their_range_and_change_slowly() {
        for side in [28, 224] {
            let pattern = smooth(3, 51.0, side, side);
            let of =
                |pick: fn(f64, f64) -> f64, start| pattern.values.iter().copied().fold(start, pick);
            assert_eq!((of(f64::min, 9.0), of(f64::max, 9.0)), (0.0, 51.0));
            let steps = pattern
                .values
                .chunks_exact(side * CHANNELS)
                .flat_map(|row| {
                    row.windows(CHANNELS + 1)
                        .map(|pair| (pair[CHANNELS] - pair[0]).abs())
                });
            assert!(steps.fold(0.0, f64::max) < 51.0 * 6.0 / side as f64);
            assert_ne!(pattern, smooth(4, 51.0, side, side));
        }
    }
}
