//! A training run on disk, exact enough that resuming changes nothing.
//!
//! A checkpoint is a folder `epoch-0007` that appears whole: network, optimiser state, history and
//! the settings they belong to. The older one is removed only after the newer one stands, so a
//! crash at any moment leaves at least one.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::history::History;
use super::losses::{decoded, encoded};
use super::state::{Identity, State};
use crate::net::Net;
use cd_core::{ImageSet, StorageError, atomic, content_key};

const VERSION: u32 = 2;
const NETWORK: &str = "network.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.json";
const LOSSES: &str = "losses.f32";
/// The network of the epoch that was best on the held-out images, where there are any.
const BEST: &str = "best.bpk";

/// Why a checkpoint could not be written or continued.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// A file of the checkpoint could not be read or written.
    #[error("checkpoint: {0}")]
    Io(#[from] io::Error),
    /// A file of the checkpoint is damaged.
    #[error("{}: damaged checkpoint: {reason}; delete the folder to train from the start", path.display())]
    Damaged {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The checkpoint is of another run.
    #[error("{}: checkpoint of another run: {what} was {stored}, now {asked}", path.display())]
    OtherRun {
        /// The checkpoint.
        path: PathBuf,
        /// The setting that differs.
        what: &'static str,
        /// Its value in the checkpoint.
        stored: String,
        /// Its value now.
        asked: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    identity: Identity,
    history: History,
}

/// What headers of every version have.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Where a training run keeps its checkpoints, and for which images.
///
/// One run at a time may use a folder; who calls sees to that (`cd_core::Lock`).
#[derive(Debug, Clone, Copy)]
pub struct Checkpoints<'a> {
    folder: &'a Path,
    images: Option<&'a str>,
}

impl<'a> Checkpoints<'a> {
    /// Checkpoints in `folder`, which is made where it does not exist.
    pub fn in_folder(folder: &'a Path) -> Self {
        Self {
            folder,
            images: None,
        }
    }

    /// Saves reading all images once more to compute the key of their content, where it is known: `key` must be
    /// [`cd_core::content_key`] of the training set.
    #[must_use]
    pub fn of_images(self, key: &'a str) -> Self {
        Self {
            images: Some(key),
            ..self
        }
    }

    /// The key of the content of `set`.
    pub(super) fn content(&self, set: &ImageSet) -> Result<String, StorageError> {
        match self.images {
            Some(key) => Ok(key.to_owned()),
            None => content_key(set),
        }
    }

    /// Writes the state after `history.epochs.len()` epochs, then removes older ones.
    pub(super) fn save(&self, identity: &Identity, state: &State) -> Result<(), CheckpointError> {
        let history = &state.history;
        let header = Header {
            version: VERSION,
            identity: identity.clone(),
            history: history.clone(),
        };
        replace(self.folder, history.epochs.len(), |scratch| {
            write(scratch, &state.net, &state.optimizer)?;
            if let Some(best) = &state.best {
                write_net(&scratch.join(BEST), best)?;
            }
            fs::write(scratch.join(LOSSES), encoded(&history.losses_matrix()))?;
            let text = serde_json::to_vec_pretty(&header).map_err(io::Error::other)?;
            fs::write(scratch.join(STATE), text)?;
            Ok(())
        })
    }

    /// Continues from the newest checkpoint, if there is one.
    pub(super) fn load(&self, identity: &Identity, fresh: State) -> Result<State, CheckpointError> {
        let Some((stored, _)) = newest(self.folder)? else {
            return Ok(fresh);
        };
        let mut history = stored.history(identity)?;
        let losses = decoded(&stored.read(LOSSES)?, identity.images);
        let losses = losses.map_err(|reason| stored.damaged(LOSSES, &reason))?;
        history.losses = (0..losses.rows())
            .map(|epoch| losses.row(epoch).to_vec())
            .collect();
        let best = history.best_epoch();
        let best = best.map(|_| stored.fill(fresh.net.valid(), BEST));
        let best = best.transpose()?;
        let (net, optimizer) = stored.state(fresh.net, fresh.optimizer)?;
        Ok(State {
            net,
            optimizer,
            history,
            best,
        })
    }
}

/// Writes the checkpoint after so many epochs with `fill`, then removes older ones.
pub(super) fn replace(
    folder: &Path,
    epochs: usize,
    fill: impl FnOnce(&Path) -> Result<(), CheckpointError>,
) -> Result<(), CheckpointError> {
    let path = folder.join(format!("epoch-{epochs:04}"));
    atomic::replace_folder(&path, fill).map_err(|error| named(&path, error))?;
    for (older, _) in list(folder)?
        .into_iter()
        .filter(|(other, _)| *other != path)
    {
        fs::remove_dir_all(older)?;
    }
    Ok(())
}

/// Writes a network with gradients and the state of its optimiser.
pub(super) fn write(
    folder: &Path,
    net: &Net,
    optimizer: &ModuleOptimizer,
) -> Result<(), CheckpointError> {
    // `valid` merges the running statistics of all threads before they are read.
    write_net(&folder.join(NETWORK), &net.valid())?;
    let bytes = optimizer.into_bytes().map_err(encoding)?;
    Ok(fs::write(folder.join(OPTIMIZER), &bytes[..])?)
}

fn write_net(path: &Path, net: &Net) -> Result<(), CheckpointError> {
    let bytes = net.clone().into_record().into_bytes().map_err(encoding)?;
    Ok(fs::write(path, &bytes[..])?)
}

fn encoding(error: RecordError) -> io::Error {
    io::Error::other(error.to_string())
}

/// The newest complete checkpoint with its number of epochs.
pub(super) fn newest(folder: &Path) -> io::Result<Option<(Stored, usize)>> {
    let newest = list(folder)?.into_iter().max_by_key(|(_, epochs)| *epochs);
    Ok(newest.map(|(path, epochs)| (Stored { path }, epochs)))
}

/// Complete checkpoints with their number of epochs.
fn list(folder: &Path) -> io::Result<Vec<(PathBuf, usize)>> {
    let mut found = Vec::new();
    if !folder.exists() {
        return Ok(found);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let epochs = name.and_then(|name| name.strip_prefix("epoch-")?.parse().ok());
        found.extend(epochs.map(|epochs| (path, epochs)));
    }
    Ok(found)
}

/// A complete checkpoint.
pub(super) struct Stored {
    path: PathBuf,
}

impl Stored {
    fn damaged(&self, file: &str, reason: &dyn fmt::Display) -> CheckpointError {
        CheckpointError::Damaged {
            path: self.path.clone(),
            reason: format!("{file}: {reason}"),
        }
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, CheckpointError> {
        fs::read(self.path.join(file)).map_err(|error| self.damaged(file, &error))
    }

    /// The history without losses, if it is that of the run `asked`.
    fn history(&self, asked: &Identity) -> Result<History, CheckpointError> {
        let text = self.read(STATE)?;
        let Version { version } =
            serde_json::from_slice(&text).map_err(|error| self.damaged(STATE, &error))?;
        if version != VERSION {
            return Err(self.damaged(STATE, &format!("format version {version}")));
        }
        let header: Header =
            serde_json::from_slice(&text).map_err(|error| self.damaged(STATE, &error))?;
        self.compare(&header.identity, asked)?;
        Ok(header.history)
    }

    /// A network with gradients and its optimiser as they were.
    pub(super) fn state(
        &self,
        net: Net,
        optimizer: ModuleOptimizer,
    ) -> Result<(Net, ModuleOptimizer), CheckpointError> {
        let net = self.fill(net, NETWORK)?;
        let bytes = Bytes::from_bytes_vec(self.read(OPTIMIZER)?);
        let optimizer = optimizer.from_bytes(bytes);
        let optimizer = optimizer.map_err(|error| self.damaged(OPTIMIZER, &error))?;
        Ok((net, optimizer))
    }

    fn fill(&self, net: Net, file: &str) -> Result<Net, CheckpointError> {
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(self.read(file)?));
        let record = record.map_err(|error| self.damaged(file, &error))?;
        net.try_load_record(record)
            .map_err(|error| self.damaged(file, &error))
    }

    fn compare(&self, stored: &Identity, asked: &Identity) -> Result<(), CheckpointError> {
        let both: [(&'static str, [String; 2]); 6] = [
            ("architecture", [json(&stored.model), json(&asked.model)]),
            (
                "number of classes",
                [json(&stored.classes), json(&asked.classes)],
            ),
            (
                "number of training images",
                [json(&stored.images), json(&asked.images)],
            ),
            (
                "key of the training images' content",
                [stored.content.clone(), asked.content.clone()],
            ),
            (
                "training settings",
                [json(&stored.config), json(&asked.config)],
            ),
            (
                "key of the weights to continue from",
                [json(&stored.start), json(&asked.start)],
            ),
        ];
        let differing = both
            .into_iter()
            .find(|(_, [stored, asked])| stored != asked);
        differing.map_or(Ok(()), |(what, [stored, asked])| {
            Err(CheckpointError::OtherRun {
                path: self.path.clone(),
                what,
                stored,
                asked,
            })
        })
    }
}

/// A full disk is reported without a path by the system; say which checkpoint it was.
fn named(path: &Path, error: CheckpointError) -> CheckpointError {
    match error {
        CheckpointError::Io(source) => CheckpointError::Io(io::Error::new(
            source.kind(),
            format!("{}: {source}", path.display()),
        )),
        other => other,
    }
}

/// A setting as one line for a message.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| error.to_string())
}
