//! Vectors at the beginning of a slice.

use pulp::Simd;

/// The first `V` vectors of `values`, which must hold that many.
#[inline(always)]
#[expect(
    clippy::manual_memcpy,
    reason = "a loop of a known length stays in registers"
)]
pub(crate) fn first_vectors<S: Simd, const V: usize>(simd: S, values: &[f32]) -> [S::f32s; V] {
    let vectors = S::as_simd_f32s(&values[..V * S::F32_LANES]).0;
    let mut first = [simd.splat_f32s(0.0); V];
    for v in 0..V {
        first[v] = vectors[v];
    }
    first
}

/// Writes `V` vectors to the beginning of `target`, which must have room for them.
#[inline(always)]
#[expect(
    clippy::manual_memcpy,
    reason = "a loop of a known length stays in registers"
)]
pub(crate) fn store_vectors<S: Simd, const V: usize>(target: &mut [f32], vectors: [S::f32s; V]) {
    let target = S::as_mut_simd_f32s(&mut target[..V * S::F32_LANES]).0;
    for v in 0..V {
        target[v] = vectors[v];
    }
}
