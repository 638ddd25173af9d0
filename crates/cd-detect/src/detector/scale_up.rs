//! SCALE-UP: predictions of poisoned images survive brighter pixels.
//!
//! Threat model: a trigger that keeps working when all pixels are multiplied. Dark, saturated and faint triggers do not.
//!
//! Guo, Li, Chen, Guo, Sun, Liu: *SCALE-UP: An Efficient Black-box Input-level Backdoor Detection via Analyzing Scaled Prediction
//! Consistency*, ICLR 2023. `limited` compares with clean images of the predicted class, each class with its own mean, where the
//! toolboxes take one for all.

use cd_core::Pixels;
use cd_models::burn::tensor::Tensor;
use cd_models::{Classifier, to_host};
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::decide::Decision;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::sweep::{Batch, Column, Kind, Sweep};

/// What pixels are multiplied by.
const SCALES: [f32; 5] = [3.0, 5.0, 7.0, 9.0, 11.0];
const SHARES: &str = "shares";
const CLASSES: &str = "classes";
/// A class with fewer clean images is compared with all of them.
const LEAST: usize = 5;
/// A smaller spread of a class is none.
const FLAT: f64 = 1e-6;
/// Consistency above it is flagged, as in the public toolboxes.
const BORDER: f64 = 0.5;

/// Settings of SCALE-UP.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScaleUp {
    /// Compare with the consistency of labelled clean images of the predicted class.
    pub limited: bool,
}

impl ScaleUp {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "scale-up",
        title: "Scaled prediction consistency (SCALE-UP)",
        summary: "Multiplies all pixels by 3, 5, 7, 9 and 11 and counts how often the prediction stays; a steady prediction is suspicious.",
        threat_model: "Triggers that survive brighter pixels; the classifier was trained on them. Needs hard labels alone; `limited` needs labelled clean images, too.",
        paper: "Guo et al.: SCALE-UP, ICLR 2023",
        source: "https://github.com/JunfengGo/SCALE-UP",
        notes: "No noise is added and the trivial scale of 1 is left out, as in the paper's equation. Six values only, so many images tie. Clean consistency is that of the prediction, each class with its own mean and spread.",
        judges_clean: false,
        rule: Some("a consistency above 0.5, as the public toolboxes have it"),
    };
}

impl Detector for ScaleUp {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn needs(&self) -> Needs {
        Needs {
            labels: self.limited,
            clean: usize::from(self.limited),
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        let clean = if self.limited {
            let clean = evidence.clean()?;
            let labels = clean.labels(evidence.class_count)?;
            Some((clean.images, labels))
        } else {
            None
        };
        // Both before either is looked at: a shard does its part of everything.
        let found = consistency("scaled", evidence, evidence.images)?;
        let trusted = match clean {
            None => None,
            Some((images, labels)) => {
                Some((consistency("scaled-trusted", evidence, images)?, labels))
            }
        };
        let Some((mut raw, classes)) = found else {
            return Ok(None);
        };
        if let Some((of_clean, labels)) = trusted {
            let Some((shares, _)) = of_clean else {
                return Ok(None);
            };
            let usual = Usual::of(&shares, labels, evidence.class_count);
            for (share, &class) in raw.iter_mut().zip(&classes) {
                *share = usual.deviations(*share, class);
            }
        }
        Ok(Some(Detection {
            own: Some(Decision {
                explanation: "a consistency of more than 0.5".to_owned(),
                cutoff: Some(BORDER),
                flagged: raw.iter().map(|&share| share > BORDER).collect(),
            }),
            ..Detection::new(
                Measure::high("share of scales at which the prediction stays"),
                raw,
            )
        }))
    }
}

/// Shares of the scales at which each prediction stays, and the predictions.
type Consistency = (Vec<f64>, Vec<usize>);

/// That of all images; `None` when parts of other shards are missing.
fn consistency(
    name: &str,
    evidence: &Evidence<'_>,
    images: Pixels<'_>,
) -> Result<Option<Consistency>, DetectError> {
    let sweep = Sweep {
        name,
        task: "scaling pixels",
        settings: "",
        images,
        columns: &[(SHARES, Kind::Numbers), (CLASSES, Kind::Numbers)],
    };
    let swept = sweep.run(&evidence.compute, |Batch { images, .. }| {
        let own = predicted(evidence.model, images.clone());
        let mut shares = vec![0.0; own.len()];
        for scale in SCALES {
            let scaled = predicted(evidence.model, (images.clone() * scale).clamp(0.0, 1.0));
            for ((share, class), own) in shares.iter_mut().zip(scaled).zip(&own) {
                *share += if class == *own {
                    1.0 / SCALES.len() as f64
                } else {
                    0.0
                };
            }
        }
        let own = own.into_iter().map(|class| class as f64).collect();
        Ok(vec![Column::Numbers(shares), Column::Numbers(own)])
    })?;
    Ok(swept.map(|mut swept| {
        let classes = swept.numbers(CLASSES);
        let classes = classes.into_iter().map(|class| class as usize).collect();
        (swept.numbers(SHARES), classes)
    }))
}

/// The class of the largest logit of each image, the first of equal ones.
pub(super) fn predicted(model: &dyn Classifier, images: Tensor<4>) -> Vec<usize> {
    let logits = model.logits(images);
    let classes = logits.dims()[1];
    let best = |logits: &[f32]| {
        (0..logits.len()).fold(0, |best, k| if logits[k] > logits[best] { k } else { best })
    };
    to_host(logits).chunks_exact(classes).map(best).collect()
}

/// Mean and spread of the consistency of clean images by class; the last are those of all.
struct Usual(Vec<(f64, f64)>);

impl Usual {
    fn of(shares: &[f64], labels: &[u32], class_count: usize) -> Self {
        let all = moments(shares).unwrap_or((0.0, 1.0));
        let of_class = |class: usize| {
            let own = shares.iter().zip(labels);
            let own = own.filter(|(_, label)| **label as usize == class);
            let own: Vec<f64> = own.map(|(share, _)| *share).collect();
            let usable = moments(&own).filter(|(_, spread)| own.len() >= LEAST && *spread >= FLAT);
            usable.unwrap_or(all)
        };
        Self((0..class_count).map(of_class).chain([all]).collect())
    }

    fn deviations(&self, share: f64, class: usize) -> f64 {
        let (mean, spread) = self.0[class.min(self.0.len() - 1)];
        (share - mean) / spread.max(FLAT)
    }
}

/// Mean and standard deviation; `None` for no values.
fn moments(values: &[f64]) -> Option<(f64, f64)> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2));
    (count > 0.0).then(|| (mean, (squares.sum::<f64>() / count).sqrt()))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use cd_models::Device;

    use super::*;
    use crate::compute::Compute;
    use crate::detector::golden::{Golden, auroc, fixture_model, rates};
    use crate::evidence::Clean;

    #[test]
    fn both_forms_agree() {
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
            clean: Some(Clean {
                labels: Some(clean.labels()),
                ..Clean::new(&clean)
            }),
            ..Evidence::new(&model, &images, Compute::new(&device))
        };
        let poisoned = golden.values("is_poison");
        for (limited, name, area, alarms) in [
            (false, "scaleup_spc", 0.9401, 0.1979),
            (true, "scaleup_nspc", 0.9696, 0.2066),
        ] {
            let found = ScaleUp { limited }
                .detect(&evidence)
                .expect("its needs are met");
            let found = found.expect("there are no shards");
            let expected = reference.values(name);
            let differing = found.raw.iter().zip(&expected);
            let differing = differing.filter(|(a, b)| (*a - *b).abs() > 0.05).count();
            assert!(differing <= 3, "{name}: {differing} of 640 differ");
            let ours = auroc(&found.raw, &poisoned);
            assert!((ours - area).abs() < 0.002, "{name}: {ours}");
            let own = found.own.expect("it has a rule");
            let (hits, ours) = rates(&own.flagged, &poisoned);
            assert!(
                hits == 1.0 && (ours - alarms).abs() < 0.01,
                "{name}: {ours}"
            );
        }
    }
}
