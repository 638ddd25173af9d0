//! BatchNorm with what follows it: Burn's parameters, and in training on a CPU kernels of our own.

#[cfg(feature = "flex")]
mod cpu;

use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
#[cfg(feature = "flex")]
use cd_conv::Activation;

/// BatchNorm.
///
/// # Shapes
///
/// - `x`, output: `[B, C, H, W]`
pub(crate) fn normalize(norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
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
    #[cfg(feature = "flex")]
    if cpu::applies(norm, &x) {
        return cpu::train(norm, x, None, Activation::Relu);
    }
    relu(norm.forward(x))
}

/// BatchNorm plus `skip`.
///
/// # Shapes
///
/// - `x`, `skip`, output: `[B, C, H, W]`
pub(crate) fn normalize_add(norm: &BatchNorm, x: Tensor<4>, skip: Tensor<4>) -> Tensor<4> {
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
    #[cfg(feature = "flex")]
    if cpu::applies(norm, &x) {
        return cpu::train(norm, x, Some(skip), Activation::Relu);
    }
    relu(norm.forward(x) + skip)
}
