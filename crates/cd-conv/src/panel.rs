//! Weights in blocks of target channels, the tiles of registers that cover them, and the innermost loop.

use pulp::Simd;

use crate::buffers::taken;
use crate::level::multiply_add;
use crate::parallel::each;

/// Target channels that are computed together.
pub(crate) const BLOCK: usize = 16;

/// `[block of targets][tap][source][BLOCK]` from `at(target, tap, source)`, zero beyond the last target.
pub(crate) fn pack(
    targets: usize,
    taps: usize,
    sources: usize,
    at: impl Fn(usize, usize, usize) -> f32 + Sync,
) -> Vec<f32> {
    let mut packed = taken(targets.next_multiple_of(BLOCK) * taps * sources);
    let blocks = packed.chunks_mut((taps * sources * BLOCK).max(1));
    each(blocks.enumerate(), |(block, values)| {
        let present = BLOCK.min(targets - block * BLOCK);
        let mut rows = values.chunks_exact_mut(BLOCK);
        for tap in 0..taps {
            for (source, row) in rows.by_ref().take(sources).enumerate() {
                for (lane, value) in row[..present].iter_mut().enumerate() {
                    *value = at(block * BLOCK + lane, tap, source);
                }
                row[present..].fill(0.0);
            }
        }
    });
    packed
}

/// `sums[p][b] += rows[p][k] * vectors[b][k]` over all `k` below `length`, in their order; `T` at a time, for which
/// a row's address is loaded once.
#[inline(always)]
pub(crate) fn accumulate<
    S: Simd,
    const V: usize,
    const B: usize,
    const P: usize,
    const T: usize,
>(
    simd: S,
    length: usize,
    rows: &[&[f32]; P],
    vectors: &[&[[S::f32s; V]]; B],
    sums: &mut [[[S::f32s; V]; B]; P],
) {
    // Lengths that the compiler knows and sums that nothing else can see stay in registers, without checks. Plain
    // loops, because `map` of an array may become a call, for which everything goes through memory.
    let mut cut: [&[f32]; P] = [&[]; P];
    for p in 0..P {
        cut[p] = &rows[p][..length];
    }
    let mut blocks: [&[[S::f32s; V]]; B] = [&[]; B];
    for b in 0..B {
        blocks[b] = &vectors[b][..length];
    }
    let mut own = *sums;
    let turns = length / T;
    for turn in 0..turns {
        let mut w = [[[simd.splat_f32s(0.0); V]; B]; T];
        for k in 0..T {
            for b in 0..B {
                w[k][b] = blocks[b][turn * T + k];
            }
        }
        for p in 0..P {
            for k in 0..T {
                let x = simd.splat_f32s(cut[p][turn * T + k]);
                for b in 0..B {
                    for v in 0..V {
                        own[p][b][v] = multiply_add(simd, w[k][b][v], x, own[p][b][v]);
                    }
                }
            }
        }
    }
    for k in turns * T..length {
        for p in 0..P {
            let x = simd.splat_f32s(cut[p][k]);
            for b in 0..B {
                for v in 0..V {
                    own[p][b][v] = multiply_add(simd, blocks[b][k][v], x, own[p][b][v]);
                }
            }
        }
    }
    *sums = own;
}

/// The same for rows of which each begins [`BLOCK`] values behind the one before, the first at the beginning of `first`: one
/// address serves them all, where many rows have more addresses than the processor has registers for them.
#[inline(always)]
pub(crate) fn accumulate_neighbours<S: Simd, const V: usize, const B: usize, const P: usize>(
    simd: S,
    length: usize,
    first: &[f32],
    vectors: &[&[[S::f32s; V]]; B],
    sums: &mut [[[S::f32s; V]; B]; P],
) {
    let reach = (P - 1) * BLOCK + 1;
    let mut blocks: [&[[S::f32s; V]]; B] = [&[]; B];
    for b in 0..B {
        blocks[b] = &vectors[b][..length];
    }
    let mut own = *sums;
    let rows = first[..length + reach - 1].windows(reach);
    for (k, values) in rows.take(length).enumerate() {
        for p in 0..P {
            let x = simd.splat_f32s(values[p * BLOCK]);
            for b in 0..B {
                for v in 0..V {
                    own[p][b][v] = multiply_add(simd, blocks[b][k][v], x, own[p][b][v]);
                }
            }
        }
    }
    *sums = own;
}

/// Where tiles of `size` begin that cover `count` rows, at least so many: the last one overlaps its neighbour, whose sums
/// it computes once more, where the rest of the rows one by one would take longer.
#[inline(always)]
pub(crate) fn in_tiles(count: usize, size: usize) -> impl Iterator<Item = usize> {
    (0..count)
        .step_by(size)
        .map(move |first| first.min(count - size))
}

/// Work on all blocks of target channels, done in tiles of registers.
pub(crate) trait Tiled {
    /// Blocks of target channels.
    fn blocks(&self) -> usize;

    /// Computes all pixels of `B` blocks from `block` on. `V` vectors make a block, `B` blocks and `P` pixels a
    /// tile, and `T` source channels a turn of the innermost loop.
    fn compute<S: Simd, const V: usize, const B: usize, const P: usize, const T: usize>(
        &mut self,
        simd: S,
        block: usize,
    );
}

/// Computes every block, in the tiles that suit the machine.
#[inline(always)]
pub(crate) fn cover<S: Simd>(simd: S, work: &mut impl Tiled) {
    // A tile's sums, its weights and a pixel must fit the registers: 32 vectors of 16 values, 16 of 8,
    // 32 of 4. Which tiles are fastest was measured (`examples/layers.rs`).
    let next = &mut 0;
    match S::F32_LANES {
        16 => {
            fill::<S, 1, 4, 6, 1>(simd, work, next);
            fill::<S, 1, 2, 12, 1>(simd, work, next);
            fill::<S, 1, 1, 15, 2>(simd, work, next);
        }
        8 => fill::<S, 2, 1, 6, 1>(simd, work, next),
        4 => fill::<S, 4, 1, 6, 1>(simd, work, next),
        _ => fill::<S, BLOCK, 1, 1, 1>(simd, work, next),
    }
}

/// Computes blocks from `next` on as long as `B` of them are left.
#[inline(always)]
fn fill<S: Simd, const V: usize, const B: usize, const P: usize, const T: usize>(
    simd: S,
    work: &mut impl Tiled,
    next: &mut usize,
) {
    while *next + B <= work.blocks() {
        work.compute::<S, V, B, P, T>(simd, *next);
        *next += B;
    }
}
