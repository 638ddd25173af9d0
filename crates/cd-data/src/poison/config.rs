//! What to poison with, and how much: the `[poison]` table of an experiment file.

use serde::{Deserialize, Serialize};

use super::{LabelMap, PoisonError};
use crate::attack::{AttackConfig, LabelMode};

/// What to poison with, and how much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoisonConfig {
    /// The attack and its options.
    pub attack: AttackConfig,
    /// Share of the training images, and of the mixed test set, to poison; above 0, at most 1.
    #[serde(default = "default_rate")]
    pub rate: f64,
    /// The label that the backdoor leads to; unused where `labels` is all-to-all.
    #[serde(default)]
    pub target: u32,
    /// Which label a poisoned image gets.
    #[serde(default, skip_serializing_if = "LabelMap::is_default")]
    pub labels: LabelMap,
    /// Seed of every choice.
    #[serde(default)]
    pub seed: u64,
}

fn default_rate() -> f64 {
    0.1
}

impl PoisonConfig {
    /// Checks what can be checked without the data and without files.
    ///
    /// # Errors
    ///
    /// When the rate or an option of the attack is out of range, or options contradict each other.
    pub fn check(&self) -> Result<(), PoisonError> {
        if !(self.rate > 0.0 && self.rate <= 1.0) {
            return Err(PoisonError::Rate { rate: self.rate });
        }
        if self.attack.info().label_mode == LabelMode::Clean && !self.labels.is_default() {
            return Err(PoisonError::LabelMap {
                attack: self.attack.name(),
                labels: self.labels,
                reason: "changes no labels of training images",
            });
        }
        Ok(self.attack.attack().check()?)
    }
}
