//! The detector trait and the registry: one file and one registry line per detector.

#[macro_use]
mod registry;
mod settings;

pub mod abl;
pub mod ac;
pub mod agpd;
pub mod beatrix;
pub mod bn_density;
pub mod cascade;
pub mod clean_distance;
pub mod cognitive;
pub mod confidence;
pub mod density;
pub mod fct;
pub mod flare;
pub mod frequency;
pub mod fusion;
#[cfg(all(test, feature = "flex"))]
pub(crate) mod golden;
pub mod ibd_psc;
pub mod joint;
pub mod knn_label;
mod members;
pub mod moving_pattern;
pub mod probe_label;
pub mod psbd;
pub mod scale_up;
pub mod scan;
pub mod shared_levels;
pub mod shared_pattern;
pub mod shared_shift;
pub mod shared_warp;
pub mod spectre;
pub mod ss;
pub mod strip;
pub mod teco;
pub mod transplant;

use std::fmt::Debug;

use serde::Serialize;

pub use registry::UnknownDetector;
pub use settings::SettingError;

use crate::apart;
use crate::decide::Testimony;
use crate::detection::Detection;
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;

registry! {
    /// Cognitive Distillation on logits.
    Cdl(cognitive::Cdl) = "cd-l", presets by cognitive::Cdl::with_preset;
    /// Cognitive Distillation on features.
    Cdf(cognitive::Cdf) = "cd-f", presets by cognitive::Cdf::with_preset;
    /// Transplanted patterns.
    Transplant(transplant::Transplant) = "cd-transplant";
    /// Several detectors and the features of each class.
    Fusion(fusion::Fusion) = "fusion";
    /// The fusion, and a search where it matters.
    Cascade(cascade::Cascade) = "cascade";
    /// What any of several detectors flags.
    Joint(joint::Joint) = "joint";
    /// Shared patterns.
    SharedPattern(shared_pattern::SharedPattern) = "shared-pattern";
    /// Shared grey levels.
    SharedLevels(shared_levels::SharedLevels) = "shared-levels";
    /// Shared warps.
    SharedWarp(shared_warp::SharedWarp) = "shared-warp";
    /// Shared shifts.
    SharedShift(shared_shift::SharedShift) = "shared-shift";
    /// Moving patterns.
    MovingPattern(moving_pattern::MovingPattern) = "moving-pattern";
    /// Losses of training.
    Abl(abl::Abl) = "abl";
    /// Spectral signatures.
    Ss(ss::Ss) = "ss";
    /// Labels of the nearest neighbours.
    KnnLabel(knn_label::KnnLabel) = "knn-label";
    /// Labels against a linear probe.
    ProbeLabel(probe_label::ProbeLabel) = "probe-label";
    /// Activation clustering.
    Ac(ac::Ac) = "ac";
    /// Confidence, the yardstick.
    Confidence(confidence::Confidence) = "confidence";
    /// Superimposed images.
    Strip(strip::Strip) = "strip";
    /// Feature consistency under transformations.
    Fct(fct::Fct) = "fct";
    /// Frequency spectrum.
    Frequency(frequency::Frequency) = "frequency";
    /// Statistical contamination analysis.
    Scan(scan::Scan) = "scan";
    /// SPECTRE.
    Spectre(spectre::Spectre) = "spectre";
    /// Gram matrices.
    Beatrix(beatrix::Beatrix) = "beatrix";
    /// Density at the BatchNorms.
    BnDensity(bn_density::BnDensity) = "bn-density";
    /// Clusters at the BatchNorms.
    Flare(flare::Flare) = "flare";
    /// Parameter-oriented scaling consistency.
    IbdPsc(ibd_psc::IbdPsc) = "ibd-psc";
    /// Scaled prediction consistency.
    ScaleUp(scale_up::ScaleUp) = "scale-up";
    /// Corruption robustness consistency.
    Teco(teco::Teco) = "teco";
    /// Prediction shift under dropout.
    Psbd(psbd::Psbd) = "psbd";
    /// Activation gradients.
    Agpd(agpd::Agpd) = "agpd";
    /// Distance to clean features.
    CleanDistance(clean_distance::CleanDistance) = "clean-distance";
    /// Distance to the neighbours.
    Knn(density::Knn) = "knn";
    /// Local intrinsic dimension.
    Lid(density::Lid) = "lid";
    /// Simplified local outlier factor.
    Slof(density::Slof) = "slof";
    /// Dimensionality-aware outlier factor.
    Dao(density::Dao) = "dao";
    /// Isolation forest.
    IsolationForest(density::IsolationForest) = "isolation-forest";
}

impl DetectorConfig {
    /// What an experiment runs when it names no detector: the two forms of the method that this toolkit is about.
    pub fn usual() -> Vec<Self> {
        let logits = cognitive::Cdl::default();
        let features = cognitive::Cdf::default();
        vec![Self::Cdl(logits), Self::Cdf(features)]
    }

    /// What a scan runs when it names no detector: the one that judges classes by what the classifier has learned, and those that look
    /// at the pictures alone.
    pub fn of_scan() -> Vec<Self> {
        let mut all = vec![Self::Cascade(cascade::Cascade::default())];
        all.append(&mut Self::of_pictures());
        all
    }

    /// Those that look at the pictures alone: nothing has to be trained for them.
    pub fn of_pictures() -> Vec<Self> {
        vec![
            Self::SharedPattern(shared_pattern::SharedPattern::default()),
            Self::SharedLevels(shared_levels::SharedLevels::default()),
            Self::SharedWarp(shared_warp::SharedWarp::default()),
            Self::SharedShift(shared_shift::SharedShift::default()),
            Self::MovingPattern(moving_pattern::MovingPattern::default()),
        ]
    }

    /// A detector that gives the same flags without what it computes for pictures and scores alone.
    #[must_use]
    pub fn for_flags(&self) -> Self {
        match self {
            Self::Cascade(cascade) => Self::Cascade(cascade.for_flags()),
            other => other.clone(),
        }
    }
}

/// What the lists and the documentation say of a detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DetectorInfo {
    /// Name in configurations and on the command line.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// One or two sentences on what it does.
    pub summary: &'static str,
    /// What it assumes of attack and classifier, and what it needs.
    pub threat_model: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// Published code.
    pub source: &'static str,
    /// How ours differs from the published one, and why.
    pub notes: &'static str,
    /// Whether it judges an image by itself, and so has numbers of trusted clean images, which the `calibrated` rule needs.
    pub judges_clean: bool,
    /// The method's own rule for flagging images, in words; `None` where it only orders them.
    pub rule: Option<&'static str>,
}

/// Gives every image one number that says how suspicious it is.
///
/// Implemented by the settings of the detector: a plain serde struct with `Default` and `deny_unknown_fields`.
pub trait Detector: Debug + Send + Sync {
    /// What the registry says of it.
    fn info(&self) -> &'static DetectorInfo;

    /// Whether the settings are in their ranges.
    ///
    /// # Errors
    ///
    /// [`DetectError::Config`] names the first setting that is not.
    fn check(&self) -> Result<(), DetectError> {
        Ok(())
    }

    /// What it needs besides images and classifier, with these settings.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Whether it looks at the classifier, or at what comes of it; one that does not needs none.
    fn looks_at_classifier(&self) -> bool {
        true
    }

    /// Raised when its numbers change, so that stored ones of before are not taken for them.
    fn revision(&self) -> u32 {
        1
    }

    /// What its numbers are evidence of.
    fn testimony(&self) -> Testimony {
        Testimony::Images
    }

    /// Whether it can find [patterns](Testimony::Patterns) in a class: `sizes` are the images of every class, and the shorter side of the images
    /// has `side` pixels.
    fn judges(&self, class: usize, sizes: &[usize], _side: usize) -> bool {
        apart::is_judged(class, sizes)
    }

    /// Looks at all images, or at this shard's where it sweeps. `None` when parts of other shards are missing yet.
    ///
    /// # Errors
    ///
    /// See [`DetectError`]; partial results already written stay.
    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError>;
}
