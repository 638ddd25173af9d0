//! Weight files of any origin, described.

use std::path::Path;

use burn::tensor::Device;

use super::element::Element;
use super::error::WeightsError;
use super::format::WeightsFormat;
use super::misfit::StateError;
use super::opened::Opened;
use super::select::{Choice, Wanted};
use crate::model::build::ModelError;
use crate::model::config::ModelConfig;
use crate::model::normalization::Normalization;

/// What a weights file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightsSummary {
    /// How it is written.
    pub format: WeightsFormat,
    /// The tensors of the network under its own names, then the others under those of the file; each in name order.
    pub tensors: Vec<TensorSummary>,
    /// Number of values of the network's tensors together.
    pub values: usize,
    /// The first tensor of the network that holds a NaN or infinite value.
    pub non_finite: Option<String>,
    /// Architecture with its width, and number of classes, where names and shapes tell them.
    pub model: Option<(ModelConfig, usize)>,
    /// What keeps the weights from being of the architecture that they look like.
    pub misfit: Option<StateError>,
    /// The input normalisation stored with the weights.
    pub normalization: Option<Normalization>,
    /// Where in the file the network stands; empty for the top.
    pub key: String,
    /// What else the file holds, and what became of it.
    pub notes: Vec<String>,
    /// Why the file cannot be loaded as it is, where its form is sound.
    pub problem: Option<String>,
}

/// A tensor of a weights file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSummary {
    /// Its name: in the network, or in the file for what does not belong to it.
    pub name: String,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Type of its values.
    pub element: Element,
    /// Whether it is one of the network.
    pub taken: bool,
}

/// Describes a weights file of any origin.
///
/// # Errors
///
/// When the file is unreadable or damaged.
pub fn describe_weights(path: &Path, device: &Device) -> Result<WeightsSummary, WeightsError> {
    describe(path, &Wanted::default(), device)
}

pub(super) fn describe(
    path: &Path,
    wanted: &Wanted<'_>,
    device: &Device,
) -> Result<WeightsSummary, WeightsError> {
    let opened = Opened::new(path, wanted, device)?;
    let mut summary = WeightsSummary {
        format: opened.contents.format,
        tensors: tensors(&opened),
        values: 0,
        non_finite: None,
        model: None,
        misfit: None,
        normalization: opened.about.as_ref().and_then(|about| about.normalization),
        key: String::new(),
        notes: opened.beside.notes.clone(),
        problem: None,
    };
    let taken = summary.tensors.iter().filter(|tensor| tensor.taken);
    let counts = taken.map(|tensor| {
        tensor
            .shape
            .iter()
            .fold(1_usize, |n, &e| n.saturating_mul(e))
    });
    summary.values = counts.fold(0, usize::saturating_add);
    match &opened.choice {
        Ok(choice) => {
            summary.key.clone_from(&choice.taken.key);
            let found = summary.network(path, &opened, choice, device);
            summary.problem = found.err().map(|error| error.to_string());
            if summary.problem.is_none()
                && wanted.key.is_none()
                && !opened.beside.unknown.is_empty()
            {
                let error = WeightsError::unknown(path, &opened.beside.unknown, &summary.key);
                summary.problem = Some(error.to_string());
            }
        }
        Err(problem) => summary.problem = Some(opened.refusal(path, problem).to_string()),
    }
    Ok(summary)
}

impl WeightsSummary {
    fn network(
        &mut self,
        path: &Path,
        opened: &Opened,
        choice: &Choice,
        device: &Device,
    ) -> Result<(), WeightsError> {
        let exact = choice.taken.is_exact();
        let Some((config, classes)) = &choice.taken.model else {
            return Ok(());
        };
        self.model = exact.then(|| (config.clone(), *classes));
        let state = opened.state(choice)?;
        self.non_finite = state.first_non_finite().map(str::to_owned);
        if !exact
            && let Err(ModelError::Misfit(misfit)) = config.with_weights(*classes, state, device)
        {
            self.misfit = Some(misfit);
        }
        if self.normalization.is_none()
            && let Some((normalization, names)) =
                opened.normalization(path)?.or_else(|| opened.published())
        {
            self.normalization = Some(normalization);
            self.notes
                .push(format!("{names} became the input normalisation"));
        }
        Ok(())
    }
}

fn tensors(opened: &Opened) -> Vec<TensorSummary> {
    let entries = &opened.contents.entries;
    let summary = |name: &str, full: &str, taken| TensorSummary {
        name: name.to_owned(),
        shape: entries[full].shape.clone(),
        element: entries[full].element,
        taken,
    };
    let Ok(choice) = &opened.choice else {
        let all = opened.names.iter();
        return all
            .map(|(plain, full)| summary(plain, full, true))
            .collect();
    };
    let own = choice.taken.names.iter();
    let mut tensors: Vec<TensorSummary> = own
        .map(|(plain, full)| summary(plain, full, true))
        .collect();
    let mut full_names: Vec<&str> = choice.taken.names.values().map(String::as_str).collect();
    full_names.sort_unstable();
    let others = opened
        .names
        .iter()
        .filter(|(_, full)| full_names.binary_search(full).is_err());
    tensors.extend(others.map(|(_, full)| summary(full, full, false)));
    tensors
}
