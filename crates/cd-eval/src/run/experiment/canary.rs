//! The `[canary]` table.

use serde::{Deserialize, Serialize};

/// Largest share of the training images that one planted backdoor may get.
const MOST: f64 = 0.1;

/// Known backdoors that are planted in copies of a few training images, to see whether they are found. The copies are trained on, and
/// are nowhere else: not among the images that are searched, scored, counted or shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CanaryStage {
    /// Share of the training images that each planted backdoor gets, above 0 and at most 0.1.
    pub rate: f64,
    /// Chooses triggers, target classes and images.
    pub seed: u64,
}

impl Default for CanaryStage {
    fn default() -> Self {
        Self {
            rate: 0.01,
            seed: 0,
        }
    }
}

impl CanaryStage {
    /// Whether the values are in their ranges.
    pub(super) fn check(self) -> Result<(), String> {
        if self.rate > 0.0 && self.rate <= MOST {
            return Ok(());
        }
        Err(format!(
            "`canary.rate` is {}; above 0 and at most {MOST}",
            self.rate
        ))
    }
}
