//! What the kernels can compute, and their weights prepared for one direction.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Dispatch, Flex};
use burn::tensor::Tensor;
use cd_conv::{Dense, Depthwise, Epilogue, Geometry, Map};
use cd_conv::{depthwise_weight_gradient, weight_gradient};

use super::CpuConv;
use crate::device::is_cpu;
use crate::net::conv::Conv;
use crate::net::cpu::{channels_last, values};

/// Size of a convolution that the kernels know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::net::conv) struct Shape {
    inputs: usize,
    outputs: usize,
    depthwise: bool,
    geometry: Geometry,
}

impl Shape {
    /// The shape of `conv`, if its weights lie on the CPU and the kernels know its kind.
    pub(in crate::net::conv) fn of(conv: &Conv) -> Option<Self> {
        let [outputs, group, height, width] = conv.weight.dims();
        let inputs = group * conv.groups;
        let depthwise = conv.groups > 1 && group == 1 && inputs == outputs;
        let known = conv.groups == 1 || depthwise;
        let here = is_cpu(&conv.weight.val().device());
        (known && here).then_some(Self {
            inputs,
            outputs,
            depthwise,
            geometry: Geometry {
                kernel: [height, width],
                stride: conv.stride,
                padding: conv.padding,
                extra: conv.extra,
            },
        })
    }

    /// # Shapes
    ///
    /// - `x`: `[B, I, H, W]`
    /// - `weight`: `[O, I / groups, kh, kw]`
    /// - output: `[B, O, h, w]`
    pub(in crate::net::conv) fn convolve(self, x: Tensor<4>, weight: Tensor<4>) -> Tensor<4> {
        Tensor::from_dispatch(Dispatch::cpu_conv(
            x.into_dispatch(),
            weight.into_dispatch(),
            self,
        ))
    }

    /// The map of the outputs over `input`.
    ///
    /// # Panics
    ///
    /// When the window is larger than the padded map, or the channels are others.
    pub(super) fn output(&self, input: Map) -> Map {
        assert_eq!(
            input.channels, self.inputs,
            "input channels of a convolution"
        );
        self.geometry
            .output(input, self.outputs)
            .expect("images are at least as large as the windows over them")
    }

    pub(super) fn forward_kernel(&self, weight: &[f32]) -> Kernel {
        if self.depthwise {
            return Kernel::Depthwise(Depthwise::forward(weight, self.outputs, self.geometry));
        }
        let channels = [self.outputs, self.inputs];
        Kernel::Dense(Dense::forward(weight, channels, self.geometry))
    }

    pub(super) fn backward_kernel(&self, weight: &[f32]) -> Kernel {
        if self.depthwise {
            return Kernel::Depthwise(Depthwise::backward(weight, self.outputs, self.geometry));
        }
        let channels = [self.outputs, self.inputs];
        Kernel::Dense(Dense::backward(weight, channels, self.geometry))
    }

    /// The outputs of a batch, channels last, by weights that change from call to call.
    pub(super) fn forward(&self, weight: &[f32], x: &[f32], input: Map) -> Vec<f32> {
        let kernel = self.forward_kernel(weight);
        let y = kernel.apply(x, input, self.output(input), &Epilogue::default());
        kernel.give_back();
        y
    }

    /// The gradient of the input, channels last, plus that which `others` have for it.
    pub(super) fn backward(
        &self,
        weight: &[f32],
        gradient: &[f32],
        input: Map,
        others: Option<&FloatTensor<Flex>>,
    ) -> Vec<f32> {
        let others = others.map(channels_last);
        let epilogue = Epilogue {
            residual: others.as_ref().map(values),
            ..Epilogue::default()
        };
        let kernel = self.backward_kernel(weight);
        let dx = kernel.apply(gradient, input, self.output(input), &epilogue);
        kernel.give_back();
        dx
    }

    pub(super) fn weight_gradient(&self, x: &[f32], gradient: &[f32], input: Map) -> Vec<f32> {
        let output = self.output(input);
        if self.depthwise {
            depthwise_weight_gradient(x, gradient, self.geometry, input, output)
        } else {
            weight_gradient(x, gradient, self.geometry, input, output)
        }
    }
}

/// Weights prepared for one direction.
#[derive(Debug)]
pub(super) enum Kernel {
    Dense(Dense),
    Depthwise(Depthwise),
}

impl Kernel {
    /// Lets other kernels use the memory of the weights.
    fn give_back(self) {
        match self {
            Self::Dense(kernel) => kernel.give_back(),
            Self::Depthwise(_) => {}
        }
    }

    pub(super) fn apply(
        &self,
        source: &[f32],
        input: Map,
        output: Map,
        epilogue: &Epilogue<'_>,
    ) -> Vec<f32> {
        match self {
            Self::Dense(kernel) => kernel.apply(source, input, output, epilogue),
            Self::Depthwise(kernel) => kernel.apply(source, input, output, epilogue),
        }
    }
}
