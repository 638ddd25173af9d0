//! Pooling: Burn's, and on a CPU kernels of our own, which keep channels last.

#[cfg(feature = "flex")]
mod cpu;

use burn::nn::pool::MaxPool2d;
use burn::tensor::Tensor;

/// The largest value of every window.
///
/// # Shapes
///
/// - `x`: `[B, C, H, W]`
/// - output: `[B, C, h, w]`
pub(crate) fn largest(pool: &MaxPool2d, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if let Some(geometry) = cpu::geometry(pool, &x) {
        return cpu::largest(x, geometry);
    }
    pool.forward(x)
}

/// Mean over the whole map.
///
/// # Shapes
///
/// - `map`: `[B, F, h, w]`
/// - output: `[B, F]`
pub(crate) fn mean(map: Tensor<4>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if crate::device::is_cpu(&map.device()) {
        return cpu::mean(map);
    }
    map.mean_dims(&[2, 3]).flatten(1, 3)
}
