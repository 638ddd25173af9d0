//! Smooth activations and weights of channels as operations of Burn's CPU backend.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, TensorData};
use cd_conv::{Curve, weigh as weighed, weigh_backward};

use crate::net::cpu::{channels_first, channels_last, done_with, map_of, values};

pub(super) fn curve<const D: usize>(x: Tensor<D>, curve: Curve) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::cpu_curve(x.into_dispatch(), curve))
}

pub(super) fn weigh(x: Tensor<4>, weights: Tensor<4>) -> Tensor<4> {
    let (x, weights) = (x.into_dispatch(), weights.into_dispatch());
    Tensor::from_dispatch(Dispatch::cpu_weigh(x, weights))
}

/// What the CPU backend learns.
#[backend_extension(Autodiff, Flex)]
pub(super) trait CpuCurve: Backend {
    /// The curve at every value.
    fn cpu_curve(x: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self>;

    /// `[B, C, H, W]` times `[B, C, 1, 1]`.
    fn cpu_weigh(x: FloatTensor<Self>, weights: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Whether values lie in the order of `[B, H, W, C]`.
fn is_channels_last(x: &FloatTensor<Flex>) -> bool {
    x.shape().num_dims() == 4 && !x.is_contiguous() && x.permute(&[0, 2, 3, 1]).is_contiguous()
}

/// `work` on the values of `all` in the order in memory of the first, which the result has, too.
fn in_order<const N: usize>(
    all: [&FloatTensor<Flex>; N],
    work: impl FnOnce([&[f32]; N]) -> Vec<f32>,
) -> FloatTensor<Flex> {
    if is_channels_last(all[0]) {
        let (batch, map) = (all[0].shape()[0], map_of(all[0]));
        let last = all.map(channels_last);
        return channels_first(work(last.each_ref().map(values)), batch, map);
    }
    let plain = all.map(FloatTensor::<Flex>::to_contiguous);
    let result = work(plain.each_ref().map(values));
    FloatTensor::<Flex>::from_data(TensorData::new(result, all[0].shape()))
}

impl CpuCurve for Flex {
    fn cpu_curve(x: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self> {
        in_order([&x], |[x]| curve.at(x))
    }

    fn cpu_weigh(x: FloatTensor<Self>, weights: FloatTensor<Self>) -> FloatTensor<Self> {
        let (batch, map) = (x.shape()[0], map_of(&x));
        let (x, weights) = (channels_last(&x), weights.to_contiguous());
        channels_first(weighed(values(&x), values(&weights), map), batch, map)
    }
}

#[derive(Debug, Clone)]
struct CurveState {
    x: FloatTensor<Flex>,
    curve: Curve,
}

#[derive(Debug)]
struct CurveBackward;

impl Backward<Flex, 1> for CurveBackward {
    type State = CurveState;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<Flex>(&ops.node);
        let [parent] = ops.parents;
        let Some(node) = parent else { return };
        let CurveState { x, curve } = ops.state;
        let dx = in_order([&x, &gradient], |[x, gradient]| curve.backward(gradient, x));
        grads.register::<Flex>(node.id, dx);
        if x.shape().num_dims() == 4 {
            done_with(gradient);
            done_with(x);
        }
    }
}

#[derive(Debug)]
struct WeighBackward;

impl Backward<Flex, 2> for WeighBackward {
    type State = [FloatTensor<Flex>; 2];

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<Flex>(&ops.node);
        let [of_x, of_weights] = ops.parents;
        let [x, weights] = ops.state;
        let (batch, map) = (x.shape()[0], map_of(&x));
        let [g, from] = [&gradient, &x].map(channels_last);
        let plain = weights.to_contiguous();
        let (dx, dw) = weigh_backward(values(&g), values(&from), values(&plain), map);
        if let Some(node) = of_x {
            grads.register::<Flex>(node.id, channels_first(dx, batch, map));
        }
        if let Some(node) = of_weights {
            let dw = TensorData::new(dw, [batch, map.channels, 1, 1]);
            grads.register::<Flex>(node.id, FloatTensor::<Flex>::from_data(dw));
        }
        drop([g, from]);
        done_with(gradient);
        done_with(x);
    }
}

impl<C: CheckpointStrategy> CpuCurve for Autodiff<Flex, C> {
    fn cpu_curve(x: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self> {
        let y = Flex::cpu_curve(x.primitive().clone(), curve);
        let node = CurveBackward.prepare::<C>([x.node()]);
        match node.compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let x = x.into_primitive();
                prep.finish(CurveState { x, curve }, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn cpu_weigh(x: FloatTensor<Self>, weights: FloatTensor<Self>) -> FloatTensor<Self> {
        let y = Flex::cpu_weigh(x.primitive().clone(), weights.primitive().clone());
        let node = WeighBackward.prepare::<C>([x.node(), weights.node()]);
        match node.compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = [x.into_primitive(), weights.into_primitive()];
                prep.finish(state, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, activation};

    use super::*;
    use crate::batch::to_host;
    use crate::net::curve as ours;

    fn wave(shape: [usize; 4], step: f32) -> Tensor<4> {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count)
            .map(|k: usize| 5.0 * (k as f32 * step).sin())
            .collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    /// Values, and the gradients of the sum of squares: of channels first, and of the same with channels last in memory.
    fn both(work: impl Fn(Tensor<4>) -> Tensor<4>) -> Vec<[Vec<f32>; 2]> {
        let last = wave([2, 6, 4, 5], 0.7).permute([0, 2, 3, 1]);
        let last = last.clone() + last.zeros_like();
        let forms = [wave([2, 6, 4, 5], 0.7), last.permute([0, 3, 1, 2])];
        let each = forms.map(|x| {
            let x = x.autodiff().require_grad();
            let y = work(x.clone());
            let gradients = y.clone().square().sum().backward();
            let gradient = x.grad(&gradients).expect("enters the sum");
            [to_host(y.inner()), to_host(gradient)]
        });
        each.to_vec()
    }

    fn close(ours: Vec<[Vec<f32>; 2]>, burn: Vec<[Vec<f32>; 2]>) {
        for (ours, burn) in ours.into_iter().flatten().zip(burn.into_iter().flatten()) {
            assert_eq!(ours.len(), burn.len());
            for (a, b) in ours.iter().zip(&burn) {
                assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{a} {b}");
            }
        }
    }

    #[test]
    fn curves_agree_with_burn_in_every_order_in_memory() {
        close(both(ours::sigmoid), both(activation::sigmoid));
        close(both(ours::silu), both(activation::silu));
        close(both(ours::gelu), both(activation::gelu));
        let hard = |x: Tensor<4>| (x + 3.0).clamp(0.0, 6.0) / 6.0;
        close(both(ours::hard_sigmoid), both(hard));
        close(both(ours::hard_swish), both(|x| x.clone() * hard(x)));
    }

    #[test]
    fn weighing_agrees_with_burn() {
        let weights = |x: &Tensor<4>| x.clone().mean_dims(&[2, 3]);
        let ours = both(|x| ours::weigh(x.clone(), weights(&x)));
        close(ours, both(|x| x.clone() * weights(&x)));
    }
}
