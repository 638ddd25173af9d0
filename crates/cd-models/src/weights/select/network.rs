//! A network in a file, and what is known of the one that is wanted.

use std::collections::BTreeMap;

use crate::model::config::ModelConfig;
use crate::weights::entry::Entries;
use crate::weights::state::Shapes;
use crate::weights::translation::Translation;

/// What the caller knows of the network that is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::weights) struct Wanted<'a> {
    /// Where it stands in the file.
    pub(in crate::weights) key: Option<&'a str>,
    pub(in crate::weights) model: Option<&'a ModelConfig>,
    pub(in crate::weights) classes: Option<usize>,
    /// The architecture that the file itself states.
    pub(in crate::weights) stated: Option<&'a str>,
}

/// A network in a file.
#[derive(Debug, Clone)]
pub(in crate::weights) struct Network {
    /// Where it stands, without wrappers; empty for the top.
    pub(in crate::weights) key: String,
    /// The names of its parameters, and their full names in the file.
    pub(in crate::weights) names: BTreeMap<String, String>,
    /// What it looks most like; `None` for weights that no one asked to be of an architecture.
    pub(in crate::weights) model: Option<(ModelConfig, usize)>,
    /// Parameters that are missing, extra or misshaped for that.
    pub(in crate::weights) misfits: usize,
}

impl Network {
    pub(in crate::weights) fn is_exact(&self) -> bool {
        self.model.is_some() && self.misfits == 0
    }

    /// What is said of names that are not the architecture's own.
    pub(in crate::weights) fn translation_notes(&self, entries: &Entries) -> Vec<String> {
        let architecture = self
            .model
            .as_ref()
            .and_then(|(config, _)| config.architecture().ok());
        let Some(architecture) = architecture else {
            return Vec::new();
        };
        let shapes = shapes(entries, &self.names);
        Translation::of(architecture, &shapes).notes()
    }

    /// The key as people read it.
    pub(in crate::weights) fn shown(&self) -> String {
        if self.key.is_empty() {
            "the top of the file".to_owned()
        } else {
            format!("`{}`", self.key)
        }
    }
}

/// The extents of the tensors that `names` gives, by their plain names.
pub(super) fn shapes(entries: &Entries, names: &BTreeMap<String, String>) -> Shapes {
    let shapes = names.iter();
    shapes
        .map(|(plain, full)| (plain.clone(), entries[full].shape.clone()))
        .collect()
}
