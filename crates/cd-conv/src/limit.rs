//! What a processor could do at most.

use std::hint::black_box;
use std::time::Instant;

use pulp::{Simd, WithSimd};

use crate::level::{level, multiply_add};

/// Sums side by side: enough that none waits for its last addition, and few enough for the registers.
const SUMS: usize = 12;
const TURNS: usize = 2_000_000;
/// Of so many measurements the best counts.
const MEASUREMENTS: usize = 5;

/// Multiply-adds that one thread does with registers alone at the present level, in GFLOP/s (10^9 multiplications and additions a
/// second): what no layer that is computed directly can exceed. Measured now, in some tenths of a second.
pub fn limit() -> f64 {
    let chosen = level();
    let measured = (0..MEASUREMENTS).map(|_| {
        let start = Instant::now();
        let values = chosen.run(Loop);
        (2 * SUMS * TURNS * values) as f64 / start.elapsed().as_secs_f64()
    });
    measured.fold(0.0, f64::max) / 1e9
}

/// Gives the values of a vector.
struct Loop;

impl WithSimd for Loop {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let factor = simd.splat_f32s(black_box(0.999));
        let added = simd.splat_f32s(black_box(0.001));
        let mut sums = [added; SUMS];
        for _ in 0..TURNS {
            for sum in &mut sums {
                *sum = multiply_add(simd, *sum, factor, added);
            }
        }
        black_box(sums);
        S::F32_LANES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_does_something() {
        let found = limit();
        assert!(found > 0.0 && found.is_finite());
    }
}
