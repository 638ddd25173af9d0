//! The classifier that is trained together with a network that paints.

use cd_models::burn::optim::decay::WeightDecayConfig;
use cd_models::burn::optim::momentum::MomentumConfig;
use cd_models::burn::optim::{ModuleOptimizer, SgdConfig};
use cd_models::burn::tensor::{Gradients, Tensor};
use cd_models::{Classifier, Model, Trainable};

use super::scale::Scale;
use crate::attack::surrogate::SurrogateConfig;
use crate::attack::{AttackError, CraftContext};

const MOMENTUM: f64 = 0.9;
const WEIGHT_DECAY: f32 = 5e-4;

/// A classifier under training: SGD with a cosine schedule over a known number of steps.
pub(in crate::attack) struct Learner {
    network: Trainable,
    optimizer: ModuleOptimizer,
    rate: f64,
    total: usize,
    done: usize,
}

impl Learner {
    /// The classifier of the settings at its start, for `total` steps.
    ///
    /// # Errors
    ///
    /// When the images have no classes, or are too small for it.
    pub(in crate::attack) fn new(
        attack: &'static str,
        surrogate: &SurrogateConfig,
        context: &CraftContext<'_>,
        scale: Scale,
        total: usize,
    ) -> Result<Self, AttackError> {
        let failed = |problem: String| AttackError::Prepare { attack, problem };
        let images = context.images;
        if images.labels().len() != images.len() {
            return Err(failed("the images have no classes to train on".into()));
        }
        let device = context.device.clone().without_autodiff();
        let classes = images.class_count();
        let model = surrogate.model.init(classes, context.seed, &device);
        let model = model.map_err(|error| failed(error.to_string()))?;
        let [height, width] = scale.seen();
        let fits = model.check_size(height, width);
        fits.map_err(|error| failed(error.to_string()))?;
        let momentum = MomentumConfig::new()
            .with_momentum(MOMENTUM)
            .with_dampening(0.0);
        let sgd = SgdConfig::new()
            .with_momentum(Some(momentum))
            .with_weight_decay(Some(WeightDecayConfig::new(WEIGHT_DECAY)));
        Ok(Self {
            network: model.trainable(),
            optimizer: sgd.init(),
            rate: surrogate.learning_rate,
            total,
            done: 0,
        })
    }

    /// Scores of images `[B, 3, H, W]` by the statistics of the batch, with gradients.
    pub(in crate::attack) fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.network.forward(images)
    }

    /// What remains of learning rates in the next step, 1 at first and 0 at the end.
    pub(in crate::attack) fn factor(&self) -> f64 {
        let done = self.done as f64 / self.total.max(1) as f64;
        0.5 * (1.0 + (std::f64::consts::PI * done).cos())
    }

    /// One step down its own part of `gradients`, which it takes out.
    pub(in crate::attack) fn step(&mut self, gradients: &mut Gradients) {
        let rate = self.rate * self.factor();
        self.network.step_with(&mut self.optimizer, rate, gradients);
        self.done += 1;
    }

    /// The classifier as it is now.
    pub(in crate::attack) fn freeze(&self) -> Model {
        self.network.freeze()
    }
}
