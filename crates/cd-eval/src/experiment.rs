//! Experiment files: everything that a run depends on, in one TOML file.

mod overrides;

use std::fs;
use std::path::{Path, PathBuf};

use cd_data::{DatasetConfig, PoisonConfig};
use cd_detect::{Comparison, DetectorConfig, ThresholdRule};
use cd_models::{ModelConfig, TrainConfig, names};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::bootstrap::Bootstrap;
use overrides::apply_override;

/// Widths that a model may have, in channels of its stem (of the last block, for some): more would not fit any memory.
const WIDTHS: std::ops::RangeInclusive<usize> = 1..=4096;

/// One experiment: data, attack, model, training, detection, evaluation.
///
/// Without `[poison]` the data is taken as it comes (a user's own), and there is no ground truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name of the folder under `runs/`.
    pub name: String,
    /// Added to every seed below, so that one number repeats the whole experiment.
    #[serde(default)]
    pub seed: u64,
    /// Where the images come from.
    pub dataset: DatasetConfig,
    /// How they are poisoned, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poison: Option<PoisonConfig>,
    /// The classifier.
    pub model: ModelConfig,
    /// Weights to use instead of training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// How the classifier is trained.
    #[serde(default)]
    pub train: TrainConfig,
    /// What is searched, with which detectors.
    #[serde(default)]
    pub detect: DetectStage,
    /// How results are measured.
    #[serde(default)]
    pub evaluate: Bootstrap,
}

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
    /// Test images set aside as known to be clean, for the `calibrated` rule.
    pub trusted: usize,
    /// Images computed at a time; bounds memory, does not change results.
    pub batch_size: usize,
    /// What images are compared with: all of them, or small classes with themselves.
    pub compare: Comparison,
    /// How images are flagged.
    pub threshold: ThresholdRule,
    /// The detectors.
    pub detectors: Vec<DetectorConfig>,
}

impl Default for DetectStage {
    fn default() -> Self {
        Self {
            images: SearchedImages::Train,
            sample: None,
            sample_poisoned: None,
            trusted: 0,
            batch_size: 32,
            compare: Comparison::default(),
            threshold: ThresholdRule::default(),
            detectors: ["cd-l", "cd-f"]
                .into_iter()
                .filter_map(|name| DetectorConfig::from_name(name).ok())
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

/// Why an experiment file cannot be used.
#[derive(Debug, Error)]
pub enum ExperimentError {
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no valid experiment.
    #[error("{place}: {message}{hint}")]
    Parse {
        /// File, or what the text stands for.
        place: String,
        /// Line, key and cause.
        message: String,
        /// The nearest valid name, ready to append.
        hint: String,
    },
    /// An override is not `key=value`, or its key leads nowhere.
    #[error("override `{text}`: {reason}")]
    Override {
        /// The override.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The parts of the experiment contradict each other.
    #[error("experiment `{name}`: {reason}")]
    Contradiction {
        /// The experiment.
        name: String,
        /// What does not fit.
        reason: String,
    },
}

impl Experiment {
    /// Reads an experiment file and applies `key.path=value` overrides to it.
    ///
    /// # Errors
    ///
    /// Names file, line and key, and the nearest valid name for a slip.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self, ExperimentError> {
        let text = fs::read_to_string(path).map_err(|source| ExperimentError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, &path.display().to_string(), overrides)
    }

    /// Parses the text of an experiment file; `place` names it in errors.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn parse(text: &str, place: &str, overrides: &[String]) -> Result<Self, ExperimentError> {
        // The text itself first: its errors carry line numbers.
        let experiment: Self = toml::from_str(text).map_err(|error| parse_error(place, &error))?;
        let experiment = if overrides.is_empty() {
            experiment
        } else {
            experiment.overridden(overrides)?
        };
        experiment.check()?;
        Ok(experiment)
    }

    /// The experiment as TOML, with defaults written out; what is off is left out.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every value of an experiment has a TOML form")
    }

    /// A fingerprint of everything but name and seed: 12 hexadecimal digits.
    pub fn hash(&self) -> String {
        let anonymous = Self {
            name: String::new(),
            seed: 0,
            ..self.clone()
        };
        let digest = format!("{:x}", Sha256::digest(anonymous.to_toml()));
        digest[..12].to_owned()
    }

    /// The experiment with the top-level seed added to the seed of every part.
    #[must_use]
    pub fn seeded(&self) -> Self {
        let mut seeded = self.clone();
        let seed = self.seed;
        let shift = |part: &mut u64| *part = part.wrapping_add(seed);
        if let Some(poison) = &mut seeded.poison {
            shift(&mut poison.seed);
        }
        shift(&mut seeded.train.seed);
        for detector in &mut seeded.detect.detectors {
            detector.shift_seed(seed);
        }
        seeded
    }

    /// Names under which the detectors' results are kept: the registry's, numbered when one stands
    /// twice.
    pub fn detector_labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = Vec::new();
        for detector in &self.detect.detectors {
            let name = detector.detector().info().name;
            let same = |label: &&String| *label == name || label.starts_with(&format!("{name}-#"));
            let earlier = labels.iter().filter(same).count();
            labels.push(match earlier {
                0 => name.to_owned(),
                n => format!("{name}-#{}", n + 1),
            });
        }
        labels
    }

    fn overridden(&self, overrides: &[String]) -> Result<Self, ExperimentError> {
        let mut value = toml::Value::try_from(self).expect("every experiment has a TOML form");
        for text in overrides {
            apply_override(&mut value, text)?;
        }
        value
            .try_into()
            .map_err(|error| parse_error(&format!("--set {}", overrides.join(" --set ")), &error))
    }

    /// Whether the values are in their ranges and go together; everything that can be known before any work.
    ///
    /// # Errors
    ///
    /// Names the setting.
    pub fn check(&self) -> Result<(), ExperimentError> {
        let wrong = |reason: String| {
            Err(ExperimentError::Contradiction {
                name: self.name.clone(),
                reason,
            })
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_folder_name = !self.name.is_empty() && !self.name.starts_with('.');
        if !(is_folder_name && self.name.chars().all(plain)) {
            return wrong("`name` becomes a folder: use letters, digits, `-`, `_` and `.`".into());
        }
        if self.detect.detectors.is_empty() {
            return wrong("`detect.detectors` is empty; name at least one".into());
        }
        if self.detect.batch_size == 0 {
            return wrong("`detect.batch_size` is 0; at least 1".into());
        }
        if self.detect.sample == Some(0) {
            return wrong("`detect.sample` is 0; leave it out to search all images".into());
        }
        if let Some(poisoned) = self.detect.sample_poisoned {
            if self.poison.is_none() {
                return wrong("`detect.sample_poisoned` needs a `[poison]` table".into());
            }
            if self.detect.sample.is_none_or(|sample| sample < poisoned) {
                return wrong(format!(
                    "`detect.sample_poisoned` is {poisoned}; set `detect.sample` to at least as many"
                ));
            }
        }
        let calibrated = matches!(self.detect.threshold, ThresholdRule::Calibrated { .. });
        if calibrated && self.detect.trusted < 2 {
            return wrong(
                "the `calibrated` rule needs clean images: set `detect.trusted` to 2 or more"
                    .into(),
            );
        }
        let unlabelled =
            matches!(&self.dataset, DatasetConfig::Folder(folder) if folder.unlabelled);
        if unlabelled && self.weights.is_none() {
            return wrong("pictures without classes cannot be trained on: name `weights`".into());
        }
        if let Err(error) = self.model.architecture() {
            return wrong(error.to_string());
        }
        if let Some(width) = self.model.width.filter(|width| !WIDTHS.contains(width)) {
            let (low, high) = (WIDTHS.start(), WIDTHS.end());
            return wrong(format!("`model.width` is {width}; {low} to {high}"));
        }
        if let Some(poison) = &self.poison
            && !(0.0..=1.0).contains(&poison.rate)
        {
            return wrong(format!("`poison.rate` is {}; 0 to 1", poison.rate));
        }
        self.check_parts().or_else(wrong)
    }

    /// The checks that the parts bring along.
    fn check_parts(&self) -> Result<(), String> {
        self.train.check().map_err(|error| error.to_string())?;
        self.detect
            .threshold
            .check()
            .map_err(|error| error.to_string())?;
        self.evaluate.check().map_err(|error| error.to_string())?;
        for (label, config) in self.detector_labels().iter().zip(&self.detect.detectors) {
            let detector = config.detector();
            detector
                .check()
                .map_err(|error| format!("{label}: {error}"))?;
            let rule = &self.detect.threshold;
            rule.check_with(detector.info())
                .map_err(|error| format!("{label}: {error}"))?;
        }
        Ok(())
    }
}

fn parse_error(place: &str, error: &toml::de::Error) -> ExperimentError {
    let message = error.to_string().trim_end().to_owned();
    let hint = hint(error.message()).unwrap_or_default();
    ExperimentError::Parse {
        place: place.to_owned(),
        message,
        hint,
    }
}

/// The nearest valid name, read off serde's own message: `` unknown field `x`, expected one of ... ``.
fn hint(message: &str) -> Option<String> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    let nearest = names::nearest(wrong, quoted)?;
    Some(format!("\nhint: did you mean `{nearest}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
name = "small"
[dataset]
name = "demo"
train = 100
[poison]
rate = 0.1
attack = { name = "badnets" }
[model]
name = "resnet10"
width = 8
"#;

    fn parse(text: &str, overrides: &[&str]) -> Result<Experiment, String> {
        let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
        Experiment::parse(text, "exp.toml", &overrides).map_err(|error| error.to_string())
    }

    #[test]
    fn the_resolved_text_reads_back_as_the_same_experiment() {
        let experiment = parse(TEXT, &[]).expect("valid");
        assert_eq!(parse(&experiment.to_toml(), &[]), Ok(experiment));
    }

    #[test]
    fn overrides_are_typed_against_the_schema() {
        let changed = parse(TEXT, &["poison.rate=0.05", "train.epochs=3"]).expect("valid");
        assert_eq!(changed.poison.expect("kept").rate.to_string(), "0.05");
        assert_eq!(changed.train.epochs, 3);
        let first = parse(TEXT, &["detect.detectors.0.steps=7"]).expect("valid");
        assert!(first.to_toml().contains("steps = 7"));
        let wrong = parse(TEXT, &["train.epochs=many"]).expect_err("text for a number");
        assert!(wrong.contains("--set train.epochs=many"), "{wrong}");
        let unknown = parse(TEXT, &["train.epoch=3"]).expect_err("unknown key");
        assert!(unknown.contains("did you mean `epochs`"), "{unknown}");
        assert!(parse(TEXT, &["nonsense"]).is_err());
        assert!(
            parse(TEXT, &["nowhere.x=1"])
                .expect_err("no table")
                .contains("`nowhere`")
        );
    }

    #[test]
    fn a_sample_of_poisoned_images_fits_into_the_sample() {
        let set = |text: &str| format!("detect.{text}");
        let (ten, five) = (set("sample_poisoned=10"), set("sample=5"));
        assert!(parse(TEXT, &[&ten, &set("sample=20")]).is_ok());
        for overrides in [vec![ten.as_str()], vec![&ten, &five]] {
            let error = parse(TEXT, &overrides).expect_err("too few");
            assert!(error.contains("at least as many"), "{error}");
        }
    }

    #[test]
    fn slips_are_named_with_line_and_nearest_name() {
        let key = parse(&TEXT.replace("rate", "rte"), &[]).expect_err("unknown key");
        assert!(
            key.contains("exp.toml") && key.contains("did you mean `rate`"),
            "{key}"
        );
        let attack = parse(&TEXT.replace("badnets", "badnet"), &[]).expect_err("unknown attack");
        assert!(attack.contains("did you mean `badnets`"), "{attack}");
        let kind = parse(&TEXT.replace("train = 100", "train = \"x\""), &[]).expect_err("type");
        assert!(kind.contains("line"), "{kind}");
        let model = parse(&TEXT.replace("resnet10", "resnet11"), &[]).expect_err("model");
        assert!(model.contains("did you mean `resnet10`"), "{model}");
        let table = parse(TEXT, &["posion.rate=0.2"]).expect_err("unknown table");
        assert!(table.contains("did you mean `poison`"), "{table}");
        let name = parse(&TEXT.replace("small", "../x"), &[]).expect_err("folder name");
        assert!(name.contains("becomes a folder"), "{name}");
    }

    #[test]
    fn the_hash_ignores_name_and_seed_alone() {
        let base = parse(TEXT, &[]).expect("valid");
        let renamed = parse(TEXT, &["name=\"other\"", "seed=5"]).expect("valid");
        assert_eq!(base.hash(), renamed.hash());
        let changed = parse(TEXT, &["poison.rate=0.2"]).expect("valid");
        assert_ne!(base.hash(), changed.hash());
        assert_eq!(renamed.seeded().train.seed, base.train.seed + 5);
    }
}
