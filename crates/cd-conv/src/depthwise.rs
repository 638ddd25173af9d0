//! Convolutions in which every output channel sees its own input channel alone.

use crate::parallel::each;
use pulp::{Simd, WithSimd};

use crate::buffers::taken;
use crate::elementwise::activated;
use crate::geometry::{Geometry, Map};
use crate::level::{level, multiply_add};
use crate::parts::in_parts;
use crate::plan::{Direction, Pass, Plan};
use crate::vectors::{first_vectors, store_vectors};
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
        let mut target = taken(plan.checked_batch(source, epilogue) * to);
        if target.is_empty() {
            return target;
        }
        let level = level();
        let images = target.chunks_mut(to).zip(source.chunks(from));
        each(images.enumerate(), |(image, (target, source))| {
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

/// Pixels of a tile.
const PIXELS: usize = 2;

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let plan = self.plan;
        for pass in &plan.passes {
            let count = pass.targets.len();
            let tiled = count - count % PIXELS;
            for first in (0..tiled).step_by(PIXELS) {
                self.pixels::<S, PIXELS>(simd, pass, first);
            }
            for first in tiled..count {
                self.pixels::<S, 1>(simd, pass, first);
            }
        }
    }
}

impl Task<'_> {
    /// Computes `P` pixels of a pass.
    #[inline(always)]
    fn pixels<S: Simd, const P: usize>(&mut self, simd: S, pass: &Pass, first: usize) {
        let channels = self.plan.target.channels;
        let mut channel = 0;
        while channel + 4 * S::F32_LANES <= channels {
            self.tile::<S, 4, P>(simd, pass, first, channel);
            channel += 4 * S::F32_LANES;
        }
        while channel + S::F32_LANES <= channels {
            self.tile::<S, 1, P>(simd, pass, first, channel);
            channel += S::F32_LANES;
        }
        if channel < channels {
            for p in 0..P {
                self.rest(simd, pass, first + p, channel);
            }
        }
    }

    /// Computes `V` vectors of channels from `channel` on.
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const P: usize>(
        &mut self,
        simd: S,
        pass: &Pass,
        first: usize,
        channel: usize,
    ) {
        let channels = self.plan.target.channels;
        let mut starts = [0_isize; P];
        for p in 0..P {
            starts[p] = pass.bases[first + p] * channels as isize + channel as isize;
        }
        let mut sums = [[simd.splat_f32s(0.0); V]; P];
        for &(tap, offset) in &pass.taps {
            let w = first_vectors::<S, V>(simd, &self.weights[tap * channels + channel..]);
            for p in 0..P {
                let start = (starts[p] + offset * channels as isize) as usize;
                let x = first_vectors::<S, V>(simd, &self.source[start..]);
                for v in 0..V {
                    sums[p][v] = multiply_add(simd, x[v], w[v], sums[p][v]);
                }
            }
        }
        let bias = self
            .bias
            .map(|bias| first_vectors::<S, V>(simd, &bias[channel..]));
        for p in 0..P {
            let place = pass.targets[first + p] * channels + channel;
            if let Some(bias) = bias {
                for v in 0..V {
                    sums[p][v] = simd.add_f32s(sums[p][v], bias[v]);
                }
            }
            if let Some(residual) = self.residual {
                let residual = first_vectors::<S, V>(simd, &residual[place..]);
                for v in 0..V {
                    sums[p][v] = simd.add_f32s(sums[p][v], residual[v]);
                }
            }
            for v in 0..V {
                sums[p][v] = activated(simd, sums[p][v], self.activation);
            }
            store_vectors::<S, V>(&mut self.target[place..], sums[p]);
        }
    }

    /// Computes the channels from `channel` on, less than a vector of them.
    #[inline(always)]
    fn rest<S: Simd>(&mut self, simd: S, pass: &Pass, number: usize, channel: usize) {
        let channels = self.plan.target.channels;
        let part = |values: &'_ [f32], place: usize| {
            simd.partial_load_f32s(&values[place..][..channels - channel])
        };
        let mut sum = simd.splat_f32s(0.0);
        for &(tap, offset) in &pass.taps {
            let pixel = (pass.bases[number] + offset) as usize;
            let x = part(self.source, pixel * channels + channel);
            let w = part(self.weights, tap * channels + channel);
            sum = multiply_add(simd, x, w, sum);
        }
        let place = pass.targets[number] * channels + channel;
        if let Some(bias) = self.bias {
            sum = simd.add_f32s(sum, part(bias, channel));
        }
        if let Some(residual) = self.residual {
            sum = simd.add_f32s(sum, part(residual, place));
        }
        let sum = activated(simd, sum, self.activation);
        simd.partial_store_f32s(&mut self.target[place..][..channels - channel], sum);
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

/// Taps whose sums a pixel's gradient is multiplied into at a time.
const TAPS: usize = 3;

impl WithSimd for GradientTask<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let plan = self.plan;
        let images = self.images.chunks_exact(plan.source.len());
        let gradients = self.gradient.chunks_exact(plan.target.len());
        for (image, gradient) in images.zip(gradients) {
            for pass in &plan.passes {
                let (groups, rest) = pass.taps.as_chunks::<TAPS>();
                for group in groups {
                    self.taps::<S, TAPS>(simd, pass, group, image, gradient);
                }
                for tap in rest {
                    self.taps::<S, 1>(simd, pass, &[*tap], image, gradient);
                }
            }
        }
    }
}

impl GradientTask<'_> {
    /// Adds one image's products to the sums of `T` taps.
    #[inline(always)]
    fn taps<S: Simd, const T: usize>(
        &mut self,
        simd: S,
        pass: &Pass,
        taps: &[(usize, isize); T],
        image: &[f32],
        gradient: &[f32],
    ) {
        let channels = self.plan.source.channels;
        let mut channel = 0;
        while channel + 2 * S::F32_LANES <= channels {
            self.tile::<S, 2, T>(simd, pass, taps, image, gradient, channel);
            channel += 2 * S::F32_LANES;
        }
        while channel + S::F32_LANES <= channels {
            self.tile::<S, 1, T>(simd, pass, taps, image, gradient, channel);
            channel += S::F32_LANES;
        }
        if channel == channels {
            return;
        }
        for (&target, &base) in pass.targets.iter().zip(&pass.bases) {
            let g = &gradient[target * channels..][channel..channels];
            for &(tap, offset) in taps {
                let x = &image[(base + offset) as usize * channels..][channel..channels];
                let sums = &mut self.sums[tap * channels..][channel..channels];
                let [x, g] = [x, g].map(|values| simd.partial_load_f32s(values));
                let sum = multiply_add(simd, x, g, simd.partial_load_f32s(sums));
                simd.partial_store_f32s(sums, sum);
            }
        }
    }

    /// The products of `V` vectors of channels from `channel` on.
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const T: usize>(
        &mut self,
        simd: S,
        pass: &Pass,
        taps: &[(usize, isize); T],
        image: &[f32],
        gradient: &[f32],
        channel: usize,
    ) {
        let channels = self.plan.source.channels;
        let mut sums = [[simd.splat_f32s(0.0); V]; T];
        let mut offsets = [0; T];
        for t in 0..T {
            sums[t] = first_vectors::<S, V>(simd, &self.sums[taps[t].0 * channels + channel..]);
            offsets[t] = taps[t].1 * channels as isize + channel as isize;
        }
        for (&target, &base) in pass.targets.iter().zip(&pass.bases) {
            let g = first_vectors::<S, V>(simd, &gradient[target * channels + channel..]);
            for t in 0..T {
                let start = (base * channels as isize + offsets[t]) as usize;
                let x = first_vectors::<S, V>(simd, &image[start..]);
                for v in 0..V {
                    sums[t][v] = multiply_add(simd, x[v], g[v], sums[t][v]);
                }
            }
        }
        for t in 0..T {
            let place = taps[t].0 * channels + channel;
            store_vectors::<S, V>(&mut self.sums[place..], sums[t]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dense;
    use crate::level::tests::at_every_level;
    use crate::reference::assert_close;

    /// A depthwise convolution is a dense one whose weights are zero off the diagonal.
    #[test]
    fn it_agrees_with_the_dense_one() {
        at_every_level(|_| {
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
        });
    }
}
