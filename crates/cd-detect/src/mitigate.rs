//! Mitigation: a classifier is made to forget a backdoor, given which images are suspected.
//!
//! After Li et al., *Anti-Backdoor Learning*, `NeurIPS` 2021, with the parts of the Cognitive Distillation paper: the classifier is
//! fine-tuned on images that are taken for safe, and then every step goes down the gradient of these and up that of suspects beside them.
//! Nothing here knows which images are really poisoned.

mod pass;

use std::path::Path;

use cd_core::{Pixels, StorageError, Task};
use cd_models::{Augmentation, CheckpointError, Model, Step, TrainConfig};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::compute::Compute;
use pass::Pass;

/// Share of the safe rate that is left from half of the fine-tuning on.
const LATER: f64 = 0.1;

/// Settings of fine-tuning and unlearning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Unlearning {
    /// Passes of fine-tuning over the safe images.
    pub epochs: usize,
    /// Learning rate of these, above 0; a tenth of it from half-way on.
    pub learning_rate: f64,
    /// Passes after that in which every step unlearns suspects, too; each takes 50 steps at least, over the safe images again where these are few.
    pub unlearn_epochs: usize,
    /// Learning rate of the ascent on the suspects, above 0.
    pub unlearn_rate: f64,
    /// Learning rate of the safe images in these passes, above 0.
    pub safe_rate: f64,
    /// Images per step, at least 2.
    pub batch_size: usize,
    /// L2 penalty of the safe passes, at least 0.
    pub weight_decay: f64,
    /// How the safe images are changed.
    pub augmentation: Augmentation,
    /// Drives order and augmentation.
    pub seed: u64,
}

impl Default for Unlearning {
    fn default() -> Self {
        Self {
            epochs: 20,
            learning_rate: 0.01,
            unlearn_epochs: 5,
            unlearn_rate: 2e-4,
            safe_rate: 1e-3,
            batch_size: 128,
            weight_decay: 1e-4,
            augmentation: Augmentation::Steps(vec![
                Step::Crop { reach: 0.125 },
                Step::Flip {},
                Step::Cutout { pixels: 3 },
            ]),
            seed: 0,
        }
    }
}

/// Why a mitigation stopped.
#[derive(Debug, Error)]
pub enum MitigationError {
    /// A setting is out of its range.
    #[error("mitigation: `{key}` is {value}, expected {expected}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// Its range.
        expected: &'static str,
    },
    /// There is nothing to do it with.
    #[error(
        "mitigation: there are {safe} safe images and {suspects} suspects; at least 2 and 1 are needed"
    )]
    TooFew {
        /// Images that are taken for safe.
        safe: usize,
        /// Images to unlearn.
        suspects: usize,
    },
    /// The loss became NaN or infinite.
    #[error("mitigation: the loss is {loss} in pass {pass}; a smaller learning rate usually helps")]
    Diverged {
        /// The pass, from 1.
        pass: usize,
        /// The loss.
        loss: f32,
    },
    /// Images could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What an interrupted mitigation left could not be read, or nothing written to go on from.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// What a pass was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PassKind {
    /// Fine-tuning on the safe images.
    FineTune,
    /// The same with ascent on the suspects.
    Unlearn,
    /// Training from the start without the suspects.
    Retrain,
}

/// What happened in a pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PassReport {
    /// What it was for.
    pub kind: PassKind,
    /// Learning rate of the safe images.
    pub learning_rate: f64,
    /// Mean cross-entropy of the safe images as they were seen.
    pub safe_loss: f64,
    /// That of the suspects; `None` where they were not unlearned.
    pub suspect_loss: Option<f64>,
}

/// The images of a mitigation.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// All images.
    pub images: Pixels<'a>,
    /// The class of each, as the classifier learned it.
    pub labels: &'a [u32],
    /// Positions of those to keep.
    pub safe: &'a [usize],
    /// Positions of those to forget.
    pub suspects: &'a [usize],
}

impl Unlearning {
    fn check(&self) -> Result<(), MitigationError> {
        let require = |holds: bool, key, value: String, expected| {
            if holds {
                return Ok(());
            }
            Err(MitigationError::Setting {
                key,
                value,
                expected,
            })
        };
        for (key, rate) in [
            ("learning_rate", self.learning_rate),
            ("unlearn_rate", self.unlearn_rate),
            ("safe_rate", self.safe_rate),
        ] {
            let holds = rate > 0.0 && rate.is_finite();
            require(holds, key, rate.to_string(), "a number above 0")?;
        }
        let holds = self.weight_decay >= 0.0 && self.weight_decay.is_finite();
        let decay = self.weight_decay.to_string();
        require(holds, "weight_decay", decay, "a number of at least 0")?;
        let passes = self.epochs + self.unlearn_epochs;
        let expected = "at least 1 together with `unlearn_epochs`";
        require(passes > 0, "epochs", self.epochs.to_string(), expected)?;
        let size = self.batch_size;
        require(size > 1, "batch_size", size.to_string(), "at least 2")
    }
}

/// A copy of `model` that was fine-tuned on the safe images and has unlearned the suspects; `watch` sees it after every pass, counted from 0.
///
/// With a folder in `unfinished` the state after every pass is written there, once `watch` has seen it, and another start goes on from the
/// newest: nothing changes, but that a pass may come twice. The folder must be of this model, these images and these settings alone.
///
/// An image adds nothing to the ascent once the probability of its label is below `1 / classes^2`: it is forgotten, and pushing it
/// further would harm the rest.
///
/// # Errors
///
/// When a setting is out of range, there are too few images, images cannot be read, the loss diverges, or `unfinished` cannot be used; and
/// those of `watch`.
pub fn unlearn<E: From<MitigationError>>(
    model: &Model,
    parts: &Parts<'_>,
    settings: &Unlearning,
    compute: &Compute<'_>,
    unfinished: Option<&Path>,
    mut watch: impl FnMut(usize, PassReport, &Model) -> Result<(), E>,
) -> Result<Model, E> {
    settings.check()?;
    let (safe, suspects) = (parts.safe, parts.suspects);
    if safe.len() < 2 || suspects.is_empty() {
        return Err(E::from(MitigationError::TooFew {
            safe: safe.len(),
            suspects: suspects.len(),
        }));
    }
    let passes = settings.epochs + settings.unlearn_epochs;
    let [of_tuning, of_ascent] = pass::steps_of_passes(settings, safe.len());
    let steps_before = |pass: usize| {
        let tuned = pass.min(settings.epochs);
        tuned * of_tuning + (pass - tuned) * of_ascent
    };
    let all = steps_before(passes) as u64;
    let task = Task::start(compute.progress, "unlearning", Some(all));
    let network = model.trainable();
    let optimizer = sgd(0.9, true, settings.weight_decay);
    let (mut network, mut optimizer, done) = match unfinished {
        Some(folder) => network
            .resumed(optimizer, folder)
            .map_err(MitigationError::from)?,
        None => (network, optimizer, 0),
    };
    task.resume(steps_before(done) as u64);
    for number in done..passes {
        let pass = Pass {
            parts,
            settings,
            number,
            classes: model.classes(),
            device: compute.device,
            task: &task,
        };
        let fine_tuning = number < settings.epochs;
        let rate = match (fine_tuning, 2 * number < settings.epochs) {
            (true, true) => settings.learning_rate,
            (true, false) => settings.learning_rate * LATER,
            (false, _) => settings.safe_rate,
        };
        let ascent = (!fine_tuning).then(|| settings.unlearn_rate / settings.safe_rate);
        let losses = pass.run(&mut network, &mut optimizer, rate, ascent)?;
        let report = PassReport {
            kind: if fine_tuning {
                PassKind::FineTune
            } else {
                PassKind::Unlearn
            },
            learning_rate: rate,
            safe_loss: losses.safe,
            suspect_loss: losses.suspects,
        };
        watch(number, report, &network.freeze())?;
        if let Some(folder) = unfinished {
            let written = network.pause(&optimizer, number + 1, folder);
            written.map_err(MitigationError::from)?;
        }
    }
    Ok(network.freeze())
}

fn sgd(
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
) -> cd_models::burn::optim::ModuleOptimizer {
    TrainConfig {
        momentum,
        nesterov,
        weight_decay,
        ..TrainConfig::default()
    }
    .init_optimizer()
}

#[cfg(all(test, feature = "flex"))]
mod tests;
