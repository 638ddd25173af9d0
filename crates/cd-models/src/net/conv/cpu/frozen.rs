//! Convolutions whose weights are prepared once.

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Dispatch, Flex, TensorMetadata};
use burn::tensor::Tensor;
use cd_conv::{Activation, Epilogue, Map};

use super::CpuConv;
use super::shape::{Kernel, Shape};
use crate::batch::to_host;
use crate::net::conv::Conv;
use crate::net::cpu::{channels_first, channels_last, map_of, values};

/// A convolution whose weights do not change any more.
#[derive(Debug, Clone)]
pub(in crate::net::conv) struct Frozen(Arc<FrozenConv>);

#[derive(Debug)]
pub(in crate::net::conv) struct FrozenConv {
    shape: Shape,
    forward: Kernel,
    backward: Kernel,
    bias: Option<Vec<f32>>,
}

impl Frozen {
    /// The present weights of `conv`, if the kernels can work with it.
    pub(in crate::net::conv) fn of(conv: &Conv) -> Option<Self> {
        let shape = Shape::of(conv)?;
        let weight = to_host(conv.weight.val());
        Some(Self(Arc::new(FrozenConv {
            shape,
            forward: shape.forward_kernel(&weight),
            backward: shape.backward_kernel(&weight),
            bias: conv.bias.as_ref().map(|bias| to_host(bias.val())),
        })))
    }

    pub(super) fn shared(&self) -> Arc<FrozenConv> {
        Arc::clone(&self.0)
    }

    /// `activation(conv(x) + skip)`.
    ///
    /// # Shapes
    ///
    /// - `x`: `[B, I, H, W]`
    /// - `skip`, output: `[B, O, h, w]`
    pub(in crate::net::conv) fn apply(
        &self,
        x: Tensor<4>,
        skip: Option<Tensor<4>>,
        activation: Activation,
    ) -> Tensor<4> {
        let (x, conv) = (x.into_dispatch(), Arc::clone(&self.0));
        Tensor::from_dispatch(match skip {
            Some(skip) => Dispatch::cpu_frozen_add(x, skip.into_dispatch(), conv, activation),
            None => Dispatch::cpu_frozen(x, conv, activation),
        })
    }
}

impl FrozenConv {
    pub(super) fn forward(
        &self,
        x: &FloatTensor<Flex>,
        skip: Option<&FloatTensor<Flex>>,
        activation: Activation,
    ) -> FloatTensor<Flex> {
        let (batch, input) = (x.shape()[0], map_of(x));
        let x = channels_last(x);
        let skip = skip.map(channels_last);
        let y = self.forward_values(values(&x), input, skip.as_ref().map(values), activation);
        channels_first(y, batch, self.output(input))
    }

    /// The map of the outputs over `input`.
    pub(super) fn output(&self, input: Map) -> Map {
        self.shape.output(input)
    }

    /// As `forward`, channels last.
    pub(super) fn forward_values(
        &self,
        x: &[f32],
        input: Map,
        skip: Option<&[f32]>,
        activation: Activation,
    ) -> Vec<f32> {
        let epilogue = Epilogue {
            bias: self.bias.as_deref(),
            residual: skip,
            activation,
        };
        self.forward.apply(x, input, self.output(input), &epilogue)
    }

    /// As `backward`, channels last, plus `skip`.
    pub(super) fn backward_values(
        &self,
        gradient: &[f32],
        input: Map,
        skip: Option<&[f32]>,
    ) -> Vec<f32> {
        let epilogue = Epilogue {
            residual: skip,
            ..Epilogue::default()
        };
        self.backward
            .apply(gradient, input, self.output(input), &epilogue)
    }

    /// The gradient of the input, plus that which `others` have for it.
    pub(super) fn backward(
        &self,
        gradient: &FloatTensor<Flex>,
        input: Map,
        others: Option<&FloatTensor<Flex>>,
    ) -> FloatTensor<Flex> {
        let batch = gradient.shape()[0];
        let gradient = channels_last(gradient);
        let others = others.map(channels_last);
        let dx = self.backward_values(values(&gradient), input, others.as_ref().map(values));
        channels_first(dx, batch, input)
    }
}
