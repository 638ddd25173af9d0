//! Isolation forest: how few random splits set an image apart.

use cd_core::{Matrix, random};
use cd_models::Tap;
use rand::Rng;
use rand::seq::index;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::{Detector, DetectorInfo};
use super::{INFO, needs};
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;

/// The difference between harmonic numbers and logarithms.
const EULER: f64 = 0.577_215_664_9;

/// Settings of the isolation forest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IsolationForest {
    /// Trees; at least 1.
    pub trees: usize,
    /// Images that each tree is grown from, or all if there are fewer; at least 2.
    pub samples: usize,
    /// Chooses images, features and splits.
    pub seed: u64,
}

impl Default for IsolationForest {
    fn default() -> Self {
        Self {
            trees: 100,
            samples: 256,
            seed: 0,
        }
    }
}

impl IsolationForest {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "isolation-forest",
        title: "Isolation forest",
        summary: "Counts the random splits of features that set an image apart from the others; few splits are suspicious.",
        threat_model: "Rare poison whose features take values that no clean image has. Needs features alone.",
        paper: "Liu, Ting, Zhou: Isolation Forest, ICDM 2008",
        notes: "100 trees of 256 images each, drawn without replacement; splits are uniform between the least and the largest value at a node.",
        ..INFO
    };
}

impl Detector for IsolationForest {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        let bounds = [("trees", self.trees, 1), ("samples", self.samples, 2)];
        match bounds.into_iter().find(|(_, value, least)| value < least) {
            None => Ok(()),
            Some((key, value, _)) => Err(DetectError::Config {
                key,
                value: value.to_string(),
                expected: "at least 1 of `trees` and 2 of `samples`",
            }),
        }
    }

    fn needs(&self) -> Needs {
        needs()
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let features = evidence.features(Tap::Penultimate)?;
        let samples = self.samples.min(features.rows());
        let trees = (0..self.trees).into_par_iter().map(|number| {
            let mut drawn = random::stream(self.seed, number as u64);
            let rows = index::sample(&mut drawn, features.rows(), samples).into_vec();
            let mut tree = Tree::default();
            let deepest = (samples.max(2) as f64).log2().ceil() as usize;
            tree.grow(features, rows, deepest, &mut drawn);
            tree
        });
        let trees: Vec<Tree> = trees.collect();
        let score = |row: usize| {
            let depths = trees.iter().map(|tree| tree.depth(features.row(row)));
            let mean = depths.sum::<f64>() / trees.len() as f64;
            let usual = usual_depth(samples);
            if usual > 0.0 {
                (-mean / usual).exp2()
            } else {
                0.5
            }
        };
        let raw = (0..features.rows()).into_par_iter().map(score).collect();
        Ok(Some(Detection::new(
            Measure::high("anomaly score of the isolation forest"),
            raw,
        )))
    }
}

/// The mean depth at which a search in a random tree of `count` ends without success.
pub(super) fn usual_depth(count: usize) -> f64 {
    match count {
        0 | 1 => 0.0,
        2 => 1.0,
        n => {
            let n = n as f64;
            2.0 * ((n - 1.0).ln() + EULER) - 2.0 * (n - 1.0) / n
        }
    }
}

/// A tree of splits.
#[derive(Debug, Default)]
pub(super) struct Tree(pub(super) Vec<Node>);

#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    /// So many images end here.
    Leaf(usize),
    /// Those with a value of at most `border` go to the first of `next`.
    Split {
        feature: usize,
        border: f64,
        next: [usize; 2],
    },
}

impl Tree {
    /// Grows the node of `rows` and all below it; returns its place.
    fn grow(
        &mut self,
        matrix: &Matrix,
        rows: Vec<usize>,
        left: usize,
        drawn: &mut impl Rng,
    ) -> usize {
        let place = self.0.len();
        self.0.push(Node::Leaf(rows.len()));
        if left == 0 || rows.len() < 2 {
            return place;
        }
        let Some((feature, border)) = split(matrix, &rows, drawn) else {
            return place;
        };
        let below = |row: &usize| f64::from(matrix.row(*row)[feature]) <= border;
        let (first, second): (Vec<usize>, Vec<usize>) = rows.into_iter().partition(below);
        let first = self.grow(matrix, first, left - 1, drawn);
        let second = self.grow(matrix, second, left - 1, drawn);
        self.0[place] = Node::Split {
            feature,
            border,
            next: [first, second],
        };
        place
    }

    /// How deep `values` fall, with what a leaf of several images would add.
    pub(super) fn depth(&self, values: &[f32]) -> f64 {
        let (mut place, mut depth) = (0, 0.0);
        loop {
            match self.0[place] {
                Node::Leaf(count) => return depth + usual_depth(count),
                Node::Split {
                    feature,
                    border,
                    next,
                } => {
                    place = next[usize::from(f64::from(values[feature]) > border)];
                    depth += 1.0;
                }
            }
        }
    }
}

/// A feature that differs among `rows`, and a border between its least and its largest value; `None` where none differs.
fn split(matrix: &Matrix, rows: &[usize], drawn: &mut impl Rng) -> Option<(usize, f64)> {
    let bounds = |feature: usize| {
        let values = rows.iter().map(|&row| f64::from(matrix.row(row)[feature]));
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    let differing: Vec<usize> = (0..matrix.columns())
        .filter(|&feature| {
            let (low, high) = bounds(feature);
            low < high
        })
        .collect();
    let feature = *differing.get(drawn.random_range(0..differing.len().max(1)))?;
    let (low, high) = bounds(feature);
    Some((feature, low + drawn.random::<f64>() * (high - low)))
}
