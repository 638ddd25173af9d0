//! Gradients of convolutions.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn::tensor::TensorData;
use cd_conv::{Activation, Map};

use super::frozen::FrozenConv;
use super::shape::Shape;
use crate::net::cpu::{
    before, channels_first, channels_last, done_with, is_known, map_of, register, values,
};

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
        let FrozenState {
            conv,
            input,
            output,
            activation,
        } = ops.state;
        let gradient = grads.consume::<Flex>(&ops.node);
        let gradient = before(gradient, &output, activation);
        done_with(output);
        let mut parents = ops.parents.into_iter();
        if let Some(x) = parents.next().flatten() {
            let others =
                (!x.parents.is_empty() && is_known(x.id)).then(|| grads.consume::<Flex>(&x));
            let dx = conv.backward(&gradient, input, others.as_ref());
            others.into_iter().for_each(done_with);
            register(grads, x.id, dx);
        }
        match parents.next().flatten() {
            Some(skip) => register(grads, skip.id, gradient),
            None => done_with(gradient),
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
        let whole = grads.consume::<Flex>(&ops.node);
        let last = channels_last(&whole);
        let gradient = values(&last);
        let (batch, input) = (x.shape()[0], map_of(&x));
        if let Some(node) = weight_node {
            let x = channels_last(&x);
            let dw = shape.weight_gradient(values(&x), gradient, input);
            let dw = TensorData::new(dw, weight.shape());
            grads.register::<Flex>(node.id, FloatTensor::<Flex>::from_data(dw));
        }
        if let Some(node) = x_node {
            let others = (!node.parents.is_empty() && is_known(node.id))
                .then(|| grads.consume::<Flex>(&node));
            let weight = weight.to_contiguous();
            let dx = shape.backward(values(&weight), gradient, input, others.as_ref());
            others.into_iter().for_each(done_with);
            register(grads, node.id, channels_first(dx, batch, input));
        }
        drop(last);
        done_with(whole);
        done_with(x);
    }
}

/// The node of a frozen convolution in the graph; `parents` are its input and skip.
pub(super) fn frozen_node<C: CheckpointStrategy, const N: usize>(
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

/// The node of a convolution in the graph.
pub(super) fn conv_node<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    output: FloatTensor<Flex>,
    shape: Shape,
) -> FloatTensor<Autodiff<Flex, C>> {
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
