//! STRIP: a trigger decides the class whatever it is laid upon.
//!
//! Threat model: a trigger that survives being added to other images: patches and strong patterns, not faint or image-dependent ones.
//!
//! Gao, Xu, Wang, Chen, Ranasinghe, Nepal: *STRIP: A Defence Against Trojan Attacks on Deep Neural Networks*, ACSAC 2019. The overlays
//! are trusted clean images, the same for every image.

use cd_core::random;
use cd_models::burn::tensor::Tensor;
use cd_models::burn::tensor::activation::log_softmax;
use cd_models::{batch, to_host};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::decide::Decision;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::statistics::quantile;
use crate::sweep::{Batch, Column, Kind, Sweep};

const ENTROPIES: &str = "entropies";
/// Share of the clean images below which the rule flags.
const REFUSED: f64 = 0.01;

/// Settings of STRIP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Strip {
    /// Clean images that each image is added to, or all if there are fewer; at least 1.
    pub overlays: usize,
    /// Chooses them.
    pub seed: u64,
}

impl Default for Strip {
    fn default() -> Self {
        Self {
            overlays: 100,
            seed: 0,
        }
    }
}

impl Strip {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "strip",
        title: "Superimposed images (STRIP)",
        summary: "Adds clean images to each image and averages the entropy of what the classifier says; a low entropy is suspicious.",
        threat_model: "Triggers that keep working when other images are added to them; the classifier was trained on them. Needs trusted clean images, no labels.",
        paper: "Gao et al.: STRIP: A Defence Against Trojan Attacks on Deep Neural Networks, ACSAC 2019",
        source: "https://github.com/garrisongys/STRIP",
        notes: "Both images at full weight, clamped to white; one draw of overlays for all images. 100 forward passes an image.",
        judges_clean: true,
        rule: Some("an entropy below that of 99 % of the clean images, as the paper sets it"),
    };
}

impl Detector for Strip {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        if self.overlays > 0 {
            return Ok(());
        }
        Err(DetectError::Config {
            key: "overlays",
            value: "0".to_owned(),
            expected: "at least 1",
        })
    }

    fn needs(&self) -> Needs {
        Needs {
            clean: 1,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let trusted = evidence.clean()?.images;
        let mut order: Vec<usize> = (0..trusted.len()).collect();
        order.shuffle(&mut random::stream(self.seed, random::named("overlays")));
        order.truncate(self.overlays);
        let overlays = batch(trusted, &order, evidence.compute.device)?;
        let search = |name, images| {
            let sweep = Sweep {
                name,
                task: "superimposing images",
                settings: &format!("{self:?}"),
                images,
                columns: &[(ENTROPIES, Kind::Numbers)],
            };
            let swept = sweep.run(&evidence.compute, |Batch { numbers, images }| {
                let entropies = entropies(evidence, images, &overlays);
                match entropies.iter().position(|value| !value.is_finite()) {
                    Some(at) => Err(DetectError::ModelOutput { index: numbers[at] }),
                    None => Ok(vec![Column::Numbers(entropies)]),
                }
            })?;
            Ok::<_, DetectError>(swept.map(|mut swept| swept.numbers(ENTROPIES)))
        };
        let raw = search("strip", evidence.images)?;
        let clean = search("strip-trusted", trusted)?;
        Ok(raw.zip(clean).map(|(raw, clean)| {
            let border = quantile(clean.clone(), REFUSED);
            Detection {
                own: Some(Decision {
                    explanation: format!(
                        "an entropy below that of 99 % of the clean images ({border:.4})"
                    ),
                    cutoff: Some(border),
                    flagged: raw.iter().map(|&entropy| entropy < border).collect(),
                }),
                clean: Some(clean),
                ..Detection::new(Measure::low("mean entropy under superimposed images"), raw)
            }
        }))
    }
}

/// Mean entropy of the class probabilities of each image with each overlay added.
fn entropies(evidence: &Evidence<'_>, images: Tensor<4>, overlays: &Tensor<4>) -> Vec<f64> {
    let mut sums = vec![0.0; images.dims()[0]];
    let count = overlays.dims()[0];
    for overlay in 0..count {
        let sum = (images.clone() + overlays.clone().narrow(0, overlay, 1)).clamp(0.0, 1.0);
        let logarithms = log_softmax(evidence.model.logits(sum), 1);
        let classes = logarithms.dims()[1];
        for (total, shares) in sums
            .iter_mut()
            .zip(to_host(logarithms).chunks_exact(classes))
        {
            let terms = shares.iter().map(|&logarithm| {
                let logarithm = f64::from(logarithm);
                // A share that underflows adds nothing: the limit of p ln p.
                if logarithm == f64::NEG_INFINITY {
                    0.0
                } else {
                    -logarithm.exp() * logarithm
                }
            });
            *total += terms.sum::<f64>();
        }
    }
    sums.into_iter().map(|sum| sum / count as f64).collect()
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use cd_models::Device;

    use super::*;
    use crate::compute::Compute;
    use crate::detector::golden::{Golden, fixture_model, relative};
    use crate::evidence::Clean;

    #[test]
    fn entropies_agree() {
        let Some(reference) = Golden::shared("detectors") else {
            return;
        };
        let device = Device::flex();
        let model = fixture_model(&device);
        let labels = reference.labels("targets");
        let images = reference
            .images("images_u8", &labels)
            .subset(&[0, 1, 2, 60, 61, 62, 63]);
        let overlays = reference.images("strip_overlay_u8", &[0; 100]);
        let evidence = Evidence::new(&model, &images, Compute::new(&device));
        let all = batch(
            Clean::new(&overlays).images,
            &(0..100).collect::<Vec<_>>(),
            &device,
        );
        let all = all.expect("in memory");
        let pictures = batch(&images, &(0..7).collect::<Vec<_>>(), &device).expect("in memory");
        let found = entropies(&evidence, pictures, &all);
        let expected = reference.values("strip_entropy_f64_first64");
        let expected: Vec<f64> = [0, 1, 2, 60, 61, 62, 63]
            .map(|at: usize| expected[at])
            .into();
        let difference = relative(&found, &expected);
        assert!(difference < 1e-5, "{difference:e}");
    }
}
