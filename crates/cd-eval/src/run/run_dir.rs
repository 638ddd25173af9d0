//! Run directories: what an experiment shows of itself, and which stored stages it stands on.
//!
//! ```text
//! runs/<experiment>/<hash>-s<seed>/
//!     config.toml  meta.json
//!     stages.json                                        keys of the stages in the store
//!     poison/  train/  detect/<detector>/  evaluate/     copies of what people look at
//!     report.html
//! ```

mod layout;
mod stages;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cd_core::atomic;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::store::{StoreError, write_json};
use crate::experiment::Experiment;

pub use stages::{StageRef, Stages, referred, runs_below};

/// Version of the layout of run directories.
pub const LAYOUT_VERSION: u32 = 2;

const CONFIG: &str = "config.toml";
const META: &str = "meta.json";
/// Folder of a store inside the folder of a run, for runs that share with no other.
pub const OWN_STORE: &str = "store";
/// Table of the pictures that cannot be decoded; it may be there before anything else of a run.
pub const BAD_LIST: &str = "bad-pictures.csv";
/// Table of all files of the data set that were not read.
pub const NOT_READ: &str = "not-read.csv";

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
    /// Held while `stages.json` is changed; none before it is known where the stages lie.
    lock: Option<PathBuf>,
}

/// What a run belongs to and what made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Version of the run directory's layout.
    pub schema_version: u32,
    /// Version of the toolkit.
    pub toolkit_version: String,
    /// The device that computes it.
    pub device: String,
    /// Number of threads of the CPU backend.
    pub threads: usize,
    /// Operating system and processor family.
    pub platform: String,
}

/// Why a run directory cannot be used.
#[derive(Debug, Error)]
pub enum RunDirError {
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the run is damaged.
    #[error("{}: damaged: {reason}; delete the folder to run again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder holds other things than a run.
    #[error("{}: this folder is not empty and no folder of a run (it has no config.toml); choose another folder for the results", path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds another run.
    #[error("{}: this folder holds another run ({what}); choose another folder or delete it", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// The folder holds a run of another layout.
    #[error(
        "{}: this run has layout {found}, this program continues layout {LAYOUT_VERSION}; its results can still be read, to run again choose another folder or delete it", path.display()
    )]
    Layout {
        /// The folder.
        path: PathBuf,
        /// The version that stands in it.
        found: u32,
    },
    /// The folder of the stages is not there.
    #[error(
        "{}: this run stands on stages in {}, which is not there: it was moved or deleted; move the run back to where it was, or run it again", path.display(), store.display()
    )]
    NoStore {
        /// The folder of the run.
        path: PathBuf,
        /// That of the stages.
        store: PathBuf,
    },
    /// A stored stage is unusable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RunDir {
    /// Where `experiment` keeps its results below `runs`.
    pub fn path_of(runs: &Path, experiment: &Experiment) -> PathBuf {
        let cell = format!("{}-s{}", experiment.hash(), experiment.seed);
        runs.join(&experiment.name).join(cell)
    }

    /// Whether `experiment` may use the folder at `path`: it is new, empty, or holds this experiment, to which detectors
    /// may have been added. Nothing is written.
    ///
    /// # Errors
    ///
    /// When the folder holds another experiment, or one that was begun on another device.
    pub fn check(path: &Path, experiment: &Experiment, device: &str) -> Result<(), RunDirError> {
        let occupied = |what: String| RunDirError::Occupied {
            path: path.to_owned(),
            what,
        };
        let config = path.join(CONFIG);
        let mut text = read_if_there(&config)?;
        if text.is_none() && layout::is_occupied(path) {
            // Another process may have begun this run between the two looks.
            text = read_if_there(&config)?;
            if text.is_none() {
                return Err(RunDirError::NoRun {
                    path: path.to_owned(),
                });
            }
        }
        let Some(text) = text else {
            return Ok(());
        };
        let meta = layout::meta(path)?;
        if text != experiment.to_toml() && !layout::is_extended(&text, experiment) {
            return Err(occupied("its config.toml has other settings".into()));
        }
        if meta.device != device {
            return Err(occupied(format!(
                "it was begun on `--device {}`, now `{device}`",
                meta.device
            )));
        }
        Ok(())
    }

    /// Opens the folder of a run, or makes it and writes `config.toml` and `meta.json`.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), and when the files cannot be written.
    pub fn open(path: &Path, experiment: &Experiment, device: &str) -> Result<Self, RunDirError> {
        Self::check(path, experiment, device)?;
        let run = Self::at(path);
        if !run.join(META).exists() {
            run.write_json(Path::new(META), &Meta::here(device))?;
        }
        let text = experiment.to_toml();
        if read_if_there(&run.join(CONFIG))?.as_ref() != Some(&text) {
            run.write(Path::new(CONFIG), text.as_bytes())?;
        }
        Ok(run)
    }

    /// An existing run, with the text of the experiment that it belongs to.
    ///
    /// # Errors
    ///
    /// When there is no run at `path`, or one of another layout.
    pub fn existing(path: &Path) -> Result<(Self, String), RunDirError> {
        let config = path.join(CONFIG);
        let text = fs::read_to_string(&config).map_err(|source| RunDirError::Io {
            path: config,
            source,
        })?;
        layout::meta(path)?;
        let run = Self::at(path);
        Ok((run, text))
    }

    fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            lock: None,
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside the run.
    pub fn join(&self, inner: impl AsRef<Path>) -> PathBuf {
        self.path.join(inner)
    }

    /// What made it.
    ///
    /// # Errors
    ///
    /// When `meta.json` is missing, damaged or of another layout.
    pub fn meta(&self) -> Result<Meta, RunDirError> {
        layout::meta(&self.path)
    }

    /// Writes `bytes` to a file of the run, atomically.
    ///
    /// # Errors
    ///
    /// When the file cannot be written; a former one stays.
    pub fn write(&self, inner: &Path, bytes: &[u8]) -> Result<(), RunDirError> {
        let path = self.path.join(inner);
        atomic::write(&path, bytes).map_err(|source| RunDirError::Io { path, source })
    }

    /// Writes `value` as JSON to a file of the run, atomically.
    ///
    /// # Errors
    ///
    /// When the file cannot be written; a former one stays.
    pub fn write_json(&self, inner: &Path, value: &impl Serialize) -> Result<(), RunDirError> {
        Ok(write_json(&self.path.join(inner), value)?)
    }

    /// Reads a JSON file of the run.
    ///
    /// # Errors
    ///
    /// When it is missing or damaged.
    pub fn read_json<T: for<'de> Deserialize<'de>>(&self, inner: &Path) -> Result<T, RunDirError> {
        let path = self.path.join(inner);
        let text = fs::read_to_string(&path).map_err(|source| RunDirError::Io {
            path: path.clone(),
            source,
        })?;
        serde_json::from_str(&text).map_err(|error| RunDirError::Damaged {
            path,
            reason: error.to_string(),
        })
    }
}

impl Meta {
    fn here(device: &str) -> Self {
        Self {
            schema_version: LAYOUT_VERSION,
            toolkit_version: env!("CARGO_PKG_VERSION").to_owned(),
            device: device.to_owned(),
            threads: rayon::current_num_threads(),
            platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

fn read_if_there(path: &Path) -> Result<Option<String>, RunDirError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RunDirError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests;
