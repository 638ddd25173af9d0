//! Our convolution kernels as operations of Burn's CPU backend.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, TensorMetadata, backend_extension};
use cd_conv::Activation;

use crate::net::cpu::{channels_first, channels_last, done_with, map_of, values};

mod backward;
mod chain;
mod frozen;
mod shape;

pub(super) use chain::Chain;
pub(super) use frozen::Frozen;
pub(super) use shape::Shape;

use backward::{conv_node, frozen_node};
use frozen::FrozenConv;

/// What the CPU backend learns.
#[backend_extension(Autodiff, Flex)]
pub(super) trait CpuConv: Backend {
    /// `activation(conv(x))`.
    fn cpu_frozen(
        x: FloatTensor<Self>,
        conv: Arc<FrozenConv>,
        activation: Activation,
    ) -> FloatTensor<Self>;

    /// `activation(conv(x) + skip)`.
    fn cpu_frozen_add(
        x: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        conv: Arc<FrozenConv>,
        activation: Activation,
    ) -> FloatTensor<Self>;

    /// A convolution whose weights may have gradients.
    fn cpu_conv(x: FloatTensor<Self>, weight: FloatTensor<Self>, shape: Shape)
    -> FloatTensor<Self>;
}

impl CpuConv for Flex {
    fn cpu_frozen(
        x: FloatTensor<Self>,
        conv: Arc<FrozenConv>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let y = conv.forward(&x, None, activation);
        done_with(x);
        y
    }

    fn cpu_frozen_add(
        x: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        conv: Arc<FrozenConv>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let y = conv.forward(&x, Some(&skip), activation);
        done_with(x);
        done_with(skip);
        y
    }

    fn cpu_conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shape: Shape,
    ) -> FloatTensor<Self> {
        let (batch, input) = (x.shape()[0], map_of(&x));
        let output = shape.output(input);
        let (x, weight) = (channels_last(&x), weight.to_contiguous());
        let y = shape.forward(values(&weight), values(&x), input);
        channels_first(y, batch, output)
    }
}

impl<C: CheckpointStrategy> CpuConv for Autodiff<Flex, C> {
    fn cpu_frozen(
        x: FloatTensor<Self>,
        conv: Arc<FrozenConv>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let output = conv.forward(x.primitive(), None, activation);
        frozen_node::<C, _>([&x], output, conv, activation)
    }

    fn cpu_frozen_add(
        x: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        conv: Arc<FrozenConv>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let output = conv.forward(x.primitive(), Some(skip.primitive()), activation);
        frozen_node::<C, _>([&x, &skip], output, conv, activation)
    }

    fn cpu_conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shape: Shape,
    ) -> FloatTensor<Self> {
        let output = Flex::cpu_conv(x.primitive().clone(), weight.primitive().clone(), shape);
        conv_node::<C>(x, weight, output, shape)
    }
}
