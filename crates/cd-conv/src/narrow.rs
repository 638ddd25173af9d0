//! Convolutions to a few channels, such as the gradient of pictures.
//!
//! A block of target channels would be mostly empty there. So the products of every source pixel with the weights of all
//! taps come first, as one product of matrices whose columns are taps and target channels; then every target
//! pixel adds up those that belong to it.

use crate::parallel::{each, even};
use crate::scratch;
use pulp::{Simd, WithSimd};

use crate::Epilogue;
use crate::buffers::give_back;
use crate::elementwise::{activate, add};
use crate::level::level;
use crate::panel::{BLOCK, Tiled, accumulate, cover, in_tiles, pack};
use crate::plan::Plan;
use crate::vectors::store_vectors;

/// Target channels up to which this way is taken.
const MOST: usize = 4;
/// Source pixels whose products are computed by one task at least.
const TASK_PIXELS: usize = 512;

/// Weights of all taps side by side.
#[derive(Debug, Clone)]
pub(crate) struct Narrow {
    /// `[block of columns][source][BLOCK]`; column `tap * targets + target`.
    blocks: Vec<f32>,
    sources: usize,
    targets: usize,
    /// A multiple of [`BLOCK`], so that [`MOST`] values follow the first of every tap.
    columns: usize,
}

impl Narrow {
    /// Whether this way is faster; `stretch` says how many source pixels there are for a target pixel at most.
    pub(crate) fn suits(targets: usize, taps: usize, stretch: usize) -> bool {
        targets <= MOST && taps > 1 && stretch == 1
    }

    /// From `weight(target, tap, source)`.
    pub(crate) fn new(
        targets: usize,
        taps: usize,
        sources: usize,
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let columns = (taps.saturating_sub(1) * targets + MOST).next_multiple_of(BLOCK);
        let blocks = pack(columns, 1, sources, |column, _, source| {
            if column < taps * targets {
                weight(column % targets, column / targets, source)
            } else {
                0.0
            }
        });
        Self {
            blocks,
            sources,
            targets,
            columns,
        }
    }

    /// Lets the kernels use the memory again.
    pub(crate) fn give_back(self) {
        give_back(self.blocks);
    }

    /// Convolves a batch into `target`.
    pub(crate) fn apply(
        &self,
        plan: &Plan,
        source: &[f32],
        epilogue: &Epilogue<'_>,
        target: &mut [f32],
    ) {
        let (from, to) = (plan.source.len(), plan.target.len());
        let images = even(
            target.len() / to,
            TASK_PIXELS.div_ceil(plan.source.pixels().max(1)),
        );
        let level = level();
        each(
            target.chunks_mut(images * to).enumerate(),
            |(task, target)| {
                let first = task * images;
                let count = target.len() / to;
                let products = count * plan.source.pixels() * self.columns;
                scratch::with(products, |products| {
                    level.run(Task {
                        narrow: self,
                        plan,
                        source: &source[first * from..(first + count) * from],
                        products,
                        residual: epilogue
                            .residual
                            .map(|residual| &residual[first * to..(first + count) * to]),
                        epilogue,
                        target,
                    });
                });
            },
        );
    }
}

/// A few images of a batch.
struct Task<'a> {
    narrow: &'a Narrow,
    plan: &'a Plan,
    source: &'a [f32],
    /// `[source pixel][column]`.
    products: &'a mut [f32],
    residual: Option<&'a [f32]>,
    epilogue: &'a Epilogue<'a>,
    target: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        cover(simd, &mut self);
        // Sums of a known length stay in registers.
        match self.narrow.targets {
            1 => self.gather::<1>(),
            2 => self.gather::<2>(),
            3 => self.gather::<3>(),
            _ => self.gather::<MOST>(),
        }
    }
}

impl Tiled for Task<'_> {
    fn blocks(&self) -> usize {
        self.narrow.columns / BLOCK
    }

    #[inline(always)]
    fn compute<S: Simd, const V: usize, const B: usize, const P: usize, const T: usize>(
        &mut self,
        simd: S,
        block: usize,
    ) {
        let count = self.products.len() / self.narrow.columns;
        if count < P {
            for first in 0..count {
                self.tile::<S, V, B, 1, T>(simd, block, first);
            }
        } else {
            for first in in_tiles(count, P) {
                self.tile::<S, V, B, P, T>(simd, block, first);
            }
        }
    }
}

impl Task<'_> {
    /// The products of `P` source pixels with `B` blocks of columns.
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const B: usize, const P: usize, const T: usize>(
        &mut self,
        simd: S,
        block: usize,
        first: usize,
    ) {
        let Narrow {
            sources, columns, ..
        } = *self.narrow;
        let mut vectors: [&[[S::f32s; V]]; B] = [&[]; B];
        for b in 0..B {
            let weights = &self.narrow.blocks[(block + b) * sources * BLOCK..][..sources * BLOCK];
            vectors[b] = &S::as_simd_f32s(weights).0.as_chunks().0[..sources];
        }
        let mut rows: [&[f32]; P] = [&[]; P];
        for p in 0..P {
            rows[p] = &self.source[(first + p) * sources..][..sources];
        }
        let mut sums = [[[simd.splat_f32s(0.0); V]; B]; P];
        accumulate::<S, V, B, P, T>(simd, sources, &rows, &vectors, &mut sums);
        for p in 0..P {
            for b in 0..B {
                let place = (first + p) * columns + (block + b) * BLOCK;
                store_vectors::<S, V>(&mut self.products[place..], sums[p][b]);
            }
        }
    }

    /// Adds up the products that belong to each target pixel, of which there are `K` channels.
    #[inline(always)]
    fn gather<const K: usize>(&mut self) {
        let columns = self.narrow.columns;
        let mut bias = [0.0; K];
        if let Some(values) = self.epilogue.bias {
            bias.copy_from_slice(values);
        }
        let to = self.plan.target.len();
        let residual = self.residual.map(|residual| residual.as_chunks::<K>().0);
        let images = self.target.chunks_exact_mut(to);
        let products = self
            .products
            .chunks_exact(self.plan.source.pixels() * columns);
        for (image, (target, products)) in images.zip(products).enumerate() {
            let target = target.as_chunks_mut::<K>().0;
            for pass in &self.plan.passes {
                let place = |&(tap, offset): &(usize, isize)| {
                    offset * columns as isize + (tap * K) as isize
                };
                let places: Vec<isize> = pass.taps.iter().map(place).collect();
                for (&pixel, &base) in pass.targets.iter().zip(&pass.bases) {
                    let base = base * columns as isize;
                    let mut sums = [0.0; MOST];
                    for &place in &places {
                        let products = &products[(base + place) as usize..][..MOST];
                        for k in 0..MOST {
                            sums[k] += products[k];
                        }
                    }
                    let mut values = [0.0; K];
                    for k in 0..K {
                        values[k] = sums[k] + bias[k];
                    }
                    if let Some(residual) = residual {
                        add(&mut values, &residual[image * to / K + pixel]);
                    }
                    activate(&mut values, self.epilogue.activation);
                    target[pixel] = values;
                }
            }
        }
    }
}
