//! What to poison with, and how much: the `[poison]` table of an experiment file.

use cd_core::Key;
use serde::{Deserialize, Serialize};

use super::{LabelMap, PoisonError, Selection};
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
    /// Which images are poisoned, beyond their number.
    #[serde(default, skip_serializing_if = "Selection::is_default")]
    pub select: Selection,
}

fn default_rate() -> f64 {
    0.1
}

impl PoisonConfig {
    /// This attack at a rate of 10 % with everything else at its default.
    pub fn of(attack: AttackConfig) -> Self {
        Self {
            attack,
            rate: default_rate(),
            target: 0,
            labels: LabelMap::default(),
            seed: 0,
            select: Selection::default(),
        }
    }

    /// A key of the trigger that this attack prepares on training images with the key `images`, where it is worth storing:
    /// a fingerprint of the attack, what it is trained on, and the device. `tests` is the key of the test images, which counts for
    /// attacks that look at them.
    ///
    /// # Errors
    ///
    /// When a file that the attack names cannot be read.
    pub fn craft_key(
        &self,
        images: &str,
        tests: Option<&str>,
        device: &str,
    ) -> Result<String, PoisonError> {
        let key = Key::of("craft 1")
            .text("attack", &self.attack.fingerprint()?)
            .with("target", &self.target)
            .with("seed", &self.seed)
            .text("images", images)
            .text("device", device);
        let key = match tests.filter(|_| self.attack.attack().needs_tests()) {
            Some(tests) => key.text("tests", tests),
            None => key,
        };
        Ok(key.finish())
    }

    /// Checks what can be checked without the data and without files.
    ///
    /// # Errors
    ///
    /// When the rate or an option of the attack is out of range, or options contradict each other.
    pub fn check(&self) -> Result<(), PoisonError> {
        if !(self.rate > 0.0 && self.rate <= 1.0) {
            return Err(PoisonError::Rate { rate: self.rate });
        }
        let clean = self.attack.info().label_mode == LabelMode::Clean;
        self.select.check(clean)?;
        if clean && !self.labels.is_default() {
            return Err(PoisonError::LabelMap {
                attack: self.attack.name(),
                labels: self.labels,
                reason: "changes no labels of training images",
            });
        }
        Ok(self.attack.attack().check()?)
    }
}
