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

    /// Input and output map for `[B, I, H, W]`.
    ///
    /// # Panics
    ///
    /// When the window is larger than the padded map, or the channels are others.
    fn maps(&self, dims: &[usize]) -> (Map, Map) {
        assert_eq!(dims[1], self.inputs, "input channels of a convolution");
        let input = Map {
            height: dims[2],
            width: dims[3],
            channels: self.inputs,
        };
        let output = self.geometry.output(input, self.outputs);
        (
            input,
            output.expect("images are at least as large as the windows over them"),
        )
    }

    fn kernel(&self, weight: &[f32]) -> Kernel {
        let channels = [self.outputs, self.inputs];
        if self.depthwise {
            Kernel::Depthwise(Depthwise::new(weight, self.outputs, self.geometry))
        } else {
            Kernel::Dense {
                forward: Dense::forward(weight, channels, self.geometry),
                backward: Dense::backward(weight, channels, self.geometry),
            }
        }
    }

    fn forward_once(&self, weight: &[f32], x: &[f32], input: Map, output: Map) -> Vec<f32> {
        let epilogue = Epilogue::default();
        if self.depthwise {
            let kernel = Depthwise::new(weight, self.outputs, self.geometry);
            return kernel.forward(x, input, output, &epilogue);
        }
        Dense::forward(weight, [self.outputs, self.inputs], self.geometry)
            .apply(x, input, output, &epilogue)
    }

    fn backward_once(&self, weight: &[f32], gradient: &[f32], input: Map, output: Map) -> Vec<f32> {
        if self.depthwise {
            let kernel = Depthwise::new(weight, self.outputs, self.geometry);
            return kernel.backward(gradient, input, output);
        }
        Dense::backward(weight, [self.outputs, self.inputs], self.geometry).apply(
            gradient,
            input,
            output,
            &Epilogue::default(),
        )
    }

    fn weight_gradient(&self, x: &[f32], gradient: &[f32], input: Map, output: Map) -> Vec<f32> {
        if self.depthwise {
            depthwise_weight_gradient(x, gradient, self.geometry, input, output)
        } else {
            weight_gradient(x, gradient, self.geometry, input, output)
        }
    }
}

#[derive(Debug)]
enum Kernel {
    Dense { forward: Dense, backward: Dense },
    Depthwise(Depthwise),
}

/// A convolution whose weights do not change any more.
#[derive(Debug, Clone)]
pub(super) struct Frozen(Arc<FrozenConv>);

#[derive(Debug)]
pub(super) struct FrozenConv {
    shape: Shape,
    kernel: Kernel,
    bias: Option<Vec<f32>>,
}

impl Frozen {
    /// The present weights of `conv`, if the kernels can work with it.
    pub(super) fn of(conv: &Conv) -> Option<Self> {
        let shape = Shape::of(conv)?;
        Some(Self(Arc::new(FrozenConv {
            shape,
            kernel: shape.kernel(&to_host(conv.weight.val())),
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
        let dims = x.shape().to_vec();
        let (input, output) = self.shape.maps(&dims);
        let x = channels_last(x);
        let skip = skip.map(channels_last);
        let epilogue = Epilogue {
            bias: self.bias.as_deref(),
            residual: skip.as_ref().map(values),
            activation,
        };
        let y = match &self.kernel {
            Kernel::Dense { forward, .. } => forward.apply(values(&x), input, output, &epilogue),
            Kernel::Depthwise(kernel) => kernel.forward(values(&x), input, output, &epilogue),
        };
        channels_first(y, dims[0], output)
    }

    fn backward(&self, gradient: &FloatTensor<Flex>, input: Map) -> FloatTensor<Flex> {
        let batch = gradient.shape()[0];
        let (input, output) = self
            .shape
            .maps(&[batch, input.channels, input.height, input.width]);
        let gradient = channels_last(gradient);
        let dx = match &self.kernel {
            Kernel::Dense { backward, .. } => {
                backward.apply(values(&gradient), input, output, &Epilogue::default())
            }
            Kernel::Depthwise(kernel) => kernel.backward(values(&gradient), input, output),
        };
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
        let dims = x.shape().to_vec();
        let (input, output) = shape.maps(&dims);
        let (x, weight) = (channels_last(&x), weight.to_contiguous());
        let y = shape.forward_once(values(&weight), values(&x), input, output);
        channels_first(y, dims[0], output)
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

#[derive(Debug)]
struct FrozenBackward;

impl Backward<Flex, 1> for FrozenBackward {
    type State = FrozenState;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [x] = ops.parents;
        let state = ops.state;
        let gradient = grads.consume::<Flex>(&ops.node);
        if let Some(x) = x {
            let gradient = before(gradient, &state.output, state.activation);
            grads.register::<Flex>(x.id, state.conv.backward(&gradient, state.input));
        }
    }
}

#[derive(Debug)]
struct FrozenAddBackward;

impl Backward<Flex, 2> for FrozenAddBackward {
    type State = FrozenState;

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [x, skip] = ops.parents;
        let state = ops.state;
        let gradient = grads.consume::<Flex>(&ops.node);
        let gradient = before(gradient, &state.output, state.activation);
        if let Some(x) = x {
            grads.register::<Flex>(x.id, state.conv.backward(&gradient, state.input));
        }
        if let Some(skip) = skip {
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
        let dims = x.shape().to_vec();
        let (input, output) = shape.maps(&dims);
        if let Some(node) = weight_node {
            let x = channels_last(&x);
            let dw = shape.weight_gradient(values(&x), gradient, input, output);
            let dw = TensorData::new(dw, weight.shape());
            grads.register::<Flex>(node.id, FloatTensor::<Flex>::from_data(dw));
        }
        if let Some(node) = x_node {
            let weight = weight.to_contiguous();
            let dx = shape.backward_once(values(&weight), gradient, input, output);
            grads.register::<Flex>(node.id, channels_first(dx, dims[0], input));
        }
    }
}

impl<C: CheckpointStrategy> CpuConv for Autodiff<Flex, C> {
    fn cpu_frozen(
        x: FloatTensor<Self>,
        conv: Arc<FrozenConv>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let output = conv.forward(x.primitive(), None, activation);
        let input = map_of(x.primitive());
        match FrozenBackward
            .prepare::<C>([x.node()])
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

    fn cpu_frozen_add(
        x: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        conv: Arc<FrozenConv>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let output = conv.forward(x.primitive(), Some(skip.primitive()), activation);
        let input = map_of(x.primitive());
        let nodes = [x.node(), skip.node()];
        match FrozenAddBackward
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
