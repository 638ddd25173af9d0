//! Transplant: what Cognitive Distillation keeps of an image is laid onto others; does its class move along?
//!
//! Threat model: as for Cognitive Distillation. A trigger carries its class wherever it lies, a piece of an object does so much less.
//! Triggers that are spread over the whole image lose their effect when they are cut into pieces: there the norm of the mask is what
//! tells, so the default joins both.
//!
//! Ours, a step beyond Huang, Ma, Erfani, Bailey: *Distilling Cognitive Backdoor Patterns within an Image*, ICLR 2023.

use cd_core::random;
use cd_models::burn::tensor::Tensor;
use cd_models::{Predictions, batch, quantize, to_host};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::confidence::softmax;
use super::{Detector, DetectorInfo};
use crate::cognitive::{CognitiveDistillation, Preset};
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::statistics::ranks;
use crate::sweep::{Batch, Column, Kind, Sweep};

pub(super) const NORMS: &str = "norms";
pub(super) const CARRIED: &str = "carried";
pub(super) const MASKS: &str = "masks";
/// Draws of a host until one of another predicted class is found; after them any image is taken.
const DRAWS: usize = 64;

/// Settings of the transplant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transplant {
    /// How masks are searched, on logits.
    pub preset: Preset,
    /// Steps of each search instead of the preset's; 0 for those of the preset.
    pub steps: usize,
    /// Images of other predicted classes that the kept part of each image is laid onto; at least 1.
    pub hosts: usize,
    /// What becomes of the norm and of the hosts: `ranks`, `confidence` or `ratio`.
    pub score: Score,
    /// Chooses the hosts and the fill colours of the search.
    pub seed: u64,
}

/// How the norm of a mask and the confidence on the hosts become one number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// The mean of the ranks by small norm and by confidence: keeps what each knows.
    #[default]
    Ranks,
    /// The mean confidence on the hosts alone.
    Confidence,
    /// The confidence divided by the norm.
    Ratio,
}

impl Default for Transplant {
    fn default() -> Self {
        Self {
            preset: Preset::Fast,
            steps: 0,
            hosts: 32,
            score: Score::default(),
            seed: 0,
        }
    }
}

impl Transplant {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "cd-transplant",
        title: "Transplanted patterns (CD-L and hosts)",
        summary: "Lays what CD-L keeps of an image onto images of other classes; a part that carries its class along, and is small, is suspicious.",
        threat_model: "The classifier was trained on the poisoned images, and the trigger alone decides what it says of them. Needs neither clean images nor labels.",
        paper: "ours, after Huang, Ma, Erfani, Bailey: Distilling Cognitive Backdoor Patterns within an Image, ICLR 2023",
        source: "none",
        notes: "Costs `hosts` forward passes beyond CD-L. `confidence` alone is best for patches and weakest for stripes and blends, where the norm of the mask tells more; `ranks` joins both.",
        judges_clean: false,
        rule: None,
    };

    /// The search of small images.
    pub(super) fn method(&self) -> CognitiveDistillation {
        let method = CognitiveDistillation::logits()
            .with_preset(self.preset)
            .with_seed(self.seed);
        if self.steps == 0 {
            method
        } else {
            method.with_steps(self.steps)
        }
    }
}

impl Detector for Transplant {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        self.method().check()?;
        if self.hosts > 0 {
            return Ok(());
        }
        Err(DetectError::Config {
            key: "hosts",
            value: "0".to_owned(),
            expected: "at least 1",
        })
    }

    fn needs(&self) -> Needs {
        Needs {
            predictions: true,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let predictions = evidence.predictions()?;
        let method = self
            .method()
            .scaled_to(evidence.images.height(), evidence.images.width());
        let sweep = Sweep {
            name: "transplanted",
            task: "distilling and transplanting",
            settings: &format!("{self:?}"),
            images: evidence.images,
            columns: &[
                (NORMS, Kind::Numbers),
                (CARRIED, Kind::Numbers),
                (MASKS, Kind::Bytes),
            ],
        };
        let swept = sweep.run(&evidence.compute, |Batch { numbers, images }| {
            self.transplanted(evidence, predictions, &method, &numbers, &images)
        })?;
        let Some(mut swept) = swept else {
            return Ok(None);
        };
        let (norms, carried) = (swept.numbers(NORMS), swept.numbers(CARRIED));
        let masks = swept.masks(MASKS);
        let (raw, title) = match self.score {
            Score::Confidence => (carried, "mean confidence on the hosts"),
            Score::Ratio => (
                carried
                    .iter()
                    .zip(&norms)
                    .map(|(c, norm)| c / norm.max(1.0))
                    .collect(),
                "mean confidence on the hosts by the norm of the mask",
            ),
            Score::Ranks => (
                ranks(&norms)
                    .into_iter()
                    .zip(ranks(&carried))
                    .map(|(norm, carried)| f64::midpoint(1.0 - norm, carried))
                    .collect(),
                "mean rank by small norm and by confidence on the hosts",
            ),
        };
        Ok(Some(Detection {
            masks: Some(masks),
            ..Detection::new(Measure::high(title), raw)
        }))
    }
}

impl Transplant {
    /// Searches the images of these numbers, and lays what is kept of them onto hosts: the columns [`NORMS`], [`CARRIED`] and [`MASKS`].
    pub(super) fn transplanted(
        &self,
        evidence: &Evidence<'_>,
        predictions: &Predictions,
        method: &CognitiveDistillation,
        numbers: &[u64],
        images: &Tensor<4>,
    ) -> Result<Vec<Column>, DetectError> {
        let done = method.distill(evidence.model, images.clone(), numbers)?;
        let [_, channels, height, width] = done.masks.dims();
        let carried = numbers.iter().enumerate().map(|(at, &number)| {
            let [image, mask] = [images, &done.masks].map(|all| all.clone().narrow(0, at, 1));
            self.carried(evidence, predictions, number, image, mask)
        });
        let carried = carried.collect::<Result<_, _>>()?;
        Ok(vec![
            Column::Numbers(done.norms),
            Column::Numbers(carried),
            Column::Bytes {
                shape: [channels, height, width],
                values: quantize(&to_host(done.masks)),
            },
        ])
    }

    /// Mean confidence in the class of `image` on its hosts, onto which the part in `mask` is laid.
    fn carried(
        &self,
        evidence: &Evidence<'_>,
        predictions: &Predictions,
        number: u64,
        image: Tensor<4>,
        mask: Tensor<4>,
    ) -> Result<f64, DetectError> {
        let device = evidence.compute.device;
        let own = predictions.class(number as usize);
        let kept = image * mask.clone();
        let hosts = self.hosts(predictions, number);
        let mut sum = 0.0;
        for chunk in hosts.chunks(evidence.compute.at_once(evidence.images)) {
            let others = batch(evidence.images, chunk, device)?;
            let mixed = others * (mask.clone().neg() + 1.0) + kept.clone();
            let logits = evidence.model.logits(mixed);
            let classes = logits.dims()[1];
            for logits in to_host(logits).chunks_exact(classes) {
                sum += softmax(logits).get(own as usize).copied().unwrap_or(0.0);
            }
        }
        let mean = sum / hosts.len() as f64;
        if mean.is_finite() {
            return Ok(mean);
        }
        Err(DetectError::ModelOutput { index: number })
    }

    /// Images of other predicted classes than image `number`, or any where there are hardly any such.
    fn hosts(&self, predictions: &Predictions, number: u64) -> Vec<usize> {
        let own = predictions.class(number as usize);
        let purpose = random::named("hosts").wrapping_add(number);
        let mut drawn = random::stream(self.seed, purpose);
        let host = |_| {
            let mut host = number as usize;
            for _ in 0..DRAWS {
                host = drawn.random_range(0..predictions.len());
                if predictions.class(host) != own {
                    break;
                }
            }
            host
        };
        (0..self.hosts).map(host).collect()
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_of_other_classes_where_there_are_any() {
        let logits = (0..40).flat_map(|image| [f32::from(u8::from(image % 4 == 0)), 0.5]);
        let predictions = Predictions::new(2, logits.collect());
        let method = Transplant::default();
        for image in [0, 1] {
            let hosts = method.hosts(&predictions, image);
            assert_eq!(hosts.len(), 32);
            let own = predictions.class(image as usize);
            assert!(hosts.iter().all(|&host| predictions.class(host) != own));
        }
        let same = Predictions::new(2, [1.0, 0.0].repeat(3));
        assert_eq!(method.hosts(&same, 2).len(), 32);
    }
}
