//! BatchNorm with what follows it: Burn's parameters, and in training on a CPU kernels of our own.

#[cfg(feature = "flex")]
mod cpu;

use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
#[cfg(feature = "flex")]
use cd_conv::Activation;

use super::hook::{before_norm, behind_sum};

/// BatchNorm.
///
/// # Shapes
///
/// - `x`, output: `[B, C, H, W]`
pub(crate) fn normalize(norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    let x = before_norm(norm, x);
    #[cfg(feature = "flex")]
    if cpu::applies(norm, &x) {
        return cpu::train(norm, x, None, Activation::None);
    }
    norm.forward(x)
}

/// BatchNorm, then ReLU.
///
/// # Shapes
///
/// - `x`, output: `[B, C, H, W]`
pub(crate) fn normalize_relu(norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    let x = before_norm(norm, x);
    #[cfg(feature = "flex")]
    if cpu::applies(norm, &x) {
        return cpu::train(norm, x, None, Activation::Relu);
    }
    relu(norm.forward(x))
}

/// BatchNorm, then ReLU that ends at 6.
///
/// # Shapes
///
/// - `x`, output: `[B, C, H, W]`
pub(crate) fn normalize_relu6(norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    let x = before_norm(norm, x);
    #[cfg(feature = "flex")]
    if cpu::applies(norm, &x) {
        return cpu::train(norm, x, None, Activation::Relu6);
    }
    relu(norm.forward(x)).clamp_max(6.0)
}

/// BatchNorm plus `skip`.
///
/// # Shapes
///
/// - `x`, `skip`, output: `[B, C, H, W]`
pub(crate) fn normalize_add(norm: &BatchNorm, x: Tensor<4>, skip: Tensor<4>) -> Tensor<4> {
    let x = before_norm(norm, x);
    #[cfg(feature = "flex")]
    if cpu::applies(norm, &x) {
        return cpu::train(norm, x, Some(skip), Activation::None);
    }
    norm.forward(x) + skip
}

/// BatchNorm plus `skip`, then ReLU.
///
/// # Shapes
///
/// - `x`, `skip`, output: `[B, C, H, W]`
pub(crate) fn normalize_add_relu(norm: &BatchNorm, x: Tensor<4>, skip: Tensor<4>) -> Tensor<4> {
    let x = before_norm(norm, x);
    #[cfg(feature = "flex")]
    if cpu::applies(norm, &x) {
        return cpu::train(norm, x, Some(skip), Activation::Relu);
    }
    relu(behind_sum(norm.forward(x) + skip))
}
