//! Learning rates over a training run.

use serde::{Deserialize, Serialize};

use super::setting::{SettingError, is_zero, positive, require};

/// How the learning rate falls, as a factor of the initial one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// Stays as it is.
    Constant,
    /// Multiplied by `gamma` when each of the `milestones` (epochs, from 0) is reached, and rising
    /// linearly over the first `warmup` epochs.
    MultiStep {
        /// Epochs at which the rate drops.
        milestones: Vec<usize>,
        /// Factor of each drop, above 0.
        gamma: f64,
        /// Epochs of linear rise; may be fractional.
        #[serde(default, skip_serializing_if = "is_zero")]
        warmup: f64,
    },
    /// Half a cosine from 1 to `floor`, after a linear rise over the first `warmup` epochs.
    Cosine {
        /// Epochs of linear rise; may be fractional.
        #[serde(default)]
        warmup: f64,
        /// Factor at the end, from 0 to 1.
        #[serde(default)]
        floor: f64,
    },
}

impl Schedule {
    /// The factor at `epoch` (fractional, from 0) of a run of `epochs`.
    pub fn factor(&self, epoch: f64, epochs: usize) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::MultiStep {
                milestones,
                gamma,
                warmup,
            } => {
                let passed = milestones.iter().filter(|&&m| m as f64 <= epoch.floor());
                let fallen = gamma.powi(passed.count() as i32);
                rise(epoch, *warmup).map_or(fallen, |rise| rise * fallen)
            }
            Self::Cosine { warmup, floor } => {
                if let Some(rise) = rise(epoch, *warmup) {
                    return rise;
                }
                let length = (epochs as f64 - warmup).max(f64::EPSILON);
                let part = ((epoch - warmup) / length).min(1.0);
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * part).cos())
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), SettingError> {
        let rises = |warmup: f64| {
            let holds = warmup >= 0.0 && warmup.is_finite();
            require(holds, "schedule.warmup", warmup, "a number of at least 0")
        };
        match self {
            Self::Constant => Ok(()),
            Self::MultiStep { gamma, warmup, .. } => {
                positive("schedule.gamma", *gamma)?;
                rises(*warmup)
            }
            Self::Cosine { warmup, floor } => {
                rises(*warmup)?;
                let holds = (0.0..=1.0).contains(floor);
                require(holds, "schedule.floor", floor, "a number from 0 to 1")
            }
        }
    }
}

/// The factor during warm-up; the first step already moves.
fn rise(epoch: f64, warmup: f64) -> Option<f64> {
    (epoch < warmup).then(|| (epoch / warmup).max(0.01))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multi_step_drops_at_its_milestones() {
        let schedule = Schedule::MultiStep {
            milestones: vec![2, 4],
            gamma: 0.1,
            warmup: 0.0,
        };
        let at = |epoch| schedule.factor(epoch, 6);
        assert!((at(1.9) - 1.0).abs() < 1e-12);
        assert!((at(2.0) - 0.1).abs() < 1e-12);
        assert!((at(5.5) - 0.01).abs() < 1e-12);
    }

    #[test]
    fn multi_step_may_rise_first() {
        let schedule = Schedule::MultiStep {
            milestones: vec![3],
            gamma: 0.1,
            warmup: 2.0,
        };
        let at = |epoch| schedule.factor(epoch, 6);
        assert_eq!((at(0.0), at(1.0), at(2.0)), (0.01, 0.5, 1.0));
        assert!((at(3.0) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn cosine_rises_then_falls_to_its_floor() {
        let schedule = Schedule::Cosine {
            warmup: 1.0,
            floor: 0.1,
        };
        assert!((schedule.factor(0.5, 5) - 0.5).abs() < 1e-12);
        assert!((schedule.factor(1.0, 5) - 1.0).abs() < 1e-12);
        assert!((schedule.factor(3.0, 5) - 0.55).abs() < 1e-12);
        assert!((schedule.factor(5.0, 5) - 0.1).abs() < 1e-12);
    }
}
