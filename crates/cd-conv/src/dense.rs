//! Convolutions in which every output channel sees every input channel.

use pulp::{Simd, WithSimd};

use crate::buffers::{give_back, taken};
use crate::elementwise::{activate, activated, add};
use crate::geometry::{Geometry, Map};
use crate::level::level;
use crate::narrow::Narrow;
use crate::panel::{BLOCK, Tiled, accumulate, accumulate_neighbours, cover, in_tiles, pack};
use crate::parallel::{each, even};
use crate::plan::{Direction, Pass, Plan};
use crate::vectors::{first_vectors, store_vectors};
use crate::winograd::{Size, Winograd};
use crate::{Activation, Epilogue};

/// Target pixels that one task computes at least, so that short tiles are rare on small maps.
const TASK_PIXELS: usize = 512;

/// Weights prepared for one direction.
#[derive(Debug, Clone)]
pub struct Dense {
    /// `[block of target channels][tap][source channel][BLOCK]`, zero beyond the last channel.
    blocks: Vec<f32>,
    geometry: Geometry,
    direction: Direction,
    sources: usize,
    targets: usize,
    /// Takes the place of `blocks` where it is faster.
    other: Option<Other>,
}

/// Ways to compute the same.
#[derive(Debug, Clone)]
enum Other {
    Winograd(Winograd),
    Narrow(Narrow),
}

impl Dense {
    /// Weights `[outputs, inputs, kernel height, kernel width]` for the way from input to output.
    ///
    /// # Panics
    ///
    /// When `weights` has another length.
    pub fn forward(weights: &[f32], channels: [usize; 2], geometry: Geometry) -> Self {
        Self::new(weights, channels, geometry, Direction::Forward)
    }

    /// The same weights for the way from the gradient of the output to that of the input.
    ///
    /// # Panics
    ///
    /// When `weights` has another length.
    pub fn backward(weights: &[f32], channels: [usize; 2], geometry: Geometry) -> Self {
        Self::new(weights, channels, geometry, Direction::Backward)
    }

    fn new(
        weights: &[f32],
        [outputs, inputs]: [usize; 2],
        geometry: Geometry,
        direction: Direction,
    ) -> Self {
        let taps = geometry.taps();
        assert_eq!(weights.len(), outputs * inputs * taps, "weights");
        let at = |output: usize, tap: usize, input: usize| {
            weights[(output * inputs + input) * taps + tap]
        };
        let (targets, sources) = match direction {
            Direction::Forward => (outputs, inputs),
            Direction::Backward => (inputs, outputs),
        };
        let weight = |target: usize, tap: usize, source: usize| match direction {
            Direction::Forward => at(target, tap, source),
            Direction::Backward => at(source, tap, target),
        };
        let stretch = match direction {
            Direction::Forward => geometry.stride[0] * geometry.stride[1],
            Direction::Backward => 1,
        };
        let size = match direction {
            Direction::Forward => Size::forward(sources, targets),
            Direction::Backward => Some(Size::of_gradients(sources, targets)),
        };
        let size = size.filter(|_| Winograd::suits(geometry, sources, targets));
        let other = if let Some(size) = size {
            let channels = [outputs, inputs];
            Some(Other::Winograd(Winograd::new(
                weights, channels, direction, size,
            )))
        } else if Narrow::suits(targets, taps, stretch) {
            let narrow = Narrow::new(targets, taps, sources, weight);
            Some(Other::Narrow(narrow))
        } else {
            None
        };
        let blocks = match other {
            Some(_) => Vec::new(),
            None => pack(targets, taps, sources, weight),
        };
        Self {
            blocks,
            geometry,
            direction,
            sources,
            targets,
            other,
        }
    }

    /// Lets the kernels use the memory of the weights again.
    pub fn give_back(self) {
        match self.other {
            Some(Other::Winograd(winograd)) => winograd.give_back(),
            Some(Other::Narrow(narrow)) => narrow.give_back(),
            None => give_back(self.blocks),
        }
    }

    /// Convolves a batch: `source` is a batch of inputs (or output gradients), the result a batch of
    /// outputs (or input gradients). `input` and `output` are the maps of the forward way.
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
        assert_eq!(plan.source.channels, self.sources, "source channels");
        assert_eq!(plan.target.channels, self.targets, "target channels");
        let (from, to) = (plan.source.len(), plan.target.len());
        let batch = plan.checked_batch(source, epilogue);
        let mut target = taken(batch * to);
        if target.is_empty() {
            return target;
        }
        match &self.other {
            Some(Other::Winograd(winograd)) => {
                winograd.apply(source, plan.source, epilogue, &mut target);
                return target;
            }
            Some(Other::Narrow(narrow)) => {
                narrow.apply(&plan, source, epilogue, &mut target);
                return target;
            }
            None => {}
        }
        let images = even(batch, TASK_PIXELS.div_ceil(plan.target.pixels()));
        let level = level();
        each(
            target.chunks_mut(images * to).enumerate(),
            |(task, target)| {
                let first = task * images;
                let count = target.len() / to;
                let passes = plan.passes.iter();
                let places: Vec<Vec<Place>> =
                    passes.map(|pass| places(&plan, pass, count)).collect();
                level.run(Task {
                    dense: self,
                    plan: &plan,
                    places: &places,
                    source: &source[first * from..(first + count) * from],
                    residual: epilogue
                        .residual
                        .map(|residual| &residual[first * to..(first + count) * to]),
                    bias: epilogue.bias,
                    activation: epilogue.activation,
                    target,
                });
            },
        );
        target
    }
}

/// A few images of a batch.
struct Task<'a> {
    dense: &'a Dense,
    plan: &'a Plan,
    /// The pixels of each pass.
    places: &'a [Vec<Place>],
    source: &'a [f32],
    residual: Option<&'a [f32]>,
    bias: Option<&'a [f32]>,
    activation: Activation,
    target: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        cover(simd, &mut self);
    }
}

/// Where a target pixel of a task gathers from, and where it lies; both counted over all images of the task.
#[derive(Clone, Copy)]
struct Place {
    /// The value that offset 0 leads to; it may lie outside the map.
    start: isize,
    pixel: usize,
}

/// Whether the source of each pixel begins [`BLOCK`] values behind that of the one before.
#[inline(always)]
fn are_neighbours<const P: usize>(places: &[Place; P]) -> bool {
    let mut all = true;
    for p in 1..P {
        all &= places[p].start - places[p - 1].start == BLOCK as isize;
    }
    all
}

/// The target pixels of a pass in all `images` of a task.
fn places(plan: &Plan, pass: &Pass, images: usize) -> Vec<Place> {
    let mut places = Vec::with_capacity(images * pass.targets.len());
    for image in 0..images {
        let first = (image * plan.source.pixels()) as isize;
        let pixels = pass.targets.iter().zip(&pass.bases);
        places.extend(pixels.map(|(&target, &base)| Place {
            start: (first + base) * plan.source.channels as isize,
            pixel: image * plan.target.pixels() + target,
        }));
    }
    places
}

impl Tiled for Task<'_> {
    fn blocks(&self) -> usize {
        self.dense.targets.div_ceil(BLOCK)
    }

    #[inline(always)]
    fn compute<S: Simd, const V: usize, const B: usize, const P: usize, const T: usize>(
        &mut self,
        simd: S,
        block: usize,
    ) {
        let plan = self.plan;
        let places = self.places;
        for (pass, places) in plan.passes.iter().zip(places) {
            if places.len() >= P {
                for first in in_tiles(places.len(), P) {
                    if let Some(places) = places[first..].first_chunk() {
                        self.tile::<S, V, B, P, T>(simd, block, pass, places);
                    }
                }
            } else {
                for place in places {
                    self.tile::<S, V, B, 1, T>(simd, block, pass, &[*place]);
                }
            }
        }
    }
}

impl Task<'_> {
    /// Computes `P` pixels of a pass for `B` blocks.
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const B: usize, const P: usize, const T: usize>(
        &mut self,
        simd: S,
        block: usize,
        pass: &Pass,
        places: &[Place; P],
    ) {
        let channels = self.dense.sources;
        let block_len = self.dense.geometry.taps() * channels * BLOCK;
        let weights = &self.dense.blocks[block * block_len..(block + B) * block_len];
        let mut sums = [[[simd.splat_f32s(0.0); V]; B]; P];
        let neighbours = are_neighbours(places);
        for run in &pass.runs {
            let length = run.count * channels;
            let offset = run.offset * channels as isize;
            let mut vectors: [&[[S::f32s; V]]; B] = [&[]; B];
            for b in 0..B {
                let start = b * block_len + run.tap * channels * BLOCK;
                let weights = &weights[start..][..length * BLOCK];
                vectors[b] = &S::as_simd_f32s(weights).0.as_chunks().0[..length];
            }
            if neighbours {
                let first = &self.source[(places[0].start + offset) as usize..];
                accumulate_neighbours::<S, V, B, P>(simd, length, first, &vectors, &mut sums);
                continue;
            }
            let mut rows: [&[f32]; P] = [&[]; P];
            for p in 0..P {
                rows[p] = &self.source[(places[p].start + offset) as usize..][..length];
            }
            accumulate::<S, V, B, P, T>(simd, length, &rows, &vectors, &mut sums);
        }
        for p in 0..P {
            for b in 0..B {
                self.store::<S, V>(simd, places[p].pixel, block + b, sums[p][b]);
            }
        }
    }

    /// Bias, residual, activation, and the way to memory.
    #[inline(always)]
    fn store<S: Simd, const V: usize>(
        &mut self,
        simd: S,
        pixel: usize,
        block: usize,
        mut sums: [S::f32s; V],
    ) {
        let channel = block * BLOCK;
        let place = pixel * self.dense.targets + channel;
        let count = BLOCK.min(self.dense.targets - channel);
        if count < BLOCK {
            let mut buffer = [0.0; BLOCK];
            S::as_mut_simd_f32s(&mut buffer).0.copy_from_slice(&sums);
            return self.store_some(place, channel, &mut buffer[..count]);
        }
        if let Some(bias) = self.bias {
            let bias = first_vectors::<S, V>(simd, &bias[channel..]);
            for v in 0..V {
                sums[v] = simd.add_f32s(sums[v], bias[v]);
            }
        }
        if let Some(residual) = self.residual {
            let residual = first_vectors::<S, V>(simd, &residual[place..]);
            for v in 0..V {
                sums[v] = simd.add_f32s(sums[v], residual[v]);
            }
        }
        for v in 0..V {
            sums[v] = activated(simd, sums[v], self.activation);
        }
        store_vectors::<S, V>(&mut self.target[place..], sums);
    }

    /// The same for the block in which the channels end.
    fn store_some(&mut self, place: usize, channel: usize, sums: &mut [f32]) {
        if let Some(bias) = self.bias {
            add(sums, &bias[channel..][..sums.len()]);
        }
        if let Some(residual) = self.residual {
            add(sums, &residual[place..][..sums.len()]);
        }
        activate(sums, self.activation);
        self.target[place..][..sums.len()].copy_from_slice(sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::tests::at_every_level;
    use crate::reference::{Case, assert_close, cases};

    #[test]
    fn forward_agrees_with_the_definition() {
        at_every_level(|_| {
            for case in cases() {
                let bias = case.bias();
                for activation in [Activation::None, Activation::Relu, Activation::Relu6] {
                    let residual = case.output_like(7);
                    let epilogue = Epilogue {
                        bias: Some(&bias),
                        residual: Some(&residual),
                        activation,
                    };
                    let Case {
                        geometry,
                        input,
                        output,
                        ..
                    } = case;
                    let channels = [output.channels, input.channels];
                    let dense = Dense::forward(&case.weights(), channels, geometry);
                    let ours = dense.apply(&case.images(), input, output, &epilogue);
                    assert_close(&ours, &case.forward(&epilogue), &format!("{case:?}"));
                }
            }
        });
    }

    #[test]
    fn backward_agrees_with_the_definition() {
        at_every_level(|_| {
            for case in cases() {
                let Case {
                    geometry,
                    input,
                    output,
                    ..
                } = case;
                let channels = [output.channels, input.channels];
                let dense = Dense::backward(&case.weights(), channels, geometry);
                let gradient = case.output_like(3);
                let ours = dense.apply(&gradient, input, output, &Epilogue::default());
                assert_close(&ours, &case.backward(&gradient), &format!("{case:?}"));
            }
        });
    }

    #[test]
    fn an_image_does_not_depend_on_its_batch() {
        at_every_level(|_| {
            let case = cases().remove(0);
            let Case {
                geometry,
                input,
                output,
                ..
            } = case;
            let channels = [output.channels, input.channels];
            let dense = Dense::forward(&case.weights(), channels, geometry);
            let images = case.images();
            let all = dense.apply(&images, input, output, &Epilogue::default());
            for (image, expected) in images.chunks(input.len()).zip(all.chunks(output.len())) {
                assert_eq!(
                    dense.apply(image, input, output, &Epilogue::default()),
                    expected
                );
            }
        });
    }
}
