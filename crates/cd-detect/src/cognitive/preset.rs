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
    /// CD-L in a quarter of the steps, at twice the learning rate, with stratified fill colours. CD-F as published, for it
    /// loses with larger steps.
    Fast,
    /// CD-L as the mean of three searches with other fill colours, each a third as long, at the published cost: nearly
    /// three times the learning rate, stratified fill colours. CD-F as published.
    Accurate,
}

impl CognitiveDistillation {
    /// The steps, learning rate, betas, repeats, tail and fill of `preset` for this objective, with a value per pixel and no
    /// early end.
    #[must_use]
    pub fn with_preset(self, preset: Preset) -> Self {
        let published = self.with_published_steps();
        match (preset, published.objective) {
            (Preset::Paper, _) | (_, Objective::Features(_)) => published,
            (Preset::Fast, Objective::Logits) => published
                .with_steps(24)
                .with_learning_rate(0.2)
                .with_fill(Fill::Stratified),
            (Preset::Accurate, Objective::Logits) => published
                .with_steps(33)
                .with_learning_rate(0.28)
                .with_repeats(3)
                .with_fill(Fill::Stratified),
        }
    }

    fn with_published_steps(self) -> Self {
        let published = match self.objective {
            Objective::Logits => Self::logits(),
            Objective::Features(_) => Self::features(),
        };
        self.with_steps(published.steps)
            .with_learning_rate(published.learning_rate)
            .with_decay(Decay::None)
            .with_betas(published.betas)
            .with_repeats(1)
            .with_tail(1)
            .with_fill(Fill::Random)
            .with_mask_size(None)
            .with_tolerance(0.0)
    }
}
