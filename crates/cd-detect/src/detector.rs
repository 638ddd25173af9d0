//! The detector trait and the registry: one file and one registry line per detector.

#[macro_use]
mod registry;
mod settings;

pub mod abl;
pub mod ac;
pub mod cognitive;
pub mod confidence;
#[cfg(all(test, feature = "flex"))]
pub(crate) mod golden;
pub mod knn_label;
pub mod probe_label;
pub mod ss;

use std::fmt::Debug;

use serde::Serialize;

pub use registry::UnknownDetector;
pub use settings::SettingError;

use crate::detection::Detection;
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;

registry! {
    /// Cognitive Distillation on logits.
    Cdl(cognitive::Cdl) = "cd-l", presets by cognitive::Cdl::with_preset;
    /// Cognitive Distillation on features.
    Cdf(cognitive::Cdf) = "cd-f", presets by cognitive::Cdf::with_preset;
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
}

impl DetectorConfig {
    /// What an experiment runs when it names no detector: the two forms of the method that this toolkit is about.
    pub fn usual() -> Vec<Self> {
        let logits = cognitive::Cdl::default();
        let features = cognitive::Cdf::default();
        vec![Self::Cdl(logits), Self::Cdf(features)]
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

    /// Looks at all images, or at this shard's where it sweeps. `None` when parts of other shards are missing yet.
    ///
    /// # Errors
    ///
    /// See [`DetectError`]; partial results already written stay.
    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError>;
}
