//! FLARE without UMAP: poison is a cluster of its own at the BatchNorms.
//!
//! Threat model: poison of any kind, all-to-all and untargeted included, that is alike in what is rare about it. Neither labels nor
//! clean images nor a rate are needed.
//!
//! Hou, Luo, Li, Li, Li, Xia, Tao: *FLARE: Towards Universal Dataset Purification against Backdoor Attacks*, IEEE Transactions on
//! Information Forensics and Security 2025. The paper reduces the densities at the BatchNorms to two dimensions by UMAP, clusters by
//! HDBSCAN and cuts its tree; ours clusters the standardised densities themselves and takes the clusters of HDBSCAN.

mod hdbscan;

use cd_core::Matrix;
use serde::{Deserialize, Serialize};

use super::bn_density::{densities, rarities};
use super::{Detector, DetectorInfo};
use crate::decide::Decision;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::statistics::ranks;

/// What the order by density adds to the score of a cluster, at most.
const ORDER: f64 = 0.4;
/// What an image in no cluster is worth.
const ALONE: f64 = 0.5;

/// Settings of FLARE.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Flare {
    /// Images of the smallest cluster, and neighbours that make a place dense; at least 2.
    pub smallest: usize,
}

impl Default for Flare {
    fn default() -> Self {
        Self { smallest: 10 }
    }
}

impl Flare {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "flare",
        title: "Clusters at the BatchNorms (FLARE without UMAP)",
        summary: "Clusters images by how rare their values are at each BatchNorm; an image outside the largest cluster is suspicious.",
        threat_model: "Poison of any kind, all-to-all too, that is alike in what is rare about it and has at least `smallest` images. Needs a network with BatchNorm and nothing else. Grows with the square of the number of images.",
        paper: "Hou et al.: FLARE, IEEE TIFS 2025",
        source: "https://github.com/THUYimingLi/BackdoorBox",
        notes: "HDBSCAN on standardised densities instead of UMAP and a cut of the tree: deterministic and without a free cut. Its clusters are kept (the public walk lost all poison as noise on a small set). The paper's smallest cluster of 100 finds nothing when fewer are poisoned.",
        judges_clean: false,
        rule: Some(
            "the images of every cluster but the largest; those in no cluster are left alone",
        ),
    };
}

impl Detector for Flare {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        if self.smallest >= 2 {
            return Ok(());
        }
        Err(DetectError::Config {
            key: "smallest",
            value: self.smallest.to_string(),
            expected: "at least 2",
        })
    }

    fn needs(&self) -> Needs {
        Needs {
            trainable: true,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let Some(densities) = densities(Self::INFO.name, evidence)? else {
            return Ok(None);
        };
        let clusters = hdbscan::clusters(&standardised(&densities), self.smallest);
        let largest = largest(&clusters);
        let order = ranks(&rarities(&densities));
        let score = |(cluster, order): (&Option<usize>, &f64)| {
            let cluster = match cluster {
                None => ALONE,
                own if *own == largest => 0.0,
                Some(_) => 1.0,
            };
            cluster + ORDER * order
        };
        let raw = clusters.iter().zip(&order).map(score).collect();
        let flagged = clusters.iter().map(|own| own.is_some() && *own != largest);
        Ok(Some(Detection {
            own: Some(Decision {
                explanation: "in a cluster that is not the largest".to_owned(),
                cutoff: None,
                flagged: flagged.collect(),
            }),
            ..Detection::new(Measure::high("kind of its cluster, ordered by rarity"), raw)
        }))
    }
}

/// The cluster with the most images, the first of equal ones; `None` without clusters.
fn largest(clusters: &[Option<usize>]) -> Option<usize> {
    let count = clusters.iter().flatten().max().map_or(0, |last| last + 1);
    let mut sizes = vec![0; count];
    clusters
        .iter()
        .flatten()
        .for_each(|&cluster| sizes[cluster] += 1);
    (0..count).rev().max_by_key(|&cluster| sizes[cluster])
}

/// Columns with mean 0 and standard deviation 1; those without spread are 0.
fn standardised(matrix: &Matrix) -> Matrix {
    let (rows, columns) = (matrix.rows(), matrix.columns());
    let moments: Vec<(f64, f64)> = (0..columns)
        .map(|column| {
            let values = (0..rows).map(|row| f64::from(matrix.row(row)[column]));
            let mean = values.clone().sum::<f64>() / rows.max(1) as f64;
            let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
            (mean, (squares / rows.max(1) as f64).sqrt())
        })
        .collect();
    let values = (0..rows).flat_map(|row| {
        let pairs = matrix.row(row).iter().zip(&moments);
        pairs.map(|(&value, (mean, spread))| {
            if *spread > 0.0 {
                ((f64::from(value) - mean) / spread) as f32
            } else {
                0.0
            }
        })
    });
    Matrix::new(columns, values.collect())
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::detector::golden::{Golden, rates};

    #[test]
    fn clusters_of_the_reference_embedding_agree() {
        let Some(reference) = Golden::shared("detectors2") else {
            return;
        };
        let embedding = reference.matrix("flare_umap", 2);
        let found = hdbscan::clusters(&embedding, 20);
        let expected = reference.values("flare_hdbscan_labels");
        let mut pairs: Vec<(i64, i64)> = found
            .iter()
            .zip(&expected)
            .map(|(ours, theirs)| (ours.map_or(-1, |own| own as i64), *theirs as i64))
            .collect();
        pairs.sort_unstable();
        let differing = |pairs: &[(i64, i64)]| {
            let mut kinds = pairs.to_vec();
            kinds.dedup();
            kinds
        };
        let kinds = differing(&pairs);
        // Names of clusters are free; each of ours is one of theirs and noise is noise.
        let mut ours: Vec<i64> = kinds.iter().map(|(own, _)| *own).collect();
        ours.dedup();
        assert_eq!(ours.len(), kinds.len(), "{kinds:?}");
        let noise = kinds
            .iter()
            .all(|(own, theirs)| (*own == -1) == (*theirs == -1));
        assert!(noise, "{kinds:?}");
    }

    #[test]
    fn standardised_densities_of_the_reference_separate() {
        let Some(reference) = Golden::shared("detectors2") else {
            return;
        };
        let densities = reference.matrix("flare_log_density_min", 20);
        let clusters = hdbscan::clusters(&standardised(&densities), 10);
        let largest = largest(&clusters);
        let flagged: Vec<bool> = clusters
            .iter()
            .map(|own| own.is_some() && *own != largest)
            .collect();
        let (hits, alarms) = rates(&flagged, &Golden::ours("detectors").values("is_poison"));
        assert!(hits > 0.95 && alarms < 0.005, "{hits} {alarms}");
    }
}
