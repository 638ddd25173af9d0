//! A training run between two epochs, and what it belongs to.

use burn::optim::ModuleOptimizer;
use serde::{Deserialize, Serialize};

use super::config::TrainConfig;
use super::history::History;
use crate::model::config::ModelConfig;
use crate::net::Net;

/// What decides how a training run ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    pub(super) model: ModelConfig,
    pub(super) classes: usize,
    pub(super) images: usize,
    /// The key of the images' content.
    pub(super) content: String,
    pub(super) config: TrainConfig,
    /// The fingerprint of the model that training continues from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) start: Option<String>,
}

/// A training run between two epochs.
pub(super) struct State {
    pub(super) net: Net,
    pub(super) optimizer: ModuleOptimizer,
    pub(super) history: History,
    /// The frozen network of the best epoch, where images are held out to tell which that is.
    pub(super) best: Option<Net>,
}
