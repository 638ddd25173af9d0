//! Batch normalisation as training needs it: statistics of the batch, and the gradient through them.

use pulp::{Simd, WithSimd};

use crate::buffers::taken;
use crate::elementwise::{activate, add};
use crate::level::level;
use crate::parallel::{each, mapped};
use crate::{Activation, Epilogue};

/// A batch is summed in so many parts, on any number of threads, so that the order is always the same.
const PARTS: usize = 16;

/// Values that one elementwise task handles, about: they stay in the first cache.
const TASK: usize = 1 << 13;

/// Channels that are summed together.
const LANES: usize = 16;

/// Pixels that are summed in single precision before the sum goes to double precision.
const SHORT: usize = 32;

/// Pixels whose mean is the centre about which moments are summed.
const SAMPLE: usize = 64;

/// Mean and variance of every channel over a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// Mean per channel.
    pub mean: Vec<f32>,
    /// Mean squared distance from the mean per channel (divided by the number of values).
    pub variance: Vec<f32>,
}

impl Moments {
    /// Moments of `x`: pixels of `channels` values each.
    ///
    /// # Panics
    ///
    /// When `x` is empty or holds no whole number of pixels.
    pub fn of(x: &[f32], channels: usize) -> Self {
        assert!(
            !x.is_empty() && x.len().is_multiple_of(channels),
            "whole pixels"
        );
        let pixels = x.len() / channels;
        let count = pixels as f64;
        // Sums of distances from a centre near the mean: those of the values and of their squares would nearly cancel.
        let mut centres = vec![0.0_f32; channels];
        let step = pixels.div_ceil(SAMPLE);
        let sample = x.chunks_exact(channels).step_by(step);
        let share = 1.0 / sample.len() as f32;
        for pixel in sample {
            for (centre, value) in centres.iter_mut().zip(pixel) {
                *centre += share * value;
            }
        }
        let sums = sum_pixels([x], &centres, |[x], centre| {
            let distance = x - centre;
            [distance, distance * distance]
        });
        let mut moments = Self {
            mean: centres,
            variance: vec![0.0; channels],
        };
        let both = moments.mean.iter_mut().zip(&mut moments.variance);
        for ((mean, variance), [sum, squares]) in both.zip(sums) {
            let away = sum / count;
            *mean = (f64::from(*mean) + away) as f32;
            *variance = (squares / count - away * away).max(0.0) as f32;
        }
        moments
    }

    fn inverse_deviation(&self, epsilon: f64) -> Vec<f32> {
        let inverse = |&variance: &f32| 1.0 / (f64::from(variance) + epsilon).sqrt();
        self.variance
            .iter()
            .map(|variance| inverse(variance) as f32)
            .collect()
    }
}

/// `activation(gamma * (x - mean) / sqrt(variance + epsilon) + beta + residual)`; `beta` is the
/// epilogue's bias.
///
/// # Panics
///
/// When lengths contradict each other.
pub fn normalize(
    x: &[f32],
    moments: &Moments,
    gamma: &[f32],
    epsilon: f64,
    epilogue: &Epilogue<'_>,
) -> Vec<f32> {
    let channels = gamma.len();
    let scale: Vec<f32> = moments
        .inverse_deviation(epsilon)
        .iter()
        .zip(gamma)
        .map(|(inverse, gamma)| inverse * gamma)
        .collect();
    let beta = epilogue.bias.unwrap_or_default();
    let shift: Vec<f32> = (0..channels)
        .map(|c| beta.get(c).copied().unwrap_or_default() - moments.mean[c] * scale[c])
        .collect();
    let rows = rows(channels);
    let mut y = taken(x.len());
    let level = level();
    each(y.chunks_mut(rows).enumerate(), |(task, y)| {
        let place = task * rows..task * rows + y.len();
        let x = &x[place.clone()];
        level.run(Normalized {
            y,
            x,
            residual: epilogue.residual.map(|residual| &residual[place]),
            scale: &scale,
            shift: &shift,
            activation: epilogue.activation,
        });
    });
    y
}

/// `activation(x * scale + shift + residual)`.
struct Normalized<'a> {
    y: &'a mut [f32],
    x: &'a [f32],
    residual: Option<&'a [f32]>,
    scale: &'a [f32],
    shift: &'a [f32],
    activation: Activation,
}

impl WithSimd for Normalized<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let channels = self.scale.len();
        let pixels = self.y.chunks_exact_mut(channels);
        for (y, x) in pixels.zip(self.x.chunks_exact(channels)) {
            let factors = self.scale.iter().zip(self.shift);
            for ((y, x), (scale, shift)) in y.iter_mut().zip(x).zip(factors) {
                *y = x * scale + shift;
            }
        }
        if let Some(residual) = self.residual {
            add(self.y, residual);
        }
        activate(self.y, self.activation);
    }
}

/// Gradients of [`normalize`] before its activation, through the statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct NormGradient {
    /// With respect to `x`.
    pub x: Vec<f32>,
    /// With respect to `gamma`.
    pub gamma: Vec<f32>,
    /// With respect to `beta`.
    pub beta: Vec<f32>,
}

/// Gradients from the gradient before the activation; `x`, `moments`, `gamma` and `epsilon` as they went
/// into [`normalize`].
///
/// # Panics
///
/// When lengths contradict each other.
pub fn normalize_backward(
    gradient: &[f32],
    x: &[f32],
    moments: &Moments,
    gamma: &[f32],
    epsilon: f64,
) -> NormGradient {
    let channels = gamma.len();
    let count = (x.len() / channels) as f64;
    let inverse = moments.inverse_deviation(epsilon);
    let sums = sum_pixels([gradient, x], &moments.mean, |[g, x], mean| {
        [g, g * (x - mean)]
    });
    // dx = gamma * inverse * (g - mean(g) - xhat * mean(g * xhat)), xhat = (x - mean) * inverse.
    let mut on_gradient = vec![0.0_f32; channels];
    let mut on_x = vec![0.0_f32; channels];
    let mut constant = vec![0.0_f32; channels];
    let mut gamma_gradient = vec![0.0_f32; channels];
    for (c, [sum, projected]) in sums.iter().enumerate() {
        let inverse = f64::from(inverse[c]);
        let scale = f64::from(gamma[c]) * inverse;
        let slope = scale * projected * inverse * inverse / count;
        gamma_gradient[c] = (projected * inverse) as f32;
        on_gradient[c] = scale as f32;
        on_x[c] = -slope as f32;
        constant[c] = (slope * f64::from(moments.mean[c]) - scale * sum / count) as f32;
    }
    let rows = rows(channels);
    let mut dx = taken(x.len());
    let level = level();
    let tasks = dx
        .chunks_mut(rows)
        .zip(gradient.chunks(rows).zip(x.chunks(rows)));
    each(tasks, |(dx, (gradient, x))| {
        level.run(Sloped {
            dx,
            gradient,
            x,
            on_gradient: &on_gradient,
            on_x: &on_x,
            constant: &constant,
        });
    });
    NormGradient {
        x: dx,
        gamma: gamma_gradient,
        beta: sums.iter().map(|[sum, _]| *sum as f32).collect(),
    }
}

/// `gradient * on_gradient + (x * on_x + constant)`.
struct Sloped<'a> {
    dx: &'a mut [f32],
    gradient: &'a [f32],
    x: &'a [f32],
    on_gradient: &'a [f32],
    on_x: &'a [f32],
    constant: &'a [f32],
}

impl WithSimd for Sloped<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let channels = self.on_x.len();
        let gradient = self.gradient.chunks_exact(channels);
        let pixels = gradient.zip(self.x.chunks_exact(channels));
        for (dx, (g, x)) in self.dx.chunks_exact_mut(channels).zip(pixels) {
            let factors = self.on_gradient.iter().zip(self.on_x).zip(self.constant);
            for ((dx, (g, x)), ((on_gradient, on_x), constant)) in
                dx.iter_mut().zip(g.iter().zip(x)).zip(factors)
            {
                *dx = g * on_gradient + (x * on_x + constant);
            }
        }
    }
}

/// Values of whole pixels in one task.
fn rows(channels: usize) -> usize {
    (TASK / channels).max(1) * channels
}

/// For every channel the two sums of `of(values, centre)` over all pixels, in fixed parts.
fn sum_pixels<const N: usize>(
    inputs: [&[f32]; N],
    centres: &[f32],
    of: impl Fn([f32; N], f32) -> [f32; 2] + Sync,
) -> Vec<[f64; 2]> {
    let channels = centres.len();
    let pixels = inputs[0].len() / channels;
    let part = pixels.div_ceil(PARTS).max(1) * channels;
    let level = level();
    let parts: Vec<Vec<[f64; 2]>> = mapped(PARTS, |number| {
        let end = inputs[0].len();
        let place = (number * part).min(end)..((number + 1) * part).min(end);
        let mut sums = vec![[0.0; 2]; channels];
        level.run(SumPixels {
            inputs: inputs.map(|input| &input[place.clone()]),
            centres,
            of: &of,
            sums: &mut sums,
        });
        sums
    });
    let mut sums = vec![[0.0; 2]; channels];
    for part in parts {
        for (sums, part) in sums.iter_mut().zip(part) {
            sums[0] += part[0];
            sums[1] += part[1];
        }
    }
    sums
}

/// The two sums of every channel over some pixels.
struct SumPixels<'a, F, const N: usize> {
    inputs: [&'a [f32]; N],
    centres: &'a [f32],
    of: &'a F,
    sums: &'a mut [[f64; 2]],
}

impl<F: Fn([f32; N], f32) -> [f32; 2], const N: usize> WithSimd for SumPixels<'_, F, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let channels = self.centres.len();
        let len = self.inputs[0].len();
        for first in (0..len).step_by(SHORT * channels) {
            let end = len.min(first + SHORT * channels);
            let mut inputs = self.inputs;
            for input in &mut inputs {
                *input = &input[first..end];
            }
            for channel in (0..channels).step_by(LANES) {
                let centres = &self.centres[channel..channels.min(channel + LANES)];
                let short = short_sums(inputs, channels, channel, centres, self.of);
                for (lane, sums) in self.sums[channel..].iter_mut().take(LANES).enumerate() {
                    sums[0] += f64::from(short[0][lane]);
                    sums[1] += f64::from(short[1][lane]);
                }
            }
        }
    }
}

/// The sums of up to [`LANES`] channels from `channel` on, as many as there are `centres`.
#[inline(always)]
fn short_sums<const N: usize>(
    inputs: [&[f32]; N],
    channels: usize,
    channel: usize,
    centres: &[f32],
    of: &impl Fn([f32; N], f32) -> [f32; 2],
) -> [[f32; LANES]; 2] {
    let mut sums = [[0.0; LANES]; 2];
    let whole = centres.first_chunk::<LANES>();
    for pixel in (channel..inputs[0].len()).step_by(channels) {
        if let Some(centres) = whole {
            let mut values = [[0.0; LANES]; N];
            for n in 0..N {
                values[n].copy_from_slice(&inputs[n][pixel..pixel + LANES]);
            }
            for lane in 0..LANES {
                let mut here = [0.0; N];
                for n in 0..N {
                    here[n] = values[n][lane];
                }
                let [first, second] = of(here, centres[lane]);
                sums[0][lane] += first;
                sums[1][lane] += second;
            }
        } else {
            for (lane, centre) in centres.iter().enumerate() {
                let [first, second] = of(inputs.map(|input| input[pixel + lane]), *centre);
                sums[0][lane] += first;
                sums[1][lane] += second;
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::tests::at_every_level;

    fn wave(count: usize, step: f64) -> Vec<f32> {
        (0..count).map(|k| (k as f64 * step).sin() as f32).collect()
    }

    /// The objective whose gradient the tests check: a fixed weighting of the output.
    fn objective(x: &[f32], gamma: &[f32], beta: &[f32], weights: &[f32]) -> f64 {
        let epilogue = Epilogue {
            bias: Some(beta),
            ..Epilogue::default()
        };
        let y = normalize(x, &Moments::of(x, gamma.len()), gamma, 1e-5, &epilogue);
        y.iter()
            .zip(weights)
            .map(|(y, weight)| f64::from(*y) * f64::from(*weight))
            .sum()
    }

    #[test]
    fn moments_are_those_of_each_channel() {
        at_every_level(|_| {
            let moments = Moments::of(&[1.0, 10.0, 3.0, 10.0], 2);
            assert_eq!(moments.mean, [2.0, 10.0]);
            assert_eq!(moments.variance, [1.0, 0.0]);
        });
    }

    #[test]
    fn normalized_values_have_the_asked_moments() {
        at_every_level(|_| {
            let x = wave(300 * 3, 0.37);
            let (gamma, beta) = ([2.0, 0.5, 1.0], [1.0, -1.0, 0.0]);
            let epilogue = Epilogue {
                bias: Some(&beta),
                ..Epilogue::default()
            };
            let y = normalize(&x, &Moments::of(&x, 3), &gamma, 1e-12, &epilogue);
            let moments = Moments::of(&y, 3);
            for c in 0..3 {
                assert!((moments.mean[c] - beta[c]).abs() < 1e-5);
                assert!((moments.variance[c] - gamma[c] * gamma[c]).abs() < 1e-4);
            }
        });
    }

    #[test]
    fn residual_and_activation_come_last() {
        at_every_level(|_| {
            let x = [1.0, 3.0];
            let epilogue = Epilogue {
                bias: None,
                residual: Some(&[0.0, 10.0]),
                activation: Activation::Relu6,
            };
            let y = normalize(&x, &Moments::of(&x, 1), &[1.0], 0.0, &epilogue);
            assert_eq!(y, [0.0, 6.0]);
        });
    }

    #[test]
    fn the_gradient_agrees_with_differences() {
        at_every_level(|_| {
            let (x, weights) = (wave(40 * 3, 0.7), wave(40 * 3, 1.3));
            let (gamma, beta) = (vec![1.5, 0.7, -0.4], vec![0.1, 0.2, 0.3]);
            let moments = Moments::of(&x, 3);
            let ours = normalize_backward(&weights, &x, &moments, &gamma, 1e-5);
            let step = 1e-2;
            let difference =
                |moved: &dyn Fn(f32) -> f64| (moved(step) - moved(-step)) / f64::from(2.0 * step);
            for place in [0, 17, 64, 119] {
                let expected = difference(&|by| {
                    let mut x = x.clone();
                    x[place] += by;
                    objective(&x, &gamma, &beta, &weights)
                });
                assert!(
                    (expected - f64::from(ours.x[place])).abs() < 2e-3,
                    "{place}"
                );
            }
            for c in 0..3 {
                let moved = |values: &[f32], by: f32| -> Vec<f32> {
                    let mut values = values.to_vec();
                    values[c] += by;
                    values
                };
                let of_gamma = difference(&|by| objective(&x, &moved(&gamma, by), &beta, &weights));
                let of_beta = difference(&|by| objective(&x, &gamma, &moved(&beta, by), &weights));
                for (expected, ours) in [(of_gamma, ours.gamma[c]), (of_beta, ours.beta[c])] {
                    assert!((expected - f64::from(ours)).abs() < 2e-3, "channel {c}");
                }
            }
        });
    }
}
