//! Run directories: what an experiment leaves on disk, stage by stage.
//!
//! ```text
//! runs/<experiment>/<hash>-s<seed>/
//!     config.toml  meta.json
//!     poison/  train/  detect/<detector>/  evaluate/     each with a DONE mark once complete
//!     report.html
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cd_models::atomic;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::experiment::Experiment;

/// Name of the file that marks a stage as complete.
const DONE: &str = "DONE";

/// Version of the layout and of the JSON files in it.
pub const SCHEMA_VERSION: u32 = 1;

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
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

/// A complete stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DoneMark {
    /// Wall time of the start that completed it, in seconds.
    pub seconds: f64,
    /// Version of the toolkit.
    pub toolkit_version: String,
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
    /// A JSON file of the run is damaged.
    #[error("{}: damaged: {reason}; delete the folder to run again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder holds another run.
    #[error("{}: this folder holds another run ({what}); choose another folder or delete it", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// What differs.
        what: String,
    },
}

/// Whether `stage` of the run in `folder` is complete; the run need not exist yet.
pub fn stage_is_done(folder: &Path, stage: impl AsRef<Path>) -> bool {
    folder.join(stage).join(DONE).exists()
}

impl RunDir {
    /// Where `experiment` keeps its results below `runs`.
    pub fn path_of(runs: &Path, experiment: &Experiment) -> PathBuf {
        let cell = format!("{}-s{}", experiment.hash(), experiment.seed);
        runs.join(&experiment.name).join(cell)
    }

    /// Opens the folder of a run, or makes it and writes `config.toml` and `meta.json`.
    ///
    /// # Errors
    ///
    /// When the folder holds another experiment, or one that was begun on another device.
    pub fn open(path: &Path, experiment: &Experiment, device: &str) -> Result<Self, RunDirError> {
        let run = Self {
            path: path.to_owned(),
        };
        let config = run.path.join("config.toml");
        let occupied = |what: String| RunDirError::Occupied {
            path: run.path.clone(),
            what,
        };
        match fs::read_to_string(&config) {
            Ok(text) if text == experiment.to_toml() => {
                let meta: Meta = run.read_json(Path::new("meta.json"))?;
                if meta.device != device {
                    return Err(occupied(format!(
                        "it was begun on `--device {}`, now `{device}`",
                        meta.device
                    )));
                }
            }
            Ok(_) => return Err(occupied("its config.toml has other settings".into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if is_occupied(&run.path) {
                    return Err(occupied("it is not empty and has no config.toml".into()));
                }
                run.write_json(Path::new("meta.json"), &Meta::here(device))?;
                run.write(Path::new("config.toml"), experiment.to_toml().as_bytes())?;
            }
            Err(source) => {
                return Err(RunDirError::Io {
                    path: config,
                    source,
                });
            }
        }
        Ok(run)
    }

    /// An existing run, with the experiment that it belongs to.
    ///
    /// # Errors
    ///
    /// When there is no run at `path`.
    pub fn existing(path: &Path) -> Result<(Self, String), RunDirError> {
        let config = path.join("config.toml");
        let text = fs::read_to_string(&config).map_err(|source| RunDirError::Io {
            path: config,
            source,
        })?;
        let run = Self {
            path: path.to_owned(),
        };
        Ok((run, text))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside the run.
    pub fn join(&self, inner: impl AsRef<Path>) -> PathBuf {
        self.path.join(inner)
    }

    /// Whether `stage` is complete.
    pub fn is_done(&self, stage: &Path) -> bool {
        stage_is_done(&self.path, stage)
    }

    /// Runs `work` unless `stage` is complete, then marks it complete. The mark is written last, so
    /// a stage that was interrupted is entered again and continues from what it left.
    ///
    /// # Errors
    ///
    /// Those of `work`, and of writing the mark.
    pub fn stage<E: From<RunDirError>>(
        &self,
        stage: &Path,
        work: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        self.stage_since(stage, Instant::now(), work)
    }

    /// Like [`stage`](Self::stage), for a stage whose work began at `started`.
    ///
    /// # Errors
    ///
    /// Those of `work`, and of writing the mark.
    pub fn stage_since<E: From<RunDirError>>(
        &self,
        stage: &Path,
        started: Instant,
        work: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.is_done(stage) {
            tracing::debug!(stage = %stage.display(), "already done");
            return Ok(());
        }
        let folder = self.path.join(stage);
        fs::create_dir_all(&folder).map_err(|source| RunDirError::Io {
            path: folder.clone(),
            source,
        })?;
        work(&folder)?;
        let mark = DoneMark {
            seconds: started.elapsed().as_secs_f64(),
            toolkit_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        self.write_json(&stage.join(DONE), &mark)?;
        Ok(())
    }

    /// The mark of a complete stage.
    ///
    /// # Errors
    ///
    /// When the stage is not complete.
    pub fn done_mark(&self, stage: &Path) -> Result<DoneMark, RunDirError> {
        self.read_json(&stage.join(DONE))
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
        let text = serde_json::to_string_pretty(value).expect("string keys and finite numbers");
        self.write(inner, (text + "\n").as_bytes())
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
            schema_version: SCHEMA_VERSION,
            toolkit_version: env!("CARGO_PKG_VERSION").to_owned(),
            device: device.to_owned(),
            threads: rayon::current_num_threads(),
            platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

/// Whether there is anything but leftovers of an interrupted first write.
fn is_occupied(path: &Path) -> bool {
    let Ok(entries) = fs::read_dir(path) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name != "meta.json" && !name.starts_with(".writing-")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiment(rate: &str) -> Experiment {
        let text = format!(
            "name = \"x\"\n[dataset]\nname = \"demo\"\n[poison]\nrate = {rate}\nattack = {{ name = \"badnets\" }}\n[model]\nname = \"resnet10\"\n"
        );
        Experiment::parse(&text, "test", &[]).expect("valid")
    }

    #[test]
    fn a_stage_runs_once_and_only_a_complete_one_counts() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let run = RunDir::open(scratch.path(), &experiment("0.1"), "cpu").expect("new");
        let stage = Path::new("train");
        let failed = run.stage(stage, |_| {
            Err(RunDirError::Damaged {
                path: PathBuf::new(),
                reason: "stopped".into(),
            })
        });
        assert!(failed.is_err() && !run.is_done(stage));
        run.stage::<RunDirError>(stage, |_| Ok(())).expect("done");
        run.stage::<RunDirError>(stage, |_| panic!("entered twice"))
            .expect("skipped");
        assert!(run.done_mark(stage).expect("marked").seconds >= 0.0);
    }

    #[test]
    fn another_experiment_or_device_is_refused() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let open = |rate, device| RunDir::open(scratch.path(), &experiment(rate), device);
        open("0.1", "cpu").expect("new");
        open("0.1", "cpu").expect("continues");
        let device = open("0.1", "cuda").expect_err("other device").to_string();
        assert!(device.contains("--device cpu"), "{device}");
        let other = open("0.2", "cpu").expect_err("other settings").to_string();
        assert!(other.contains("other settings"), "{other}");
    }
}
