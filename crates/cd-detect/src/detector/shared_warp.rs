//! Shared warp: images of a class whose sharpness varies alike from place to place.
//!
//! Threat model: a trigger that moves pixels, by the same field in every poisoned image. Nothing is added and nothing looks odd; but a pixel
//! that is moved by half of one is a mean of its neighbours, and one that stays is not, so that fine detail is lost in the same places of
//! every picture. No classifier is asked.
//!
//! Ours. That resampling shows in how well a pixel follows from its neighbours is known from image forensics: Popescu, Farid: *Exposing Digital
//! Forgeries by Detecting Traces of Resampling*, IEEE Transactions on Signal Processing 2005.

mod sharpness;

use serde::{Deserialize, Serialize};

use self::sharpness::Sharpness;
use super::{Detector, DetectorInfo};
use crate::alike::{Search, Words};
use crate::apart::{self, Bar};
use crate::decide::Testimony;
use crate::detection::Detection;
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;

/// In smaller pictures a warp is not told from what natural pictures share.
const SMALLEST_SIDE: usize = 64;
/// What is asked of a group. Ninety of the 2,048 frequencies of two maps: what natural pictures share lies in fewer. A quarter of the group
/// may show it too faintly.
const BAR: Bar = Bar {
    usual: 0.05,
    values: 90,
    stragglers: 0.25,
    spread: 0.04,
};

/// Settings of the shared warp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharedWarp {
    /// Gap from which a very large group is suspicious, in standard deviations; above 0.
    pub border: f64,
    /// How much wider it has to be for a group of eight images, as a share of it; it falls with their number. From 0.
    pub rise: f64,
    /// Chooses the images that stand for all where there are very many.
    pub seed: u64,
}

impl Default for SharedWarp {
    fn default() -> Self {
        Self {
            border: 0.8,
            rise: 8.0,
            seed: 0,
        }
    }
}

impl SharedWarp {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "shared-warp",
        title: "Shared warp",
        summary: "Looks in each class for images that are sharp and blurred in the same places, as moved pixels leave them: no classifier, no training.",
        threat_model: "One field of displacements in every poisoned image, of fractions of a pixel to some pixels, with wrong or right labels, in pictures from 64 pixels a side on. What was resized or saved as JPEG after that is seen less; what is added to a picture is not (`shared-pattern`).",
        paper: "ours; after Popescu, Farid: Exposing Digital Forgeries by Detecting Traces of Resampling, IEEE Transactions on Signal Processing 2005",
        source: "ours",
        notes: "In each direction the logarithm of the sixth difference of every pixel is compared with what its first and second differences foretell, by least squares over the set. Of both maps the 32 x 32 lowest frequencies count, in standard deviations of usual pictures, bent at three. Groups are grown as those of `shared-pattern`; what a group has in common has to span ninety frequencies. Smaller pictures are not looked at. The raw number is an image's likeness to the map of its class's group times how far it stands apart.",
        judges_clean: false,
        rule: Some(
            "Flags the group of a class of which three quarters lie above twice what other images have of its map, and above a tenth of it: by 0.8 standard deviations of other classes' images for a large group, 7.2 for one of eight.",
        ),
    };
}

impl Detector for SharedWarp {
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

    fn judges(&self, class: usize, sizes: &[usize], side: usize) -> bool {
        side >= SMALLEST_SIDE && apart::is_judged(class, sizes)
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let search = Search {
            border: self.border,
            rise: self.rise,
            seed: self.seed,
            smallest_side: SMALLEST_SIDE,
            bar: BAR,
        };
        let words = Words {
            task: "looking for shared warps",
            measure: "likeness to the sharpness of a group of its class, times its gap",
            share: "are sharp and blurred in the same places",
        };
        search.detection::<Sharpness>(evidence, words).map(Some)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
