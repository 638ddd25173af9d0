//! Batch normalisation as an operation of Burn's CPU backend.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, Backend, Dispatch, Flex, TensorMetadata, backend_extension,
};
use burn::module::RunningState;
use burn::nn::BatchNorm;
use burn::tensor::{Tensor, TensorData};
use cd_conv::{Activation, Epilogue, Moments, normalize, normalize_backward};

use crate::batch::to_host;
use crate::device::is_cpu;
use crate::net::cpu::{before, channels_first, channels_last, done_with, map_of, register, values};

/// Whether the batch lies on the CPU, and either `norm` would use its statistics or nothing is differentiated.
pub(super) fn applies(norm: &BatchNorm, x: &Tensor<4>) -> bool {
    let device = x.device();
    let differentiated = device.is_autodiff() || norm.gamma.val().device().is_autodiff();
    trains(norm, x) || (is_cpu(&device) && !differentiated)
}

/// Whether the batch lies on the CPU, and `norm` would use its statistics.
pub(super) fn trains(norm: &BatchNorm, x: &Tensor<4>) -> bool {
    let device = x.device();
    device.is_autodiff() && norm.training.is_enabled() && is_cpu(&device)
}

/// `activation(norm(x) + skip)`: in training by the statistics of the batch, which also move the running ones, else by those.
///
/// # Shapes
///
/// - `x`, `skip`, output: `[B, C, H, W]`
pub(super) fn apply(
    norm: &BatchNorm,
    x: Tensor<4>,
    skip: Option<Tensor<4>>,
    activation: Activation,
) -> Tensor<4> {
    let moments = if trains(norm, &x) {
        let moments = of_batch(x.clone());
        follow(&norm.running_mean, &moments.mean, norm.momentum);
        follow(&norm.running_var, &moments.variance, norm.momentum);
        moments
    } else {
        Moments {
            mean: to_host(norm.running_mean.value()),
            variance: to_host(norm.running_var.value()),
        }
    };
    let settings = Settings {
        moments: Arc::new(moments),
        epsilon: norm.epsilon,
        activation,
    };
    let x = x.into_dispatch();
    let gamma = norm.gamma.val().into_dispatch();
    let beta = norm.beta.val().into_dispatch();
    Tensor::from_dispatch(match skip {
        Some(skip) => Dispatch::cpu_norm_add(x, skip.into_dispatch(), gamma, beta, settings),
        None => Dispatch::cpu_norm(x, gamma, beta, settings),
    })
}

fn of_batch(x: Tensor<4>) -> Moments {
    let moments = Tensor::<2>::from_dispatch(Dispatch::cpu_moments(x.into_dispatch()));
    let mut mean = to_host(moments);
    let variance = mean.split_off(mean.len() / 2);
    Moments { mean, variance }
}

/// The least and the largest value of every channel of every image.
///
/// # Shapes
///
/// - `x`: `[B, C, H, W]`
/// - output: `[B, 2, C]`, the least first
pub(super) fn extremes(x: Tensor<4>) -> Tensor<3> {
    Tensor::from_dispatch(Dispatch::cpu_extremes(x.into_dispatch()))
}

/// Moves a running statistic towards that of the batch.
fn follow(running: &RunningState<Tensor<1>>, batch: &[f32], momentum: f64) {
    let old = running.value_sync();
    let device = old.device();
    let moved: Vec<f32> = to_host(old)
        .into_iter()
        .zip(batch)
        .map(|(old, batch)| {
            (f64::from(old) * (1.0 - momentum) + f64::from(*batch) * momentum) as f32
        })
        .collect();
    let count = moved.len();
    running.update(Tensor::from_data(TensorData::new(moved, [count]), &device));
}

/// What does not have gradients.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    moments: Arc<Moments>,
    epsilon: f64,
    activation: Activation,
}

/// What the CPU backend learns.
#[backend_extension(Autodiff, Flex)]
pub(super) trait CpuNorm: Backend {
    /// Mean and variance of every channel, `[2, C]`; without gradients.
    fn cpu_moments(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Least and largest value of every channel of every image, `[B, 2, C]`; without gradients.
    fn cpu_extremes(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `activation(gamma * (x - mean) / deviation + beta)`.
    fn cpu_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        settings: Settings,
    ) -> FloatTensor<Self>;

    /// `activation(gamma * (x - mean) / deviation + beta + skip)`.
    fn cpu_norm_add(
        x: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        settings: Settings,
    ) -> FloatTensor<Self>;
}

fn forward(
    x: &FloatTensor<Flex>,
    skip: Option<&FloatTensor<Flex>>,
    gamma: &FloatTensor<Flex>,
    beta: &FloatTensor<Flex>,
    settings: &Settings,
) -> FloatTensor<Flex> {
    let map = map_of(x);
    let batch = x.shape()[0];
    let (x, gamma, beta) = (
        channels_last(x),
        gamma.to_contiguous(),
        beta.to_contiguous(),
    );
    let skip = skip.map(channels_last);
    let epilogue = Epilogue {
        bias: Some(values(&beta)),
        residual: skip.as_ref().map(values),
        activation: settings.activation,
    };
    let moments = &settings.moments;
    let y = normalize(
        values(&x),
        moments,
        values(&gamma),
        settings.epsilon,
        &epilogue,
    );
    channels_first(y, batch, map)
}

impl CpuNorm for Flex {
    fn cpu_moments(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let channels = map_of(&x).channels;
        let x = channels_last(&x);
        let Moments { mut mean, variance } = Moments::of(values(&x), channels);
        mean.extend(variance);
        FloatTensor::<Self>::from_data(TensorData::new(mean, [2, channels]))
    }

    fn cpu_extremes(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (batch, map) = (x.shape()[0], map_of(&x));
        let x = channels_last(&x);
        let found = cd_conv::extremes(values(&x), map.pixels(), map.channels);
        FloatTensor::<Self>::from_data(TensorData::new(found, [batch, 2, map.channels]))
    }

    fn cpu_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        settings: Settings,
    ) -> FloatTensor<Self> {
        forward(&x, None, &gamma, &beta, &settings)
    }

    fn cpu_norm_add(
        x: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        settings: Settings,
    ) -> FloatTensor<Self> {
        forward(&x, Some(&skip), &gamma, &beta, &settings)
    }
}

#[derive(Debug, Clone)]
struct State {
    x: FloatTensor<Flex>,
    gamma: FloatTensor<Flex>,
    output: FloatTensor<Flex>,
    settings: Settings,
}

impl State {
    /// Gradients of x, gamma and beta from that before the activation.
    fn backward(&self, gradient: &FloatTensor<Flex>) -> [FloatTensor<Flex>; 3] {
        let map = map_of(&self.x);
        let batch = self.x.shape()[0];
        let (x, gradient) = (channels_last(&self.x), channels_last(gradient));
        let gamma = self.gamma.to_contiguous();
        let Settings {
            moments, epsilon, ..
        } = &self.settings;
        let found = normalize_backward(
            values(&gradient),
            values(&x),
            moments,
            values(&gamma),
            *epsilon,
        );
        let row = |values: Vec<f32>| {
            FloatTensor::<Flex>::from_data(TensorData::new(values, [map.channels]))
        };
        [
            channels_first(found.x, batch, map),
            row(found.gamma),
            row(found.beta),
        ]
    }
}

/// Parents are the input, gamma, beta and, where one is added, the skip.
#[derive(Debug)]
struct NormBackward;

impl<const N: usize> Backward<Flex, N> for NormBackward {
    type State = State;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let state = ops.state;
        let gradient = grads.consume::<Flex>(&ops.node);
        let gradient = before(gradient, &state.output, state.settings.activation);
        let found = state.backward(&gradient);
        done_with(state.output);
        done_with(state.x);
        let mut parents = ops.parents.into_iter();
        // In this order: the other way round the skip would be taken and dropped before the end is seen.
        for (gradient, node) in found.into_iter().zip(parents.by_ref()) {
            if let Some(node) = node {
                register(grads, node.id, gradient);
            }
        }
        match parents.next().flatten() {
            Some(skip) => register(grads, skip.id, gradient),
            None => done_with(gradient),
        }
    }
}

/// The node of a normalisation in the graph; `parents` are its input, gamma, beta and skip.
fn tracked<C: CheckpointStrategy, const N: usize>(
    parents: [&FloatTensor<Autodiff<Flex, C>>; N],
    output: FloatTensor<Flex>,
    settings: Settings,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = parents.map(<FloatTensor<Autodiff<Flex, C>>>::node);
    match NormBackward.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let state = State {
                x: parents[0].primitive().clone(),
                gamma: parents[1].primitive().clone(),
                output: output.clone(),
                settings,
            };
            prep.finish(state, output)
        }
        OpsKind::UnTracked(prep) => prep.finish(output),
    }
}

impl<C: CheckpointStrategy> CpuNorm for Autodiff<Flex, C> {
    fn cpu_moments(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::from_inner(Flex::cpu_moments(x.into_primitive()))
    }

    fn cpu_extremes(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::from_inner(Flex::cpu_extremes(x.into_primitive()))
    }

    fn cpu_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        settings: Settings,
    ) -> FloatTensor<Self> {
        let output = forward(
            x.primitive(),
            None,
            gamma.primitive(),
            beta.primitive(),
            &settings,
        );
        tracked::<C, _>([&x, &gamma, &beta], output, settings)
    }

    fn cpu_norm_add(
        x: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        settings: Settings,
    ) -> FloatTensor<Self> {
        let output = forward(
            x.primitive(),
            Some(skip.primitive()),
            gamma.primitive(),
            beta.primitive(),
            &settings,
        );
        tracked::<C, _>([&x, &gamma, &beta, &skip], output, settings)
    }
}

#[cfg(test)]
mod tests;
