//! Settings that belong together.

use serde::{Deserialize, Serialize};

use super::{CognitiveDistillation, Decay, Fill, Objective};

/// How much work an image is worth; `docs/presets.md` has what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Preset {
    /// The published method: 100 steps, Adam with betas of 0.1, a constant learning rate.
    #[default]
    Paper,
    /// CD-L with a quarter of the steps, 2.7 times as large, fill colours that all images share, and a mask slightly
    /// coarser than the pixels (30 cells along 32). CD-F as published, for it loses with larger steps.
    Fast,
    /// CD-L as the mean of eight searches of 12 steps, at the published cost: steps five times as large, stratified fill
    /// colours, a mask slightly coarser than the pixels (30 cells along 32). CD-F as published.
    Accurate,
}

impl CognitiveDistillation {
    /// The steps, learning rate, betas, repeats, tail, fill and mask scale of `preset` for this objective;
    /// no image ends early.
    #[must_use]
    pub fn with_preset(self, preset: Preset) -> Self {
        let published = self.with_published_steps();
        match (preset, published.objective) {
            (Preset::Paper, _) | (_, Objective::Features(_)) => published,
            (Preset::Fast, Objective::Logits) => published
                .with_steps(24)
                .with_learning_rate(0.27)
                .with_fill(Fill::Shared)
                .with_mask_scale(0.9375),
            (Preset::Accurate, Objective::Logits) => published
                .with_steps(12)
                .with_repeats(8)
                .with_learning_rate(0.5)
                .with_fill(Fill::Stratified)
                .with_mask_scale(0.9375),
        }
    }

    fn with_published_steps(self) -> Self {
        let published = match self.objective {
            Objective::Logits => Self::logits(),
            Objective::Features(_) => Self::features(),
        };
        self.with_steps(published.settings.steps)
            .with_learning_rate(published.settings.learning_rate)
            .with_decay(Decay::None)
            .with_betas(published.settings.betas)
            .with_repeats(1)
            .with_tail(1)
            .with_fill(Fill::Random)
            .with_mask_scale(1.0)
            .with_tolerance(0.0)
    }
}
