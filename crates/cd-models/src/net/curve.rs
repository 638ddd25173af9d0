//! Smooth activations and weights of channels: Burn's, and on a CPU kernels of our own, which keep the order in memory.

#[cfg(feature = "flex")]
mod cpu;

use burn::tensor::Tensor;
use burn::tensor::activation;
#[cfg(feature = "flex")]
use cd_conv::Curve;

#[cfg(feature = "flex")]
use crate::device::is_cpu;

/// `1 / (1 + exp(-x))`.
pub(crate) fn sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if is_cpu(&x.device()) {
        return cpu::curve(x, Curve::Sigmoid);
    }
    activation::sigmoid(x)
}

/// `x` times its [`sigmoid`].
pub(crate) fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if is_cpu(&x.device()) {
        return cpu::curve(x, Curve::Silu);
    }
    activation::silu(x)
}

/// ReLU of three more, ended at 6, over 6.
pub(crate) fn hard_sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if is_cpu(&x.device()) {
        return cpu::curve(x, Curve::HardSigmoid);
    }
    (x + 3.0).clamp(0.0, 6.0) / 6.0
}

/// `x` times its [`hard_sigmoid`].
pub(crate) fn hard_swish<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if is_cpu(&x.device()) {
        return cpu::curve(x, Curve::HardSwish);
    }
    x.clone() * hard_sigmoid(x)
}

/// `x` times the share of a standard normal distribution below `x`.
pub(crate) fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if is_cpu(&x.device()) {
        return cpu::curve(x, Curve::Gelu);
    }
    activation::gelu(x)
}

/// Every channel of every image times its weight.
///
/// # Shapes
///
/// - `x`, output: `[B, C, H, W]`
/// - `weights`: `[B, C, 1, 1]`
pub(crate) fn weigh(x: Tensor<4>, weights: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if is_cpu(&x.device()) {
        return cpu::weigh(x, weights);
    }
    x * weights
}
