//! The detector trait and the registry: one file and one registry line per detector.

mod cognitive;

use std::path::Path;

use cd_models::{Classifier, Device, ImageSet, Progress, names};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use cognitive::{Cdf, Cdl};

use crate::cognitive::{CognitiveDistillation, Preset};
use crate::detection::Detection;
use crate::error::DetectError;

/// What the lists and the documentation say of a detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DetectorInfo {
    /// Name in configurations and on the command line.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// One or two sentences on what it does.
    pub summary: &'static str,
    /// Where it was published.
    pub paper: &'static str,
}

/// Which parts of a set this process works on, so that several share the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// This process, from 0.
    pub index: usize,
    /// Number of processes.
    pub count: usize,
}

impl Shard {
    /// The only process.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}

/// What a detector may look at: a model and images with the labels that training saw. What is
/// really poisoned is not among it.
pub struct Suspects<'a> {
    /// The classifier that was trained on the images, or on others of their kind.
    pub model: &'a dyn Classifier,
    /// The images under suspicion.
    pub images: &'a ImageSet,
    /// Where to compute.
    pub device: &'a Device,
    /// Images computed at a time; bounds memory, does not change results.
    pub batch_size: usize,
    /// Batches computed at the same time; does not change results. On a CPU as many as threads, on
    /// a GPU 1.
    pub workers: usize,
    /// Which parts to compute.
    pub shard: Shard,
    /// Where partial results are kept, with a fingerprint of model and images.
    pub store: Option<Store<'a>>,
    /// Told about every finished batch.
    pub progress: &'a dyn Progress,
}

/// A folder for partial results.
#[derive(Debug, Clone, Copy)]
pub struct Store<'a> {
    /// The folder; made when it is not there.
    pub folder: &'a Path,
    /// Fingerprint of the model and the images; partial results of another one are refused.
    pub fingerprint: &'a str,
}

/// Gives every image one number that says how suspicious it is.
pub trait Detector {
    /// What the registry says of it.
    fn info(&self) -> &'static DetectorInfo;

    /// Looks at all images, or at this shard's. `None` when parts of other shards are missing yet.
    ///
    /// # Errors
    ///
    /// See [`DetectError`]; partial results already written stay.
    fn detect(&self, suspects: &Suspects<'_>) -> Result<Option<Detection>, DetectError>;

    /// The seed of its random choices, if it makes any.
    fn seed_mut(&mut self) -> Option<&mut u64> {
        None
    }

    /// Its optimisation steps per image, if it optimises.
    fn steps_mut(&mut self) -> Option<&mut usize> {
        None
    }

    /// Takes the settings of `preset`, if it has presets.
    fn apply(&mut self, _preset: Preset) {}

    /// The method that makes its masks, if it makes masks.
    ///
    /// # Errors
    ///
    /// When the settings name something that does not exist.
    fn distillation(&self) -> Result<Option<CognitiveDistillation>, DetectError> {
        Ok(None)
    }
}

/// Makes the configuration enum, the list and the name lookup from one line per detector.
macro_rules! registry {
    ($($(#[$doc:meta])* $variant:ident($config:ty) = $name:literal,)*) => {
        /// Which detector to run, with its settings.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name")]
        pub enum DetectorConfig {
            $($(#[$doc])* #[serde(rename = $name)] $variant($config),)*
        }

        /// Every detector that configurations may name.
        pub const DETECTORS: &[&DetectorInfo] = &[$(&<$config>::INFO,)*];

        impl DetectorConfig {
            /// The detector `name` with its default settings.
            ///
            /// # Errors
            ///
            /// When there is none; the message names the nearest one.
            pub fn from_name(name: &str) -> Result<Self, UnknownDetector> {
                match name {
                    $($name => Ok(Self::$variant(<$config>::default())),)*
                    _ => Err(UnknownDetector { name: name.to_owned() }),
                }
            }

            /// The detector with these settings.
            pub fn detector(&self) -> &dyn Detector {
                match self {
                    $(Self::$variant(config) => config,)*
                }
            }

            /// The detector, to change its settings.
            pub fn detector_mut(&mut self) -> &mut dyn Detector {
                match self {
                    $(Self::$variant(config) => config,)*
                }
            }
        }
    };
}

registry! {
    /// Cognitive Distillation on logits.
    Cdl(Cdl) = "cd-l",
    /// Cognitive Distillation on features.
    Cdf(Cdf) = "cd-f",
}

/// No detector of that name.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("unknown detector `{name}`; {}", names::did_you_mean(.name, known()))]
pub struct UnknownDetector {
    /// What was asked for.
    pub name: String,
}

fn known() -> impl Iterator<Item = &'static str> {
    DETECTORS.iter().map(|info| info.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registered_name_builds_its_own_detector() {
        for info in DETECTORS {
            let config = DetectorConfig::from_name(info.name).expect("registered");
            assert_eq!(config.detector().info(), *info);
            let text = serde_json::to_string(&config).expect("plain data");
            let back: DetectorConfig = serde_json::from_str(&text).expect("round trip");
            assert_eq!(back, config);
        }
    }

    #[test]
    fn presets_of_detectors_are_those_of_the_method() {
        for name in ["cd-l", "cd-f"] {
            for preset in [Preset::Paper, Preset::Fast, Preset::Accurate] {
                let mut config = DetectorConfig::from_name(name).expect("registered");
                let published = config.detector().distillation().expect("valid");
                config.detector_mut().apply(preset);
                let ours = config.detector().distillation().expect("valid");
                assert_eq!(ours, published.map(|method| method.with_preset(preset)));
            }
        }
    }

    #[test]
    fn unknown_names_and_keys_are_refused() {
        let error = DetectorConfig::from_name("cdl").expect_err("unknown");
        assert!(error.to_string().contains("did you mean `cd-l`"), "{error}");
        let odd = serde_json::from_str::<DetectorConfig>(r#"{"name":"cd-l","stepps":3}"#);
        assert!(odd.expect_err("unknown key").to_string().contains("stepps"));
    }
}
