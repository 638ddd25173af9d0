//! Activation clustering: poison of a class is one of the two groups that its features fall into.
//!
//! Threat model: dirty-label poison. A class then holds images of its own and images that reach it by the trigger, and the two lie
//! apart in the features that enter the last layer. A class of half poison is no harder than one of little.
//!
//! Chen, Carvalho, Baracaldo, Ludwig, Edwards, Lee, Molloy, Srivastava: *Detecting Backdoor Attacks on Deep Neural Networks by
//! Activation Clustering*, 2018. The score is the silhouette of each image, as where Cognitive Distillation is compared with it;
//! the paper compares the sizes of the groups, which is the rule here. It reduces features to ten independent components first:
//! `components`.

mod independent;
mod kmeans;
mod silhouette;

use cd_models::Tap;
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::decide::Decision;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;
use crate::points::Points;
use crate::statistics::members;

/// A group that holds less than this share of its class is poison.
const SMALL: f64 = 0.35;

/// Settings of activation clustering.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ac {
    /// Independent components that the features of a class are reduced to first; 0 for none, 10 in the paper.
    pub components: usize,
}

impl Ac {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "ac",
        title: "Activation clustering (AC)",
        summary: "Splits the features of each class into two groups; an image that fits its group well is suspicious.",
        threat_model: "Dirty-label poison that lies apart from the clean images of its class in the last features. Needs the labels that training saw; judges the set as a whole.",
        paper: "Chen et al.: Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering, SafeAI 2019",
        source: "https://github.com/Trusted-AI/adversarial-robustness-toolbox",
        notes: "k-means is the best of ten starts that depend on the features alone; a group of one image has silhouette 0. In a group of more than 8,192 images distances are those to as many of it. The paper's ten independent components are an option.",
        judges_clean: false,
        rule: Some(
            "the images of a group that holds less than 35 % of its class, as the paper compares sizes",
        ),
    };
}

impl Detector for Ac {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn needs(&self) -> Needs {
        Needs {
            features: vec![Tap::Penultimate],
            labels: true,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        let features = evidence.features(Tap::Penultimate)?;
        let mut raw = vec![0.0; features.rows()];
        let mut flagged = vec![false; features.rows()];
        for class in members(evidence.labels()?, evidence.class_count) {
            let points = Points::centred(features, &class);
            let groups = self.groups(&points);
            let first = groups.iter().filter(|&&second| !second).count();
            let small = |second: bool| {
                let size = if second { class.len() - first } else { first };
                (size as f64) < SMALL * class.len() as f64
            };
            let fits = silhouette::silhouettes(&points, &groups);
            for ((&image, fit), &second) in class.iter().zip(fits).zip(&groups) {
                raw[image] = fit;
                flagged[image] = small(second);
            }
        }
        Ok(Some(Detection {
            own: Some(Decision {
                explanation: "in a group that holds less than 35 % of its class".to_owned(),
                cutoff: None,
                flagged,
            }),
            ..Detection::new(Measure::high("silhouette in its group of the class"), raw)
        }))
    }
}

impl Ac {
    /// Which of two groups each of the centred points is in.
    fn groups(&self, points: &Points) -> Vec<bool> {
        if self.components == 0 {
            return kmeans::two_groups(points);
        }
        let rows = points.rows(0..points.count());
        let reduced = independent::components(rows, self.components);
        kmeans::two_groups(&Points::of(reduced.as_ref()))
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
