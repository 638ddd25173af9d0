//! The transform of weights: `G w G^T` of every window.

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
        level.run(|| {
            let mut lines: Lines = [[0.0; 9 * BLOCK]; BLOCK];
            for first in (0..sources).step_by(BLOCK) {
                // Read and written in runs of memory: single windows and vectors lie so far apart that each would be
                // waited for.
                let [output, input] = match direction {
                    Direction::Forward => [block * BLOCK, first],
                    Direction::Backward => [first, block * BLOCK],
                };
                for (row, line) in lines.iter_mut().enumerate() {
                    let start = ((output + row) * inputs + input) * 9;
                    line.copy_from_slice(&weights[start..start + 9 * BLOCK]);
                }
                let positions = block_of::<W, M, N>(&lines, direction);
                for (position, rows) in positions.as_flattened().iter().enumerate() {
                    let start = (position * sources + first) * BLOCK;
                    values[start..start + BLOCK * BLOCK].copy_from_slice(rows.as_flattened());
                }
            }
        });
    });
    result
}

/// `[position][source][target]` of a block of both.
#[inline(always)]
fn block_of<W: Tile<M, N>, const M: usize, const N: usize>(
    lines: &Lines,
    direction: Direction,
) -> [[[[f32; BLOCK]; BLOCK]; N]; N] {
    let mut positions = [[[[0.0; BLOCK]; BLOCK]; N]; N];
    for source in 0..BLOCK {
        let mut windows: [Lanes; 9] = [[0.0; BLOCK]; 9];
        for tap in 0..9 {
            for lane in 0..BLOCK {
                windows[tap][lane] = f64::from(match direction {
                    Direction::Forward => lines[lane][source * 9 + tap],
                    // Backwards the window is walked the other way round.
                    Direction::Backward => lines[source][lane * 9 + 8 - tap],
                });
            }
        }
        let columns =
            [0, 1, 2].map(|x| W::weights([&windows[x], &windows[3 + x], &windows[6 + x]]));
        for y in 0..N {
            let row = W::weights([&columns[0][y], &columns[1][y], &columns[2][y]]);
            for x in 0..N {
                for lane in 0..BLOCK {
                    positions[y][x][source][lane] = row[x][lane] as f32;
                }
            }
        }
    }
    positions
}
