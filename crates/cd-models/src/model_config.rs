//! Which network to build, and what a set of weights belongs to.

use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::init;
use crate::model::Model;
use crate::net::Net;
use crate::registry::{ARCHITECTURES, Architecture, UnknownArchitecture};
use crate::state::{Shapes, StateDict, StateError, parameter_count, shapes};

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

    /// Number of trainable values, without drawing any.
    ///
    /// # Errors
    ///
    /// When there is no architecture of this name.
    pub fn parameter_count(
        &self,
        classes: usize,
        device: &Device,
    ) -> Result<usize, UnknownArchitecture> {
        let architecture = self.architecture()?;
        let net = architecture.build(self.resolved_width()?, classes, device);
        Ok(parameter_count(&net))
    }

    /// A frozen model with the weights `state`, by exported names or by the aliases of its family.
    ///
    /// # Errors
    ///
    /// When there is no architecture of this name, or everything that is missing, extra or misshaped.
    pub fn with_weights(
        &self,
        classes: usize,
        state: StateDict,
        device: &Device,
    ) -> Result<Model, ModelError> {
        let architecture = self.architecture()?;
        let plain = device.clone().without_autodiff();
        let net = architecture.build(self.resolved_width()?, classes, &plain);
        let state = state.renamed(|name| architecture.exported_name(name));
        let net = state.apply(net, architecture.title)?;
        Ok(Model::new(net.valid(), self.clone(), classes))
    }

    /// Reads architecture, width and class count off the names and shapes of `state`.
    ///
    /// `device` is where a network of each candidate is laid out, without weights, for comparison.
    pub fn recognise(state: &StateDict, device: &Device) -> Option<(Self, usize)> {
        recognise(&state.shapes(), device)
    }

    /// The registered architecture that most of `state` fits; `None` when nothing looks alike.
    ///
    /// `stated` is the architecture that the weights claim to be; it decides between equal fits.
    pub(crate) fn nearest(
        state: &StateDict,
        stated: Option<&str>,
        device: &Device,
    ) -> Option<Nearest> {
        let candidates = candidates(&state.shapes(), device).into_iter();
        let best = candidates.min_by_key(|one| (one.misfits, Some(&*one.config.name) != stated))?;
        let alike = best.misfits * 2 < state.iter().count();
        alike.then_some(Nearest {
            config: best.config,
            classes: best.classes,
            exact: best.misfits == 0,
        })
    }

    /// Width and class count of weights that are known to be of this architecture.
    pub(crate) fn probe(&self, state: &StateDict) -> Option<(usize, usize)> {
        let architecture = self.architecture().ok()?;
        architecture.probe(&exported(&state.shapes(), architecture))
    }
}

fn exported(shapes: &Shapes, architecture: &Architecture) -> Shapes {
    let renamed = shapes.iter();
    renamed
        .map(|(name, shape)| (architecture.exported_name(name), shape.clone()))
        .collect()
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

/// What weights look like.
pub(crate) struct Nearest {
    pub(crate) config: ModelConfig,
    pub(crate) classes: usize,
    /// Whether every name and shape fits.
    pub(crate) exact: bool,
}

struct Candidate {
    config: ModelConfig,
    classes: usize,
    /// Parameters that are missing, extra or misshaped.
    misfits: usize,
    published: bool,
}

fn recognise(shapes: &Shapes, device: &Device) -> Option<(ModelConfig, usize)> {
    let best = candidates(shapes, device).into_iter().next()?;
    (best.misfits == 0).then_some((best.config, best.classes))
}

/// Architectures whose first and last layer the weights have, the best fit first.
///
/// Among equal fits the published width wins: two vision transformers may differ in nothing else.
fn candidates(state: &Shapes, device: &Device) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = ARCHITECTURES
        .iter()
        .filter_map(|entry| {
            let state = exported(state, entry);
            let (width, classes) = entry.probe(&state)?;
            let own = shapes(&entry.build(width, classes, device));
            let fits = |(name, shape): &&(String, Vec<usize>)| state.get(name) == Some(shape);
            let fitting = own.iter().filter(fits).count();
            let config = ModelConfig {
                name: entry.name.to_owned(),
                width: Some(width),
            };
            Some(Candidate {
                config,
                classes,
                misfits: own.len().max(state.len()) - fitting,
                published: width == entry.family.default_width,
            })
        })
        .collect();
    found.sort_by_key(|candidate| (candidate.misfits, !candidate.published));
    found
}

/// Weights as Burn writes them, under the names that PyTorch would give them.
///
/// Names from modules of other Rust programs are only freed of Burn's own words.
pub(crate) fn burn_names(state: StateDict, device: &Device) -> StateDict {
    let state = state.renamed(plain_name);
    let shapes = state.shapes();
    if recognise(&shapes, device).is_some() {
        return state;
    }
    let recorded = ARCHITECTURES.iter().find_map(|entry| {
        let net = entry.build(entry.family.small_width, 1, device);
        let public = |name: &str| net.network().public_name(name.to_owned());
        let renamed = shapes.iter();
        let renamed = renamed.map(|(name, shape)| (public(name), shape.clone()));
        recognise(&renamed.collect(), device)?;
        Some(net)
    });
    match recorded {
        Some(net) => state.renamed(|name| net.network().public_name(name.to_owned())),
        None => state,
    }
}

/// The name of a parameter of a recorded network without what only the Rust structure has.
fn plain_name(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let mut plain: Vec<String> = Vec::new();
    for part in parts {
        let paired = plain.last().is_some_and(|last| last.starts_with("conv"));
        match part {
            "gamma" => plain.push("weight".to_owned()),
            "beta" => plain.push("bias".to_owned()),
            "conv" if paired => {}
            "norm" if paired => {
                let conv = plain.pop().unwrap_or_default();
                plain.push(conv.replace("conv", "bn"));
            }
            // Variants of enums begin with a capital, parameters never do.
            part if part == "trunk" || part.starts_with(|c: char| c.is_ascii_uppercase()) => {}
            part => plain.push(part.to_owned()),
        }
    }
    plain.join(".")
}
