//! Labels of the nearest neighbours in the eyes of another network.
//!
//! Threat model: dirty labels. Whatever leads to a wrong label, a trigger or a slip, a network that was not trained on the set still
//! sees what a picture shows, and its nearest neighbours show the same.
//!
//! Wilson: *Asymptotic Properties of Nearest Neighbor Rules Using Edited Data*, 1972, which removes what its neighbours
//! contradict; on features of a network, Bahri, Jiang, Gupta: *Deep k-NN for Noisy Labels*, ICML 2020. Ours weighs neighbours by
//! their distance and allows for small classes.

use std::collections::BTreeMap;

use cd_core::Matrix;
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::decide::{Decision, Testimony};
use crate::dense::middle;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::neighbours::Neighbours;

/// Above it other labels prevail.
pub(super) const BORDER: f64 = 0.5;

/// Settings of the neighbours' labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KnnLabel {
    /// Neighbours that are asked, or all others where there are fewer; at least 1.
    pub neighbours: usize,
}

impl Default for KnnLabel {
    fn default() -> Self {
        Self { neighbours: 20 }
    }
}

impl KnnLabel {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "knn-label",
        title: "Labels of the nearest neighbours",
        summary: "Asks the nearest images, in the features of a clean reference network, for their labels; an image with another label than most of them is suspicious.",
        threat_model: "Dirty labels, with or without a trigger, as long as neighbours mostly have theirs right. Clean-label poison keeps its label and is not seen. Needs a network that was not trained on these images and knows their kind.",
        paper: "Wilson: Asymptotic Properties of Nearest Neighbor Rules Using Edited Data, IEEE Transactions on Systems, Man, and Cybernetics 1972; Bahri, Jiang, Gupta: Deep k-NN for Noisy Labels, ICML 2020",
        source: "ours",
        notes: "Features are centred and compared by angle. A neighbour at distance d counts exp(-(d/r)^2), with r the distance of the farthest that is asked. The raw number is 1 less the weight of neighbours of the same label, as a share of the largest weight that the image's class could have; so members of a class that is smaller than the neighbourhood are not suspicious for that alone.",
        judges_clean: false,
        rule: Some("Flags an image above 1/2, where other labels prevail among its neighbours."),
    };
}

impl Detector for KnnLabel {
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
        let raw = disagreements(evidence.reference()?, labels, self.neighbours);
        let flagged: Vec<bool> = raw.iter().map(|&weight| weight > BORDER).collect();
        Ok(Some(Detection {
            own: Some(Decision {
                explanation: format!(
                    "weight of neighbours with another label above {BORDER}{}",
                    doubt(&flagged)
                ),
                cutoff: Some(BORDER),
                flagged,
            }),
            ..Detection::new(
                Measure::high("weight of neighbours with another label"),
                raw,
            )
        }))
    }
}

/// What must be said of flags when they are very many; nothing otherwise.
pub(super) fn doubt(flagged: &[bool]) -> &'static str {
    let count = flagged.iter().filter(|&&flag| flag).count();
    if 4 * count <= flagged.len() {
        return "";
    }
    "; that is more than a quarter of all images: the reference network may hardly tell these classes apart"
}

/// How much the `count` nearest images by `features` contradict the label of each image.
pub(super) fn disagreements(features: &Matrix, labels: &[u32], count: usize) -> Vec<f64> {
    let neighbours = Neighbours::within(&directions(features), count);
    let mut sizes = BTreeMap::new();
    for label in labels {
        *sizes.entry(label).or_insert(0) += 1;
    }
    let of = |(index, label): (usize, &u32)| {
        let alike = sizes[label] - 1;
        disagreement(neighbours.of(index), alike, |row| labels[row] == *label)
    };
    labels.iter().enumerate().map(of).collect()
}

/// From 0, where as many neighbours have the same label as the `alike` other images of the class allow, to 1, where none has.
fn disagreement(neighbours: &[(f64, u32)], alike: usize, same: impl Fn(usize) -> bool) -> f64 {
    let radius = neighbours.last().map_or(0.0, |(distance, _)| *distance);
    let weight = |(distance, _): &(f64, u32)| match radius {
        0.0 => 1.0,
        _ => (-(distance / radius).powi(2)).exp(),
    };
    let most: f64 = neighbours.iter().take(alike).map(weight).sum();
    if most == 0.0 {
        return 0.0;
    }
    let agreeing = neighbours.iter().filter(|(_, row)| same(*row as usize));
    (1.0 - agreeing.map(weight).sum::<f64>() / most).max(0.0)
}

/// The rows around their middle, each of length 1; a row in the middle itself stays 0.
fn directions(features: &Matrix) -> Matrix {
    let (columns, count) = (features.columns(), features.rows());
    let middle = middle(&[features]);
    let mut values = Vec::with_capacity(columns * count);
    for index in 0..count {
        let row = features.row(index).iter().zip(&middle);
        let away: Vec<f64> = row
            .map(|(&value, middle)| f64::from(value) - middle)
            .collect();
        let length = away.iter().map(|value| value * value).sum::<f64>().sqrt();
        let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
        values.extend(away.iter().map(|value| (value * scale) as f32));
    }
    Matrix::new(columns, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(distances: &[f64]) -> Vec<(f64, u32)> {
        distances.iter().copied().zip(0..).collect()
    }

    #[test]
    fn near_neighbours_count_more_and_small_classes_are_not_to_blame() {
        let neighbours = at(&[0.1, 0.5, 1.0]);
        let nearest = disagreement(&neighbours, 9, |row| row != 0);
        let farthest = disagreement(&neighbours, 9, |row| row != 2);
        assert!(nearest > farthest && farthest > 0.0, "{nearest} {farthest}");
        assert_eq!(disagreement(&neighbours, 9, |_| true), 0.0);
        assert_eq!(disagreement(&neighbours, 9, |_| false), 1.0);
        // Both others of its class are the nearest two of three.
        assert_eq!(disagreement(&neighbours, 2, |row| row < 2), 0.0);
        assert_eq!(disagreement(&neighbours, 0, |_| false), 0.0);
        assert_eq!(disagreement(&[], 5, |_| false), 0.0);
        let equal = disagreement(&at(&[0.0; 4]), 9, |row| row == 0);
        assert!((equal - 0.75).abs() < 1e-12, "{equal}");
    }

    #[test]
    fn directions_forget_the_middle_and_the_length() {
        let found = directions(&Matrix::new(2, vec![1.0, 5.0, 3.0, 5.0, 2.0, 5.0]));
        assert_eq!(found.values(), [-1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn very_many_flags_are_doubted() {
        assert_eq!(doubt(&[true, false, false, false]), "");
        assert!(doubt(&[true, true, false, false]).contains("a quarter"));
        assert_eq!(doubt(&[]), "");
    }

    #[test]
    fn no_neighbours_are_refused() {
        let error = KnnLabel { neighbours: 0 }.check().expect_err("none");
        assert!(error.to_string().contains("`neighbours` is 0"), "{error}");
    }
}
