//! The `[detect]` table.

use std::path::PathBuf;

use cd_data::DatasetConfig;
use cd_detect::{Comparison, DetectorConfig, ThresholdRule};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::Experiment;

/// The `[detect]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectStage {
    /// Which images are searched.
    pub images: SearchedImages,
    /// Search only this many of them, drawn by seed; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<usize>,
    /// So many of the sample are poisoned, whatever the rate; at random when absent. For measuring at low rates:
    /// AUROC does not depend on the share of poisoned images, average precision does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_poisoned: Option<usize>,
    /// Test images set aside as known to be clean: for the `calibrated` rule, and for detectors that want such images.
    pub trusted: usize,
    /// Trusted pictures from elsewhere, with classes of the same names, in place of `trusted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clean: Option<DatasetConfig>,
    /// Seed of the draws of `sample` and `trusted`.
    pub seed: u64,
    /// Images computed at a time; bounds memory, does not change results.
    pub batch_size: usize,
    /// What images are compared with: all of them, or small classes with themselves.
    pub compare: Comparison,
    /// How images are flagged.
    pub threshold: ThresholdRule,
    /// Weights of a network that was not trained on these images, for detectors that compare labels with what it sees; those that
    /// are fine-tuned, as they were before, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features_weights: Option<PathBuf>,
    /// Where in that file the network stands, for files with several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features_key: Option<String>,
    /// Side in pixels at which that network sees the images; when absent its published side, or the images' own for networks of
    /// small images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features_size: Option<usize>,
    /// The detectors.
    pub detectors: Vec<ConfiguredDetector>,
}

impl Default for DetectStage {
    fn default() -> Self {
        Self {
            images: SearchedImages::Train,
            sample: None,
            sample_poisoned: None,
            trusted: 0,
            clean: None,
            seed: 0,
            batch_size: 32,
            compare: Comparison::default(),
            threshold: ThresholdRule::default(),
            features_weights: None,
            features_key: None,
            features_size: None,
            detectors: DetectorConfig::usual()
                .into_iter()
                .map(Into::into)
                .collect(),
        }
    }
}

/// Which images of a split are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SearchedImages {
    /// The training set.
    #[default]
    Train,
    /// The mixed test set.
    Test,
}

/// A detector with its settings, and what its results are called.
///
/// In a file label and rule stand beside the settings: `{ name = "cd-l", label = "fast", steps = 24, threshold = { rule = "robust",
/// t = 3 } }`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfiguredDetector {
    /// Folder of the results, and name in tables; the detector's own name when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How its images are flagged; as those of the other detectors when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<ThresholdRule>,
    /// The detector.
    #[serde(flatten)]
    pub detector: DetectorConfig,
}

impl From<DetectorConfig> for ConfiguredDetector {
    fn from(detector: DetectorConfig) -> Self {
        Self {
            label: None,
            threshold: None,
            detector,
        }
    }
}

impl DetectStage {
    /// Whether there are trusted images.
    pub(crate) fn has_trusted(&self) -> bool {
        self.clean.is_some() || self.trusted > 0
    }
}

impl ConfiguredDetector {
    /// How its images are flagged in `stage`.
    pub fn rule(&self, stage: &DetectStage) -> ThresholdRule {
        self.threshold.unwrap_or(stage.threshold)
    }
}

impl<'de> Deserialize<'de> for ConfiguredDetector {
    /// By hand, for serde's `flatten` accepts unknown keys.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut settings = Map::deserialize(deserializer)?;
        let label = match settings.remove("label") {
            None => None,
            Some(Value::String(label)) => Some(label),
            Some(other) => return Err(D::Error::custom(format!("`label` is {other}, not text"))),
        };
        let threshold = settings.remove("threshold");
        let threshold = threshold.map(serde_json::from_value).transpose();
        let detector = serde_json::from_value(Value::Object(settings)).map_err(D::Error::custom)?;
        Ok(Self {
            label,
            threshold: threshold.map_err(D::Error::custom)?,
            detector,
        })
    }
}

impl Experiment {
    /// Names under which the detectors' results are kept: their labels, or the registry's names, numbered when one stands
    /// twice.
    pub fn detector_labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = Vec::new();
        for configured in &self.detect.detectors {
            let name = match &configured.label {
                Some(label) => label,
                None => configured.detector.detector().info().name,
            };
            let same = |label: &&String| *label == name || label.starts_with(&format!("{name}-#"));
            let earlier = labels.iter().filter(same).count();
            labels.push(match earlier {
                0 => name.to_owned(),
                n => format!("{name}-#{}", n + 1),
            });
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ConfiguredDetector, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_label_stands_beside_the_settings() {
        let labelled = read("name = \"cd-l\"\nlabel = \"quick\"\nsteps = 3").expect("valid");
        assert_eq!(labelled.label.as_deref(), Some("quick"));
        let written = toml::to_string(&labelled).expect("writes");
        assert_eq!(read(&written), Ok(labelled));
        let plain = read("name = \"cd-l\"").expect("valid");
        assert!(!toml::to_string(&plain).expect("writes").contains("label"));
    }

    #[test]
    fn a_rule_of_its_own_goes_before_that_of_the_stage() {
        let stage = DetectStage::default();
        let text = "name = \"knn-label\"\nneighbours = 5\n[threshold]\nrule = \"own\"";
        let own = read(text).expect("valid");
        assert_eq!(own.rule(&stage), ThresholdRule::Own);
        assert_eq!(read(&toml::to_string(&own).expect("writes")), Ok(own));
        let plain = read("name = \"knn-label\"").expect("valid");
        assert_eq!(plain.rule(&stage), stage.threshold);
        let error = read("name = \"ss\"\nthreshold = { rule = \"mine\" }").expect_err("unknown");
        assert!(error.contains("`mine`"), "{error}");
        // What stands beside the settings of every detector must be none of them.
        for info in cd_detect::DETECTORS {
            let config = DetectorConfig::from_name(info.name).expect("registered");
            assert!(
                !config.has("threshold") && !config.has("label"),
                "{}",
                info.name
            );
        }
    }

    #[test]
    fn unknown_names_keys_and_labels_that_are_no_text_are_refused() {
        let key = read("name = \"cd-l\"\nstepps = 3").expect_err("unknown key");
        assert!(key.contains("unknown field `stepps`"), "{key}");
        let name = read("name = \"cdl\"").expect_err("unknown name");
        assert!(name.contains("unknown variant `cdl`"), "{name}");
        let label = read("name = \"cd-l\"\nlabel = 3").expect_err("a number");
        assert!(label.contains("`label` is 3"), "{label}");
    }
}
