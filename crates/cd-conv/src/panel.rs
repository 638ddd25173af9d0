//! Weights in blocks of target channels, and the innermost loop over them.

use pulp::Simd;

/// Target channels that are computed together.
pub(crate) const BLOCK: usize = 16;

/// `[block of targets][tap][source][BLOCK]` from `at(target, tap, source)`, zero beyond the last target.
pub(crate) fn pack(
    targets: usize,
    taps: usize,
    sources: usize,
    at: impl Fn(usize, usize, usize) -> f32,
) -> Vec<f32> {
    let mut packed = Vec::with_capacity(targets.next_multiple_of(BLOCK) * taps * sources);
    for block in (0..targets).step_by(BLOCK) {
        for tap in 0..taps {
            for source in 0..sources {
                packed.extend((block..block + BLOCK).map(|target| {
                    if target < targets {
                        at(target, tap, source)
                    } else {
                        0.0
                    }
                }));
            }
        }
    }
    packed
}

/// `sums[p][b] += rows[p][c] * vectors[b][c]` over all channels `c`, in their order; `T` at a
/// time, for which a row's address is loaded once.
#[inline(always)]
pub(crate) fn accumulate<
    S: Simd,
    const V: usize,
    const B: usize,
    const P: usize,
    const T: usize,
>(
    simd: S,
    channels: usize,
    rows: &[&[f32]; P],
    vectors: &[&[[S::f32s; V]]; B],
    sums: &mut [[[S::f32s; V]; B]; P],
) {
    let turns = channels / T;
    for turn in 0..turns {
        let mut w = [[[simd.splat_f32s(0.0); V]; B]; T];
        for k in 0..T {
            for b in 0..B {
                w[k][b] = vectors[b][turn * T + k];
            }
        }
        for p in 0..P {
            for k in 0..T {
                let x = simd.splat_f32s(rows[p][turn * T + k]);
                for b in 0..B {
                    for v in 0..V {
                        sums[p][b][v] = simd.mul_add_e_f32s(w[k][b][v], x, sums[p][b][v]);
                    }
                }
            }
        }
    }
    for c in turns * T..channels {
        for p in 0..P {
            let x = simd.splat_f32s(rows[p][c]);
            for b in 0..B {
                for v in 0..V {
                    sums[p][b][v] = simd.mul_add_e_f32s(vectors[b][c][v], x, sums[p][b][v]);
                }
            }
        }
    }
}
