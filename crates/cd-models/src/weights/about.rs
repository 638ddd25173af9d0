//! What a file says about the model besides its weights.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{WeightsError, format_error};
use crate::model::normalization::Normalization;

pub(super) type Metadata = HashMap<String, String>;

/// The one metadata entry of our files: several would stand in random order, and the same weights
/// would give different bytes.
pub(super) const METADATA_KEY: &str = "cd_model";

/// What a file says about the model besides its weights.
#[derive(Serialize, Deserialize)]
pub(super) struct About {
    pub(super) architecture: String,
    pub(super) classes: usize,
    pub(super) normalization: Option<Normalization>,
}

pub(super) fn about(path: &Path, metadata: &Metadata) -> Result<Option<About>, WeightsError> {
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
