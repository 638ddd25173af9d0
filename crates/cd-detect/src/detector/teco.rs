//! TeCo: the label of a poisoned image breaks early under some corruptions and late under others.
//!
//! Threat model: a trigger that some corruptions break and others leave alone, while clean images lose their label about alike. Neither
//! clean images nor probabilities are needed: hard labels alone.
//!
//! Liu, Li, Wang, Hu, Ye, Yuan: *Detecting Backdoors During the Inference Stage Based on Corruption Robustness Consistency*, CVPR 2023.
//! Every corruption starts from the image itself, as the paper says; both public codes corrupt what the last corruption left, 75
//! deep. Frost is left out: it lays photographs over the image, and none are shipped.

mod blur;
mod corruption;
mod digital;
mod jpeg;
mod noise;
mod picture;
mod weather;

use cd_core::random;
use cd_models::burn::tensor::Tensor;
use cd_models::one_batch;
use serde::{Deserialize, Serialize};

use super::scale_up::predicted;
use super::{Detector, DetectorInfo};
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::sweep::{Batch, Column, Kind, Sweep};

use corruption::{CORRUPTIONS, SEVERITIES};
use picture::Picture;

const SPREADS: &str = "spreads";

/// Settings of TeCo.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Teco {
    /// Chooses what is random in corruptions.
    pub seed: u64,
}

impl Teco {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "teco",
        title: "Corruption robustness consistency (TeCo)",
        summary: "Corrupts each image in 14 ways of five severities and takes the spread of the severities at which the label changes; a wide spread is suspicious.",
        threat_model: "Triggers that some corruptions break and others do not. Needs hard labels alone, and 71 forward passes an image.",
        paper: "Liu et al.: Detecting Backdoors During the Inference Stage Based on Corruption Robustness Consistency, CVPR 2023",
        source: "https://github.com/CGCL-codes/TeCo",
        notes: "Each corruption starts from the image itself; the public codes apply it to what the one before left. 14 types: frost needs photographs that are not shipped. What is random depends on seed, type, severity and image.",
        judges_clean: false,
        rule: None,
    };
}

impl Detector for Teco {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        let sweep = Sweep {
            name: "corrupted",
            task: "corrupting images",
            settings: &format!("{self:?}"),
            images: evidence.images,
            columns: &[(SPREADS, Kind::Numbers)],
        };
        let swept = sweep.run(&evidence.compute, |Batch { numbers, images }| {
            let own = predicted(evidence.model, images);
            let spread = |(&number, own): (&u64, usize)| {
                let levels = self.levels(evidence, number, own)?;
                Ok(deviation(&levels))
            };
            let spreads = numbers.iter().zip(own).map(spread);
            Ok(vec![Column::Numbers(
                spreads.collect::<Result<_, DetectError>>()?,
            )])
        })?;
        Ok(swept.map(|mut swept| {
            let measure = Measure::high("spread of the severities that change the label");
            Detection::new(measure, swept.numbers(SPREADS))
        }))
    }
}

impl Teco {
    /// For each corruption the first severity whose label is not `own`, one more than there are if none.
    fn levels(
        &self,
        evidence: &Evidence<'_>,
        number: u64,
        own: usize,
    ) -> Result<Vec<usize>, DetectError> {
        let (height, width) = (evidence.images.height(), evidence.images.width());
        let pixels = evidence.images.get(number as usize)?;
        let picture = Picture::of(&pixels, height, width);
        let mut corrupted = Vec::with_capacity(CORRUPTIONS.len() * SEVERITIES);
        for (kind, corrupt) in CORRUPTIONS {
            for severity in 0..SEVERITIES {
                let purpose = random::named(&format!("{kind} {severity}"));
                let mut drawn = random::stream(self.seed, purpose.wrapping_add(number));
                let bytes = corrupt(&picture, severity, &mut drawn).bytes();
                corrupted.push(one_batch(&bytes, height, width, evidence.compute.device));
            }
        }
        let mut labels = Vec::with_capacity(corrupted.len());
        for chunk in corrupted.chunks(evidence.compute.at_once(evidence.images)) {
            labels.extend(predicted(evidence.model, Tensor::cat(chunk.to_vec(), 0)));
        }
        let level = |labels: &[usize]| {
            let changed = labels.iter().position(|&label| label != own);
            changed.unwrap_or(SEVERITIES) + 1
        };
        Ok(labels.chunks_exact(SEVERITIES).map(level).collect())
    }
}

/// Standard deviation of the levels.
fn deviation(levels: &[usize]) -> f64 {
    let count = levels.len() as f64;
    let mean = levels.iter().sum::<usize>() as f64 / count;
    let squares = levels.iter().map(|&level| (level as f64 - mean).powi(2));
    (squares.sum::<f64>() / count).sqrt()
}

#[cfg(all(test, feature = "flex"))]
mod tests;
