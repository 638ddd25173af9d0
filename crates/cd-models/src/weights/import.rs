//! Models out of weight files.

use std::path::Path;

use burn::tensor::Device;

use super::about::about;
use super::error::{WeightsError, format_error, unrecognised};
use super::read::{self, Contents};
use super::state::StateDict;
use crate::model::Model;
use crate::model::build::ModelError;
use crate::model::config::ModelConfig;

/// Reads a weights file and recognises its architecture, width and class count.
///
/// The input normalisation is taken from the file where [`save_weights`](crate::save_weights) stored one.
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
