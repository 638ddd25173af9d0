//! Confidence: how sure the classifier is. The yardstick that every method has to beat.
//!
//! Threat model: the classifier was trained on the poisoned set, and a trigger makes it surer than any object does.
//!
//! No paper: it costs one forward pass and needs nothing, so a method that finds less has not earned its cost.

use cd_models::Predictions;
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;

/// Settings of confidence: there are none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Confidence {}

impl Confidence {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "confidence",
        title: "Confidence of the classifier",
        summary: "Takes the largest class probability of each image; a sure prediction is suspicious. The yardstick for the other methods.",
        threat_model: "The classifier was trained on the poisoned images and is surer of triggers than of objects. Needs nothing else.",
        paper: "none: the null hypothesis of this field",
        source: "none",
        notes: "Kept because a method that finds less than it has not earned its cost.",
        judges_clean: true,
        rule: None,
    };
}

impl Detector for Confidence {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn needs(&self) -> Needs {
        Needs {
            predictions: true,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        let raw = confidences(evidence.predictions()?);
        let clean = evidence
            .clean
            .map(|clean| clean.predictions())
            .transpose()?;
        Ok(Some(Detection {
            clean: clean.map(confidences),
            ..Detection::new(Measure::high("largest class probability"), raw)
        }))
    }
}

fn confidences(predictions: &Predictions) -> Vec<f64> {
    let of = |image| {
        let shares = softmax(predictions.logits(image));
        shares.into_iter().fold(0.0, f64::max)
    };
    (0..predictions.len()).map(of).collect()
}

/// Class probabilities from logits.
pub(super) fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shares = logits.iter().map(|&logit| f64::from(logit - largest).exp());
    let shares: Vec<f64> = shares.collect();
    let sum: f64 = shares.iter().sum();
    shares.into_iter().map(|share| share / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_do_not_overflow() {
        let shares = softmax(&[1000.0, 1000.0, -1000.0]);
        assert_eq!(shares, [0.5, 0.5, 0.0]);
    }
}
