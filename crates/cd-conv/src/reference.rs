//! The definition, written as plainly as possible, and the cases that tests compare against it.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::geometry::{Geometry, Map};
use crate::{Activation, Epilogue};

/// Sizes of one convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) geometry: Geometry,
    pub(crate) input: Map,
    pub(crate) output: Map,
    pub(crate) batch: usize,
}

/// Kernels, strides and channel counts that the kernels treat differently.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kernel, stride, padding, extra, side) in [
        (3, 1, 1, 0, 8),
        (3, 2, 1, 0, 8),
        (1, 1, 0, 0, 5),
        (1, 2, 0, 0, 6),
        (7, 2, 3, 0, 11),
        (3, 1, 1, 0, 1),
        (3, 2, 0, 1, 8),
        (5, 2, 1, 1, 8),
    ] {
        let mut channels = vec![(3, 16), (16, 32), (5, 7), (24, 48), (33, 3)];
        if (kernel, stride) == (3, 1) {
            // Wide enough for Winograd's way.
            channels.extend([(128, 144), (144, 128)]);
        }
        for (inputs, outputs) in channels {
            let geometry = Geometry {
                kernel: [kernel; 2],
                stride: [stride; 2],
                padding: [padding; 2],
                extra: [extra; 2],
            };
            let input = Map {
                height: side,
                width: side + 1,
                channels: inputs,
            };
            let output = geometry.output(input, outputs).expect("fits");
            cases.push(Case {
                geometry,
                input,
                output,
                batch: 3,
            });
        }
    }
    cases
}

fn random(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

impl Case {
    pub(crate) fn weights(&self) -> Vec<f32> {
        let count = self.output.channels * self.input.channels * self.geometry.taps();
        random(1, count)
    }

    pub(crate) fn bias(&self) -> Vec<f32> {
        random(2, self.output.channels)
    }

    pub(crate) fn images(&self) -> Vec<f32> {
        random(3, self.batch * self.input.len())
    }

    pub(crate) fn output_like(&self, seed: u64) -> Vec<f32> {
        random(seed, self.batch * self.output.len())
    }

    /// Calls `each(output value, input value, weight)` with their places for every product.
    pub(crate) fn products(&self, mut each: impl FnMut(usize, usize, usize)) {
        let (input, output) = (self.input, self.output);
        let [kernel_height, kernel_width] = self.geometry.kernel;
        let place = |position: usize, axis: usize, tap: usize, length: usize| {
            (position * self.geometry.stride[axis] + tap)
                .checked_sub(self.geometry.padding[axis])
                .filter(|&place| place < length)
        };
        for image in 0..self.batch {
            for pixel in 0..output.pixels() {
                for tap in 0..self.geometry.taps() {
                    let row = place(pixel / output.width, 0, tap / kernel_width, input.height);
                    let column = place(pixel % output.width, 1, tap % kernel_width, input.width);
                    let (Some(row), Some(column)) = (row, column) else {
                        continue;
                    };
                    for target in 0..output.channels {
                        for source in 0..input.channels {
                            each(
                                (image * output.pixels() + pixel) * output.channels + target,
                                ((image * input.height + row) * input.width + column)
                                    * input.channels
                                    + source,
                                (target * input.channels + source) * kernel_height * kernel_width
                                    + tap,
                            );
                        }
                    }
                }
            }
        }
    }

    pub(crate) fn forward(&self, epilogue: &Epilogue<'_>) -> Vec<f32> {
        let (images, weights) = (self.images(), self.weights());
        let mut sums = vec![0.0_f64; self.batch * self.output.len()];
        self.products(|to, from, weight| {
            sums[to] += f64::from(images[from]) * f64::from(weights[weight]);
        });
        let finish = |(place, sum): (usize, f64)| {
            let bias = epilogue
                .bias
                .map_or(0.0, |bias| bias[place % self.output.channels]);
            let residual = epilogue.residual.map_or(0.0, |residual| residual[place]);
            let sum = sum as f32 + bias + residual;
            match epilogue.activation {
                Activation::None => sum,
                Activation::Relu => sum.max(0.0),
                Activation::Relu6 => sum.clamp(0.0, 6.0),
            }
        };
        sums.into_iter().enumerate().map(finish).collect()
    }

    pub(crate) fn backward(&self, gradient: &[f32]) -> Vec<f32> {
        let weights = self.weights();
        let mut sums = vec![0.0_f64; self.batch * self.input.len()];
        self.products(|from, to, weight| {
            sums[to] += f64::from(gradient[from]) * f64::from(weights[weight]);
        });
        sums.into_iter().map(|sum| sum as f32).collect()
    }

    pub(crate) fn weight_gradient(&self, gradient: &[f32]) -> Vec<f32> {
        let images = self.images();
        let mut sums = vec![0.0_f64; self.weights().len()];
        self.products(|out, from, weight| {
            sums[weight] += f64::from(gradient[out]) * f64::from(images[from]);
        });
        sums.into_iter().map(|sum| sum as f32).collect()
    }
}

/// Every value agrees to the rounding of a sum of a thousand terms.
pub(crate) fn assert_close(ours: &[f32], expected: &[f32], what: &str) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    let scale = expected
        .iter()
        .fold(1.0_f32, |max, value| max.max(value.abs()));
    for (place, (a, b)) in ours.iter().zip(expected).enumerate() {
        assert!(
            (a - b).abs() <= 3e-5 * scale,
            "{what}: {a} is not {b} at {place}"
        );
    }
}
