//! Which of the tensors of a file are the network, and what becomes of the others.
//!
//! A network is found by its first layer under any name in front, so wrappers need no list. What was saved as one thing with it
//! is its input normalisation, a counter, or a reason to refuse; what stands elsewhere in the file is left out and said.

mod beside;
mod choose;
mod names;
mod networks;

use std::collections::BTreeMap;

pub(super) use beside::Beside;
pub(super) use choose::{Choice, Problem, choose};
pub(super) use names::Names;
pub(super) use networks::networks;

use crate::model::config::ModelConfig;

/// What the caller knows of the network that is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    /// Where it stands in the file.
    pub(super) key: Option<&'a str>,
    pub(super) model: Option<&'a ModelConfig>,
    pub(super) classes: Option<usize>,
    /// The architecture that the file itself states.
    pub(super) stated: Option<&'a str>,
}

/// A network in a file.
#[derive(Debug, Clone)]
pub(super) struct Network {
    /// Where it stands, without wrappers; empty for the top.
    pub(super) key: String,
    /// The names of its parameters, and their full names in the file.
    pub(super) names: BTreeMap<String, String>,
    /// What it looks most like; `None` for weights that no one asked to be of an architecture.
    pub(super) model: Option<(ModelConfig, usize)>,
    /// Parameters that are missing, extra or misshaped for that.
    pub(super) misfits: usize,
}

impl Network {
    pub(super) fn is_exact(&self) -> bool {
        self.model.is_some() && self.misfits == 0
    }

    /// The key as people read it.
    pub(super) fn shown(&self) -> String {
        if self.key.is_empty() {
            "the top of the file".to_owned()
        } else {
            format!("`{}`", self.key)
        }
    }
}
