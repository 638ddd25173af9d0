//! Networks from a configuration: with fresh weights, or with given ones.

use burn::module::Module;
use burn::tensor::Device;
use thiserror::Error;

use crate::model::Model;
use crate::model::config::ModelConfig;
use crate::net::Net;
use crate::registry::UnknownArchitecture;
use crate::weights::exchange::parameter_count;
use crate::weights::fresh;
use crate::weights::misfit::StateError;
use crate::weights::state::StateDict;
use crate::weights::translation::Translation;

impl ModelConfig {
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
        Model::new(net.valid(), self.clone(), classes)
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
        Ok(fresh::draw_weights(net, seed))
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
        let state = Translation::of(architecture, &state.shapes()).state(&state);
        let net = state.apply(net, architecture.title)?;
        Ok(Model::new(net.valid(), self.clone(), classes)?)
    }
}

/// Weights that could not be put into a network.
#[derive(Debug, Error)]
pub enum ModelError {
    /// No such architecture.
    #[error(transparent)]
    Architecture(#[from] UnknownArchitecture),
    /// Names or shapes differ.
    #[error(transparent)]
    Misfit(#[from] StateError),
}
