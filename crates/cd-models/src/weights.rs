//! Weight files, read and written: safetensors, PyTorch checkpoints and burnpacks.
//!
//! Files are recognised by content and written by the ending of their name. PyTorch pickles are interpreted as data; no code
//! in them runs. Names are the reference's or torchvision's (`conv1.weight`, `layer1.0.bn1.running_mean`, ...), under any
//! names of dictionaries, wrappers and other networks around them. A normalisation that was saved with the
//! network becomes the model's.

pub(crate) mod describe;
pub(crate) mod element;
pub(crate) mod error;
pub(crate) mod exchange;
pub(crate) mod export;
pub(crate) mod format;
pub(crate) mod fresh;
pub(crate) mod import;
pub(crate) mod misfit;
pub(crate) mod request;
pub(crate) mod state;

mod about;
mod entry;
mod foreign;
mod naming;
mod normalising;
mod opened;
pub(crate) mod path;
mod pickle;
mod read;
mod recognise;
mod select;
mod stored;
pub(crate) mod translation;

#[cfg(all(test, feature = "flex"))]
mod mutations;
#[cfg(all(test, feature = "flex"))]
mod tests;
