//! The gradient of a dense convolution with respect to its weights.

use std::borrow::Cow;
use std::ops::AddAssign;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::geometry::{Geometry, Map};
use crate::panel::BLOCK;
use crate::plan::{Direction, Pass, Plan};

/// A batch is cut into so many partial sums, on any number of threads, so that the order of the sum is
/// always the same.
pub(crate) const PARTS: usize = 4;

/// Values of inputs and gradients that are worked on at a time: they should stay in the second cache.
const CACHED: usize = 1 << 17;

/// The gradient `[outputs, inputs, kernel height, kernel width]` from a batch of inputs and the gradient
/// of the batch of outputs.
///
/// # Panics
///
/// When lengths and maps contradict each other.
pub fn weight_gradient(
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
    let (inputs, outputs, taps) = (input.channels, output.channels, geometry.taps());
    let padded = outputs.next_multiple_of(BLOCK);
    let gradient = pad_channels(gradient, outputs, padded);
    let packed = in_parts(batch, padded * taps * inputs, |first, count, sums| {
        let cached = (CACHED / (input.len() + output.len()).max(1)).max(1);
        for start in (first..first + count).step_by(cached) {
            let end = (start + cached).min(first + count);
            Arch::new().dispatch(Task {
                plan: &plan,
                taps,
                padded,
                images: &images[start * input.len()..end * input.len()],
                gradient: &gradient
                    [start * output.pixels() * padded..end * output.pixels() * padded],
                sums,
            });
        }
    });
    let mut weights = vec![0.0; outputs * inputs * taps];
    for (place, weight) in weights.iter_mut().enumerate() {
        let (target, source, tap) = (place / (inputs * taps), place / taps % inputs, place % taps);
        let row = ((target / BLOCK) * taps + tap) * inputs + source;
        *weight = packed[row * BLOCK + target % BLOCK];
    }
    weights
}

/// Sums over a batch: `work(first image, images, sums)` adds to its own `len` sums.
pub(crate) fn in_parts(
    batch: usize,
    len: usize,
    work: impl Fn(usize, usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    let images = batch.div_ceil(PARTS).max(1);
    let parts: Vec<Vec<f32>> = (0..PARTS)
        .into_par_iter()
        .map(|part| {
            let first = (part * images).min(batch);
            let count = images.min(batch - first);
            let mut sums = vec![0.0; if count == 0 { 0 } else { len }];
            if count > 0 {
                work(first, count, &mut sums);
            }
            sums
        })
        .collect();
    total(parts, len)
}

/// The sum of `parts` in their order, value by value; an empty part counts as zeros.
pub(crate) fn total<T: Copy + Default + AddAssign>(parts: Vec<Vec<T>>, len: usize) -> Vec<T> {
    let mut whole = vec![T::default(); len];
    for part in parts {
        for (sum, value) in whole.iter_mut().zip(part) {
            *sum += value;
        }
    }
    whole
}

fn pad_channels(values: &[f32], channels: usize, padded: usize) -> Cow<'_, [f32]> {
    if channels == padded {
        return Cow::Borrowed(values);
    }
    let mut wide = vec![0.0; values.len() / channels * padded];
    for (wide, values) in wide.chunks_mut(padded).zip(values.chunks(channels)) {
        wide[..channels].copy_from_slice(values);
    }
    Cow::Owned(wide)
}

/// A few images, whose products are added to `sums`: `[block][tap][input channel][BLOCK]`.
struct Task<'a> {
    plan: &'a Plan,
    taps: usize,
    padded: usize,
    images: &'a [f32],
    gradient: &'a [f32],
    sums: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 1, 2, 8>(simd),
            8 => self.run::<S, 2, 1, 4>(simd),
            4 => self.run::<S, 4, 1, 4>(simd),
            _ => self.run::<S, BLOCK, 1, 1>(simd),
        }
    }
}

impl Task<'_> {
    /// `V` vectors make a block; `B` blocks and `P` input channels are summed together.
    #[inline(always)]
    fn run<S: Simd, const V: usize, const B: usize, const P: usize>(mut self, simd: S) {
        let blocks = self.padded / BLOCK;
        let grouped = blocks - blocks % B;
        for block in (0..grouped).step_by(B) {
            self.block::<S, V, B, P>(simd, block);
        }
        for block in grouped..blocks {
            self.block::<S, V, 1, P>(simd, block);
        }
    }

    #[inline(always)]
    fn block<S: Simd, const V: usize, const B: usize, const P: usize>(
        &mut self,
        simd: S,
        block: usize,
    ) {
        let inputs = self.plan.source.channels;
        let tiled = inputs - inputs % P;
        for tap in 0..self.taps {
            for channel in (0..tiled).step_by(P) {
                self.tile::<S, V, B, P>(simd, block, tap, channel);
            }
            for channel in tiled..inputs {
                self.tile::<S, V, B, 1>(simd, block, tap, channel);
            }
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const V: usize, const B: usize, const P: usize>(
        &mut self,
        simd: S,
        block: usize,
        tap: usize,
        channel: usize,
    ) {
        let plan = self.plan;
        let inputs = plan.source.channels;
        let row = |b: usize| (((block + b) * self.taps + tap) * inputs + channel) * BLOCK;
        let mut sums = [[[simd.splat_f32s(0.0); V]; P]; B];
        for b in 0..B {
            let stored = S::as_simd_f32s(&self.sums[row(b)..][..P * BLOCK]).0;
            for (p, stored) in stored.chunks_exact(V).enumerate() {
                sums[b][p].copy_from_slice(stored);
            }
        }
        for pass in &plan.passes {
            if let Some(&(_, offset)) = pass.taps.iter().find(|(number, _)| *number == tap) {
                self.pass::<S, V, B, P>(simd, pass, offset, block, channel, &mut sums);
            }
        }
        for b in 0..B {
            let place = row(b);
            let stored = S::as_mut_simd_f32s(&mut self.sums[place..][..P * BLOCK]).0;
            for (stored, sum) in stored.chunks_exact_mut(V).zip(&sums[b]) {
                stored.copy_from_slice(sum);
            }
        }
    }

    #[inline(always)]
    fn pass<S: Simd, const V: usize, const B: usize, const P: usize>(
        &self,
        simd: S,
        pass: &Pass,
        offset: isize,
        block: usize,
        channel: usize,
        sums: &mut [[[S::f32s; V]; P]; B],
    ) {
        let plan = self.plan;
        let images = self.images.chunks_exact(plan.source.len());
        let gradients = self
            .gradient
            .chunks_exact(plan.target.pixels() * self.padded);
        for (image, gradient) in images.zip(gradients) {
            for (&target, &base) in pass.targets.iter().zip(&pass.bases) {
                let start = (base + offset) as usize * plan.source.channels + channel;
                let x = &image[start..][..P];
                let gradient = &gradient[target * self.padded + block * BLOCK..][..B * BLOCK];
                let g = S::as_simd_f32s(gradient).0;
                for b in 0..B {
                    for p in 0..P {
                        let x = simd.splat_f32s(x[p]);
                        for v in 0..V {
                            sums[b][p][v] = simd.mul_add_e_f32s(g[b * V + v], x, sums[b][p][v]);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{Case, assert_close, cases};

    #[test]
    fn it_agrees_with_the_definition() {
        for case in cases() {
            let Case {
                geometry,
                input,
                output,
                ..
            } = case;
            let gradient = case.output_like(3);
            let ours = weight_gradient(&case.images(), &gradient, geometry, input, output);
            assert_close(
                &ours,
                &case.weight_gradient(&gradient),
                &format!("{case:?}"),
            );
        }
    }
}
