//! ABL's isolation step: backdoors are learned first.
//!
//! Threat model: the set is trained on from scratch by whoever looks for poison. A trigger is easier to learn than any object, so
//! the losses of poisoned images fall within the first epochs.
//!
//! Li, Lyu, Koren, Lyu, Li, Ma: *Anti-Backdoor Learning: Training Clean Models on Poisoned Data*, 2021. Ours takes the
//! losses of ordinary training, at the start of each epoch and without augmentation; the paper's own loop holds them up
//! by local gradient ascent.

use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::detection::{Detection, Direction, Measure, Scale};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;

/// Settings of ABL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Abl {
    /// The losses of so many first epochs are averaged, or of as many as were recorded; at least 1.
    pub epochs: usize,
}

impl Default for Abl {
    fn default() -> Self {
        Self { epochs: 20 }
    }
}

impl Abl {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "abl",
        title: "Losses of the first epochs (ABL)",
        summary: "Averages the loss of each image over the first epochs of training; a small loss is suspicious.",
        threat_model: "Dirty-label or strong clean-label poison in a set that is trained on here: its losses fall faster than those of clean images. Needs the losses of training, so it cannot judge other images.",
        paper: "Li, Lyu, Koren, Lyu, Li, Ma: Anti-Backdoor Learning: Training Clean Models on Poisoned Data, NeurIPS 2021",
        source: "https://github.com/bboylyg/ABL",
        notes: "Losses of ordinary training are used; the paper's loop holds them up by local gradient ascent.",
        judges_clean: false,
        rule: None,
    };
}

impl Detector for Abl {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        if self.epochs > 0 {
            return Ok(());
        }
        Err(DetectError::Config {
            key: "epochs",
            value: "0".to_owned(),
            expected: "at least 1",
        })
    }

    fn needs(&self) -> Needs {
        Needs {
            losses: 1,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let losses = evidence.losses()?;
        let epochs = self.epochs.min(losses.rows());
        let mut raw = vec![0.0; losses.columns()];
        for epoch in 0..epochs {
            for (sum, &loss) in raw.iter_mut().zip(losses.row(epoch)) {
                *sum += f64::from(loss);
            }
        }
        for sum in &mut raw {
            *sum /= epochs as f64;
        }
        Ok(Some(Detection {
            measure: Measure {
                title: "mean loss over the first epochs".into(),
                direction: Direction::Low,
                scale: Scale::Ratio,
            },
            raw,
            clean: None,
            masks: None,
            own: None,
            classes: Vec::new(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_epochs_are_refused() {
        let error = Abl { epochs: 0 }.check().expect_err("out of range");
        assert!(error.to_string().contains("`epochs` is 0"), "{error}");
    }
}
