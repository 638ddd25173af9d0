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
        let output = self.shape.output(input);
        let x = channels_last(x);
        let skip = skip.map(channels_last);
        let epilogue = Epilogue {
            bias: self.bias.as_deref(),
            residual: skip.as_ref().map(values),
            activation,
        };
        let y = self.forward.apply(values(&x), input, output, &epilogue);
        channels_first(y, batch, output)
    }

    pub(super) fn backward(&self, gradient: &FloatTensor<Flex>, input: Map) -> FloatTensor<Flex> {
        let batch = gradient.shape()[0];
        let gradient = channels_last(gradient);
        let epilogue = Epilogue::default();
        let output = self.shape.output(input);
        let dx = self
            .backward
            .apply(values(&gradient), input, output, &epilogue);
        channels_first(dx, batch, input)
    }
}
