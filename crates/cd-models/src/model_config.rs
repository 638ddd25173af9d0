//! Which network to build, and what a set of weights belongs to.

use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::init;
use crate::model::Model;
use crate::net::Net;
use crate::registry::{ARCHITECTURES, Architecture, UnknownArchitecture};
use crate::state::{StateDict, StateError, shapes};

/// Which network to build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// A name of [`ARCHITECTURES`].
    pub name: String,
    /// Channels of the stem; the published width when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
}

impl ModelConfig {
    /// The architecture `name` at its published width.
    ///
    /// # Errors
    ///
    /// When there is no such architecture; the message names the nearest one.
    pub fn from_name(name: &str) -> Result<Self, UnknownArchitecture> {
        let config = Self {
            name: name.to_owned(),
            width: None,
        };
        config.architecture()?;
        Ok(config)
    }

    /// The same architecture with `width` channels in its stem.
    #[must_use]
    pub fn with_width(mut self, width: usize) -> Self {
        self.width = Some(width);
        self
    }

    /// Channels of the stem.
    ///
    /// # Errors
    ///
    /// When there is no architecture of this name.
    pub fn resolved_width(&self) -> Result<usize, UnknownArchitecture> {
        let published = self.architecture()?.family.default_width;
        Ok(self.width.unwrap_or(published))
    }

    /// The registry entry.
    ///
    /// # Errors
    ///
    /// When there is no architecture of this name.
    pub fn architecture(&self) -> Result<&'static Architecture, UnknownArchitecture> {
        Architecture::find(&self.name)
    }

    /// A frozen model with fresh weights drawn from `seed`, the same on every device.
    ///
    /// # Errors
    ///
    /// When there is no architecture of this name.
    pub fn init(
        &self,
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Model, UnknownArchitecture> {
        let net = self.init_net(classes, seed, device)?;
        Ok(Model::new(net.valid(), self.clone(), classes))
    }

    /// The bare network with fresh weights drawn from `seed`; trainable on an autodiff device.
    ///
    /// # Errors
    ///
    /// When there is no architecture of this name.
    pub fn init_net(
        &self,
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Net, UnknownArchitecture> {
        let architecture = self.architecture()?;
        let net = architecture.build(self.resolved_width()?, classes, device);
        Ok(init::initialize(net, seed))
    }

    /// A frozen model with the weights `state`, by exported names or by the aliases of its family.
    ///
    /// # Errors
    ///
    /// When there is no architecture of this name, or everything that is missing, extra or misshaped.
    pub fn with_weights(
        &self,
        classes: usize,
        state: &StateDict,
        device: &Device,
    ) -> Result<Model, ModelError> {
        let architecture = self.architecture()?;
        let plain = device.clone().without_autodiff();
        let net = architecture.build(self.resolved_width()?, classes, &plain);
        let net = architecture.renamed(state).apply(net, architecture.title)?;
        Ok(Model::new(net.valid(), self.clone(), classes))
    }

    /// Reads architecture, width and class count off the names and shapes of `state`.
    pub fn recognise(state: &StateDict, device: &Device) -> Option<(Self, usize)> {
        let best = candidates(state, device).into_iter().next()?;
        (best.misfits == 0).then_some((best.config, best.classes))
    }

    /// The registered architecture that most of `state` fits; `None` when nothing looks alike.
    pub(crate) fn nearest(state: &StateDict, device: &Device) -> Option<(Self, usize)> {
        let best = candidates(state, device).into_iter().next()?;
        let alike = best.misfits * 2 < state.iter().count();
        alike.then_some((best.config, best.classes))
    }

    /// The number of classes of weights that are known to be of this architecture.
    pub(crate) fn classes_of(&self, state: &StateDict) -> Option<usize> {
        let architecture = self.architecture().ok()?;
        let (_, classes) = architecture.probe(&architecture.renamed(state))?;
        Some(classes)
    }
}

/// Weights that could not be put into a network.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No such architecture.
    #[error(transparent)]
    Architecture(#[from] UnknownArchitecture),
    /// Names or shapes differ.
    #[error(transparent)]
    Misfit(#[from] StateError),
}

struct Candidate {
    config: ModelConfig,
    classes: usize,
    /// Parameters that are missing, extra or misshaped.
    misfits: usize,
    published: bool,
}

/// Architectures whose first and last layer `state` has, the best fit first.
///
/// Among equal fits the published width wins: two vision transformers may differ in nothing else.
fn candidates(state: &StateDict, device: &Device) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = ARCHITECTURES
        .iter()
        .filter_map(|entry| {
            let state = entry.renamed(state);
            let (width, classes) = entry.probe(&state)?;
            let own = shapes(&entry.build(width, classes, device));
            let fitting = own
                .iter()
                .filter(|(name, shape)| state.shape(name) == Some(shape))
                .count();
            let config = ModelConfig {
                name: entry.name.to_owned(),
                width: Some(width),
            };
            Some(Candidate {
                config,
                classes,
                misfits: own.len().max(state.iter().count()) - fitting,
                published: width == entry.family.default_width,
            })
        })
        .collect();
    found.sort_by_key(|candidate| (candidate.misfits, !candidate.published));
    found
}
