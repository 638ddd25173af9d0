//! Distance to clean features: what no clean image resembles.
//!
//! Threat model: any trigger that changes what the network sees. Trusted clean images of the same kind are at hand; the poison may be
//! as dense as it likes, for suspects are not compared with each other.
//!
//! The plain form of out-of-distribution detection. `neighbours` is the distance to the tenth nearest clean image of any class,
//! after Sun, Ming, Zhu, Li: *Out-of-Distribution Detection with Deep Nearest Neighbors*, ICML 2022, without their scaling to
//! length 1; `mahalanobis` that to the mean of the class that an image is labelled as, under one covariance of all classes, after
//! Lee, Lee, Lee, Shin: *A Simple Unified Framework for Detecting Out-of-Distribution Samples*, NeurIPS 2018.

use cd_core::Matrix;
use cd_models::Tap;
use faer::Mat;
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::decide::Decision;
use crate::dense::{Spectrum, product, scale};
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::neighbours::Neighbours;
use crate::statistics::quantile;

/// Parts of the clean images that are judged by the others.
const FOLDS: usize = 5;
/// Share of the clean images that the rule leaves alone.
const KEPT: f64 = 0.95;

/// Settings of the distance to clean features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CleanDistance {
    /// Which distance: `neighbours` or `mahalanobis`.
    pub form: Form,
    /// The clean image that is looked at, counted from the nearest; at least 1.
    pub neighbours: usize,
}

/// Which distance to clean features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// To a near clean image of any class.
    #[default]
    Neighbours,
    /// To the mean of the clean images of the labelled class, in deviations of all classes.
    Mahalanobis,
}

impl Default for CleanDistance {
    fn default() -> Self {
        Self {
            form: Form::default(),
            neighbours: 10,
        }
    }
}

impl CleanDistance {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "clean-distance",
        title: "Distance to clean features",
        summary: "Measures how far the features of an image lie from those of trusted clean images; a large distance is suspicious.",
        threat_model: "Triggers change the features; trusted clean images of the same kind are at hand. The amount of poison does not matter.",
        paper: "Sun, Ming, Zhu, Li: Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022; Lee, Lee, Lee, Shin: A Simple Unified Framework for Detecting Out-of-Distribution Samples, NeurIPS 2018",
        source: "https://github.com/deeplearning-wisc/knn-ood",
        notes: "Features keep their lengths. Clean images are judged by the others: without themselves, or in five folds (every fifth image). The covariance is shrunk by 0.1 % towards its mean variance.",
        judges_clean: true,
        rule: Some("a distance above that of 95 % of the clean images, each judged by the others"),
    };
}

impl Detector for CleanDistance {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        if self.neighbours > 0 {
            return Ok(());
        }
        Err(DetectError::Config {
            key: "neighbours",
            value: "0".to_owned(),
            expected: "at least 1",
        })
    }

    fn needs(&self) -> Needs {
        Needs {
            features: vec![Tap::Penultimate],
            labels: self.form == Form::Mahalanobis,
            clean: 2,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let features = evidence.features(Tap::Penultimate)?;
        let clean = evidence.clean()?;
        let trusted = clean.features(Tap::Penultimate)?;
        let (raw, own) = match self.form {
            Form::Neighbours => {
                let of = |found: &Neighbours, count| -> Vec<f64> {
                    (0..count).map(|row| found.radius(row)).collect()
                };
                let raw = Neighbours::among(features, trusted, self.neighbours);
                let own = Neighbours::within(trusted, self.neighbours);
                (of(&raw, features.rows()), of(&own, trusted.rows()))
            }
            Form::Mahalanobis => {
                let classes = clean.labels(evidence.class_count)?;
                let all: Vec<usize> = (0..trusted.rows()).collect();
                let model = Gaussian::of(trusted, classes, &all, evidence.class_count);
                let raw = model.distances(features, evidence.labels()?);
                (raw, folded(trusted, classes, evidence.class_count))
            }
        };
        let border = quantile(own.clone(), KEPT);
        Ok(Some(Detection {
            own: Some(Decision {
                explanation: format!(
                    "further from the clean images than 95 % of themselves ({border:.4})"
                ),
                cutoff: Some(border),
                flagged: raw.iter().map(|&distance| distance > border).collect(),
            }),
            clean: Some(own),
            ..Detection::new(Measure::high("distance to the clean features"), raw)
        }))
    }
}

/// Distances of clean images by models of the other folds.
fn folded(trusted: &Matrix, classes: &[u32], class_count: usize) -> Vec<f64> {
    let mut own = vec![0.0; trusted.rows()];
    for fold in 0..FOLDS.min(trusted.rows()) {
        let others: Vec<usize> = (0..trusted.rows())
            .filter(|row| row % FOLDS != fold)
            .collect();
        let model = Gaussian::of(trusted, classes, &others, class_count);
        let judged = model.distances(trusted, classes);
        for row in (fold..trusted.rows()).step_by(FOLDS) {
            own[row] = judged[row];
        }
    }
    own
}

/// Means of classes and what turns differences from them into deviations.
struct Gaussian {
    means: Vec<Vec<f64>>,
    whitening: Mat<f64>,
}

impl Gaussian {
    /// Of the rows at `chosen`. A class without any has the mean of all.
    fn of(rows: &Matrix, classes: &[u32], chosen: &[usize], class_count: usize) -> Self {
        let width = rows.columns();
        let mut means = vec![vec![0.0; width]; class_count + 1];
        let mut counts = vec![0.0_f64; class_count + 1];
        for &row in chosen {
            for place in [classes[row] as usize, class_count] {
                counts[place] += 1.0;
                for (sum, &value) in means[place].iter_mut().zip(rows.row(row)) {
                    *sum += f64::from(value);
                }
            }
        }
        for (mean, count) in means.iter_mut().zip(&counts) {
            for sum in mean.iter_mut() {
                *sum /= count.max(1.0);
            }
        }
        let overall = means.pop().unwrap_or_default();
        for (mean, _) in means
            .iter_mut()
            .zip(&counts)
            .filter(|(_, count)| **count == 0.0)
        {
            mean.clone_from(&overall);
        }
        let residuals = Mat::from_fn(chosen.len(), width, |at, column| {
            let row = chosen[at];
            f64::from(rows.row(row)[column]) - means[classes[row] as usize][column]
        });
        let mut covariance = product(residuals.transpose(), residuals.as_ref());
        scale(&mut covariance, 1.0 / chosen.len().max(1) as f64);
        let variance = crate::dense::trace(covariance.as_ref()) / width.max(1) as f64;
        let covariance = crate::dense::with_diagonal(covariance, 1e-3 * variance);
        Self {
            means,
            whitening: Spectrum::of(covariance.as_ref()).inverse_root(),
        }
    }

    fn distances(&self, rows: &Matrix, classes: &[u32]) -> Vec<f64> {
        let differences = Mat::from_fn(rows.rows(), rows.columns(), |row, column| {
            f64::from(rows.row(row)[column]) - self.means[classes[row] as usize][column]
        });
        let white = product(differences.as_ref(), self.whitening.as_ref());
        let length = |row| {
            white
                .row(row)
                .iter()
                .map(|v: &f64| v * v)
                .sum::<f64>()
                .sqrt()
        };
        (0..rows.rows()).map(length).collect()
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::detector::golden::{Golden, auroc, rates};
    use crate::testing::with_clean;

    #[test]
    fn both_forms_find_the_golden_poison() {
        let golden = Golden::ours("detectors");
        let Some(reference) = Golden::shared("detectors2") else {
            return;
        };
        let Some(set) = Golden::shared("train_set") else {
            return;
        };
        let labels = set.labels("test_labels");
        let poisoned = golden.values("is_poison");
        for (form, least) in [(Form::Neighbours, 0.97), (Form::Mahalanobis, 0.97)] {
            let clean = reference.matrix("scan_clean_features", 128);
            let method = CleanDistance {
                form,
                ..CleanDistance::default()
            };
            let found = with_clean(&golden, Some((clean, &labels)), |evidence| {
                method.detect(&evidence)
            });
            let area = auroc(&found.scores(), &poisoned);
            let own = found.own.expect("it has a rule");
            let (hits, alarms) = rates(&own.flagged, &poisoned);
            println!("{form:?}: AUROC {area:.4}, TPR {hits:.3}, FPR {alarms:.3}");
            assert!(area > least, "{form:?}: {area}");
        }
    }
}
