//! Settings that belong together.

use serde::{Deserialize, Serialize};

use super::{CognitiveDistillation, Decay};

/// How much work an image is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The published method: 100 steps, Adam with betas of 0.1, a constant learning rate.
    #[default]
    Paper,
    /// The fewest steps without loss of AUROC (docs/presets.md).
    Fast,
    /// The best AUROC at no more than the published cost (docs/presets.md).
    Accurate,
}

/// The settings that a preset decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Schedule {
    pub(crate) steps: usize,
    /// Times the learning rate of the variant.
    pub(crate) rate: f64,
    pub(crate) decay: Decay,
    pub(crate) betas: [f64; 2],
    pub(crate) repeats: usize,
}

impl Preset {
    pub(crate) fn schedule(self) -> Schedule {
        match self {
            Self::Paper => Schedule {
                steps: 100,
                rate: 1.0,
                decay: Decay::None,
                betas: [0.1, 0.1],
                repeats: 1,
            },
            Self::Fast => Schedule {
                steps: 20,
                rate: 4.0,
                decay: Decay::Cosine,
                betas: [0.5, 0.1],
                repeats: 1,
            },
            Self::Accurate => Schedule {
                steps: 50,
                rate: 2.0,
                decay: Decay::None,
                betas: [0.1, 0.1],
                repeats: 2,
            },
        }
    }
}

impl CognitiveDistillation {
    /// The steps, learning rate, betas and repeats of `preset`; the published learning rate of the
    /// variant is what it scales.
    #[must_use]
    pub fn with_preset(self, preset: Preset) -> Self {
        let schedule = preset.schedule();
        let published = match self.objective {
            super::Objective::Logits => Self::logits(),
            super::Objective::Features(_) => Self::features(),
        };
        self.with_steps(schedule.steps)
            .with_learning_rate(published.learning_rate * schedule.rate)
            .with_decay(schedule.decay)
            .with_betas(schedule.betas)
            .with_repeats(schedule.repeats)
    }
}
