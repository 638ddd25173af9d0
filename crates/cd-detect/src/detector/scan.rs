//! SCAn: a class that two groups explain better than one is a target.
//!
//! Threat model: dirty-label poison, source-specific triggers included. Labelled clean images tell how features of one class vary;
//! classes are assumed to vary alike.
//!
//! Tang, Wang, Tang, Zhang: *Demon in the Variant*, USENIX Security 2021. The test follows the paper's equations; the public codes
//! forget a factor in it, so their null means are sums, and count the first clean image as inspected.

mod split;
mod variation;

use cd_models::Tap;
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::decide::Decision;
use crate::dense::{all_rows, centred, middle, product, rows_of};
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::points::Points;
use crate::statistics::{TARGET_INDEX, class_index, members};

use split::Split;
use variation::Variation;

/// Margins beyond it are taken as it.
const LARGEST_MARGIN: f64 = 500.0;

/// Settings of SCAn.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scan {
    /// Chooses the groups that splitting starts from.
    pub seed: u64,
}

impl Scan {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "scan",
        title: "Statistical contamination analysis (SCAn)",
        summary: "Learns from clean images how features of a class vary and asks of each class whether two groups explain it better than one; an image of the second group is suspicious.",
        threat_model: "Dirty-label poison, source-specific triggers too; needs the labels that training saw and labelled clean images of every class (10 to 50 each).",
        paper: "Tang, Wang, Tang, Zhang: Demon in the Variant, USENIX Security 2021",
        source: "https://github.com/TDteach/Demon-in-the-Variant",
        notes: "Null means as in the paper (the public codes forget a factor, so theirs are sums); classes count as targets on the upper side only. With no more clean images than features the covariance within classes is shrunk by 10 % towards its mean variance.",
        judges_clean: false,
        rule: Some(
            "the images of the suspicious group of a class whose index is above e squared (7.389)",
        ),
    };
}

impl Detector for Scan {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn needs(&self) -> Needs {
        Needs {
            features: vec![Tap::Penultimate],
            labels: true,
            clean: 2,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        let features = evidence.features(Tap::Penultimate)?;
        let clean = evidence.clean()?;
        let trusted = clean.features(Tap::Penultimate)?;
        let trusted_labels = clean.labels(evidence.class_count)?;
        let variation = Variation::of(all_rows(trusted).as_ref(), trusted_labels);
        let root = variation.precision_root();
        let of_class = members(evidence.labels()?, evidence.class_count);
        let clean_of_class = members(trusted_labels, evidence.class_count);
        // Of all images, of every class: where a class lies from there is what the model explains.
        let middle = middle(&[features, trusted]);
        let mut splits = Vec::new();
        for (class, (images, references)) in of_class.iter().zip(&clean_of_class).enumerate() {
            let inspected = rows_of(features, images);
            let rows = stacked(&inspected, &rows_of(trusted, references));
            let rows = centred(rows.as_ref(), &middle);
            let white = product(rows.as_ref(), root.as_ref());
            let white = Points::of(white.as_ref());
            let start = split::start(&white, self.seed, class);
            let null = variation.class_mean(rows.as_ref());
            splits.push(Split::of(&white, start, images.len(), &root, &null));
        }
        Ok(Some(detection(&splits, &of_class, features.rows())))
    }
}

/// Scores and flags from the split of each class.
fn detection(splits: &[Split], of_class: &[Vec<usize>], count: usize) -> Detection {
    let gains: Vec<Option<f64>> = splits
        .iter()
        .zip(of_class)
        .map(|(split, images)| (!images.is_empty()).then_some(split.gain))
        .collect();
    let index = class_index(&gains);
    let (mut raw, mut flagged) = (vec![0.0; count], vec![false; count]);
    for ((split, images), &index) in splits.iter().zip(of_class).zip(&index) {
        for (at, &image) in images.iter().enumerate() {
            let margin = (split.margins[at] / 2.0).clamp(-LARGEST_MARGIN, LARGEST_MARGIN);
            raw[image] = index / (1.0 + (-margin).exp());
            flagged[image] = index > TARGET_INDEX && split.suspects(at);
        }
    }
    Detection {
        own: Some(Decision {
            explanation: format!(
                "in the suspicious group of a class with an index above {TARGET_INDEX:.3}"
            ),
            cutoff: None,
            flagged,
        }),
        ..Detection::new(
            Measure::high("index of the class by nearness to its suspicious group"),
            raw,
        )
    }
}

/// Inspected rows, then clean ones.
fn stacked(inspected: &faer::Mat<f64>, clean: &faer::Mat<f64>) -> faer::Mat<f64> {
    let first = inspected.nrows();
    faer::Mat::from_fn(first + clean.nrows(), inspected.ncols(), |row, column| {
        if row < first {
            inspected[(row, column)]
        } else {
            clean[(row - first, column)]
        }
    })
}

#[cfg(all(test, feature = "flex"))]
mod tests;
