//! Gradient descent with momentum that touches each weight once.
//!
//! Burn's takes a pass over all weights for every product and every sum. The values are the same to the bit, and so is
//! what a checkpoint holds.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

/// The name of the velocities in checkpoints, which is Burn's.
const VELOCITY: &str = "momentum.velocity";

/// Gradient descent with momentum and weight decay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Descent {
    pub(super) momentum: f32,
    pub(super) nesterov: bool,
    pub(super) decay: f32,
}

/// Velocities of the values of a parameter.
#[derive(Debug, Clone)]
pub(super) struct Velocity<const D: usize>(Tensor<D>);

impl<const D: usize> RecordState for Velocity<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, VELOCITY, self.0.clone().into_data());
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let data = source.take_tensor(prefix, VELOCITY)?;
        Some(Self(Tensor::from_data(data, device)))
    }
}

impl Optimizer for Descent {
    type State<const D: usize> = Velocity<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Velocity<D>>,
    ) -> (Tensor<D>, Option<Velocity<D>>) {
        let velocity = state.map(|Velocity(velocity)| velocity);
        #[cfg(feature = "flex")]
        if crate::device::is_cpu(&weights.device()) {
            return self.on_slices(rate, weights, gradient, velocity);
        }
        let gradient = weights.clone() * self.decay + gradient;
        let velocity = match velocity {
            Some(velocity) => gradient.clone() + velocity * self.momentum,
            None => gradient.clone(),
        };
        let direction = if self.nesterov {
            velocity.clone() * self.momentum + gradient
        } else {
            velocity.clone()
        };
        let moved = weights - direction * rate;
        (moved, Some(Velocity(velocity)))
    }

    fn to_device<const D: usize>(state: Velocity<D>, device: &Device) -> Velocity<D> {
        Velocity(state.0.to_device(device))
    }
}

#[cfg(feature = "flex")]
impl Descent {
    fn on_slices<const D: usize>(
        &self,
        rate: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        velocity: Option<Tensor<D>>,
    ) -> (Tensor<D>, Option<Velocity<D>>) {
        let (shape, device) = (weights.dims(), weights.device());
        let (mut weights, gradient) = (owned(weights), owned(gradient));
        let mut velocity = match velocity {
            Some(velocity) => owned(velocity),
            None => vec![0.0; weights.len()],
        };
        let Self {
            momentum,
            nesterov,
            decay,
        } = *self;
        let descent = cd_conv::Descent {
            rate: rate as f32,
            decay,
            momentum,
            nesterov,
        };
        descent.step(&mut weights, &mut velocity, &gradient);
        cd_conv::give_back(gradient);
        let tensor = |values: Vec<f32>| {
            Tensor::from_data(burn::tensor::TensorData::new(values, shape), &device)
        };
        (tensor(weights), Some(Velocity(tensor(velocity))))
    }
}

/// The values of a tensor in order, in its own memory where nobody else holds it.
#[cfg(feature = "flex")]
fn owned<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let values = tensor.into_data().try_into_vec();
    values.expect("the one float type of this backend's networks is f32")
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::module::{Module, Param};
    use burn::nn::LinearConfig;
    use burn::optim::decay::WeightDecayConfig;
    use burn::optim::momentum::MomentumConfig;
    use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};

    use super::super::Optimizer as Choice;
    use super::*;
    use crate::batch::to_host;

    fn optimizer(nesterov: bool, own: bool) -> ModuleOptimizer {
        if own {
            return Choice::Sgd {}.init(0.9, nesterov, 5e-4);
        }
        let moving = MomentumConfig::new()
            .with_momentum(0.9)
            .with_dampening(0.0)
            .with_nesterov(nesterov);
        SgdConfig::new()
            .with_momentum(Some(moving))
            .with_weight_decay(Some(WeightDecayConfig::new(5e-4)))
            .init()
    }

    /// The bits of a layer after three steps; `own[k]` says whose step the k-th is, each continuing what was stored.
    fn trained(nesterov: bool, own: [bool; 3]) -> Vec<u32> {
        let device = Device::flex().autodiff();
        let wave = |rows: usize, columns: usize| {
            let values: Vec<f32> = (0..rows * columns)
                .map(|k| (k as f32 * 0.7).sin())
                .collect();
            Tensor::<1>::from_floats(values.as_slice(), &device).reshape([rows, columns])
        };
        let mut layer = LinearConfig::new(37, 11).init(&device);
        layer.weight = Param::from_tensor(wave(37, 11));
        layer.bias = Some(Param::from_tensor(wave(1, 11).flatten::<1>(0, 1)));
        let images = wave(5, 37);
        let mut stored = None;
        for (rate, own) in [0.1, 0.07, 0.3].into_iter().zip(own) {
            let mut steps = optimizer(nesterov, own);
            if let Some(bytes) = stored.take() {
                steps = steps.from_bytes(bytes).expect("just written");
            }
            let loss = layer.forward(images.clone()).square().sum();
            let gradients = GradientsParams::from_grads(loss.backward(), &layer);
            layer = steps.step(rate, layer, gradients);
            stored = Some(steps.into_bytes().expect("memory can be written to"));
        }
        let layer = layer.valid();
        let bias = layer.bias.expect("has one").val();
        let weights = [to_host(layer.weight.val()), to_host(bias)].concat();
        weights.iter().map(|weight| weight.to_bits()).collect()
    }

    #[test]
    fn every_bit_and_every_checkpoint_is_as_with_burn() {
        for nesterov in [false, true] {
            let burn = trained(nesterov, [false; 3]);
            assert_eq!(trained(nesterov, [true; 3]), burn);
            assert_eq!(trained(nesterov, [false, true, false]), burn);
        }
    }
}
