//! Pooling as operations of Burn's CPU backend.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::nn::PaddingConfig2d;
use burn::nn::pool::MaxPool2d;
use burn::tensor::{Tensor, TensorData};
use cd_conv::{Geometry, Map, max_pool, max_pool_backward, mean_pool, mean_pool_backward};

use crate::device::is_cpu;
use crate::net::cpu::{channels_first, channels_last, done_with, map_of, values};

/// How the windows of `pool` walk over `x`, if the kernels can work with both.
pub(super) fn geometry(pool: &MaxPool2d, x: &Tensor<4>) -> Option<Geometry> {
    let padding = match pool.padding {
        PaddingConfig2d::Valid => [0, 0],
        PaddingConfig2d::Explicit(top, left, bottom, right) if [top, left] == [bottom, right] => {
            [top, left]
        }
        _ => return None,
    };
    let geometry = Geometry {
        kernel: pool.kernel_size,
        stride: pool.stride,
        padding,
        extra: [0, 0],
    };
    // A window over padding alone has no largest value.
    let inside = (0..2).all(|axis| padding[axis] < geometry.kernel[axis]);
    let plain = pool.dilation == [1, 1] && !pool.ceil_mode && inside;
    let [_, channels, height, width] = x.dims();
    let map = Map {
        height,
        width,
        channels,
    };
    let fits = plain && geometry.output(map, channels).is_some();
    (fits && is_cpu(&x.device())).then_some(geometry)
}

pub(super) fn largest(x: Tensor<4>, geometry: Geometry) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::cpu_largest(x.into_dispatch(), geometry))
}

pub(super) fn mean(map: Tensor<4>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::cpu_mean(map.into_dispatch()))
}

/// What the CPU backend learns.
#[backend_extension(Autodiff, Flex)]
pub(super) trait CpuPool: Backend {
    /// The largest value of every window.
    fn cpu_largest(x: FloatTensor<Self>, geometry: Geometry) -> FloatTensor<Self>;

    /// The mean over every map, `[B, C]`.
    fn cpu_mean(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

fn output(geometry: Geometry, input: Map) -> Map {
    geometry
        .output(input, input.channels)
        .expect("looked at before the operation was chosen")
}

impl CpuPool for Flex {
    fn cpu_largest(x: FloatTensor<Self>, geometry: Geometry) -> FloatTensor<Self> {
        let (batch, input) = (x.shape()[0], map_of(&x));
        let output = output(geometry, input);
        let x = channels_last(&x);
        let y = max_pool(values(&x), geometry, input, output);
        channels_first(y, batch, output)
    }

    fn cpu_mean(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (batch, map) = (x.shape()[0], map_of(&x));
        let x = channels_last(&x);
        let means = mean_pool(values(&x), map);
        FloatTensor::<Self>::from_data(TensorData::new(means, [batch, map.channels]))
    }
}

#[derive(Debug, Clone)]
struct LargestState {
    x: FloatTensor<Flex>,
    y: FloatTensor<Flex>,
    geometry: Geometry,
}

#[derive(Debug)]
struct LargestBackward;

impl Backward<Flex, 1> for LargestBackward {
    type State = LargestState;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<Flex>(&ops.node);
        let [parent] = ops.parents;
        let Some(node) = parent else { return };
        let LargestState { x, y, geometry } = ops.state;
        let (batch, input) = (x.shape()[0], map_of(&x));
        let maps = [input, output(geometry, input)];
        let [g, from, to] = [&gradient, &x, &y].map(channels_last);
        let dx = max_pool_backward(values(&g), values(&from), values(&to), geometry, maps);
        grads.register::<Flex>(node.id, channels_first(dx, batch, input));
        drop([g, from, to]);
        for tensor in [gradient, x, y] {
            done_with(tensor);
        }
    }
}

#[derive(Debug)]
struct MeanBackward;

impl Backward<Flex, 1> for MeanBackward {
    type State = Map;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [parent] = ops.parents;
        let Some(node) = parent else { return };
        let batch = gradient.shape()[0];
        let dx = mean_pool_backward(values(&gradient), ops.state);
        grads.register::<Flex>(node.id, channels_first(dx, batch, ops.state));
    }
}

impl<C: CheckpointStrategy> CpuPool for Autodiff<Flex, C> {
    fn cpu_largest(x: FloatTensor<Self>, geometry: Geometry) -> FloatTensor<Self> {
        let y = Flex::cpu_largest(x.primitive().clone(), geometry);
        let node = LargestBackward.prepare::<C>([x.node()]);
        match node.compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = LargestState {
                    x: x.into_primitive(),
                    y: y.clone(),
                    geometry,
                };
                prep.finish(state, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn cpu_mean(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let map = map_of(x.primitive());
        let y = Flex::cpu_mean(x.primitive().clone());
        let node = MeanBackward.prepare::<C>([x.node()]);
        match node.compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(map, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::batch::to_host;
    use crate::net::layers::max_pool as windows;

    fn image() -> Tensor<4> {
        let values: Vec<f32> = (0..2 * 5 * 6 * 6).map(|k| (k as f32 * 0.7).sin()).collect();
        Tensor::from_data(TensorData::new(values, [2, 5, 6, 6]), &Device::flex())
    }

    /// A value and the gradient of its squares.
    fn both<const D: usize>(work: impl Fn(Tensor<4>) -> Tensor<D>) -> [Vec<f32>; 2] {
        let x = image().autodiff().require_grad();
        let y = work(x.clone());
        let gradients = y.clone().square().sum().backward();
        let gradient = x.grad(&gradients).expect("enters the sum");
        [to_host(y.inner()), to_host(gradient)]
    }

    fn close(ours: [Vec<f32>; 2], burn: [Vec<f32>; 2]) {
        for (ours, burn) in ours.iter().zip(&burn) {
            assert_eq!(ours.len(), burn.len());
            assert!(ours.iter().zip(burn).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }

    #[test]
    fn both_agree_with_burn() {
        for pool in [windows(2, 2, 0), windows(3, 2, 1), windows(3, 1, 1)] {
            let found = geometry(&pool, &image()).expect("known");
            close(both(|x| largest(x, found)), both(|x| pool.forward(x)));
        }
        close(
            both(mean),
            both(|x| x.mean_dims(&[2, 3]).flatten::<2>(1, 3)),
        );
    }
}
