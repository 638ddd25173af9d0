//! Convolutions of 3 x 3 windows with fewer multiplications.
//!
//! Winograd's minimal filtering F(2 x 2, 3 x 3) computes a tile of 2 x 2 target pixels from 4 x 4 source pixels
//! with 16 products per pair of channels instead of 36 (Lavin and Gray, *Fast Algorithms for Convolutional
//! Neural Networks*, CVPR 2016). Source tiles, weights and products live in 16 transformed positions; between
//! the transforms each position is a product of two matrices. Both transforms are sums over pixels, so they
//! vectorise over channels.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::Epilogue;
use crate::elementwise::activated;
use crate::geometry::{Geometry, Map};
use crate::level::level;
use crate::panel::{BLOCK, Tiled, accumulate, cover};

/// Transformed positions of a tile.
const POSITIONS: usize = 16;
/// Tiles that are transformed together, so that their values stay in the cache; a multiple of the tiles that
/// the registers take at a time, whatever the vectors.
const GROUP: usize = 84;
/// With fewer channels on either side the transforms cost as much as they save, or more (measured).
const FEWEST: usize = 128;

/// Transformed weights of a 3 x 3 window with stride 1 and padding 1.
#[derive(Debug, Clone)]
pub(crate) struct Winograd {
    /// `[block of targets][position][source][BLOCK]`.
    blocks: Vec<f32>,
    sources: usize,
    targets: usize,
}

impl Winograd {
    /// Whether this way is possible for a convolution, and faster.
    pub(crate) fn suits(geometry: Geometry, sources: usize, targets: usize) -> bool {
        let same_size = Geometry {
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
        };
        let whole_vectors = sources.is_multiple_of(BLOCK) && targets.is_multiple_of(BLOCK);
        geometry == same_size && whole_vectors && sources.min(targets) >= FEWEST
    }

    /// From `weight(target, tap, source)`.
    pub(crate) fn new(
        targets: usize,
        sources: usize,
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let mut blocks = vec![0.0; targets * sources * POSITIONS];
        let level = level();
        let parts = blocks.par_chunks_mut(POSITIONS * sources * BLOCK);
        parts.enumerate().for_each(|(block, values)| {
            level.run(|| {
                for source in 0..sources {
                    let windows = std::array::from_fn(|tap| {
                        let weight = |lane| weight(block * BLOCK + lane, tap, source);
                        std::array::from_fn(|lane| f64::from(weight(lane)))
                    });
                    for (position, lanes) in transformed(&windows).iter().enumerate() {
                        let place = (position * sources + source) * BLOCK;
                        for (value, lane) in values[place..][..BLOCK].iter_mut().zip(lanes) {
                            *value = *lane as f32;
                        }
                    }
                }
            });
        });
        Self {
            blocks,
            sources,
            targets,
        }
    }

    /// Convolves a batch of maps like `map` (whose channels are the sources) into `target`.
    pub(crate) fn apply(
        &self,
        source: &[f32],
        map: Map,
        epilogue: &Epilogue<'_>,
        target: &mut [f32],
    ) {
        let (from, to) = (map.len(), map.pixels() * self.targets);
        let per_image = map.height.div_ceil(2) * map.width.div_ceil(2);
        let images = GROUP.div_ceil(per_image);
        let level = level();
        let tasks = target.par_chunks_mut(images * to);
        tasks.enumerate().for_each_init(
            || Scratch::new(self.sources, self.targets),
            |scratch, (task, target)| {
                let first = task * images;
                let count = target.len() / to;
                level.run(Task {
                    winograd: self,
                    map,
                    scratch,
                    source: &source[first * from..(first + count) * from],
                    residual: epilogue
                        .residual
                        .map(|residual| &residual[first * to..(first + count) * to]),
                    epilogue,
                    target,
                });
            },
        );
    }
}

/// One weight of each target channel of a block, in double precision.
type Lanes = [f64; BLOCK];

/// `G w G^T` for windows of 3 x 3.
#[inline(always)]
fn transformed(w: &[Lanes; 9]) -> [Lanes; POSITIONS] {
    // Columns first: four rows of three.
    let columns: [[Lanes; 4]; 3] = std::array::from_fn(|x| line(&w[x], &w[3 + x], &w[6 + x]));
    let mut result = [[0.0; BLOCK]; POSITIONS];
    for y in 0..4 {
        let row = line(&columns[0][y], &columns[1][y], &columns[2][y]);
        result[4 * y..][..4].copy_from_slice(&row);
    }
    result
}

/// `G` times a line of three weights.
#[inline(always)]
fn line(a: &Lanes, b: &Lanes, c: &Lanes) -> [Lanes; 4] {
    let half = |sign: f64| std::array::from_fn(|lane| 0.5 * (a[lane] + sign * b[lane] + c[lane]));
    [*a, half(1.0), half(-1.0), *c]
}

/// Values from one position to the next. Without the odd vector all positions of a tile would fall into one
/// set of the cache.
fn stride(channels: usize) -> usize {
    GROUP * channels + BLOCK
}

/// Transformed values of one group of tiles.
struct Scratch {
    /// `[position][tile][source]`.
    sources: Vec<f32>,
    /// `[position][tile][target]`.
    targets: Vec<f32>,
    /// A pixel outside the map.
    outside: Vec<f32>,
}

impl Scratch {
    fn new(sources: usize, targets: usize) -> Self {
        Self {
            sources: vec![0.0; POSITIONS * stride(sources)],
            targets: vec![0.0; POSITIONS * stride(targets)],
            outside: vec![0.0; sources],
        }
    }
}

/// A few images of a batch.
struct Task<'a> {
    winograd: &'a Winograd,
    map: Map,
    scratch: &'a mut Scratch,
    source: &'a [f32],
    residual: Option<&'a [f32]>,
    epilogue: &'a Epilogue<'a>,
    target: &'a mut [f32],
}

/// Where a tile lies.
#[derive(Clone, Copy)]
struct Tile {
    image: usize,
    /// The first of its two target rows.
    row: usize,
    /// The first of its two target columns.
    column: usize,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let count = self.target.len() / (self.map.pixels() * self.winograd.targets);
        let columns = self.map.width.div_ceil(2);
        let per_image = self.map.height.div_ceil(2) * columns;
        let tile = |number: usize| Tile {
            image: number / per_image,
            row: number % per_image / columns * 2,
            column: number % columns * 2,
        };
        let total = count * per_image;
        for first in (0..total).step_by(GROUP) {
            let tiles = GROUP.min(total - first);
            for number in 0..tiles {
                self.gather(simd, tile(first + number), number);
            }
            for position in 0..POSITIONS {
                let mut product = Product {
                    task: &mut self,
                    position,
                    tiles,
                };
                cover(simd, &mut product);
            }
            for number in 0..tiles {
                self.scatter(simd, tile(first + number), number);
            }
        }
    }
}

impl Task<'_> {
    /// `B^T d B` of the tile's source pixels, into place `number` of the group.
    #[inline(always)]
    fn gather<S: Simd>(&mut self, simd: S, tile: Tile, number: usize) {
        let channels = self.winograd.sources;
        let vectors = channels / S::F32_LANES;
        let Scratch {
            sources, outside, ..
        } = &mut *self.scratch;
        let mut rows: [[&[S::f32s]; 4]; 4] = [[&[]; 4]; 4];
        for y in 0..4 {
            for x in 0..4 {
                // Padding of 1: the tile's source begins one pixel before its target.
                let (row, column) = (tile.row + y, tile.column + x);
                let inside =
                    (1..=self.map.height).contains(&row) && (1..=self.map.width).contains(&column);
                let pixel = if inside {
                    let first = tile.image * self.map.height;
                    let pixel = (first + row - 1) * self.map.width + column - 1;
                    &self.source[pixel * channels..][..channels]
                } else {
                    outside.as_slice()
                };
                rows[y][x] = vectors_of::<S>(pixel, vectors);
            }
        }
        let mut positions = sources.chunks_exact_mut(stride(channels));
        let results: [&mut [S::f32s]; POSITIONS] = std::array::from_fn(|_| {
            let position = positions.next().expect("the scratch holds every position");
            let place = &mut position[number * channels..][..channels];
            &mut S::as_mut_simd_f32s(place).0[..vectors]
        });
        // Once more in loops that unroll whole, after which the compiler knows the lengths.
        let mut cut: [[&[S::f32s]; 4]; 4] = [[&[]; 4]; 4];
        for y in 0..4 {
            for x in 0..4 {
                cut[y][x] = &rows[y][x][..vectors];
            }
        }
        for v in 0..vectors {
            let mut columns = [[simd.splat_f32s(0.0); 4]; 4];
            for x in 0..4 {
                columns[x] = spread(
                    simd,
                    [cut[0][x][v], cut[1][x][v], cut[2][x][v], cut[3][x][v]],
                );
            }
            for y in 0..4 {
                let row = [columns[0][y], columns[1][y], columns[2][y], columns[3][y]];
                let row = spread(simd, row);
                for x in 0..4 {
                    results[4 * y + x][v] = row[x];
                }
            }
        }
    }

    /// `A^T m A` of the products at place `number` of the group, into the tile's target pixels.
    #[inline(always)]
    fn scatter<S: Simd>(&mut self, simd: S, tile: Tile, number: usize) {
        let channels = self.winograd.targets;
        let stride = stride(channels);
        let vectors = channels / S::F32_LANES;
        let mut products: [&[S::f32s]; POSITIONS] = [&[]; POSITIONS];
        for position in 0..POSITIONS {
            let place = position * stride + number * channels;
            let here = &self.scratch.targets[place..][..channels];
            products[position] = vectors_of::<S>(here, vectors);
        }
        let mut cut: [&[S::f32s]; POSITIONS] = [&[]; POSITIONS];
        for position in 0..POSITIONS {
            cut[position] = &products[position][..vectors];
        }
        let bias = self
            .epilogue
            .bias
            .map(|bias| vectors_of::<S>(bias, vectors));
        let pixel = (tile.image * self.map.height + tile.row) * self.map.width + tile.column;
        for v in 0..vectors {
            let mut m = [[simd.splat_f32s(0.0); 2]; 4];
            for y in 0..4 {
                let y4 = 4 * y;
                let line = [cut[y4][v], cut[y4 + 1][v], cut[y4 + 2][v], cut[y4 + 3][v]];
                m[y] = gathered(simd, line);
            }
            let mut values = [[simd.splat_f32s(0.0); 2]; 2];
            for x in 0..2 {
                let [upper, lower] = gathered(simd, [m[0][x], m[1][x], m[2][x], m[3][x]]);
                values[0][x] = upper;
                values[1][x] = lower;
            }
            if let Some(bias) = bias {
                values = values.map(|row| row.map(|value| simd.add_f32s(value, bias[v])));
            }
            for y in 0..2 {
                for x in 0..2 {
                    // The last tile of an odd side reaches beyond the map.
                    if tile.row + y >= self.map.height || tile.column + x >= self.map.width {
                        continue;
                    }
                    let place = (pixel + y * self.map.width + x) * channels + v * S::F32_LANES;
                    let place = place..place + S::F32_LANES;
                    let mut value = values[y][x];
                    if let Some(residual) = self.residual {
                        let residual = S::as_simd_f32s(&residual[place.clone()]).0[0];
                        value = simd.add_f32s(value, residual);
                    }
                    let value = activated(simd, value, self.epilogue.activation);
                    S::as_mut_simd_f32s(&mut self.target[place]).0[0] = value;
                }
            }
        }
    }
}

/// The product of a group's tiles and the weights at one position.
struct Product<'t, 'a> {
    task: &'t mut Task<'a>,
    position: usize,
    tiles: usize,
}

impl Tiled for Product<'_, '_> {
    fn blocks(&self) -> usize {
        self.task.winograd.targets / BLOCK
    }

    #[inline(always)]
    fn compute<S: Simd, const V: usize, const B: usize, const P: usize, const T: usize>(
        &mut self,
        simd: S,
        block: usize,
    ) {
        let whole = self.tiles - self.tiles % P;
        for first in (0..whole).step_by(P) {
            self.product::<S, V, B, P, T>(simd, block, first);
        }
        for first in whole..self.tiles {
            self.product::<S, V, B, 1, T>(simd, block, first);
        }
    }
}

impl Product<'_, '_> {
    /// `P` tiles times `B` blocks.
    #[inline(always)]
    fn product<S: Simd, const V: usize, const B: usize, const P: usize, const T: usize>(
        &mut self,
        simd: S,
        block: usize,
        first: usize,
    ) {
        let Task {
            winograd, scratch, ..
        } = &mut *self.task;
        let position = self.position;
        let Winograd {
            sources, targets, ..
        } = **winograd;
        let block_len = sources * BLOCK;
        let mut vectors: [&[[S::f32s; V]]; B] = [&[]; B];
        for b in 0..B {
            let start = ((block + b) * POSITIONS + position) * block_len;
            let weights = &winograd.blocks[start..][..block_len];
            vectors[b] = &S::as_simd_f32s(weights).0.as_chunks().0[..sources];
        }
        let mut rows: [&[f32]; P] = [&[]; P];
        for p in 0..P {
            let place = position * stride(sources) + (first + p) * sources;
            rows[p] = &scratch.sources[place..][..sources];
        }
        let mut sums = [[[simd.splat_f32s(0.0); V]; B]; P];
        accumulate::<S, V, B, P, T>(simd, sources, &rows, &vectors, &mut sums);
        for p in 0..P {
            for b in 0..B {
                let place =
                    position * stride(targets) + (first + p) * targets + (block + b) * BLOCK;
                let target = &mut scratch.targets[place..][..BLOCK];
                let (target, _) = S::as_mut_simd_f32s(target);
                target[..V].copy_from_slice(&sums[p][b]);
            }
        }
    }
}

/// The first `count` vectors of `values`.
#[inline(always)]
fn vectors_of<S: Simd>(values: &[f32], count: usize) -> &[S::f32s] {
    &S::as_simd_f32s(values).0[..count]
}

/// A line of `B^T`: four source values to four positions.
#[inline(always)]
fn spread<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
    [
        simd.sub_f32s(a, c),
        simd.add_f32s(b, c),
        simd.sub_f32s(c, b),
        simd.sub_f32s(b, d),
    ]
}

/// A line of `A^T`: four positions to two target values.
#[inline(always)]
fn gathered<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 2] {
    [
        simd.add_f32s(simd.add_f32s(a, b), c),
        simd.sub_f32s(simd.sub_f32s(b, c), d),
    ]
}

#[cfg(test)]
mod tests;
