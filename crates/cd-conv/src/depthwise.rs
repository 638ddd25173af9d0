//! Convolutions in which every output channel sees its own input channel alone.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::elementwise::{activate, add};
use crate::geometry::{Geometry, Map};
use crate::level::{self, level};
use crate::parts::in_parts;
use crate::plan::{Direction, Plan};
use crate::{Activation, Epilogue};

/// Weights prepared for one direction.
#[derive(Debug, Clone)]
pub struct Depthwise {
    /// `[tap][channel]`, in both directions.
    weights: Vec<f32>,
    channels: usize,
    geometry: Geometry,
    direction: Direction,
}

impl Depthwise {
    /// Weights `[channels, 1, kernel height, kernel width]` for the way from input to output.
    ///
    /// # Panics
    ///
    /// When `weights` has another length.
    pub fn forward(weights: &[f32], channels: usize, geometry: Geometry) -> Self {
        Self::new(weights, channels, geometry, Direction::Forward)
    }

    /// The same weights for the way from the gradient of the output to that of the input.
    ///
    /// # Panics
    ///
    /// When `weights` has another length.
    pub fn backward(weights: &[f32], channels: usize, geometry: Geometry) -> Self {
        Self::new(weights, channels, geometry, Direction::Backward)
    }

    fn new(weights: &[f32], channels: usize, geometry: Geometry, direction: Direction) -> Self {
        let taps = geometry.taps();
        assert_eq!(weights.len(), channels * taps, "weights");
        let at = |place: usize| weights[place % channels * taps + place / channels];
        Self {
            weights: (0..weights.len()).map(at).collect(),
            channels,
            geometry,
            direction,
        }
    }

    /// Convolves a batch, as [`Dense::apply`](crate::Dense::apply) does.
    ///
    /// # Panics
    ///
    /// When lengths and maps contradict each other.
    pub fn apply(
        &self,
        source: &[f32],
        input: Map,
        output: Map,
        epilogue: &Epilogue<'_>,
    ) -> Vec<f32> {
        let plan = Plan::cached(self.geometry, input, output, self.direction);
        let (from, to) = (plan.source.len(), plan.target.len());
        assert_eq!(plan.source.channels, self.channels, "source channels");
        assert_eq!(plan.target.channels, self.channels, "target channels");
        let mut target = vec![0.0; plan.checked_batch(source, epilogue) * to];
        if target.is_empty() {
            return target;
        }
        let level = level();
        let images = target.par_chunks_mut(to).zip(source.par_chunks(from));
        images.enumerate().for_each(|(image, (target, source))| {
            level.run(Task {
                plan: &plan,
                weights: &self.weights,
                source,
                bias: epilogue.bias,
                residual: epilogue
                    .residual
                    .map(|residual| &residual[image * to..(image + 1) * to]),
                activation: epilogue.activation,
                target,
            });
        });
        target
    }
}

/// One image.
struct Task<'a> {
    plan: &'a Plan,
    weights: &'a [f32],
    source: &'a [f32],
    bias: Option<&'a [f32]>,
    residual: Option<&'a [f32]>,
    activation: Activation,
    target: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.plan.target.channels;
        for pass in &self.plan.passes {
            for (&pixel, &base) in pass.targets.iter().zip(&pass.bases) {
                let sums = &mut self.target[pixel * channels..][..channels];
                for &(tap, offset) in &pass.taps {
                    let row = &self.source[(base + offset) as usize * channels..][..channels];
                    let weights = &self.weights[tap * channels..][..channels];
                    multiply_add(simd, sums, row, weights);
                }
                if let Some(bias) = self.bias {
                    add(sums, bias);
                }
                if let Some(residual) = self.residual {
                    add(sums, &residual[pixel * channels..][..channels]);
                }
                activate(sums, self.activation);
            }
        }
    }
}

/// `sums[c] += a[c] * b[c]`.
#[inline(always)]
fn multiply_add<S: Simd>(simd: S, sums: &mut [f32], a: &[f32], b: &[f32]) {
    let (sum_vectors, sum_rest) = S::as_mut_simd_f32s(sums);
    let (a_vectors, a_rest) = S::as_simd_f32s(a);
    let (b_vectors, b_rest) = S::as_simd_f32s(b);
    for (sum, (a, b)) in sum_vectors.iter_mut().zip(a_vectors.iter().zip(b_vectors)) {
        *sum = level::multiply_add(simd, *a, *b, *sum);
    }
    if !sum_rest.is_empty() {
        let sum = simd.partial_load_f32s(sum_rest);
        let a = simd.partial_load_f32s(a_rest);
        let b = simd.partial_load_f32s(b_rest);
        simd.partial_store_f32s(sum_rest, level::multiply_add(simd, a, b, sum));
    }
}

/// The gradient `[channels, 1, kernel height, kernel width]` from a batch of inputs and the gradient of
/// the batch of outputs.
///
/// # Panics
///
/// When lengths and maps contradict each other.
pub fn depthwise_weight_gradient(
    images: &[f32],
    gradient: &[f32],
    geometry: Geometry,
    input: Map,
    output: Map,
) -> Vec<f32> {
    let plan = Plan::cached(geometry, input, output, Direction::Forward);
    let batch = plan.batch(images);
    assert_eq!(
        gradient.len(),
        batch * output.len(),
        "one gradient per output"
    );
    let (channels, taps) = (input.channels, geometry.taps());
    let level = level();
    let sums = in_parts(batch, taps * channels, |first, count, sums| {
        level.run(GradientTask {
            plan: &plan,
            images: &images[first * input.len()..(first + count) * input.len()],
            gradient: &gradient[first * output.len()..(first + count) * output.len()],
            sums,
        });
    });
    let at = |place: usize| sums[place % taps * channels + place / taps];
    (0..sums.len()).map(at).collect()
}

struct GradientTask<'a> {
    plan: &'a Plan,
    images: &'a [f32],
    gradient: &'a [f32],
    sums: &'a mut [f32],
}

impl WithSimd for GradientTask<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.plan.source.channels;
        let images = self.images.chunks_exact(self.plan.source.len());
        let gradients = self.gradient.chunks_exact(self.plan.target.len());
        for (image, gradient) in images.zip(gradients) {
            for pass in &self.plan.passes {
                for (&target, &base) in pass.targets.iter().zip(&pass.bases) {
                    let g = &gradient[target * channels..][..channels];
                    for &(tap, offset) in &pass.taps {
                        let x = &image[(base + offset) as usize * channels..][..channels];
                        multiply_add(simd, &mut self.sums[tap * channels..][..channels], x, g);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dense;
    use crate::reference::assert_close;

    /// A depthwise convolution is a dense one whose weights are zero off the diagonal.
    #[test]
    fn it_agrees_with_the_dense_one() {
        for (channels, stride) in [(7, 1), (16, 2), (37, 1)] {
            let geometry = Geometry {
                kernel: [3, 3],
                stride: [stride; 2],
                padding: [1, 1],
            };
            let input = Map {
                height: 5,
                width: 6,
                channels,
            };
            let output = geometry.output(input, channels).expect("fits");
            let wave = |count: usize, step: f32| -> Vec<f32> {
                (0..count).map(|k| (k as f32 * step).sin()).collect()
            };
            let weights = wave(channels * 9, 0.7);
            let mut full = vec![0.0; channels * channels * 9];
            for (place, weight) in weights.iter().enumerate() {
                let channel = place / 9;
                full[(channel * channels + channel) * 9 + place % 9] = *weight;
            }
            let (images, gradient) = (wave(2 * input.len(), 0.3), wave(2 * output.len(), 0.9));
            let bias = wave(channels, 1.1);
            let epilogue = Epilogue {
                bias: Some(&bias),
                residual: Some(&gradient),
                activation: Activation::Relu6,
            };
            let ours = Depthwise::forward(&weights, channels, geometry);
            let dense = Dense::forward(&full, [channels, channels], geometry);
            assert_close(
                &ours.apply(&images, input, output, &epilogue),
                &dense.apply(&images, input, output, &epilogue),
                "forward",
            );
            let ours = Depthwise::backward(&weights, channels, geometry);
            let dense = Dense::backward(&full, [channels, channels], geometry);
            assert_close(
                &ours.apply(&gradient, input, output, &Epilogue::default()),
                &dense.apply(&gradient, input, output, &Epilogue::default()),
                "backward",
            );
            let full = crate::weight_gradient(&images, &gradient, geometry, input, output);
            let diagonal: Vec<f32> = (0..channels * 9)
                .map(|place| full[(place / 9 * channels + place / 9) * 9 + place % 9])
                .collect();
            let ours = depthwise_weight_gradient(&images, &gradient, geometry, input, output);
            assert_close(&ours, &diagonal, "weights");
        }
    }
}
