//! Convolutions in which every output channel sees its own input channel alone.

use crate::parallel::each;
mod gradient;

use pulp::{Simd, WithSimd};

use crate::buffers::taken;
use crate::elementwise::activated;
use crate::geometry::{Geometry, Map};
use crate::level::{level, multiply_add};
use crate::plan::{Direction, Pass, Plan};
use crate::vectors::{first_vectors, store_vectors};
use crate::{Activation, Epilogue};

pub use gradient::depthwise_weight_gradient;

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
/// Neighbours in a row that share what they read of their windows' rows.
const NEIGHBOURS: usize = 6;

/// A row of three taps: their numbers, and the offset of the first in source pixels.
type Row = ([usize; 3], isize);

/// The taps of a pass as rows of three, if that is what they are.
fn rows(pass: &Pass) -> Option<Vec<Row>> {
    let (rows, rest) = pass.taps.as_chunks::<3>();
    let row = |row: &[(usize, isize); 3]| {
        let first = row[0].1;
        let follow = row[1].1 == first + 1 && row[2].1 == first + 2;
        follow.then_some((row.map(|(tap, _)| tap), first))
    };
    rest.is_empty().then(|| rows.iter().map(row).collect())?
}

/// Whether [`NEIGHBOURS`] pixels from `first` on lie beside each other, and what they read too.
fn neighbours(pass: &Pass, first: usize) -> bool {
    let last = first + NEIGHBOURS - 1;
    let beside = |step: isize| step == NEIGHBOURS as isize - 1;
    last < pass.targets.len()
        && beside(pass.targets[last] as isize - pass.targets[first] as isize)
        && beside(pass.bases[last] - pass.bases[first])
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let plan = self.plan;
        for pass in &plan.passes {
            let rows = rows(pass).unwrap_or_default();
            let count = pass.targets.len();
            let mut first = 0;
            while first < count {
                if !rows.is_empty() && neighbours(pass, first) {
                    self.neighbours(simd, pass, &rows, first);
                    first += NEIGHBOURS;
                } else if first + PIXELS <= count {
                    self.pixels::<S, PIXELS>(simd, pass, first);
                    first += PIXELS;
                } else {
                    self.pixels::<S, 1>(simd, pass, first);
                    first += 1;
                }
            }
        }
    }
}

impl Task<'_> {
    /// Computes [`NEIGHBOURS`] pixels of a pass, whose windows are rows of three.
    #[inline(always)]
    fn neighbours<S: Simd>(&mut self, simd: S, pass: &Pass, rows: &[Row], first: usize) {
        let channels = self.plan.target.channels;
        let mut channel = 0;
        while channel + S::F32_LANES <= channels {
            let mut sums = [[simd.splat_f32s(0.0)]; NEIGHBOURS];
            for (taps, offset) in rows {
                let mut w = [simd.splat_f32s(0.0); 3];
                for t in 0..3 {
                    let weights = &self.weights[taps[t] * channels + channel..];
                    w[t] = first_vectors::<S, 1>(simd, weights)[0];
                }
                let start = (pass.bases[first] + offset) as usize * channels + channel;
                let source = &self.source[start..][..(NEIGHBOURS + 1) * channels + S::F32_LANES];
                for column in 0..NEIGHBOURS + 2 {
                    let [x] = first_vectors::<S, 1>(simd, &source[column * channels..]);
                    for p in 0..NEIGHBOURS {
                        if p <= column && column < p + 3 {
                            sums[p][0] = multiply_add(simd, x, w[column - p], sums[p][0]);
                        }
                    }
                }
            }
            for p in 0..NEIGHBOURS {
                self.store::<S, 1>(simd, pass.targets[first + p], channel, sums[p]);
            }
            channel += S::F32_LANES;
        }
        if channel < channels {
            for p in 0..NEIGHBOURS {
                self.rest(simd, pass, first + p, channel);
            }
        }
    }

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
        for p in 0..P {
            self.store::<S, V>(simd, pass.targets[first + p], channel, sums[p]);
        }
    }

    /// Bias, residual, activation, and the way to memory.
    #[inline(always)]
    fn store<S: Simd, const V: usize>(
        &mut self,
        simd: S,
        pixel: usize,
        channel: usize,
        mut sums: [S::f32s; V],
    ) {
        let place = pixel * self.plan.target.channels + channel;
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

#[cfg(test)]
mod tests;
