//! BatchNorm with what follows it: Burn's parameters, and on a CPU kernels of our own.

#[cfg(feature = "flex")]
mod cpu;

use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
#[cfg(feature = "flex")]
use cd_conv::Activation;

use super::hook::{before_norm, behind_sum};
#[cfg(feature = "flex")]
use crate::device::is_cpu;

/// BatchNorm.
///
/// # Shapes
///
/// - `x`, output: `[B, C, H, W]`
pub(crate) fn normalize(norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    plain(norm, before_norm(norm, x))
}

fn plain(norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if cpu::applies(norm, &x) {
        return cpu::apply(norm, x, None, Activation::None);
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
        return cpu::apply(norm, x, None, Activation::Relu);
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
        return cpu::apply(norm, x, None, Activation::Relu6);
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
        return cpu::apply(norm, x, Some(skip), Activation::None);
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
    // Where nothing is trained a hook may look at the sum, so that stays on its own.
    #[cfg(feature = "flex")]
    if cpu::trains(norm, &x) {
        return cpu::apply(norm, x, Some(skip), Activation::Relu);
    }
    relu(behind_sum(plain(norm, x) + skip))
}

/// The least and the largest value of every channel of every image; what is not a number may be passed over off the CPU backend.
///
/// # Shapes
///
/// - `x`: `[B, C, H, W]`, without gradients
/// - output: `[B, 2, C]`, the least first
pub(crate) fn extremes(x: Tensor<4>) -> Tensor<3> {
    let x = x.inner();
    #[cfg(feature = "flex")]
    if is_cpu(&x.device()) {
        return cpu::extremes(x);
    }
    let [batch, channels, height, width] = x.dims();
    let x = x.reshape([batch, channels, height * width]);
    let ends = [x.clone().min_dim(2), x.max_dim(2)];
    Tensor::cat(
        ends.map(|end| end.reshape([batch, 1, channels])).to_vec(),
        1,
    )
}
