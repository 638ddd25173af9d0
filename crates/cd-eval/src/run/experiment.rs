//! Experiment files: everything that a run depends on, in one TOML file.

mod canary;
mod check;
mod detect;
mod offer;
mod seeds;

use std::fs;
use std::path::{Path, PathBuf};

use cd_data::{DatasetConfig, PoisonConfig};
use cd_models::{ModelConfig, TrainConfig};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::bootstrap::Bootstrap;
use crate::settings::{self, SettingError};

pub use canary::CanaryStage;
pub use detect::{ConfiguredDetector, DetectStage, SearchedImages};

/// One experiment: data, attack, model, training, detection, evaluation.
///
/// Without `[poison]` the data is taken as it comes (a user's own), and there is no ground truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name of the folder under `runs/`.
    pub name: String,
    /// Added to every seed of the parts below, so that one number repeats the whole experiment.
    #[serde(default)]
    pub seed: u64,
    /// Where the images come from.
    pub dataset: DatasetConfig,
    /// How they are poisoned, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poison: Option<PoisonConfig>,
    /// The classifier to train; weights tell their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelConfig>,
    /// Weights to use instead of training, or to start from with `train.finetune`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// Where in the file the network stands, for files with several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_key: Option<String>,
    /// How the classifier is trained.
    #[serde(default)]
    pub train: TrainConfig,
    /// Backdoors that are planted to see whether they would be found; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryStage>,
    /// What is searched, with which detectors.
    #[serde(default)]
    pub detect: DetectStage,
    /// How results are measured.
    #[serde(default)]
    pub evaluate: Bootstrap,
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
    /// A setting does not fit.
    #[error(transparent)]
    Setting(#[from] SettingError),
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

    fn overridden(&self, overrides: &[String]) -> Result<Self, ExperimentError> {
        let value = toml::Value::try_from(self).expect("every experiment has a TOML form");
        Ok(settings::with(value, overrides)?)
    }
}

fn parse_error(place: &str, error: &toml::de::Error) -> ExperimentError {
    let message = error.to_string().trim_end().to_owned();
    let nearest = settings::nearest_name(error.message());
    let hint = nearest.map_or_else(String::new, |nearest| {
        format!("\nhint: did you mean `{nearest}`?")
    });
    ExperimentError::Parse {
        place: place.to_owned(),
        message,
        hint,
    }
}

#[cfg(test)]
mod tests;
