//! Weight files, read and written: safetensors, PyTorch checkpoints and burnpacks.
//!
//! Files are recognised by content and written by the ending of their name. PyTorch pickles are interpreted as data; no code
//! in them runs. Names are the reference's or torchvision's (`conv1.weight`,
//! `layer1.0.bn1.running_mean`, ...), nested under `model_state_dict`, `state_dict`, `netC`, `model`
//! or a `module.` prefix or not.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{Model, Normalization};
use crate::model_config::{ModelConfig, ModelError, Nearest, burn_names};
use crate::registry::{ARCHITECTURES, UnknownArchitecture};
use crate::state::{StateDict, StateError};

mod pickle;
mod read;
mod write;

pub use read::WeightsFormat;
pub use write::save_weights;

use read::{Contents, Metadata};

/// The one metadata entry of our files: several would stand in random order, and the same weights
/// would give different bytes.
const METADATA_KEY: &str = "cd_model";

/// What a file says about the model besides its weights.
#[derive(Serialize, Deserialize)]
struct About {
    architecture: String,
    classes: usize,
    normalization: Option<Normalization>,
}

/// Why weights could not be read, recognised or written.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// None of the formats, or a damaged file.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A weight is NaN or infinite.
    #[error("{}: parameter `{name}` holds NaN or infinite values", path.display())]
    NonFinite {
        /// The file.
        path: PathBuf,
        /// The first such parameter.
        name: String,
    },
    /// No registered architecture has these names and shapes.
    #[error("{}: the architecture could not be recognised from {count} parameters ({sample}, ...); name it if the weights are of one of these: {known}", path.display())]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// How many parameters the file holds.
        count: usize,
        /// The first few names.
        sample: String,
        /// Registered architectures.
        known: String,
    },
    /// The weights are of another architecture than the one asked for.
    #[error("{}: {source}", path.display())]
    Misfit {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: StateError,
    },
    /// The file does not determine what was not asked for.
    #[error("{}: the number of classes cannot be read off the weights; they lack the head of {architecture}", path.display())]
    Classes {
        /// The file.
        path: PathBuf,
        /// The architecture asked for.
        architecture: &'static str,
    },
    /// No such architecture.
    #[error(transparent)]
    Architecture(#[from] UnknownArchitecture),
}

/// Reads a weights file and recognises its architecture, width and class count.
///
/// The input normalisation is taken from the file where [`save_weights`] stored one.
///
/// # Errors
///
/// When the file is damaged, holds impossible values or fits no registered architecture; for weights
/// that look like one, everything missing, extra or misshaped is listed.
pub fn load_weights(path: &Path, device: &Device) -> Result<Model, WeightsError> {
    let contents = read_finite(path)?.named_as_in_pytorch(device);
    let about = about(path, &contents.metadata)?;
    let stated = about.as_ref().map(|about| about.architecture.as_str());
    let nearest = ModelConfig::nearest(&contents.state, stated, device)
        .ok_or_else(|| unrecognised(path, &contents.state))?;
    build(path, contents, &nearest.config, nearest.classes, device)
}

/// Reads a weights file that is known to be of an architecture.
///
/// What `config` and `classes` leave open is read off the weights.
///
/// # Errors
///
/// When the file is damaged or holds impossible values, and everything missing, extra or misshaped.
pub fn load_weights_as(
    path: &Path,
    config: &ModelConfig,
    classes: Option<usize>,
    device: &Device,
) -> Result<Model, WeightsError> {
    let architecture = config.architecture()?;
    let contents = read_finite(path)?.named_as_in_pytorch(device);
    let probed = config.probe(&contents.state);
    let mut config = config.clone();
    config.width = config.width.or(probed.map(|(width, _)| width));
    let classes = classes.or(probed.map(|(_, classes)| classes));
    let classes = classes.ok_or_else(|| WeightsError::Classes {
        path: path.to_owned(),
        architecture: architecture.title,
    })?;
    build(path, contents, &config, classes, device)
}

/// Reads the parameters of a weights file under plain names, without building a network.
///
/// # Errors
///
/// When the file is unreadable, damaged or holds impossible values.
pub fn read_weights(path: &Path) -> Result<StateDict, WeightsError> {
    read_finite(path).map(|contents| contents.state)
}

/// What a weights file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightsSummary {
    /// How it is written.
    pub format: WeightsFormat,
    /// Floating-point tensors in name order, under plain names, with their extents.
    pub tensors: Vec<(String, Vec<usize>)>,
    /// Number of values of all tensors together.
    pub values: usize,
    /// The first tensor that holds a NaN or infinite value.
    pub non_finite: Option<String>,
    /// Architecture with its width, and number of classes, where names and shapes tell them.
    pub model: Option<(ModelConfig, usize)>,
    /// What keeps the weights from being of the architecture that they look like.
    pub misfit: Option<StateError>,
    /// The input normalisation stored with the weights.
    pub normalization: Option<Normalization>,
}

/// Describes a weights file of any origin.
///
/// # Errors
///
/// When the file is unreadable or damaged.
pub fn describe_weights(path: &Path, device: &Device) -> Result<WeightsSummary, WeightsError> {
    let Contents {
        format,
        state,
        metadata,
    } = read::read(path)?.named_as_in_pytorch(device);
    let about = about(path, &metadata)?;
    let stated = about.as_ref().map(|about| about.architecture.as_str());
    let nearest = ModelConfig::nearest(&state, stated, device);
    let tensors = state.iter();
    let tensors = tensors.map(|(name, tensor)| (name.to_owned(), tensor.shape.clone()));
    let mut summary = WeightsSummary {
        format,
        tensors: tensors.collect(),
        values: state.value_count(),
        non_finite: state.first_non_finite().map(str::to_owned),
        model: None,
        misfit: None,
        normalization: about.and_then(|about| about.normalization),
    };
    match nearest {
        Some(Nearest {
            config,
            classes,
            exact: true,
        }) => summary.model = Some((config, classes)),
        Some(nearest) => {
            let fitted = nearest.config.with_weights(nearest.classes, state, device);
            if let Err(ModelError::Misfit(misfit)) = fitted {
                summary.misfit = Some(misfit);
            }
        }
        None => {}
    }
    Ok(summary)
}

impl Contents {
    /// A burnpack has names of Burn's; what was recorded from a network of ours gets PyTorch's.
    fn named_as_in_pytorch(mut self, device: &Device) -> Self {
        if self.format == WeightsFormat::Burnpack {
            self.state = burn_names(self.state, device);
        }
        self
    }
}

fn read_finite(path: &Path) -> Result<Contents, WeightsError> {
    let contents = read::read(path)?;
    if let Some(name) = contents.state.first_non_finite() {
        return Err(WeightsError::NonFinite {
            path: path.to_owned(),
            name: name.to_owned(),
        });
    }
    if let Some(name) = contents.state.first_negative_variance() {
        let reason = format!("`{name}` holds negative variances");
        return Err(format_error(path, &reason));
    }
    Ok(contents)
}

fn build(
    path: &Path,
    contents: Contents,
    config: &ModelConfig,
    classes: usize,
    device: &Device,
) -> Result<Model, WeightsError> {
    let about = about(path, &contents.metadata)?;
    let model = config.with_weights(classes, contents.state, device);
    let model = model.map_err(|error| match error {
        ModelError::Architecture(error) => error.into(),
        ModelError::Misfit(source) => WeightsError::Misfit {
            path: path.to_owned(),
            source,
        },
    })?;
    Ok(model.with_normalization(about.and_then(|about| about.normalization)))
}

fn about(path: &Path, metadata: &Metadata) -> Result<Option<About>, WeightsError> {
    let wrong = |reason: &dyn fmt::Display| {
        format_error(path, &format!("metadata `{METADATA_KEY}`: {reason}"))
    };
    let about: Option<About> = metadata
        .get(METADATA_KEY)
        .map(|text| serde_json::from_str(text))
        .transpose()
        .map_err(|error| wrong(&error))?;
    let normalization = about.as_ref().and_then(|about| about.normalization);
    if normalization.is_some_and(|normalization| !normalization.is_usable()) {
        return Err(wrong(
            &"the input normalisation needs finite means and deviations above 0",
        ));
    }
    Ok(about)
}

fn unrecognised(path: &Path, state: &StateDict) -> WeightsError {
    let sample: Vec<&str> = state.iter().take(3).map(|(name, _)| name).collect();
    let known: Vec<&str> = ARCHITECTURES.iter().map(|entry| entry.name).collect();
    WeightsError::Unrecognised {
        path: path.to_owned(),
        count: state.iter().count(),
        sample: sample.join(", "),
        known: known.join(", "),
    }
}

fn format_error(path: &Path, reason: &str) -> WeightsError {
    WeightsError::Format {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

fn io_error(path: &Path, source: io::Error) -> WeightsError {
    WeightsError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(all(test, feature = "flex"))]
mod mutations;
#[cfg(all(test, feature = "flex"))]
mod tests;
