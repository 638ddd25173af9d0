//! Settings of a training run, and which of them contradict each other.

use burn::optim::ModuleOptimizer;
use serde::{Deserialize, Serialize};

use super::augment::Augmentation;
use super::finetune::Finetune;
use super::optimizer::Optimizer;
use super::schedule::Schedule;
use super::setting::{SettingError, at_least_one, is_zero, positive, require, share};

/// Settings of a training run.
///
/// What is off is left out when a configuration is written, so that settings added later do not
/// change the fingerprint of experiments that do not use them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training set; at least 1.
    pub epochs: usize,
    /// Images per step; at least 1.
    pub batch_size: usize,
    /// Initial learning rate, above 0.
    pub learning_rate: f64,
    /// Momentum of SGD in `[0, 1)`.
    pub momentum: f64,
    /// Whether momentum looks ahead (SGD only).
    pub nesterov: bool,
    /// L2 penalty on every parameter, at least 0; for `AdamW` the decay per step over learning rate.
    pub weight_decay: f64,
    /// What turns gradients into steps.
    #[serde(skip_serializing_if = "Optimizer::is_sgd")]
    pub optimizer: Optimizer,
    /// Largest Euclidean norm of all gradients of a step together, above 0; larger ones are scaled
    /// down to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Share of a target that is spread evenly over all classes, in `[0, 1)` (Szegedy et al.,
    /// *Rethinking the Inception Architecture*, CVPR 2016). Recorded per-sample losses are without.
    #[serde(skip_serializing_if = "is_zero")]
    pub label_smoothing: f64,
    /// How the learning rate falls.
    pub schedule: Schedule,
    /// How images are changed.
    pub augmentation: Augmentation,
    /// Drives initial weights, order, augmentation and the choice of held-out images.
    pub seed: u64,
    /// Per-sample losses are recorded at the start of this many first epochs (ABL needs 20).
    pub record_losses: usize,
    /// Share of the images, in `[0, 1)`, that is held out to measure accuracy after each epoch.
    #[serde(skip_serializing_if = "is_zero")]
    pub validation: f64,
    /// Which weights become the model; `best` needs `validation`.
    #[serde(skip_serializing_if = "Keep::is_last")]
    pub keep: Keep,
    /// How much of given weights is kept, where training continues from them; needs weights beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finetune: Option<Finetune>,
    /// Stop after this many epochs in a row without a better accuracy on the held-out images, at
    /// least 1; needs `validation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<usize>,
}

impl Default for TrainConfig {
    /// The paper's CIFAR-10 protocol: 60 epochs, batch 100, SGD .1/.9/5e-4, x0.1 at epochs 45 and 60.
    fn default() -> Self {
        Self {
            epochs: 60,
            batch_size: 100,
            learning_rate: 0.1,
            momentum: MOMENTUM,
            nesterov: false,
            weight_decay: 5e-4,
            optimizer: Optimizer::Sgd {},
            clip_norm: None,
            label_smoothing: 0.0,
            schedule: Schedule::MultiStep {
                milestones: vec![45, 60],
                gamma: 0.1,
                warmup: 0.0,
            },
            augmentation: Augmentation::None,
            seed: 0,
            record_losses: 20,
            validation: 0.0,
            keep: Keep::Last,
            finetune: None,
            early_stop: None,
        }
    }
}

/// The default momentum, which optimisers without momentum leave unused.
const MOMENTUM: f64 = 0.9;

/// Which weights of a run become the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Those after the last epoch.
    #[default]
    Last,
    /// Those of the epoch with the highest accuracy on the held-out images, the earlier on ties.
    Best,
}

impl Keep {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
    fn is_last(&self) -> bool {
        *self == Self::Last
    }
}

impl TrainConfig {
    /// Whether the settings are in their ranges.
    ///
    /// # Errors
    ///
    /// Names the setting that is not.
    pub fn check(&self) -> Result<(), SettingError> {
        at_least_one("epochs", self.epochs)?;
        at_least_one("batch_size", self.batch_size)?;
        positive("learning_rate", self.learning_rate)?;
        share("momentum", self.momentum)?;
        let decay = self.weight_decay;
        let expected = "a number of at least 0";
        require(
            decay >= 0.0 && decay.is_finite(),
            "weight_decay",
            decay,
            expected,
        )?;
        if let Some(norm) = self.clip_norm {
            positive("clip_norm", norm)?;
        }
        share("label_smoothing", self.label_smoothing)?;
        self.schedule.check()?;
        self.augmentation.check()?;
        if let Some(finetune) = self.finetune {
            finetune.check()?;
        }
        self.check_optimizer()?;
        self.check_validation()
    }

    fn check_optimizer(&self) -> Result<(), SettingError> {
        let (Optimizer::Adam(moments) | Optimizer::AdamW(moments)) = self.optimizer else {
            return Ok(());
        };
        share("optimizer.beta_1", moments.beta_1)?;
        share("optimizer.beta_2", moments.beta_2)?;
        positive("optimizer.epsilon", moments.epsilon)?;
        let expected = "false, for only the optimizer `sgd` looks ahead";
        require(!self.nesterov, "nesterov", true, expected)?;
        let expected =
            "to be left out, for only the optimizer `sgd` has it; set `optimizer.beta_1`";
        let untouched = self.momentum == MOMENTUM;
        require(untouched, "momentum", self.momentum, expected)
    }

    fn check_validation(&self) -> Result<(), SettingError> {
        share("validation", self.validation)?;
        let validated = self.validation > 0.0;
        let expected = "`last`, or a `validation` share above 0 beside it";
        let kept = validated || self.keep == Keep::Last;
        require(kept, "keep", "best", expected)?;
        if let Some(patience) = self.early_stop {
            at_least_one("early_stop", patience)?;
            let expected = "a `validation` share above 0 beside it";
            require(validated, "early_stop", patience, expected)?;
        }
        Ok(())
    }

    /// The optimiser that the settings ask for, at its start.
    pub fn init_optimizer(&self) -> ModuleOptimizer {
        let Self {
            momentum,
            nesterov,
            weight_decay,
            ..
        } = *self;
        self.optimizer.init(momentum, nesterov, weight_decay)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
