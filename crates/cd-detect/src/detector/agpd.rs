//! AGPD: gradients at the convolutions point elsewhere for poisoned images.
//!
//! Threat model: dirty-label poison in a classifier that fits it. Needs a few labelled clean images of every class.
//!
//! Yuan, Wei, Liu, Wu: *Activation Gradient based Poisoned Sample Detection Against Backdoor Attacks*, ICLR 2025. The clean images are
//! the same at every layer, where the public code draws them anew; the score keeps the order inside classes that are no targets.

mod gradients;
mod order;
mod targets;

use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::decide::Decision;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::{Clean, Evidence};
use crate::needs::Needs;
use crate::statistics::members;

use gradients::{Layer, Rows};

/// Clean images of a class that its reference is made of.
const REFERENCES: usize = 10;

/// Settings of AGPD.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agpd {
    /// How much of the range of closeness to the poison joins it in a round; above 0, below 1. Published nowhere: .05 is ours.
    pub joining: f64,
}

impl Default for Agpd {
    fn default() -> Self {
        Self { joining: 0.05 }
    }
}

impl Agpd {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "agpd",
        title: "Activation gradients (AGPD)",
        summary: "Compares the gradients at the convolutions with those of clean images of the class and lets the odd ones gather; an early one of a class with a wide spread is suspicious.",
        threat_model: "Dirty-label poison that the classifier fits. Needs a network with BatchNorm behind its convolutions, the labels that training saw and labelled clean images of every class (10 are used).",
        paper: "Yuan, Wei, Liu, Wu: Activation Gradient based Poisoned Sample Detection Against Backdoor Attacks, ICLR 2025",
        source: "https://github.com/SCLBD/BackdoorBench",
        notes: "Gradients are taken where a BatchNorm begins, without stem and shortcuts. All classes are ordered, targets or not. The amount that joins in a round is published nowhere; on a small weak model the index can choose a wrong layer or class.",
        judges_clean: false,
        rule: Some(
            "in classes that are targets by the index of their spread, the images that gather before the order settles",
        ),
    };
}

impl Detector for Agpd {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        if self.joining > 0.0 && self.joining < 1.0 {
            return Ok(());
        }
        Err(DetectError::Config {
            key: "joining",
            value: self.joining.to_string(),
            expected: "a number above 0 and below 1",
        })
    }

    fn needs(&self) -> Needs {
        Needs {
            labels: true,
            predictions: true,
            clean: 1,
            trainable: true,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let labels = evidence.labels()?;
        let clean = evidence.clean()?;
        let clean_labels = clean.labels(evidence.class_count)?;
        let layers = gradients::layers(evidence.trainable()?)?;
        let found = gradients::swept("gradients", evidence, evidence.images, labels)?;
        let trusted = gradients::swept("gradients-trusted", evidence, clean.images, clean_labels)?;
        let (Some(found), Some(trusted)) = (found, trusted) else {
            return Ok(None);
        };
        let references = references(clean, clean_labels, evidence.class_count)?;
        let classes = members(labels, evidence.class_count);
        Ok(Some(self.judged(
            &found,
            &trusted,
            &layers,
            &classes,
            &references,
        )))
    }
}

/// Positions of the first clean images of each class that are classified rightly.
fn references(
    clean: Clean<'_>,
    labels: &[u32],
    class_count: usize,
) -> Result<Vec<Vec<usize>>, DetectError> {
    let predictions = clean.predictions()?;
    let mut references = members(labels, class_count);
    for (class, images) in references.iter_mut().enumerate() {
        images.retain(|&image| predictions.class(image) as usize == class);
        images.truncate(REFERENCES);
    }
    Ok(references)
}

impl Agpd {
    /// From the gradients of suspects and clean images, class by class.
    fn judged(
        &self,
        found: &Rows,
        trusted: &Rows,
        layers: &[Layer],
        classes: &[Vec<usize>],
        references: &[Vec<usize>],
    ) -> Detection {
        let spreads: Vec<Vec<Option<targets::Spread>>> = layers
            .iter()
            .map(|layer| {
                let pairs = classes.iter().zip(references);
                let spread = |(class, clean): (&Vec<usize>, &Vec<usize>)| {
                    let reference = trusted.mean(layer, clean)?;
                    targets::Spread::of(found, layer, class, &reference)
                };
                pairs.map(spread).collect()
            })
            .collect();
        let choice = targets::choice(&spreads);
        let count = found.count();
        let (mut raw, mut flagged) = (vec![0.0; count], vec![false; count]);
        for (class, images) in classes.iter().enumerate() {
            let layer = &layers[choice.layer];
            let Some(reference) = trusted.mean(layer, &references[class]) else {
                continue;
            };
            let Some(spread) = &spreads[choice.layer][class] else {
                continue;
            };
            let order =
                order::gathered(found, layer, images, spread.seed, &reference, self.joining);
            let stop = order.stop();
            for (&image, &round) in images.iter().zip(&order.rounds) {
                let early = 1.0 - round as f64 / (order.count() + 1) as f64;
                raw[image] = choice.index[class] + early;
                flagged[image] = choice.targets[class] && (round == 0 || round < stop);
            }
        }
        Detection {
            own: Some(Decision {
                explanation: format!(
                    "gathered early in a target class by the gradients at {}",
                    layers[choice.layer].name
                ),
                cutoff: None,
                flagged,
            }),
            ..Detection::new(
                Measure::high("index of the class and how early it gathers"),
                raw,
            )
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
