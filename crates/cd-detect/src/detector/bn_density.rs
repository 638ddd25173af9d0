//! BN density: values that no BatchNorm has seen often.
//!
//! Threat model: a trigger whose patterns are rare at some channel of some layer, such as a saturated patch. Blind to blended triggers:
//! a free first look, never the verdict.
//!
//! Ours, from the representation of FLARE (Hou et al., *FLARE*, IEEE Transactions on Information Forensics and Security 2025): for each
//! BatchNorm the least likely of the values that enter it, under its own running mean and variance.

use cd_core::Matrix;
use cd_models::burn::tensor::Tensor;
use cd_models::{Model, NormLayer, to_host};
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::decide::Decision;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::statistics::{median, robust_spread};
use crate::sweep::{Batch, Column, Kind, Sweep};

const DENSITIES: &str = "densities";
/// Added to the running variances.
const FLOOR: f64 = 1e-5;
/// Robust standard deviations above the median from which the rule flags.
const BORDER: f64 = 5.0;

/// Settings of BN density: there are none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BnDensity {}

impl BnDensity {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "bn-density",
        title: "Density at the BatchNorms",
        summary: "Takes at each BatchNorm the least likely value that enters it, by its running statistics, and averages over layers; rare values are suspicious.",
        threat_model: "Triggers that are rare at some channel, such as bright patches; blind to blended ones. Needs a network with BatchNorm and nothing else; one forward pass.",
        paper: "ours, after Hou et al.: FLARE, IEEE TIFS 2025",
        source: "https://github.com/THUYimingLi/BackdoorBox",
        notes: "Layers are compared by robust deviations over the set and averaged; FLARE clusters them instead. A layer at which no image differs counts nothing.",
        judges_clean: false,
        rule: Some("more than 5 robust standard deviations above the median of the images"),
    };
}

impl Detector for BnDensity {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn needs(&self) -> Needs {
        Needs {
            trainable: true,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        let Some(densities) = densities(Self::INFO.name, evidence)? else {
            return Ok(None);
        };
        let raw = rarities(&densities);
        let border = median(raw.clone()) + BORDER * robust_spread(&raw);
        let usable = robust_spread(&raw) > 0.0;
        Ok(Some(Detection {
            own: Some(Decision {
                explanation: format!(
                    "more than 5 robust standard deviations above the median ({border:.4})"
                ),
                cutoff: usable.then_some(border),
                flagged: raw.iter().map(|&value| usable && value > border).collect(),
            }),
            ..Detection::new(Measure::high("mean rarity at the BatchNorms"), raw)
        }))
    }
}

/// The least logarithm of a density at each BatchNorm, one row per image; `None` when parts of other shards are missing.
pub(super) fn densities(
    name: &'static str,
    evidence: &Evidence<'_>,
) -> Result<Option<Matrix>, DetectError> {
    let model = evidence.trainable()?;
    let layers = model.norm_layers();
    if layers.is_empty() {
        return Err(DetectError::Unfit {
            detector: name,
            reason: "it has no BatchNorm",
        });
    }
    let sweep = Sweep {
        name: "bn-densities",
        task: "reading densities",
        settings: "",
        images: evidence.images,
        columns: &[(DENSITIES, Kind::Vectors)],
    };
    let swept = sweep.run(&evidence.compute, |Batch { numbers, images }| {
        let values = least_densities(model, images, &layers);
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(DetectError::ModelOutput {
                index: numbers[at / layers.len()],
            }),
            None => Ok(vec![Column::Vectors {
                width: layers.len(),
                values,
            }]),
        }
    })?;
    Ok(swept.map(|mut swept| swept.vectors(DENSITIES)))
}

/// Image after image, one value for each of `layers`.
fn least_densities(model: &Model, images: Tensor<4>, layers: &[NormLayer]) -> Vec<f32> {
    let count = images.dims()[0];
    let mut values = vec![0.0; count * layers.len()];
    // The rarest value of a channel is its least or its largest.
    let inputs = model.norm_extremes(images, layers);
    for (at, (layer, input)) in layers.iter().zip(inputs).enumerate() {
        let Some(input) = input else { continue };
        let across = |vector: Tensor<1>| vector.reshape([1, 1, -1]);
        let variance = across(layer.variance.clone()) + FLOOR;
        let distance =
            (input - across(layer.mean.clone())).powi_scalar(2) / (variance.clone() * 2.0);
        let rarity = distance + (variance * (2.0 * std::f64::consts::PI)).log() * 0.5;
        let most = rarity.flatten::<2>(1, 2).max_dim(1);
        for (image, rarity) in to_host(most).into_iter().enumerate() {
            values[image * layers.len() + at] = -rarity;
        }
    }
    values
}

/// How far below the median each image lies, in robust deviations, as a mean over the layers.
pub(super) fn rarities(densities: &Matrix) -> Vec<f64> {
    let mut raw = vec![0.0; densities.rows()];
    for layer in 0..densities.columns() {
        let values = (0..densities.rows()).map(|image| f64::from(densities.row(image)[layer]));
        let values: Vec<f64> = values.collect();
        let (middle, spread) = (median(values.clone()), robust_spread(&values));
        for (rarity, value) in raw.iter_mut().zip(values) {
            if spread > 0.0 {
                *rarity += (middle - value) / spread / densities.columns() as f64;
            }
        }
    }
    raw
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use cd_models::Device;

    use super::*;
    use crate::compute::Compute;
    use crate::detector::golden::{Golden, auroc, fixture_model, rates, relative};

    #[test]
    fn densities_and_scores_agree() {
        let golden = Golden::ours("detectors");
        let (Some(pictures), Some(reference)) =
            (Golden::shared("detectors"), Golden::shared("detectors2"))
        else {
            return;
        };
        let device = Device::flex();
        let model = fixture_model(&device);
        let images = pictures.images("images_u8", &golden.labels("targets"));
        let evidence = Evidence {
            trainable: Some(&model),
            ..Evidence::new(&model, &images, Compute::new(&device))
        };
        let found = densities("bn-density", &evidence)
            .expect("it has norms")
            .expect("no shards");
        let ours: Vec<f64> = found
            .values()
            .iter()
            .map(|&value| f64::from(value))
            .collect();
        let difference = relative(&ours, &reference.values("flare_log_density_min"));
        assert!(difference < 1e-4, "{difference:e}");
        let expected = reference.values("bn_density_score");
        let difference = relative(&rarities(&found), &expected);
        assert!(difference < 1e-3, "{difference:e}");
        let poisoned = golden.values("is_poison");
        let detection = BnDensity {}
            .detect(&evidence)
            .expect("has norms")
            .expect("no shards");
        assert!(auroc(&detection.raw, &poisoned) > 0.998);
        let own = detection.own.expect("it has a rule");
        assert_eq!(rates(&own.flagged, &poisoned), (0.984_375, 0.0));
    }
}
