//! A training run on disk, exact enough that resuming changes nothing.
//!
//! A checkpoint is a folder `epoch-0007` that appears whole: network, optimiser state, history and
//! the settings they belong to. The older one is removed only after the newer one stands, so a
//! crash at any moment leaves at least one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model_config::ModelConfig;
use crate::net::Net;
use crate::train::{History, TrainConfig};
use cd_core::atomic;

const VERSION: u32 = 1;
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

/// What a checkpoint belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) model: ModelConfig,
    pub(crate) classes: usize,
    pub(crate) images: usize,
    pub(crate) config: TrainConfig,
}

/// A training run between two epochs.
pub(crate) struct State {
    pub(crate) net: Net,
    pub(crate) optimizer: ModuleOptimizer,
    pub(crate) history: History,
    /// The frozen network of the best epoch, where images are held out to tell which that is.
    pub(crate) best: Option<Net>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    identity: Identity,
    history: History,
}

/// The folder in which a run keeps its checkpoints.
#[derive(Debug)]
pub(crate) struct Checkpoints<'a> {
    folder: &'a Path,
}

impl<'a> Checkpoints<'a> {
    pub(crate) fn new(folder: &'a Path) -> Self {
        Self { folder }
    }

    /// Writes the state after `history.epochs.len()` epochs, then removes older ones.
    pub(crate) fn save(&self, identity: &Identity, state: &State) -> Result<(), CheckpointError> {
        let history = &state.history;
        let path = self
            .folder
            .join(format!("epoch-{:04}", history.epochs.len()));
        let header = Header {
            version: VERSION,
            identity: identity.clone(),
            history: history.clone(),
        };
        let encode = |error: RecordError| io::Error::other(error.to_string());
        atomic::replace_folder::<CheckpointError>(&path, |scratch| {
            // `valid` merges the running statistics of all threads before they are read.
            let last = state.net.valid();
            for (name, net) in [(NETWORK, Some(&last)), (BEST, state.best.as_ref())] {
                if let Some(net) = net {
                    let bytes = net.clone().into_record().into_bytes().map_err(encode)?;
                    fs::write(scratch.join(name), &bytes[..])?;
                }
            }
            let optimizer = state.optimizer.into_bytes().map_err(encode)?;
            fs::write(scratch.join(OPTIMIZER), &optimizer[..])?;
            let losses = history.losses.iter().flatten();
            let bytes: Vec<u8> = losses.flat_map(|loss| loss.to_le_bytes()).collect();
            fs::write(scratch.join(LOSSES), bytes)?;
            let text = serde_json::to_vec_pretty(&header).map_err(io::Error::other)?;
            fs::write(scratch.join(STATE), text)?;
            Ok(())
        })
        .map_err(|error| named(&path, error))?;
        for (older, _) in self.list()?.into_iter().filter(|(other, _)| *other != path) {
            fs::remove_dir_all(older)?;
        }
        Ok(())
    }

    /// Continues from the newest checkpoint, if there is one.
    pub(crate) fn load(&self, identity: &Identity, fresh: State) -> Result<State, CheckpointError> {
        let Some((path, _)) = self.list()?.into_iter().max_by_key(|(_, epoch)| *epoch) else {
            return Ok(fresh);
        };
        let damaged = |reason: String| CheckpointError::Damaged {
            path: path.clone(),
            reason,
        };
        let text = fs::read(path.join(STATE)).map_err(|e| damaged(format!("{STATE}: {e}")))?;
        let header: Header =
            serde_json::from_slice(&text).map_err(|e| damaged(format!("{STATE}: {e}")))?;
        if header.version != VERSION {
            return Err(damaged(format!("format version {}", header.version)));
        }
        compare(&path, &header.identity, identity)?;
        let mut history = header.history;
        history.losses = read_losses(&path.join(LOSSES), identity.images).map_err(damaged)?;
        let read = |name: &str| -> Result<Bytes, CheckpointError> {
            let bytes = fs::read(path.join(name)).map_err(|e| damaged(format!("{name}: {e}")))?;
            Ok(Bytes::from_bytes_vec(bytes))
        };
        let fill = |net: Net, name: &str| -> Result<Net, CheckpointError> {
            let record = ModuleRecord::from_bytes(read(name)?);
            let record = record.map_err(|e| damaged(format!("{name}: {e}")))?;
            net.try_load_record(record)
                .map_err(|e| damaged(format!("{name}: {e}")))
        };
        let best = history.best_epoch();
        let best = best.map(|_| fill(fresh.net.valid(), BEST)).transpose()?;
        let net = fill(fresh.net, NETWORK)?;
        let optimizer = fresh
            .optimizer
            .from_bytes(read(OPTIMIZER)?)
            .map_err(|e| damaged(format!("{OPTIMIZER}: {e}")))?;
        Ok(State {
            net,
            optimizer,
            history,
            best,
        })
    }

    /// Complete checkpoints with their number of epochs.
    fn list(&self) -> io::Result<Vec<(PathBuf, usize)>> {
        let mut found = Vec::new();
        if !self.folder.exists() {
            return Ok(found);
        }
        for entry in fs::read_dir(self.folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let epoch = name.and_then(|name| name.strip_prefix("epoch-")?.parse().ok());
            found.extend(epoch.map(|epoch| (path, epoch)));
        }
        Ok(found)
    }
}

fn compare(path: &Path, stored: &Identity, asked: &Identity) -> Result<(), CheckpointError> {
    let differs = |what, stored: String, asked: String| CheckpointError::OtherRun {
        path: path.to_owned(),
        what,
        stored,
        asked,
    };
    if stored.model != asked.model {
        return Err(differs(
            "architecture",
            json(&stored.model),
            json(&asked.model),
        ));
    }
    if stored.classes != asked.classes {
        let (stored, asked) = (stored.classes.to_string(), asked.classes.to_string());
        return Err(differs("number of classes", stored, asked));
    }
    if stored.images != asked.images {
        let (stored, asked) = (stored.images.to_string(), asked.images.to_string());
        return Err(differs("number of training images", stored, asked));
    }
    if stored.config != asked.config {
        return Err(differs(
            "training settings",
            json(&stored.config),
            json(&asked.config),
        ));
    }
    Ok(())
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

fn read_losses(path: &Path, images: usize) -> Result<Vec<Vec<f32>>, String> {
    let bytes = fs::read(path).map_err(|error| format!("{LOSSES}: {error}"))?;
    let (values, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() || images == 0 || values.len() % images != 0 {
        return Err(format!(
            "{LOSSES}: {} bytes for {images} images",
            bytes.len()
        ));
    }
    let values: Vec<f32> = values.iter().map(|v| f32::from_le_bytes(*v)).collect();
    Ok(values.chunks(images).map(<[f32]>::to_vec).collect())
}
