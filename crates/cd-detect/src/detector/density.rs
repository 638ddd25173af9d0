//! Density of the features: `knn`, `lid`, `slof`, `dao` and `isolation-forest`.
//!
//! Threat model: poison is so rare that it has no neighbours of its own kind: fewer poisoned images than neighbours that are looked at.
//! **Dense poison is its own neighbourhood**, and these scores then swing across chance.
//!
//! Huang, Erfani, Li, Ma, Bailey: *Detecting Backdoor Samples in Contrastive Language Image Pretraining*, ICLR 2025, who compare
//! them on image and text encoders with 0.01 to 0.1 % poison. Ours takes the features that enter the last layer.

mod forest;
mod scores;

use cd_models::Tap;
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::neighbours::Neighbours;

pub use forest::IsolationForest;

const INFO: DetectorInfo = DetectorInfo {
    name: "",
    title: "",
    summary: "",
    threat_model: "Far fewer poisoned images than neighbours that are looked at (0.01 to 0.1 % of the set). Dense poison is its own neighbourhood and hides: use `clean-distance` there. Needs features alone.",
    paper: "",
    source: "https://github.com/HanxunH/Detect-CLIP-Backdoor-Samples",
    notes: "The public code takes neighbours from a matrix without its diagonal as if it had one, so each one behind the image itself is off by one; it adds 1e-4 inside logarithms and compares within a batch. Ours searches the whole set, exactly up to 200,000 images; in larger sets each image is compared with the 50,000 and more of the cells of features nearest to its own.",
    judges_clean: false,
    rule: None,
};

/// Makes the settings and the detector of a score from the neighbours of each image.
macro_rules! density {
    ($(#[$about:meta])* $name:ident, $score:path, $measure:literal, $info:expr) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            /// Neighbours of each image that are looked at; at least 1, and at most one less than there are images.
            pub neighbours: usize,
        }

        impl Default for $name {
            fn default() -> Self {
                Self { neighbours: 16 }
            }
        }

        impl $name {
            /// What the registry says of it.
            pub const INFO: DetectorInfo = $info;
        }

        impl Detector for $name {
            fn info(&self) -> &'static DetectorInfo {
                &Self::INFO
            }

            fn check(&self) -> Result<(), DetectError> {
                check(self.neighbours)
            }

            fn needs(&self) -> Needs {
                needs()
            }

            fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
                self.check()?;
                let features = evidence.features(Tap::Penultimate)?;
                let neighbours = Neighbours::within(features, self.neighbours);
                let raw = $score(&neighbours, features.rows());
                Ok(Some(Detection::new(Measure::high($measure), raw)))
            }
        }
    };
}

density!(
    /// Settings of the distance to the neighbours.
    Knn,
    scores::distances,
    "distance to the last neighbour",
    DetectorInfo {
        name: "knn",
        title: "Distance to the neighbours (k-NN)",
        summary: "Takes the distance of the features of each image to its 16th neighbour; a lonely image is suspicious.",
        paper: "Ramaswamy, Rastogi, Shim: Efficient Algorithms for Mining Outliers from Large Data Sets, SIGMOD 2000",
        ..INFO
    }
);

density!(
    /// Settings of the local intrinsic dimension.
    Lid,
    scores::dimensions,
    "local intrinsic dimension",
    DetectorInfo {
        name: "lid",
        title: "Local intrinsic dimension (LID)",
        summary: "Estimates how fast the number of neighbours grows around each image; a high dimension is suspicious.",
        paper: "Ma et al.: Characterizing Adversarial Subspaces Using Local Intrinsic Dimensionality, ICLR 2018",
        ..INFO
    }
);

density!(
    /// Settings of the simplified local outlier factor.
    Slof,
    scores::outlier_factors,
    "simplified local outlier factor",
    DetectorInfo {
        name: "slof",
        title: "Simplified local outlier factor (SLOF)",
        summary: "Compares the distance of each image to its neighbours with those of its neighbours to theirs; a lonelier image is suspicious.",
        paper: "Schubert, Zimek, Kriegel: Local Outlier Detection Reconsidered, Data Mining and Knowledge Discovery 2014",
        ..INFO
    }
);

density!(
    /// Settings of the dimensionality-aware outlier factor.
    Dao,
    scores::aware_factors,
    "dimensionality-aware outlier factor",
    DetectorInfo {
        name: "dao",
        title: "Dimensionality-aware outlier factor (DAO)",
        summary: "As the local outlier factor, with ratios raised to the local dimension of the neighbours; a lonelier image is suspicious.",
        paper: "Anderberg et al.: Dimensionality-Aware Outlier Detection, SDM 2024",
        notes: "The mean of the powers, as defined; the public code takes the mean of their logarithms. Its other faults as for `knn`.",
        ..INFO
    }
);

fn needs() -> Needs {
    Needs {
        features: vec![Tap::Penultimate],
        ..Needs::default()
    }
}

fn check(neighbours: usize) -> Result<(), DetectError> {
    if neighbours > 0 {
        return Ok(());
    }
    Err(DetectError::Config {
        key: "neighbours",
        value: "0".to_owned(),
        expected: "at least 1",
    })
}

#[cfg(all(test, feature = "flex"))]
mod tests;
