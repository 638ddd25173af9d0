//! Labels that a linear classifier of another network's features would not give.
//!
//! Threat model: dirty labels, as for the labels of neighbours; a linear classifier also sees what no single neighbour shows.
//!
//! Out-of-fold predictions as in Northcutt, Jiang, Chuang: *Confident Learning: Estimating Uncertainty in Dataset Labels*, JAIR
//! 2021. A linear classifier learns a trigger, if it may, and then confirms the labels that come with it. Ours therefore learns from the
//! images that their nearest neighbours do not contradict: single neighbours are not moved by a trigger that many images share.

use std::collections::BTreeMap;

use cd_core::random;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::knn_label::{BORDER, KnnLabel, disagreements, doubt};
use super::{Detector, DetectorInfo};
use crate::decide::{Decision, Testimony};
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::logistic::{Logistic, Standardised};
use crate::needs::Needs;

/// Settings of the linear probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeLabel {
    /// Parts of the set, each judged by a classifier of the other parts; at least 2.
    pub folds: usize,
    /// Neighbours that are asked which images to learn from, as by `knn-label`; at least 1.
    pub neighbours: usize,
    /// Weight of the squared weights beside the mean cross-entropy, for features of mean squared length 1; above 0.
    pub penalty: f64,
    /// Decides which image is in which part.
    pub seed: u64,
}

impl Default for ProbeLabel {
    fn default() -> Self {
        Self {
            folds: 5,
            neighbours: KnnLabel::default().neighbours,
            penalty: 1e-3,
            seed: 0,
        }
    }
}

impl ProbeLabel {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "probe-label",
        title: "Labels against a linear probe",
        summary: "Trains a linear classifier on the features of a clean reference network, on four fifths of the images for the last fifth; an image whose label it contradicts is suspicious.",
        threat_model: "Dirty labels, with or without a trigger, as long as neighbours mostly have theirs right. Clean-label poison keeps its label and is not seen. Needs a network that was not trained on these images and knows their kind.",
        paper: "Northcutt, Jiang, Chuang: Confident Learning: Estimating Uncertainty in Dataset Labels, Journal of Artificial Intelligence Research 2021",
        source: "ours",
        notes: "Multinomial logistic regression with a ridge penalty on standardised features, out of fold. It learns from the images that knn-label does not contradict, and of every class from at least the least contradicted tenth: otherwise many images with one trigger and one label are learned as part of their class. The raw number is the largest logit of another class less that of the label. An image whose class has no other images to learn from, or that is of the only class, has 0.",
        judges_clean: false,
        rule: Some(
            "Flags an image above 0, where the linear classifier prefers another class to the label.",
        ),
    };
}

impl Detector for ProbeLabel {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        let failed = |key, value: String, expected| {
            Err(DetectError::Config {
                key,
                value,
                expected,
            })
        };
        if self.folds < 2 {
            return failed("folds", self.folds.to_string(), "at least 2");
        }
        if self.neighbours == 0 {
            return failed("neighbours", "0".to_owned(), "at least 1");
        }
        if self.penalty > 0.0 && self.penalty.is_finite() {
            return Ok(());
        }
        failed("penalty", self.penalty.to_string(), "a number above 0")
    }

    fn needs(&self) -> Needs {
        Needs {
            labels: true,
            reference: true,
            ..Needs::default()
        }
    }

    fn testimony(&self) -> Testimony {
        Testimony::Labels
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let labels = evidence.labels()?;
        let features = evidence.reference()?;
        let (labels, classes) = present(labels);
        let raw = if classes < 2 {
            vec![0.0; labels.len()]
        } else {
            let disagreements = disagreements(features, &labels, self.neighbours);
            let used = agreeing(&disagreements, &labels, classes);
            self.margins(&Standardised::of(features), &labels, classes, &used)
        };
        let flagged: Vec<bool> = raw.iter().map(|&margin| margin > 0.0).collect();
        Ok(Some(Detection {
            own: Some(Decision {
                explanation: format!(
                    "the linear probe prefers another class to the label{}",
                    doubt(&flagged)
                ),
                cutoff: Some(0.0),
                flagged,
            }),
            ..Detection::new(
                Measure::high("preference of the linear probe for another class"),
                raw,
            )
        }))
    }
}

impl ProbeLabel {
    /// How much more another class is preferred to the label, by a classifier of the `used` images of other parts.
    fn margins(
        &self,
        features: &Standardised,
        labels: &[u32],
        classes: usize,
        used: &[bool],
    ) -> Vec<f64> {
        let folds = self.folds_of(labels.len());
        let of_fold: Vec<Vec<f64>> = (0..self.folds)
            .into_par_iter()
            .map(|fold| {
                let pairs = used.iter().zip(&folds);
                let used: Vec<bool> = pairs.map(|(&used, &own)| used && own != fold).collect();
                let problem = Logistic {
                    features,
                    labels,
                    classes,
                    used: &used,
                    penalty: self.penalty,
                };
                problem.margins(&problem.solve())
            })
            .collect();
        let images = folds.into_iter().enumerate();
        images.map(|(image, fold)| of_fold[fold][image]).collect()
    }

    /// The part that each image is in; all parts have equally many, or one fewer.
    fn folds_of(&self, images: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..images).collect();
        order.shuffle(&mut random::stream(self.seed, random::named("folds")));
        let mut folds = vec![0; images];
        for (place, image) in order.into_iter().enumerate() {
            folds[image] = place % self.folds;
        }
        folds
    }
}

/// The labels counted over the classes that have images, and how many those are.
fn present(labels: &[u32]) -> (Vec<u32>, usize) {
    let mut numbers: BTreeMap<u32, u32> = labels.iter().map(|&label| (label, 0)).collect();
    for (number, place) in numbers.values_mut().enumerate() {
        *place = number as u32;
    }
    let counted = labels.iter().map(|label| numbers[label]).collect();
    (counted, numbers.len())
}

/// Which images to learn from: those whose neighbours do not contradict them, and of every class the least contradicted tenth.
fn agreeing(disagreements: &[f64], labels: &[u32], classes: usize) -> Vec<bool> {
    let mut members = vec![Vec::new(); classes];
    for (image, &label) in labels.iter().enumerate() {
        members[label as usize].push(image);
    }
    let mut used = vec![false; labels.len()];
    for mut members in members {
        members.sort_by(|&a, &b| {
            let less = disagreements[a].total_cmp(&disagreements[b]);
            less.then(a.cmp(&b))
        });
        let least = members.len().div_ceil(10);
        for (place, image) in members.into_iter().enumerate() {
            used[image] = place < least || disagreements[image] <= BORDER;
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use cd_core::Matrix;
    use rand::Rng;

    use super::*;

    /// Two clouds, of which image 3 has the label of the other.
    fn clouds() -> (Matrix, Vec<u32>) {
        let mut random = random::stream(5, 0);
        let mut values = Vec::new();
        let mut labels = Vec::new();
        for image in 0..60_u32 {
            let label = image % 2;
            for column in 0..4_u32 {
                let middle = if column % 2 == label { 2.0 } else { 0.0 };
                values.push(middle + random.random::<f32>());
            }
            labels.push(label);
        }
        labels[3] = 0;
        (Matrix::new(4, values), labels)
    }

    #[test]
    fn a_wrong_label_is_contradicted_and_the_others_are_not() {
        let (features, labels) = clouds();
        let features = Standardised::of(&features);
        let margins = ProbeLabel::default().margins(&features, &labels, 2, &[true; 60]);
        let above = (0..60).filter(|&image| margins[image] > 0.0);
        assert_eq!(above.collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn what_neighbours_contradict_is_not_learned_but_no_class_vanishes() {
        let mut labels = vec![0; 20];
        labels.extend([1, 1]);
        let mut disagreements = vec![0.9; 22];
        disagreements[7] = 0.5;
        disagreements[2] = 0.6;
        let used = agreeing(&disagreements, &labels, 2);
        let learned = (0..22).filter(|&image| used[image]);
        assert_eq!(learned.collect::<Vec<_>>(), [2, 7, 20]);
    }

    #[test]
    fn classes_without_images_do_not_count() {
        assert_eq!(present(&[7, 2, 7]), (vec![1, 0, 1], 2));
        assert_eq!(present(&[]), (vec![], 0));
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let usual = ProbeLabel::default;
        for (probe, key) in [
            (
                ProbeLabel {
                    folds: 1,
                    ..usual()
                },
                "folds",
            ),
            (
                ProbeLabel {
                    neighbours: 0,
                    ..usual()
                },
                "neighbours",
            ),
            (
                ProbeLabel {
                    penalty: f64::NAN,
                    ..usual()
                },
                "penalty",
            ),
        ] {
            let error = probe.check().expect_err(key).to_string();
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }
}
