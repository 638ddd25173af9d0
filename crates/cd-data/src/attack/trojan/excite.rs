//! The search for a patch that excites neurons.

use cd_core::{CHANNELS, Progress, Task};
use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::{Classifier, Device, Model, StateDict, Tap, quantize, to_host};

use super::{INFO, Patch, TrojanConfig};
use crate::attack::AttackError;

/// A cost below this is as good as reached.
const GOOD_ENOUGH: f32 = 1e-3;

/// The inputs of the last linear layer with the largest summed absolute weights, the largest first.
pub(super) fn busiest_neurons(model: &Model, count: usize) -> Result<Vec<usize>, AttackError> {
    let failed = |problem: String| AttackError::Prepare {
        attack: INFO.name,
        problem,
    };
    let state = StateDict::of(model.net());
    let heads: Vec<_> = state
        .iter()
        .filter(|(_, weight)| weight.shape.len() == 2 && weight.shape[0] == model.classes())
        .collect();
    let [(_, head)] = heads[..] else {
        let name = &model.config().name;
        let found = heads.len();
        return Err(failed(format!(
            "`{name}` has {found} layers that could be the last one, expected 1; choose another `surrogate.model`"
        )));
    };
    let inputs = head.shape[1];
    if count > inputs {
        return Err(failed(format!(
            "`neurons` is {count}, but the last layer of the surrogate reads {inputs}"
        )));
    }
    let weight = |neuron: usize| -> f32 {
        let outgoing = head.values.iter().skip(neuron).step_by(inputs);
        outgoing.map(|weight| weight.abs()).sum()
    };
    let mut neurons: Vec<usize> = (0..inputs).collect();
    neurons.sort_by(|&left, &right| weight(right).total_cmp(&weight(left)));
    neurons.truncate(count);
    Ok(neurons)
}

/// The search for a patch that excites neurons on a few clean images.
pub(super) struct Excitation<'a> {
    pub(super) model: &'a Model,
    pub(super) neurons: Vec<usize>,
    pub(super) options: &'a TrojanConfig,
    /// `[height, width]`.
    pub(super) size: [usize; 2],
    /// `[images, 3, height, width]` in `[0, 1]`.
    pub(super) images: Vec<f32>,
    pub(super) device: Device,
}

/// What the neurons make of a patch on the images.
struct Response {
    /// Squared distance of the activations from the wanted one, summed over neurons and images.
    cost: f32,
    /// Mean activation of the neurons.
    activation: f32,
    /// Gradient of the cost with respect to the patch, `[size, size, 3]`.
    gradient: Vec<f32>,
}

impl Excitation<'_> {
    /// Descends from a white patch by the sign of the gradient and keeps the best patch.
    pub(super) fn best_patch(&self, progress: &dyn Progress) -> Patch {
        let TrojanConfig {
            size,
            step,
            iterations,
            reach,
            ..
        } = *self.options;
        let lowest = 1.0 - reach.unwrap_or(1.0) as f32;
        let mut values = vec![1.0_f32; size * size * CHANNELS];
        let mut response = self.response(&values);
        let before = response.activation;
        let (mut best, mut least) = (values.clone(), response.cost);
        let task = Task::start(progress, "exciting neurons", Some(iterations as u64));
        for _ in 0..iterations {
            if least < GOOD_ENOUGH {
                break;
            }
            for (value, slope) in values.iter_mut().zip(&response.gradient) {
                let direction = if *slope == 0.0 { 0.0 } else { slope.signum() };
                *value = (*value - step as f32 * direction).clamp(lowest, 1.0);
            }
            response = self.response(&values);
            if response.cost < least {
                least = response.cost;
                best.clone_from(&values);
            }
            task.advance(1);
        }
        let pixels = quantize(&best);
        let rounded: Vec<f32> = pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        let after = self.response(&rounded).activation;
        Patch {
            size,
            pixels,
            activation_before: before,
            activation_after: after,
        }
    }

    /// What the neurons make of the images with the patch `values`, `[size, size, 3]`.
    fn response(&self, values: &[f32]) -> Response {
        let [height, width] = self.size;
        let image_len = CHANNELS * height * width;
        let count = self.images.len() / image_len;
        let mut pixels = self.images.clone();
        for image in pixels.chunks_exact_mut(image_len) {
            for (at, &value) in self.places().zip(values) {
                image[at] = value;
            }
        }
        let data = TensorData::new(pixels, [count, CHANNELS, height, width]);
        let images = Tensor::<4>::from_data(data, &self.device)
            .autodiff()
            .require_grad();
        let activations = self.activations(images.clone());
        let distance = activations.clone().sub_scalar(self.options.activation);
        let cost = distance.square().sum();
        let gradients = cost.backward();
        let gradient = images
            .grad(&gradients)
            .expect("gradients were asked for above");
        let gradient = to_host(gradient.sum_dim(0));
        Response {
            cost: to_host(cost)[0],
            activation: to_host(activations.mean())[0],
            gradient: self.places().map(|at| gradient[at]).collect(),
        }
    }

    /// Activations of the neurons, `[B, neurons, 1, 1]`, for images `[B, 3, H, W]`.
    pub(super) fn activations(&self, images: Tensor<4>) -> Tensor<4> {
        let count = images.dims()[0];
        let features = self
            .model
            .features(images, Tap::Penultimate)
            .expect("every architecture has penultimate features");
        let of = |&neuron| features.clone().slice([0..count, neuron..neuron + 1]);
        Tensor::cat(self.neurons.iter().map(of).collect(), 1)
    }

    /// Where the values of the patch, `[size, size, 3]`, lie in an image of `[3, height, width]`.
    fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let [height, width] = self.size;
        let size = self.options.size;
        let (top, left) = self.options.corner().start(height, width);
        (0..size * size * CHANNELS).map(move |value| {
            let (pixel, channel) = (value / CHANNELS, value % CHANNELS);
            (channel * height + top + pixel / size) * width + left + pixel % size
        })
    }
}
