//! Shared levels: images of a class that have and lack the same grey levels.
//!
//! Threat model: a trigger that is a treatment of the whole picture: a colour filter, fewer levels with or without dithering, some blends.
//! It looks like nothing, differs from picture to picture, and lies nowhere; but what goes through one curve of bytes to bytes leaves out
//! some levels and doubles others, the same ones in every picture. No classifier is asked.
//!
//! Ours. That gaps and peaks of a histogram tell a treated picture is known from image forensics: Stamm, Liu: *Forensic Detection of Image
//! Manipulation Using Statistical Intrinsic Fingerprints*, IEEE Transactions on Information Forensics and Security 2010.

mod comb;

use serde::{Deserialize, Serialize};

use self::comb::Combs;
use super::{Detector, DetectorInfo};
use crate::alike::{Search, Words};
use crate::apart::{self, Bar};
use crate::decide::Testimony;
use crate::detection::Detection;
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;

/// What is asked of a group. Sixty levels of the 720 of three channels: dark pictures share a few, a treatment shares hundreds. A quarter of
/// the group may show it too faintly.
const BAR: Bar = Bar {
    usual: 0.1,
    values: 60,
    stragglers: 0.25,
    spread: 0.04,
};

/// Settings of the shared levels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharedLevels {
    /// Gap from which a very large group is suspicious, in standard deviations; above 0.
    pub border: f64,
    /// How much wider it has to be for a group of eight images, as a share of it; it falls with their number. From 0.
    pub rise: f64,
    /// Chooses the images that stand for all where there are very many.
    pub seed: u64,
}

impl Default for SharedLevels {
    fn default() -> Self {
        Self {
            border: 1.0,
            rise: 4.0,
            seed: 0,
        }
    }
}

impl SharedLevels {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "shared-levels",
        title: "Shared grey levels",
        summary: "Looks in each class for images that have and lack the same grey levels, as a filter or coarser levels leave them: no classifier, no training, seconds.",
        threat_model: "Treatments of the whole picture that lead bytes to bytes: colour filters and curves, fewer levels (with dithering, too), some reflections; with wrong or right labels. What was resized, saved as JPEG or otherwise computed anew after that is not seen, nor what is added to a picture or moves its pixels.",
        paper: "ours; after Stamm, Liu: Forensic Detection of Image Manipulation Using Statistical Intrinsic Fingerprints, IEEE Transactions on Information Forensics and Security 2010",
        source: "ours",
        notes: "Counted are the levels of pixels that differ from those to the left and above, in each channel, without eight levels at both ends; what counts is by how much a level lies above the parabola through its neighbours, in standard deviations of usual pictures, bent at three. Groups are grown as those of `shared-pattern`; a group's common levels have to be at least sixty. The raw number is an image's likeness to the levels of its class's group times how far it stands apart.",
        judges_clean: false,
        rule: Some(
            "Flags the group of a class of which three quarters lie above twice what other images have of its levels, and above a fifth of them: by 1 standard deviation of other classes' images for a large group, 5 for one of eight.",
        ),
    };
}

impl Detector for SharedLevels {
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
            task: "looking for shared levels",
            measure: "likeness to the levels of a group of its class, times its gap",
            share: "have and lack the same grey levels",
        };
        search.detection::<Combs>(evidence, words).map(Some)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
