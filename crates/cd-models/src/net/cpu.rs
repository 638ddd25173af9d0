//! Tensors of Burn's CPU backend as the slices that our kernels work on.
//!
//! The kernels keep channels last. Their results are tensors `[B, C, H, W]` like all others, with
//! strides that say so; the next kernel finds its source in order without a copy.

mod branches;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::TensorData;
use cd_conv::{Activation, Map, give_back, masked, masked_in_place};

pub(super) use branches::{is_known, register};

/// The same tensor as `[B, H, W, C]`, in order in memory.
pub(super) fn channels_last(tensor: &FloatTensor<Flex>) -> FloatTensor<Flex> {
    tensor.permute(&[0, 2, 3, 1]).to_contiguous()
}

pub(super) fn values(tensor: &FloatTensor<Flex>) -> &[f32] {
    tensor
        .as_slice()
        .expect("a contiguous tensor of f32, the one float type of this backend's networks")
}

/// Values `[B, H, W, C]` as a tensor `[B, C, H, W]`.
pub(super) fn channels_first(values: Vec<f32>, batch: usize, map: Map) -> FloatTensor<Flex> {
    let shape = [batch, map.height, map.width, map.channels];
    FloatTensor::<Flex>::from_data(TensorData::new(values, shape)).permute(&[0, 3, 1, 2])
}

/// Gradient before the activation, channels first.
pub(super) fn before(
    gradient: FloatTensor<Flex>,
    output: &FloatTensor<Flex>,
    activation: Activation,
) -> FloatTensor<Flex> {
    if activation == Activation::None {
        return gradient;
    }
    let (batch, map) = (gradient.shape()[0], map_of(&gradient));
    let (mut last, output) = (channels_last(&gradient), channels_last(output));
    drop(gradient);
    match last.try_storage_mut::<f32>() {
        // Nobody else holds the gradient, and its memory holds nothing else.
        Some(own) if own.len() == batch * map.len() => {
            masked_in_place(own, values(&output), activation);
            last.permute(&[0, 3, 1, 2])
        }
        _ => {
            let masked = masked(values(&last), values(&output), activation);
            channels_first(masked, batch, map)
        }
    }
}

/// Lets the kernels use the memory of a tensor `[B, C, H, W]` again, unless somebody else holds it.
pub(super) fn done_with(tensor: FloatTensor<Flex>) {
    let last = tensor.permute(&[0, 2, 3, 1]);
    drop(tensor);
    if last.is_unique() && last.is_contiguous() {
        // An error would mean that the memory is of another kind: it is freed then.
        if let Ok(values) = last.into_data().try_into_vec() {
            give_back(values);
        }
    }
}

/// Height, width and channels of a tensor `[B, C, H, W]`.
pub(super) fn map_of(tensor: &FloatTensor<Flex>) -> Map {
    let shape = tensor.shape();
    Map {
        height: shape[2],
        width: shape[3],
        channels: shape[1],
    }
}
