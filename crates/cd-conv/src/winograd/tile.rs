//! The transforms of a line of values, for tiles of two sizes.
//!
//! A tile of `M` targets and its `N = M + 2` sources become products at `N` positions: `B^T` spreads the sources, `G` the
//! weights, `A^T` gathers the targets. The positions of the small tile are 0, 1, -1 and infinity. Those of the large one
//! are 0, the square roots of 1/2 and of 2 with both signs, and infinity: the usual ones (0, 1, -1, 2, -2) cost as many
//! operations and lose twice as much precision.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use pulp::Simd;

use crate::level::multiply_add;
use crate::panel::BLOCK;

/// One value of each target channel of a block, in double precision.
pub(super) type Lanes = [f64; BLOCK];

/// One axis of a tile of `M` targets at `N` positions.
pub(super) trait Tile<const M: usize, const N: usize>: Sync + Send {
    /// `B^T`: source values to positions.
    fn spread<S: Simd>(simd: S, sources: [S::f32s; N]) -> [S::f32s; N];

    /// `A^T`: positions to target values.
    fn gathered<S: Simd>(simd: S, positions: [S::f32s; N]) -> [S::f32s; M];

    /// `A`: the gradient of target values to that of positions.
    fn scattered<S: Simd>(simd: S, targets: [S::f32s; M]) -> [S::f32s; N];

    /// `G`: a line of three weights to positions.
    fn weights<S: Simd>(simd: S, line: [S::f64s; 3]) -> [S::f64s; N];

    /// `G^T`: the gradient of positions to that of a line of three weights.
    fn window<S: Simd>(simd: S, positions: [S::f64s; N]) -> [S::f64s; 3];
}

/// `factor * x + y`.
#[inline(always)]
fn scaled<S: Simd>(simd: S, factor: f32, x: S::f32s, y: S::f32s) -> S::f32s {
    multiply_add(simd, x, simd.splat_f32s(factor), y)
}

#[inline(always)]
fn times<S: Simd>(simd: S, factor: f32, x: S::f32s) -> S::f32s {
    simd.mul_f32s(x, simd.splat_f32s(factor))
}

/// `factor * x` in double precision.
#[inline(always)]
fn times_f64<S: Simd>(simd: S, factor: f64, x: S::f64s) -> S::f64s {
    simd.mul_f64s(x, simd.splat_f64s(factor))
}

/// `factor * x + y` in double precision, the product rounded.
#[inline(always)]
fn scaled_f64<S: Simd>(simd: S, factor: f64, x: S::f64s, y: S::f64s) -> S::f64s {
    simd.add_f64s(y, times_f64(simd, factor, x))
}

/// F(2, 3).
pub(super) struct Two;

impl Tile<2, 4> for Two {
    #[inline(always)]
    fn weights<S: Simd>(simd: S, [a, b, c]: [S::f64s; 3]) -> [S::f64s; 4] {
        let half = |sum| times_f64(simd, 0.5, simd.add_f64s(sum, c));
        [a, half(simd.add_f64s(a, b)), half(simd.sub_f64s(a, b)), c]
    }

    #[inline(always)]
    fn window<S: Simd>(simd: S, [a, b, c, d]: [S::f64s; 4]) -> [S::f64s; 3] {
        let (even, odd) = (simd.add_f64s(b, c), simd.sub_f64s(b, c));
        [
            scaled_f64(simd, 0.5, even, a),
            times_f64(simd, 0.5, odd),
            scaled_f64(simd, 0.5, even, d),
        ]
    }

    #[inline(always)]
    fn spread<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
        [
            simd.sub_f32s(a, c),
            simd.add_f32s(b, c),
            simd.sub_f32s(c, b),
            simd.sub_f32s(b, d),
        ]
    }

    #[inline(always)]
    fn gathered<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 2] {
        [
            simd.add_f32s(simd.add_f32s(a, b), c),
            simd.sub_f32s(simd.sub_f32s(b, c), d),
        ]
    }

    #[inline(always)]
    fn scattered<S: Simd>(simd: S, [a, b]: [S::f32s; 2]) -> [S::f32s; 4] {
        [
            a,
            simd.add_f32s(a, b),
            simd.sub_f32s(a, b),
            simd.neg_f32s(b),
        ]
    }
}

/// F(4, 3).
pub(super) struct Four;

/// The position next to 0, squared 1/2.
const NEAR: f32 = FRAC_1_SQRT_2 as f32;
/// The position beyond it, squared 2.
const FAR: f32 = SQRT_2 as f32;

impl Tile<4, 6> for Four {
    // The row of position `p` is (1, p, p^2) over the product of its distances from the other finite positions, which is
    // 1 at 0, -3/2 near it and 6 beyond.
    #[inline(always)]
    fn weights<S: Simd>(simd: S, [a, b, c]: [S::f64s; 3]) -> [S::f64s; 6] {
        let sum = |slope, square| scaled_f64(simd, square, c, scaled_f64(simd, slope, b, a));
        let near = |sign| times_f64(simd, -2.0 / 3.0, sum(sign * FRAC_1_SQRT_2, 0.5));
        let far = |sign| times_f64(simd, 1.0 / 6.0, sum(sign * SQRT_2, 2.0));
        [a, near(1.0), near(-1.0), far(1.0), far(-1.0), c]
    }

    #[inline(always)]
    fn window<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f64s; 6]) -> [S::f64s; 3] {
        let near = |sum| times_f64(simd, -2.0 / 3.0, sum);
        let far = |sum| times_f64(simd, 1.0 / 6.0, sum);
        let (near_even, near_odd) = (near(simd.add_f64s(b, c)), near(simd.sub_f64s(b, c)));
        let (far_even, far_odd) = (far(simd.add_f64s(d, e)), far(simd.sub_f64s(d, e)));
        [
            simd.add_f64s(simd.add_f64s(a, near_even), far_even),
            scaled_f64(
                simd,
                SQRT_2,
                far_odd,
                times_f64(simd, FRAC_1_SQRT_2, near_odd),
            ),
            scaled_f64(simd, 2.0, far_even, scaled_f64(simd, 0.5, near_even, f)),
        ]
    }

    #[inline(always)]
    fn spread<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; 6]) -> [S::f32s; 6] {
        let (near_even, near_odd) = (scaled(simd, -2.0, c, e), scaled(simd, -2.0, b, d));
        let (far_even, far_odd) = (scaled(simd, -0.5, c, e), scaled(simd, -0.5, b, d));
        [
            simd.add_f32s(scaled(simd, -2.5, c, a), e),
            scaled(simd, NEAR, near_odd, near_even),
            scaled(simd, -NEAR, near_odd, near_even),
            scaled(simd, FAR, far_odd, far_even),
            scaled(simd, -FAR, far_odd, far_even),
            simd.add_f32s(scaled(simd, -2.5, d, b), f),
        ]
    }

    #[inline(always)]
    fn gathered<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; 6]) -> [S::f32s; 4] {
        let (near_even, near_odd) = (simd.add_f32s(b, c), simd.sub_f32s(b, c));
        let (far_even, far_odd) = (simd.add_f32s(d, e), simd.sub_f32s(d, e));
        [
            simd.add_f32s(a, simd.add_f32s(near_even, far_even)),
            scaled(simd, NEAR, near_odd, times(simd, FAR, far_odd)),
            scaled(simd, 0.5, near_even, times(simd, 2.0, far_even)),
            scaled(
                simd,
                NEAR / 2.0,
                near_odd,
                scaled(simd, 2.0 * FAR, far_odd, f),
            ),
        ]
    }

    #[inline(always)]
    fn scattered<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 6] {
        let (near_even, near_odd) = (scaled(simd, 0.5, c, a), scaled(simd, 0.5, d, b));
        let (far_even, far_odd) = (scaled(simd, 2.0, c, a), scaled(simd, 2.0, d, b));
        [
            a,
            scaled(simd, NEAR, near_odd, near_even),
            scaled(simd, -NEAR, near_odd, near_even),
            scaled(simd, FAR, far_odd, far_even),
            scaled(simd, -FAR, far_odd, far_even),
            d,
        ]
    }
}
