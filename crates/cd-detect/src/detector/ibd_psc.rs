//! IBD-PSC: confidence in a trigger survives larger scales of the last BatchNorms.
//!
//! Threat model: dirty-label poison that the classifier has learned to be sure of; the predictions of clean images change when the last
//! BatchNorms are scaled up.
//!
//! Hou, Feng, Hua, Luo, Zhang, Li: *IBD-PSC: Input-level Backdoor Detection via Parameter-oriented Scaling Consistency*, ICML 2024. The
//! public code scales one layer more than it says, and gives nothing where its border is never passed.

use cd_models::{Classifier, Model, batch, to_host};
use serde::{Deserialize, Serialize};

use super::confidence::softmax;
use super::scale_up::predicted;
use super::{Detector, DetectorInfo};
use crate::decide::Decision;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::sweep::{Batch, Column, Kind, Sweep};

/// Models that are asked, each with one more scaled layer than the one before.
const MEMBERS: usize = 5;
/// Error on clean images that scaling so many layers must exceed.
const ERROR: f64 = 0.6;
/// Confidence above it is flagged.
const BORDER: f64 = 0.9;
const CONFIDENCES: &str = "confidences";

/// Settings of IBD-PSC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IbdPsc {
    /// What scale and shift of the layers are multiplied by; above 1.
    pub scale: f32,
    /// Scaled layers of the first model; 0 for the fewest that raise the error on clean images above 60 %.
    pub layers: usize,
}

impl Default for IbdPsc {
    fn default() -> Self {
        Self {
            scale: 1.5,
            layers: 0,
        }
    }
}

impl IbdPsc {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "ibd-psc",
        title: "Parameter-oriented scaling consistency (IBD-PSC)",
        summary: "Scales up the last BatchNorms and averages the confidence in the original prediction over five such models; a lasting confidence is suspicious.",
        threat_model: "Triggers that the classifier is surer of than of any object. Needs a network with BatchNorm and labelled clean images (about 100 in all).",
        paper: "Hou et al.: IBD-PSC, ICML 2024",
        source: "https://github.com/THUYimingLi/BackdoorBox",
        notes: "The models have k to k + 4 scaled layers, where the public code has one more; k is the number of all layers where the error is never passed. Every image is scored, also one whose prediction differs from its label.",
        judges_clean: false,
        rule: Some("a mean confidence above 0.9, as published"),
    };
}

impl Detector for IbdPsc {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        if self.scale > 1.0 && self.scale.is_finite() {
            return Ok(());
        }
        Err(DetectError::Config {
            key: "scale",
            value: self.scale.to_string(),
            expected: "a number above 1",
        })
    }

    fn needs(&self) -> Needs {
        Needs {
            labels: self.layers == 0,
            clean: usize::from(self.layers == 0),
            trainable: true,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let model = evidence.trainable()?;
        let most = model.norm_layers().len();
        if most == 0 {
            return Err(DetectError::Unfit {
                detector: Self::INFO.name,
                reason: "it has no BatchNorm",
            });
        }
        let first = match self.layers {
            0 => self.first(evidence, model, most)?,
            layers => layers.min(most),
        };
        let numbers = first..=most.min(first + MEMBERS - 1);
        let members: Vec<Model> = numbers
            .map(|k| model.with_scaled_norms(k, self.scale))
            .collect();
        let sweep = Sweep {
            name: "scaled-norms",
            task: "scaling BatchNorms",
            settings: &format!("{self:?} {first}"),
            images: evidence.images,
            columns: &[(CONFIDENCES, Kind::Numbers)],
        };
        let swept = sweep.run(&evidence.compute, |Batch { numbers, images }| {
            let own = predicted(evidence.model, images.clone());
            let mut sums = vec![0.0; own.len()];
            for member in &members {
                let logits = member.logits(images.clone());
                let classes = logits.dims()[1];
                let shares = to_host(logits);
                for ((sum, logits), &class) in
                    sums.iter_mut().zip(shares.chunks_exact(classes)).zip(&own)
                {
                    *sum += softmax(logits)[class] / members.len() as f64;
                }
            }
            match sums.iter().position(|sum| !sum.is_finite()) {
                Some(at) => Err(DetectError::ModelOutput { index: numbers[at] }),
                None => Ok(vec![Column::Numbers(sums)]),
            }
        })?;
        Ok(swept.map(|mut swept| {
            let raw = swept.numbers(CONFIDENCES);
            Detection {
                own: Some(Decision {
                    explanation: format!(
                        "a mean confidence above 0.9 with the last {first} and more BatchNorms scaled"
                    ),
                    cutoff: Some(BORDER),
                    flagged: raw.iter().map(|&value| value > BORDER).collect(),
                }),
                ..Detection::new(Measure::high("mean confidence with scaled BatchNorms"), raw)
            }
        }))
    }
}

impl IbdPsc {
    /// The fewest scaled layers with which more than 60 % of the clean images are wrong; all where that is never so.
    fn first(
        &self,
        evidence: &Evidence<'_>,
        model: &Model,
        most: usize,
    ) -> Result<usize, DetectError> {
        let clean = evidence.clean()?;
        let labels = clean.labels(evidence.class_count)?;
        let all: Vec<usize> = (0..labels.len()).collect();
        for layers in 1..most {
            let scaled = model.with_scaled_norms(layers, self.scale);
            let mut wrong = 0;
            for chunk in all.chunks(evidence.compute.batch_size.max(1)) {
                let images = batch(clean.images, chunk, evidence.compute.device)?;
                let found = predicted(&scaled, images);
                let pairs = found.iter().zip(chunk);
                wrong += pairs
                    .filter(|(class, image)| **class != labels[**image] as usize)
                    .count();
            }
            if wrong as f64 > ERROR * labels.len() as f64 {
                return Ok(layers);
            }
        }
        Ok(most)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use cd_models::Device;

    use super::*;
    use crate::compute::Compute;
    use crate::detector::golden::{Golden, auroc, fixture_model, rates};
    use crate::evidence::Clean;

    #[test]
    fn confidences_agree() {
        let golden = Golden::ours("detectors");
        let (Some(pictures), Some(reference), Some(set)) = (
            Golden::shared("detectors"),
            Golden::shared("detectors2"),
            Golden::shared("train_set"),
        ) else {
            return;
        };
        let device = Device::flex();
        let model = fixture_model(&device);
        let images = pictures.images("images_u8", &golden.labels("targets"));
        let clean = set.images("test_images_u8", &set.labels("test_labels"));
        let evidence = Evidence {
            class_count: 10,
            trainable: Some(&model),
            clean: Some(Clean {
                labels: Some(clean.labels()),
                ..Clean::new(&clean)
            }),
            ..Evidence::new(&model, &images, Compute::new(&device))
        };
        let method = IbdPsc::default();
        assert_eq!(method.first(&evidence, &model, 20).expect("readable"), 8);
        let found = method
            .detect(&evidence)
            .expect("its needs are met")
            .expect("no shards");
        let expected = reference.values("ibdpsc_psc");
        let pairs = found.raw.iter().zip(&expected).enumerate();
        let apart: Vec<_> = pairs.filter(|(_, (a, b))| (*a - *b).abs() > 1e-4).collect();
        assert!(apart.is_empty(), "{}: {apart:?}", apart.len());
        let poisoned = golden.values("is_poison");
        let area = auroc(&found.raw, &poisoned);
        // The reference's confidences end at 1 in single precision, and ties count half: ours tell some of those apart.
        assert!(area > 0.8865 - 0.002, "{area}");
        let own = found.own.expect("it has a rule");
        let (hits, alarms) = rates(&own.flagged, &poisoned);
        assert!(
            hits == 1.0 && (alarms - 0.2865).abs() < 0.005,
            "{hits} {alarms}"
        );
    }
}
