//! What to take from a weights file, and as what.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;

use super::describe::{WeightsSummary, describe};
use super::error::{WeightsError, format_error};
use super::opened::Opened;
use super::select::{Problem, Wanted};
use super::state::StateDict;
use crate::model::Model;
use crate::model::build::ModelError;
use crate::model::config::ModelConfig;
use crate::model::normalization::Normalization;

/// What to take from a weights file, and as what; by default the network that the file tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WeightsRequest {
    /// Where the network stands in the file, such as `model_ema` or `state_dict.net`.
    pub key: Option<String>,
    /// Its architecture; a width that is left open is read off the weights.
    pub model: Option<ModelConfig>,
    /// Number of classes.
    pub classes: Option<usize>,
    /// The input normalisation, whatever the file says of one.
    pub normalization: Option<Normalization>,
}

impl WeightsRequest {
    /// The network under `key`, if one is given.
    #[must_use]
    pub fn under(key: Option<&str>) -> Self {
        Self {
            key: key.map(str::to_owned),
            ..Self::default()
        }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            key: self.key.as_deref(),
            model: self.model.as_ref(),
            classes: self.classes,
            stated: None,
        }
    }

    /// Reads the network. What the file holds beside it and its normalisation is told in the log.
    ///
    /// # Errors
    ///
    /// When the file is damaged, holds impossible values, fits no registered architecture, holds several networks that fit
    /// equally, or tensors beside the network of which nothing is known; for weights that look like an architecture, everything
    /// missing, extra or misshaped is listed.
    pub fn load(&self, path: &Path, device: &Device) -> Result<Model, WeightsError> {
        if let Some(model) = &self.model {
            model.architecture()?;
        }
        let opened = Opened::new(path, &self.wanted(), device)?;
        let choice = match &opened.choice {
            Ok(choice) => choice,
            Err(Problem::Unrecognised) if self.model.is_some() => return Err(self.headless(path)),
            Err(problem) => return Err(opened.refusal(path, problem)),
        };
        let state = opened.state(choice)?;
        check_values(path, &state)?;
        let Some((config, classes)) = &choice.taken.model else {
            return Err(opened.refusal(path, &Problem::Unrecognised));
        };
        let model = config
            .with_weights(*classes, state, device)
            .map_err(|error| match error {
                ModelError::Architecture(error) => error.into(),
                ModelError::Misfit(source) => WeightsError::Misfit {
                    path: path.to_owned(),
                    source,
                },
            })?;
        let mut notes = opened.beside.notes.clone();
        if !opened.beside.unknown.is_empty() {
            // Who names the network has said what is not wanted.
            if self.key.is_none() {
                return Err(WeightsError::unknown(
                    path,
                    &opened.beside.unknown,
                    &choice.taken.key,
                ));
            }
            notes.push(format!(
                "left out beside it: {}",
                opened.beside.unknown.join(", ")
            ));
        }
        let normalization = self.normalization(path, &opened, &mut notes)?;
        for note in notes {
            warn_once(format!("{}: {note}", path.display()));
        }
        Ok(model.with_normalization(normalization))
    }

    fn normalization(
        &self,
        path: &Path,
        opened: &Opened,
        notes: &mut Vec<String>,
    ) -> Result<Option<Normalization>, WeightsError> {
        if self.normalization.is_some() {
            return Ok(self.normalization);
        }
        let stated = opened.about.as_ref().and_then(|about| about.normalization);
        if stated.is_some() {
            return Ok(stated);
        }
        let found = opened.normalization(path)?.or_else(|| opened.published());
        let Some((normalization, names)) = found else {
            return Ok(None);
        };
        let Normalization { mean, std } = normalization;
        notes.push(format!(
            "{names} became the input normalisation: mean {mean:?}, standard deviation {std:?}"
        ));
        Ok(Some(normalization))
    }

    fn headless(&self, path: &Path) -> WeightsError {
        let architecture = self
            .model
            .as_ref()
            .and_then(|model| model.architecture().ok());
        WeightsError::Classes {
            path: path.to_owned(),
            architecture: architecture.map_or("that architecture", |entry| entry.title),
        }
    }

    /// Describes the file and the network in it.
    ///
    /// # Errors
    ///
    /// When the file is unreadable or damaged.
    pub fn describe(&self, path: &Path, device: &Device) -> Result<WeightsSummary, WeightsError> {
        describe(path, &self.wanted(), device)
    }
}

/// Fails for values that no trained network has.
pub(super) fn check_values(path: &Path, state: &StateDict) -> Result<(), WeightsError> {
    if let Some(name) = state.first_non_finite() {
        return Err(WeightsError::NonFinite {
            path: path.to_owned(),
            name: name.to_owned(),
        });
    }
    if let Some(name) = state.first_negative_variance() {
        let reason = format!("`{name}` holds negative variances");
        return Err(format_error(path, &reason));
    }
    Ok(())
}

/// Says what a file of weights is taken for, once: the same file may be read for several purposes.
fn warn_once(text: String) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if !said.contains(&text) {
        tracing::warn!("{text}");
        said.insert(text);
    }
}
