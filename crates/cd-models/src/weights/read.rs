//! Weight files of every format, as parameters under plain names.

use std::path::Path;

use burn::tensor::Device;

use super::about::Metadata;
use super::error::WeightsError;
use super::format::{WeightsFormat, format};
use super::naming::burn_names;
use super::nest::unnest;
use super::state::StateDict;

mod burnpack;
mod pytorch;
mod safetensors;

/// What a weights file holds.
pub(super) struct Contents {
    pub(super) format: WeightsFormat,
    /// Under plain names: without nests and prefixes.
    pub(super) state: StateDict,
    pub(super) metadata: Metadata,
}

impl Contents {
    /// A burnpack has names of Burn's; what was recorded from a network of ours gets PyTorch's.
    pub(super) fn named_as_in_pytorch(mut self, device: &Device) -> Self {
        if self.format == WeightsFormat::Burnpack {
            self.state = burn_names(self.state, device);
        }
        self
    }
}

/// Reads a weights file; values are not looked at yet.
pub(super) fn read(path: &Path) -> Result<Contents, WeightsError> {
    let format = format(path)?;
    let (state, metadata) = match format {
        WeightsFormat::PyTorch => (pytorch::read(path)?, Metadata::new()),
        WeightsFormat::Safetensors => safetensors::read(path)?,
        WeightsFormat::Burnpack => burnpack::read(path)?,
    };
    Ok(Contents {
        format,
        state: unnest(state),
        metadata,
    })
}
