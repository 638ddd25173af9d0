//! A classifier of the attacker's own, trained on the clean images before the trigger is made.

use cd_models::{Checkpoints, Model, ModelConfig, Schedule, TrainConfig, TrainError, train};
use serde::{Deserialize, Serialize};

use super::{AttackError, CraftContext};

/// Folder of the checkpoints within [`CraftContext::folder`].
const CHECKPOINTS: &str = "surrogate";

/// The classifier that an attacker trains on the clean images: SGD, cosine schedule, no augmentation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SurrogateConfig {
    /// The network.
    pub model: ModelConfig,
    /// Passes over the images; at least 1.
    pub epochs: usize,
    /// Images per step; at least 1.
    pub batch_size: usize,
    /// Initial learning rate, above 0.
    pub learning_rate: f64,
}

impl Default for SurrogateConfig {
    /// A ResNet-18 of a quarter of the published width for ten epochs.
    fn default() -> Self {
        Self {
            model: ModelConfig {
                name: "resnet18".into(),
                width: Some(16),
            },
            epochs: 10,
            batch_size: 100,
            learning_rate: 0.05,
        }
    }
}

impl SurrogateConfig {
    /// Roughly the seconds of a training step for one image of 32 pixels a side on two cores: those measured on a ResNet-18
    /// of 16 channels, and in proportion to the channels.
    pub(super) fn seconds_per_image(&self) -> f64 {
        0.0015 * self.model.width.unwrap_or(64) as f64 / 16.0
    }

    /// Checks the settings.
    pub(super) fn check(&self, attack: &'static str) -> Result<(), AttackError> {
        let failed = |source| AttackError::Surrogate { attack, source };
        let checked = self.training(0).check();
        checked.map_err(|error| failed(TrainError::Setting(error)))?;
        let known = self.model.architecture();
        known.map_err(|error| failed(TrainError::Architecture(error)))?;
        Ok(())
    }

    /// Trains it, continuing from the checkpoints of an interrupted start.
    pub(super) fn train(
        &self,
        attack: &'static str,
        context: &CraftContext<'_>,
    ) -> Result<Model, AttackError> {
        let checkpoints = context.folder.join(CHECKPOINTS);
        let trained = train(
            &self.model,
            context.images,
            &self.training(context.seed),
            Some(Checkpoints::in_folder(&checkpoints)),
            context.device,
            context.progress,
        );
        let trained = trained.map_err(|source| AttackError::Surrogate { attack, source })?;
        Ok(trained.model)
    }

    fn training(&self, seed: u64) -> TrainConfig {
        TrainConfig {
            epochs: self.epochs,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate,
            schedule: Schedule::Cosine {
                warmup: 0.0,
                floor: 0.0,
            },
            seed,
            record_losses: 0,
            ..TrainConfig::default()
        }
    }
}
