//! Weight files, read and written: safetensors, PyTorch checkpoints and burnpacks.
//!
//! Files are recognised by content and written by the ending of their name. PyTorch pickles are interpreted as data; no code
//! in them runs. Names are the reference's or torchvision's (`conv1.weight`,
//! `layer1.0.bn1.running_mean`, ...), nested under `model_state_dict`, `state_dict`, `netC`, `model`
//! or a `module.` prefix or not.

pub(crate) mod describe;
pub(crate) mod error;
pub(crate) mod exchange;
pub(crate) mod export;
pub(crate) mod format;
pub(crate) mod fresh;
pub(crate) mod import;
pub(crate) mod misfit;
pub(crate) mod state;

mod about;
mod naming;
mod nest;
mod path;
mod pickle;
mod read;
mod recognise;
mod stored;
mod values;

#[cfg(all(test, feature = "flex"))]
mod mutations;
#[cfg(all(test, feature = "flex"))]
mod tests;
