//! Our convolution kernels as operations of Burn's CPU backend.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Device, Tensor, TensorData};
use cd_conv::{Activation, Dense, Depthwise, Epilogue, Geometry, Map};
use cd_conv::{depthwise_weight_gradient, weight_gradient};

use super::Conv;
use crate::batch::to_host;
use crate::net::cpu::{before, channels_first, channels_last, map_of, values};

/// Size of a convolution that the kernels know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    inputs: usize,
    outputs: usize,
    depthwise: bool,
    geometry: Geometry,
}

impl Shape {
    /// The shape of `conv`, if its weights lie on the CPU and the kernels know its kind.
    pub(super) fn of(conv: &Conv) -> Option<Self> {
        let [outputs, group, height, width] = conv.weight.dims();
        let inputs = group * conv.groups;
        let depthwise = conv.groups > 1 && group == 1 && inputs == outputs;
        let known = conv.groups == 1 || depthwise;
        let here = conv.weight.val().device().without_autodiff() == Device::flex();
        (known && here).then_some(Self {
            inputs,
            outputs,
            depthwise,
            geometry: Geometry {
                kernel: [height, width],
                stride: conv.stride,
                padding: conv.padding,
            },
        })
    }

    /// # Shapes
    ///
    /// - `x`: `[B, I, H, W]`
    /// - `weight`: `[O, I / groups, kh, kw]`
    /// - output: `[B, O, h, w]`
    pub(super) fn convolve(self, x: Tensor<4>, weight: Tensor<4>) -> Tensor<4> {
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
    fn output(&self, input: Map) -> Map {
        assert_eq!(
            input.channels, self.inputs,
            "input channels of a convolution"
        );
        self.geometry
            .output(input, self.outputs)
            .expect("images are at least as large as the windows over them")
    }

    fn forward_kernel(&self, weight: &[f32]) -> Kernel {
        if self.depthwise {
            return Kernel::Depthwise(Depthwise::forward(weight, self.outputs, self.geometry));
        }
        let channels = [self.outputs, self.inputs];
        Kernel::Dense(Dense::forward(weight, channels, self.geometry))
    }

    fn backward_kernel(&self, weight: &[f32]) -> Kernel {
        if self.depthwise {
            return Kernel::Depthwise(Depthwise::backward(weight, self.outputs, self.geometry));
        }
        let channels = [self.outputs, self.inputs];
        Kernel::Dense(Dense::backward(weight, channels, self.geometry))
    }

    fn weight_gradient(&self, x: &[f32], gradient: &[f32], input: Map) -> Vec<f32> {
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
enum Kernel {
    Dense(Dense),
    Depthwise(Depthwise),
}

impl Kernel {
    fn apply(&self, source: &[f32], input: Map, output: Map, epilogue: &Epilogue<'_>) -> Vec<f32> {
        match self {
            Self::Dense(kernel) => kernel.apply(source, input, output, epilogue),
            Self::Depthwise(kernel) => kernel.apply(source, input, output, epilogue),
        }
    }
}

/// A convolution whose weights do not change any more.
#[derive(Debug, Clone)]
pub(super) struct Frozen(Arc<FrozenConv>);

#[derive(Debug)]
pub(super) struct FrozenConv {
    shape: Shape,
    forward: Kernel,
    backward: Kernel,
    bias: Option<Vec<f32>>,
}

impl Frozen {
    /// The present weights of `conv`, if the kernels can work with it.
    pub(super) fn of(conv: &Conv) -> Option<Self> {
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
    pub(super) fn apply(
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
    fn forward(
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

    fn backward(&self, gradient: &FloatTensor<Flex>, input: Map) -> FloatTensor<Flex> {
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
        conv.forward(&x, None, activation)
    }

    fn cpu_frozen_add(
        x: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        conv: Arc<FrozenConv>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        conv.forward(&x, Some(&skip), activation)
    }

    fn cpu_conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shape: Shape,
    ) -> FloatTensor<Self> {
        let (batch, input) = (x.shape()[0], map_of(&x));
        let output = shape.output(input);
        let (x, weight) = (channels_last(&x), weight.to_contiguous());
        let kernel = shape.forward_kernel(values(&weight));
        let y = kernel.apply(values(&x), input, output, &Epilogue::default());
        channels_first(y, batch, output)
    }
}

/// What a frozen convolution needs for its gradient.
#[derive(Debug, Clone)]
struct FrozenState {
    conv: Arc<FrozenConv>,
    input: Map,
    output: FloatTensor<Flex>,
    activation: Activation,
}

/// Parents are the input and, where one is added, the skip.
#[derive(Debug)]
struct FrozenBackward;

impl<const N: usize> Backward<Flex, N> for FrozenBackward {
    type State = FrozenState;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let state = ops.state;
        let gradient = grads.consume::<Flex>(&ops.node);
        let gradient = before(gradient, &state.output, state.activation);
        let mut parents = ops.parents.into_iter();
        if let Some(x) = parents.next().flatten() {
            grads.register::<Flex>(x.id, state.conv.backward(&gradient, state.input));
        }
        if let Some(skip) = parents.next().flatten() {
            grads.register::<Flex>(skip.id, gradient);
        }
    }
}

/// What a convolution needs for the gradients of its input and weights.
#[derive(Debug, Clone)]
struct ConvState {
    x: FloatTensor<Flex>,
    weight: FloatTensor<Flex>,
    shape: Shape,
}

#[derive(Debug)]
struct ConvBackward;

impl Backward<Flex, 2> for ConvBackward {
    type State = ConvState;

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [x_node, weight_node] = ops.parents;
        let ConvState { x, weight, shape } = ops.state;
        let gradient = channels_last(&grads.consume::<Flex>(&ops.node));
        let gradient = values(&gradient);
        let (batch, input) = (x.shape()[0], map_of(&x));
        if let Some(node) = weight_node {
            let x = channels_last(&x);
            let dw = shape.weight_gradient(values(&x), gradient, input);
            let dw = TensorData::new(dw, weight.shape());
            grads.register::<Flex>(node.id, FloatTensor::<Flex>::from_data(dw));
        }
        if let Some(node) = x_node {
            let weight = weight.to_contiguous();
            let kernel = shape.backward_kernel(values(&weight));
            let output = shape.output(input);
            let dx = kernel.apply(gradient, input, output, &Epilogue::default());
            grads.register::<Flex>(node.id, channels_first(dx, batch, input));
        }
    }
}

/// The node of a frozen convolution in the graph; `parents` are its input and skip.
fn frozen<C: CheckpointStrategy, const N: usize>(
    parents: [&FloatTensor<Autodiff<Flex, C>>; N],
    output: FloatTensor<Flex>,
    conv: Arc<FrozenConv>,
    activation: Activation,
) -> FloatTensor<Autodiff<Flex, C>> {
    let input = map_of(parents[0].primitive());
    let nodes = parents.map(<FloatTensor<Autodiff<Flex, C>>>::node);
    match FrozenBackward
        .prepare::<C>(nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prep) => {
            let state = FrozenState {
                conv,
                input,
                output: output.clone(),
                activation,
            };
            prep.finish(state, output)
        }
        OpsKind::UnTracked(prep) => prep.finish(output),
    }
}

impl<C: CheckpointStrategy> CpuConv for Autodiff<Flex, C> {
    fn cpu_frozen(
        x: FloatTensor<Self>,
        conv: Arc<FrozenConv>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let output = conv.forward(x.primitive(), None, activation);
        frozen::<C, _>([&x], output, conv, activation)
    }

    fn cpu_frozen_add(
        x: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        conv: Arc<FrozenConv>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let output = conv.forward(x.primitive(), Some(skip.primitive()), activation);
        frozen::<C, _>([&x, &skip], output, conv, activation)
    }

    fn cpu_conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shape: Shape,
    ) -> FloatTensor<Self> {
        let output = Flex::cpu_conv(x.primitive().clone(), weight.primitive().clone(), shape);
        let nodes = [x.node(), weight.node()];
        match ConvBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = ConvState {
                    x: x.into_primitive(),
                    weight: weight.into_primitive(),
                    shape,
                };
                prep.finish(state, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}
