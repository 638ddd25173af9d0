//! Perturbations that raise the loss of the true label, and a classifier that withstands them.

use cd_core::random::{named, stream};
use cd_core::{CHANNELS, Task};
use cd_models::burn::optim::SgdConfig;
use cd_models::burn::optim::decay::WeightDecayConfig;
use cd_models::burn::optim::momentum::MomentumConfig;
use cd_models::burn::tensor::activation::log_softmax;
use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::{Classifier, Device, Model, host_batch, quantize, to_host};
use rand::Rng;
use rand::seq::SliceRandom;

use super::INFO;
use crate::attack::planes::{planes, put_back};
use crate::attack::surrogate::SurrogateConfig;
use crate::attack::{AttackError, Batch, CraftContext};

/// Images that are perturbed together.
const AT_ONCE: usize = 64;
/// Length of the training step against the bound, as usual for a single step from a random start.
const LONGER: f32 = 1.25;
const MOMENTUM: f64 = 0.9;
const WEIGHT_DECAY: f32 = 5e-4;

/// Summed cross-entropy of scores `[B, K]` against classes.
fn loss(scores: Tensor<2>, labels: &[u32]) -> Tensor<1> {
    let [count, classes] = scores.dims();
    let mut right = vec![0.0_f32; count * classes];
    for (row, &label) in right.chunks_exact_mut(classes).zip(labels) {
        if let Some(value) = row.get_mut(label as usize) {
            *value = 1.0;
        }
    }
    let device = scores.device();
    let right = Tensor::<2>::from_data(TensorData::new(right, [count, classes]), &device);
    (log_softmax(scores, 1) * right).sum().neg()
}

/// The gradient of the loss with respect to images `[B, 3, H, W]`, on the host.
fn gradient(
    scores_of: impl Fn(Tensor<4>) -> Tensor<2>,
    images: &[f32],
    shape: [usize; 4],
    labels: &[u32],
    device: &Device,
) -> Vec<f32> {
    let images = Tensor::<4>::from_data(TensorData::new(images.to_vec(), shape), device);
    let images = images.autodiff().require_grad();
    let gradients = loss(scores_of(images.clone()), labels).backward();
    let gradient = images.grad(&gradients);
    to_host(gradient.expect("gradients were asked for above"))
}

/// Moves values by `step` in the direction of the sign of `slopes`, at most `most` from `clean` and within 0 to 1.
fn climb(values: &mut [f32], clean: &[f32], slopes: &[f32], step: f32, most: f32) {
    for ((value, &clean), &slope) in values.iter_mut().zip(clean).zip(slopes) {
        let direction = if slope == 0.0 { 0.0 } else { slope.signum() };
        let (low, high) = ((clean - most).max(0.0), (clean + most).min(1.0));
        *value = (*value + step * direction).clamp(low, high);
    }
}

/// Steps that raise the loss of the true label on a classifier.
pub(super) struct Perturbation<'a> {
    pub(super) model: &'a Model,
    pub(super) device: &'a Device,
    /// In grey levels.
    pub(super) epsilon: f64,
    /// In grey levels.
    pub(super) step: f64,
    pub(super) steps: usize,
}

impl Perturbation<'_> {
    /// Perturbs every image of a batch; each by itself, so that no other image matters.
    pub(super) fn apply(&self, batch: &mut Batch) -> Result<(), AttackError> {
        let (height, width) = (batch.height(), batch.width());
        self.model
            .check_size(height, width)
            .map_err(|error| AttackError::Prepare {
                attack: INFO.name,
                problem: error.to_string(),
            })?;
        let device = self.device.clone().without_autodiff();
        let labels = batch.labels();
        let image_len = batch.image_len();
        let (epsilon, step) = ((self.epsilon / 255.0) as f32, (self.step / 255.0) as f32);
        let parts = batch.pixels_mut().chunks_mut(AT_ONCE * image_len);
        for (pixels, labels) in parts.zip(labels.chunks(AT_ONCE)) {
            let clean = planes(pixels, image_len);
            let shape = [labels.len(), CHANNELS, height, width];
            let mut values = clean.clone();
            for _ in 0..self.steps {
                let scores = |images| self.model.logits(images);
                let slopes = gradient(scores, &values, shape, labels, &device);
                climb(&mut values, &clean, &slopes, step, epsilon);
            }
            put_back(&quantize(&values), pixels, image_len);
        }
        Ok(())
    }
}

/// Trains a classifier on images that are moved by one step from a random start within `epsilon` grey levels.
///
/// Wong, Rice and Kolter, "Fast is better than free: Revisiting adversarial training", ICLR 2020.
pub(super) fn train(
    config: &SurrogateConfig,
    epsilon: f64,
    context: &CraftContext<'_>,
) -> Result<Model, AttackError> {
    let failed = |problem: String| AttackError::Prepare {
        attack: INFO.name,
        problem,
    };
    let images = context.images;
    let (height, width) = (images.height(), images.width());
    let labels = images.labels();
    if labels.len() != images.len() {
        return Err(failed("the images have no classes to train on".into()));
    }
    let device = context.device.clone().without_autodiff();
    let model = config
        .model
        .init(images.class_count(), context.seed, &device);
    let model = model.map_err(|error| failed(error.to_string()))?;
    model
        .check_size(height, width)
        .map_err(|error| failed(error.to_string()))?;
    let mut model = model.trainable();
    let momentum = MomentumConfig::new()
        .with_momentum(MOMENTUM)
        .with_dampening(0.0);
    let sgd = SgdConfig::new().with_momentum(Some(momentum));
    let mut optimizer = sgd
        .with_weight_decay(Some(WeightDecayConfig::new(WEIGHT_DECAY)))
        .init();
    let bound = (epsilon / 255.0) as f32;
    let each = images.len().div_ceil(config.batch_size);
    let total = config.epochs * each;
    let task = Task::start(
        context.progress,
        "training a robust surrogate",
        Some(total as u64),
    );
    for epoch in 0..config.epochs {
        let mut order: Vec<usize> = (0..images.len()).collect();
        let numbered = |purpose, number: usize| {
            stream(context.seed, named(purpose).wrapping_add(number as u64))
        };
        order.shuffle(&mut numbered("robust order", epoch));
        for (number, indices) in order.chunks(config.batch_size).enumerate() {
            let done = epoch * each + number;
            let mut random = numbered("robust start", done);
            let labels: Vec<u32> = indices.iter().map(|&index| labels[index]).collect();
            let clean = host_batch(images, indices)?.try_to_vec::<f32>();
            let clean = clean.map_err(|error| failed(format!("{error:?}")))?;
            let shape = [indices.len(), CHANNELS, height, width];
            let mut values: Vec<f32> = clean
                .iter()
                .map(|value| (value + random.random_range(-bound..=bound)).clamp(0.0, 1.0))
                .collect();
            let slopes = gradient(
                |images| model.forward(images),
                &values,
                shape,
                &labels,
                &device,
            );
            climb(&mut values, &clean, &slopes, LONGER * bound, bound);
            let moved = Tensor::<4>::from_data(TensorData::new(values, shape), &device);
            let mean = loss(model.forward(moved), &labels).div_scalar(indices.len() as f32);
            let angle = std::f64::consts::PI * done as f64 / total as f64;
            model.step(
                &mut optimizer,
                config.learning_rate * 0.5 * (1.0 + angle.cos()),
                mean,
            );
            task.advance(1);
        }
    }
    Ok(model.freeze())
}
