//! Shared pattern: images of a class that carry the same thing in the same place.
//!
//! Threat model: a trigger that is the same in every poisoned image, of any size, opacity and place, whether the label is wrong or right.
//! No classifier is asked, so nothing has to be learned first, and a handful of images is enough. Triggers that differ from image to
//! image, move about or warp leave nothing that is the same.
//!
//! Ours. A matched filter looks for a known signal in noise that has been made white; here the signal is unknown, and is the mean of
//! whatever group of images shares one.

mod residual;

use serde::{Deserialize, Serialize};

use self::residual::Residuals;
use super::{Detector, DetectorInfo};
use crate::alike::{Search, Words};
use crate::apart::{self, Bar};
use crate::decide::Testimony;
use crate::detection::Detection;
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;

/// What is asked of a group: any image may have a tenth of a pattern, nearly all of the group have far more, and six values make one.
const BAR: Bar = Bar {
    usual: 0.1,
    values: 6,
    ..Bar::EXACT
};

/// Settings of the shared pattern.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharedPattern {
    /// Gap from which a very large group is suspicious, in standard deviations; above 0.
    pub border: f64,
    /// How much wider it has to be for a group of eight images, as a share of it; it falls with their number. From 0.
    pub rise: f64,
    /// Chooses the images that stand for all where there are very many.
    pub seed: u64,
}

impl Default for SharedPattern {
    fn default() -> Self {
        Self {
            border: 2.5,
            rise: 6.0,
            seed: 0,
        }
    }
}

impl SharedPattern {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "shared-pattern",
        title: "Shared pattern",
        summary: "Looks in each class for images that carry the same thing in the same place: no classifier, no training, seconds.",
        threat_model: "Triggers that are the same in every poisoned image: patches, blended pictures, waves, stamps, of any size and opacity, with wrong or right labels, from eight images on. Triggers that move, warp or differ from image to image are not seen; nor is one in nearly all images of a class.",
        paper: "ours; whitening before a correlation is the matched filter, North: An Analysis of the Factors Which Determine Signal/Noise Discrimination in Pulsed-Carrier Systems, Proceedings of the IEEE 1963",
        source: "ours",
        notes: "Pictures are whitened by the middle cosine spectrum of the set, freed of the middle picture and of plain bars at their edges, and bent at three standard deviations. In each class, near copies count as one, and groups are grown from the main directions and the nearest images until their common pattern, where it is significant and weighted by how exactly they agree, no longer changes who belongs to them. The raw number is an image's likeness to the pattern of its class times how far the group stands apart.",
        judges_clean: false,
        rule: Some(
            "Flags the group of a class whose least members lie far above twice what other images have of the pattern, and above a fifth of it: 2.5 standard deviations of other classes' images for a large group, 17.5 for one of eight.",
        ),
    };
}

impl Detector for SharedPattern {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        apart::check(self.border, self.rise)
    }

    fn needs(&self) -> Needs {
        Needs {
            labels: true,
            ..Needs::default()
        }
    }

    fn looks_at_classifier(&self) -> bool {
        false
    }

    fn testimony(&self) -> Testimony {
        Testimony::Patterns
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let search = Search {
            border: self.border,
            rise: self.rise,
            seed: self.seed,
            smallest_side: 1,
            bar: BAR,
        };
        let words = Words {
            task: "looking for shared patterns",
            measure: "likeness to a pattern of its class, times its gap",
            share: "share a pattern in one place",
        };
        search.detection::<Residuals>(evidence, words).map(Some)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
