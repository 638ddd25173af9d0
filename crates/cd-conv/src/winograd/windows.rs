//! From sums at all positions to gradients of weights: `G^T s G` of every window.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::tile::{Lanes, Tile};
use crate::buffers::taken;
use crate::level::level;
use crate::panel::BLOCK;
use crate::parallel::each;

/// Tasks of a layer at least, where its targets can be divided so: with fewer targets a task reads shorter runs.
const TASKS: usize = 4;

/// The gradient `[targets, sources, 3, 3]` from sums `[position][source][width]`, of which every `width` targets have
/// `parts`, one behind the other; their totals count.
pub(super) fn windows<W: Tile<M, N>, const M: usize, const N: usize>(
    sums: &[f32],
    parts: usize,
    [sources, targets]: [usize; 2],
    width: usize,
) -> Vec<f32> {
    let divides = |share: &usize| width.is_multiple_of(*share) && targets / share >= TASKS;
    let share = [width, width / 2].into_iter().find(divides);
    let share = share.filter(|share| share.is_multiple_of(BLOCK));
    let share = share.unwrap_or(BLOCK);
    let mut weights = taken(9 * sources * targets);
    let level = level();
    let tasks = weights.chunks_mut(9 * sources * share);
    each(tasks.enumerate(), |(task, weights)| {
        let (owner, first) = (task * share / width, task * share % width);
        let len = N * N * sources * width;
        let sums = Sums {
            parts: &sums[owner * parts * len..][..parts * len],
            len,
            sources,
            width,
        };
        level.run(Task {
            sums,
            first,
            share,
            weights,
            tile: PhantomData::<W>,
        });
    });
    weights
}

/// All sources of `share` targets from `first` on.
struct Task<'a, W, const M: usize, const N: usize> {
    sums: Sums<'a>,
    first: usize,
    share: usize,
    /// `[target][source][3][3]`.
    weights: &'a mut [f32],
    tile: PhantomData<W>,
}

impl<W: Tile<M, N>, const M: usize, const N: usize> WithSimd for Task<'_, W, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (sources, blocks) = (self.sums.sources, self.share / BLOCK);
        let mut totals = vec![[0.0; BLOCK]; N * N * self.share];
        let mut lines = [[0.0; 9 * BLOCK]; BLOCK];
        for source in (0..sources).step_by(BLOCK) {
            self.sums
                .total(&mut totals, [source, self.first], self.share);
            for block in 0..blocks {
                gathered::<S, W, M, N>(simd, &totals, block, blocks, &mut lines);
                for (lane, line) in lines.iter().enumerate() {
                    let start = ((block * BLOCK + lane) * sources + source) * 9;
                    self.weights[start..start + 9 * BLOCK].copy_from_slice(line);
                }
            }
        }
    }
}

/// The sums of some targets.
struct Sums<'a> {
    /// `[position][source][width]` of every part.
    parts: &'a [f32],
    /// Values of a part.
    len: usize,
    sources: usize,
    width: usize,
}

impl Sums<'_> {
    /// Adds up all parts for [`BLOCK`] sources and `share` targets: `[position][source][block of targets]`.
    ///
    /// Memory is read in runs: what a window needs lies so far apart that each vector would be waited for.
    #[inline(always)]
    fn total(&self, totals: &mut [Lanes], [source, target]: [usize; 2], share: usize) {
        let blocks = share / BLOCK;
        for (position, totals) in totals.chunks_exact_mut(BLOCK * blocks).enumerate() {
            for (number, part) in self.parts.chunks_exact(self.len).enumerate() {
                let start = (position * self.sources + source) * self.width;
                let rows = part[start..][..BLOCK * self.width].chunks_exact(self.width);
                for (totals, row) in totals.chunks_exact_mut(blocks).zip(rows) {
                    let values = row[target..target + share].as_chunks::<BLOCK>().0;
                    for (totals, values) in totals.iter_mut().zip(values) {
                        for lane in 0..BLOCK {
                            let before = if number == 0 { 0.0 } else { totals[lane] };
                            totals[lane] = before + f64::from(values[lane]);
                        }
                    }
                }
            }
        }
    }
}

/// The windows of a block of targets, one line for each.
#[inline(always)]
fn gathered<S: Simd, W: Tile<M, N>, const M: usize, const N: usize>(
    simd: S,
    totals: &[Lanes],
    block: usize,
    blocks: usize,
    lines: &mut [[f32; 9 * BLOCK]; BLOCK],
) {
    let mut taps: [Lanes; 9] = [[0.0; BLOCK]; 9];
    for source in 0..BLOCK {
        let at = |y: usize, x: usize| &totals[((y * N + x) * BLOCK + source) * blocks + block];
        for part in 0..BLOCK / S::F64_LANES {
            let mut columns = [[simd.splat_f64s(0.0); N]; 3];
            for x in 0..N {
                let mut column = [simd.splat_f64s(0.0); N];
                for y in 0..N {
                    column[y] = S::as_simd_f64s(at(y, x)).0[part];
                }
                let column = W::window(simd, column);
                for y in 0..3 {
                    columns[y][x] = column[y];
                }
            }
            for y in 0..3 {
                let row = W::window(simd, columns[y]);
                for x in 0..3 {
                    S::as_mut_simd_f64s(&mut taps[3 * y + x]).0[part] = row[x];
                }
            }
        }
        for (lane, line) in lines.iter_mut().enumerate() {
            for (value, tap) in line[source * 9..source * 9 + 9].iter_mut().zip(&taps) {
                *value = tap[lane] as f32;
            }
        }
    }
}
