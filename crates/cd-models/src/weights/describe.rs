//! Weight files of any origin, described.

use std::path::Path;

use burn::tensor::Device;

use super::about::about;
use super::error::WeightsError;
use super::format::WeightsFormat;
use super::misfit::StateError;
use super::read::{self, Contents};
use super::recognise::Nearest;
use crate::model::build::ModelError;
use crate::model::config::ModelConfig;
use crate::model::normalization::Normalization;

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
