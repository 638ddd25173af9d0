//! The transform of weights: `G w G^T` of every window.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::tile::{Lanes, Tile};
use crate::buffers::taken;
use crate::level::level;
use crate::panel::BLOCK;
use crate::parallel::each;
use crate::plan::Direction;

/// The windows of [`BLOCK`] sources and [`BLOCK`] targets as they lie in memory: lines of windows that follow each other.
type Lines = [[f32; 9 * BLOCK]; BLOCK];

/// `[block of targets][position][source][BLOCK]` from the weights `[outputs, inputs, 3, 3]` of a convolution whose channels
/// fill whole blocks.
pub(super) fn transformed<W: Tile<M, N>, const M: usize, const N: usize>(
    weights: &[f32],
    [outputs, inputs]: [usize; 2],
    direction: Direction,
) -> Vec<f32> {
    let sources = match direction {
        Direction::Forward => inputs,
        Direction::Backward => outputs,
    };
    let mut result = taken(outputs * inputs * N * N);
    let level = level();
    let blocks = result.chunks_mut(sources * N * N * BLOCK);
    each(blocks.enumerate(), |(block, values)| {
        level.run(Task {
            weights,
            inputs,
            sources,
            direction,
            block,
            values,
            tile: PhantomData::<W>,
        });
    });
    result
}

/// All sources of a block of targets.
struct Task<'a, W, const M: usize, const N: usize> {
    weights: &'a [f32],
    inputs: usize,
    sources: usize,
    direction: Direction,
    block: usize,
    /// `[position][source][BLOCK]`.
    values: &'a mut [f32],
    tile: PhantomData<W>,
}

impl<W: Tile<M, N>, const M: usize, const N: usize> WithSimd for Task<'_, W, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut lines: Lines = [[0.0; 9 * BLOCK]; BLOCK];
        let mut windows = [[[[0.0; BLOCK]; N]; N]; BLOCK];
        for first in (0..self.sources).step_by(BLOCK) {
            // Read and written in runs of memory: single windows and vectors lie so far apart that each would be
            // waited for.
            let [output, input] = match self.direction {
                Direction::Forward => [self.block * BLOCK, first],
                Direction::Backward => [first, self.block * BLOCK],
            };
            for (row, line) in lines.iter_mut().enumerate() {
                let start = ((output + row) * self.inputs + input) * 9;
                line.copy_from_slice(&self.weights[start..start + 9 * BLOCK]);
            }
            for (source, window) in windows.iter_mut().enumerate() {
                transform::<S, W, M, N>(simd, &taps(&lines, source, self.direction), window);
            }
            for position in 0..N * N {
                let start = (position * self.sources + first) * BLOCK;
                let values = self.values[start..start + BLOCK * BLOCK]
                    .as_chunks_mut::<BLOCK>()
                    .0;
                for (values, window) in values.iter_mut().zip(&windows) {
                    *values = window.as_flattened()[position];
                }
            }
        }
    }
}

/// `[tap][target]` of one source.
#[inline(always)]
fn taps(lines: &Lines, source: usize, direction: Direction) -> [[f32; BLOCK]; 9] {
    let mut taps = [[0.0; BLOCK]; 9];
    for lane in 0..BLOCK {
        for (tap, taps) in taps.iter_mut().enumerate() {
            taps[lane] = match direction {
                Direction::Forward => lines[lane][source * 9 + tap],
                // Backwards the window is walked the other way round.
                Direction::Backward => lines[source][lane * 9 + 8 - tap],
            };
        }
    }
    taps
}

/// `[position][target]` of one source.
#[inline(always)]
fn transform<S: Simd, W: Tile<M, N>, const M: usize, const N: usize>(
    simd: S,
    taps: &[[f32; BLOCK]; 9],
    window: &mut [[[f32; BLOCK]; N]; N],
) {
    let mut wide: [Lanes; 9] = [[0.0; BLOCK]; 9];
    for (wide, tap) in wide.as_flattened_mut().iter_mut().zip(taps.as_flattened()) {
        *wide = f64::from(*tap);
    }
    let mut positions: [[Lanes; N]; N] = [[[0.0; BLOCK]; N]; N];
    for part in 0..BLOCK / S::F64_LANES {
        let mut columns = [[simd.splat_f64s(0.0); N]; 3];
        for (x, column) in columns.iter_mut().enumerate() {
            let mut line = [simd.splat_f64s(0.0); 3];
            for (y, value) in line.iter_mut().enumerate() {
                *value = S::as_simd_f64s(&wide[3 * y + x]).0[part];
            }
            *column = W::weights(simd, line);
        }
        for y in 0..N {
            let row = W::weights(simd, [columns[0][y], columns[1][y], columns[2][y]]);
            for x in 0..N {
                S::as_mut_simd_f64s(&mut positions[y][x]).0[part] = row[x];
            }
        }
    }
    let values = window.as_flattened_mut().as_flattened_mut();
    let positions = positions.as_flattened().as_flattened();
    for (value, position) in values.iter_mut().zip(positions) {
        *value = *position as f32;
    }
}
