//! The gradient of the weights, at the same positions: `G^T ((B^T d B) . (A g A^T)) G`, summed over tiles before `G`.
//!
//! At each position it is a product of two matrices, of sources by tiles and of tiles by targets.

use pulp::{Simd, WithSimd};

use super::grid::{Grid, Places, spread_columns, spread_row};
use super::scatter::{Share, scatter_line};
use super::tile::{Four, Tile, Two};
use super::windows::windows;
use super::{Group, Size};
use crate::buffers::{give_back, taken};
use crate::geometry::Map;
use crate::level::{level, multiply_add};
use crate::panel::BLOCK;
use crate::parallel::each;
use crate::scratch;

/// Targets of a task, if there are more and they can be divided so: the tasks of a large layer have sums of their own
/// targets, and not all of them sums of all.
const WIDTH: usize = 64;
/// Tasks of a layer, about. Does not depend on the number of threads, so that the order of the sum is always the same.
const TASKS: usize = 8;
/// Tiles of a task at least: with fewer, its sums cost more to keep than they save.
const TILES: usize = 64;
/// Tiles that are transformed together: many, because the sums of all positions are read and written for every group.
const TOGETHER: usize = 84;

/// The gradient `[targets, sources, 3, 3]` of a convolution that [`Winograd::suits`](super::Winograd::suits); `None` where
/// the direct way is faster.
pub(crate) fn gradient(
    images: &[f32],
    gradient: &[f32],
    input: Map,
    targets: usize,
) -> Option<Vec<f32>> {
    let size = Size::of_gradients(input.channels, targets);
    let grid = Grid::new(input, if size == Size::Four { 4 } else { 2 });
    let tiles = images.len() / input.len() * grid.rows * grid.columns;
    if tiles < TILES {
        return None;
    }
    Some(match size {
        Size::Four => run::<Four, 4, 6>(images, gradient, grid, targets),
        Size::Two => run::<Two, 2, 4>(images, gradient, grid, targets),
    })
}

fn run<W: Tile<M, N>, const M: usize, const N: usize>(
    images: &[f32],
    gradient: &[f32],
    sources: Grid,
    targets: usize,
) -> Vec<f32> {
    let input = sources.map;
    let width = if targets.is_multiple_of(WIDTH) {
        WIDTH
    } else {
        targets
    };
    let grids = [sources, sources.with_channels(width)];
    let batch = images.len() / input.len();
    let parts = (TASKS * width / targets).min(batch * sources.rows * sources.columns / TILES);
    let images_of_part = batch.div_ceil(parts.max(1)).max(1);
    let parts = batch.div_ceil(images_of_part);
    let group = Group::new(sources, TOGETHER);
    let lengths = group.values(input.channels, width, N * N);
    let rooms = [grids[0].padded(), grids[1].whole()].map(|row| N * row);
    let level = level();
    let to = input.pixels() * targets;
    // Together, so that they lie where the transformed weights of a layer do at other times.
    let len = N * N * input.channels * width;
    let mut sums = taken(targets / width * parts * len);
    let tasks = sums.chunks_mut(len).enumerate();
    each(tasks, |(task, sums)| {
        let first = task % parts * images_of_part;
        let last = batch.min(first + images_of_part);
        scratch::with(rooms[0] + rooms[1] + lengths[0] + lengths[1], |values| {
            let (room, values) = values.split_at_mut(rooms[0]);
            let (other, values) = values.split_at_mut(rooms[1]);
            let (spread, scattered) = values.split_at_mut(lengths[0]);
            level.run(Task::<W, M, N> {
                sources,
                share: Share {
                    grid: grids[1],
                    all: targets,
                    first: task / parts * width,
                },
                group,
                room,
                other,
                spread,
                scattered,
                images: &images[first * input.len()..last * input.len()],
                gradient: &gradient[first * to..last * to],
                sums,
                tile: std::marker::PhantomData,
            });
        });
    });
    let weights = windows::<W, M, N>(&sums, parts, [input.channels, targets], width);
    give_back(sums);
    weights
}

/// A part of a batch.
struct Task<'a, W, const M: usize, const N: usize> {
    /// Of the images.
    sources: Grid,
    /// Of the gradients.
    share: Share,
    group: Group,
    /// `[N][row]` of the images.
    room: &'a mut [f32],
    /// The same of the gradients.
    other: &'a mut [f32],
    /// `[position][tile][source]`.
    spread: &'a mut [f32],
    /// `[position][tile][target]`.
    scattered: &'a mut [f32],
    images: &'a [f32],
    gradient: &'a [f32],
    /// `[position][source][target]`.
    sums: &'a mut [f32],
    tile: std::marker::PhantomData<W>,
}

impl<W: Tile<M, N>, const M: usize, const N: usize> WithSimd for Task<'_, W, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (sources, targets) = (self.sources, self.share.grid);
        let group = self.group;
        let (from, to) = (sources.map.len(), targets.map.pixels() * self.share.all);
        let [inputs, outputs] = [sources, targets].map(|grid| grid.map.channels);
        let lines = self.images.len() / from * sources.rows;
        // The padding stays zero.
        self.other.fill(0.0);
        for first in (0..lines).step_by(group.lines) {
            let count = group.lines.min(lines - first);
            for line in 0..count {
                let (image, row) = ((first + line) / sources.rows, (first + line) % sources.rows);
                let place = |channels: usize| Places {
                    stride: group.stride(channels),
                    first: line * sources.columns,
                };
                let values = &self.images[image * from..][..from];
                spread_columns::<S, W, M, N>(simd, sources, values, row, self.room);
                let rows = self.room.chunks_exact(sources.padded());
                let positions = self.spread.chunks_exact_mut(N * group.stride(inputs));
                for (row, positions) in rows.zip(positions) {
                    spread_row::<S, W, M, N>(simd, sources, row, place(inputs), positions);
                }
                let values = &self.gradient[image * to..][..to];
                scatter_line::<S, W, M, N>(
                    simd,
                    self.share,
                    values,
                    row,
                    self.other,
                    place(outputs),
                    self.scattered,
                );
            }
            let tiles = count * sources.columns;
            for position in 0..N * N {
                let mut product = Product {
                    spread: &self.spread[position * group.stride(inputs)..][..tiles * inputs],
                    scattered: &self.scattered[position * group.stride(outputs)..]
                        [..tiles * outputs],
                    sums: &mut self.sums[position * inputs * outputs..][..inputs * outputs],
                    sources: inputs,
                    targets: outputs,
                    fresh: first == 0,
                };
                product.compute(simd);
            }
        }
    }
}

/// The products at one position.
struct Product<'a> {
    spread: &'a [f32],
    scattered: &'a [f32],
    sums: &'a mut [f32],
    sources: usize,
    targets: usize,
    /// Whether `sums` holds nothing yet.
    fresh: bool,
}

impl Product<'_> {
    #[inline(always)]
    fn compute<S: Simd>(&mut self, simd: S) {
        let mut target = 0;
        // Sums, gradients and a source must fit the registers: 32 vectors of 16 values, 16 of 8, 32 of 4.
        if S::F32_LANES == 16 {
            while target + 2 * BLOCK <= self.targets {
                self.sources::<S, 1, 2, 8>(simd, target);
                target += 2 * BLOCK;
            }
        }
        while target < self.targets {
            match S::F32_LANES {
                16 => self.sources::<S, 1, 1, 16>(simd, target),
                8 => self.sources::<S, 2, 1, 6>(simd, target),
                4 => self.sources::<S, 4, 1, 4>(simd, target),
                _ => self.sources::<S, BLOCK, 1, 1>(simd, target),
            }
            target += BLOCK;
        }
    }

    /// All sources of `B` blocks of targets, `P` at a time.
    #[inline(always)]
    fn sources<S: Simd, const V: usize, const B: usize, const P: usize>(
        &mut self,
        simd: S,
        target: usize,
    ) {
        let mut source = 0;
        while source + P <= self.sources {
            self.tile::<S, V, B, P>(simd, source, target);
            source += P;
        }
        while source + 2 <= self.sources {
            self.tile::<S, V, B, 2>(simd, source, target);
            source += 2;
        }
    }

    /// Adds the products of `P` sources and `B` blocks of targets over all tiles.
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const B: usize, const P: usize>(
        &mut self,
        simd: S,
        source: usize,
        target: usize,
    ) {
        let mut sums = [[[simd.splat_f32s(0.0); V]; B]; P];
        let spread = self.spread.chunks_exact(self.sources);
        let scattered = self.scattered.chunks_exact(self.targets);
        for (x, g) in spread.zip(scattered) {
            let x = &x[source..source + P];
            let g = S::as_simd_f32s(&g[target..target + B * BLOCK]).0;
            for p in 0..P {
                let x = simd.splat_f32s(x[p]);
                for b in 0..B {
                    for v in 0..V {
                        sums[p][b][v] = multiply_add(simd, g[b * V + v], x, sums[p][b][v]);
                    }
                }
            }
        }
        for p in 0..P {
            let stored = &mut self.sums[(source + p) * self.targets + target..][..B * BLOCK];
            let stored = S::as_mut_simd_f32s(stored).0;
            for b in 0..B {
                for v in 0..V {
                    let sum = sums[p][b][v];
                    let place = &mut stored[b * V + v];
                    *place = if self.fresh {
                        sum
                    } else {
                        simd.add_f32s(*place, sum)
                    };
                }
            }
        }
    }
}
