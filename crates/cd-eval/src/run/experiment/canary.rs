//! The `[canary]` table.

use serde::{Deserialize, Serialize};

/// Largest share of the training images that one planted backdoor may get.
const MOST: f64 = 0.1;

/// Known backdoors that are planted in copies of a few training images, to see whether they are found. The copies are trained on, but
/// for those of filters and warps, which only detectors without a classifier look for, and are nowhere else: not among the images that are searched, scored, counted or shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CanaryStage {
    /// Share of the training images that each planted backdoor gets, above 0 and at most 0.1.
    pub rate: f64,
    /// Share of the training images that a short training leaves out before the long one, to see what it learns; 0 for none, below 1.
    pub held_out: f64,
    /// Chooses triggers, target classes and images.
    pub seed: u64,
}

impl Default for CanaryStage {
    fn default() -> Self {
        Self {
            rate: 0.01,
            held_out: 0.2,
            seed: 0,
        }
    }
}

impl CanaryStage {
    /// Whether the values are in their ranges.
    pub(super) fn check(self) -> Result<(), String> {
        if !(0.0..1.0).contains(&self.held_out) {
            return Err(format!(
                "`canary.held_out` is {}; from 0 to below 1",
                self.held_out
            ));
        }
        if self.rate > 0.0 && self.rate <= MOST {
            return Ok(());
        }
        Err(format!(
            "`canary.rate` is {}; above 0 and at most {MOST}",
            self.rate
        ))
    }
}
