//! The gradient of the weights.

use pulp::{Simd, WithSimd};

use crate::geometry::{Geometry, Map};
use crate::level::{level, multiply_add};
use crate::parts::in_parts;
use crate::plan::{Direction, Pass, Plan};
use crate::vectors::{first_vectors, store_vectors};

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
