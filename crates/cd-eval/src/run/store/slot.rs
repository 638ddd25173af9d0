//! One stored stage.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cd_core::{Lock, Progress, Task, atomic};
use serde::{Deserialize, Serialize};

use super::{StageName, Store, StoreError};

/// Name of the file that marks a stage as complete.
const DONE: &str = "DONE";

/// What a complete stage says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DoneMark {
    /// Wall time of the start that completed it, in seconds.
    pub seconds: f64,
    /// Images that were computed in that start, where the stage counts them; others were found done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<u64>,
    /// Version of the toolkit.
    pub toolkit_version: String,
    /// What it is, for people.
    #[serde(default)]
    pub what: String,
}

/// The place of one result; it may be empty yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    store: Store,
    stage: StageName,
    key: String,
}

impl Slot {
    pub(super) fn new(store: &Store, stage: StageName, key: &str) -> Self {
        Self {
            store: store.clone(),
            stage,
            key: key.to_owned(),
        }
    }

    /// Its kind.
    pub fn stage(&self) -> StageName {
        self.stage
    }

    /// The key, shortened to what names its folder.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The folder of its files.
    pub fn folder(&self) -> PathBuf {
        self.store.root().join(self.stage.name()).join(&self.key)
    }

    /// A path inside the folder.
    pub fn join(&self, inner: impl AsRef<Path>) -> PathBuf {
        self.folder().join(inner)
    }

    /// Whether it is complete.
    pub fn is_done(&self) -> bool {
        self.join(DONE).exists()
    }

    /// The mark of a complete stage.
    ///
    /// # Errors
    ///
    /// When the stage is not complete, or the mark is damaged.
    pub fn done_mark(&self) -> Result<DoneMark, StoreError> {
        read_json(&self.join(DONE))
    }

    /// Runs `work` unless the stage is complete, then marks it so. Processes side by side take turns: the second one waits and
    /// finds the stage complete.
    ///
    /// # Errors
    ///
    /// Those of `work`, and of locking and writing.
    pub fn fill<E: From<StoreError>>(
        &self,
        what: &str,
        progress: &dyn Progress,
        work: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        self.fill_if(what, progress, |folder| work(folder).map(|()| true))?;
        Ok(())
    }

    /// Like [`fill`](Self::fill), for work that may end without completing the stage and then returns `false`.
    ///
    /// # Errors
    ///
    /// As [`fill`](Self::fill).
    pub fn fill_if<E: From<StoreError>>(
        &self,
        what: &str,
        progress: &dyn Progress,
        work: impl FnOnce(&Path) -> Result<bool, E>,
    ) -> Result<bool, E> {
        if self.is_done() {
            tracing::debug!(stage = self.stage.name(), key = self.key, "already done");
            return Ok(true);
        }
        let _lock = self.lock(progress)?;
        if self.is_done() {
            return Ok(true);
        }
        let started = Instant::now();
        let folder = self.make()?;
        if !work(&folder)? {
            return Ok(false);
        }
        self.mark(what, started, None)?;
        Ok(true)
    }

    /// The folder, made if it is not there.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn make(&self) -> Result<PathBuf, StoreError> {
        self.store.make()?;
        let folder = self.folder();
        fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        Ok(folder)
    }

    /// Waits until no other process is at work here.
    ///
    /// # Errors
    ///
    /// When the lock cannot be taken.
    pub fn lock(&self, progress: &dyn Progress) -> Result<Lock, StoreError> {
        self.store.make()?;
        let mut waiting = None;
        let lock = Lock::wait(&self.lock_path(), || {
            let what = format!(
                "waiting: another process is at work on `{}`",
                self.stage.name()
            );
            tracing::info!("{what}");
            waiting = Some(Task::start(progress, &what, None));
        })?;
        Ok(lock)
    }

    pub(super) fn lock_path(&self) -> PathBuf {
        let name = format!("{}-{}", self.stage.name(), self.key);
        self.store.root().join("locks").join(name)
    }

    /// Marks it as complete; to be called with the lock held.
    ///
    /// # Errors
    ///
    /// When the mark cannot be written.
    pub fn mark(
        &self,
        what: &str,
        started: Instant,
        images: Option<u64>,
    ) -> Result<(), StoreError> {
        let mark = DoneMark {
            seconds: started.elapsed().as_secs_f64(),
            images,
            toolkit_version: env!("CARGO_PKG_VERSION").to_owned(),
            what: what.to_owned(),
        };
        write_json(&self.join(DONE), &mark)
    }
}

/// Removes a folder of intermediate files; one that another process removed before is no error.
pub(crate) fn discard(folder: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(folder)(error)),
        _ => Ok(()),
    }
}

/// Writes `value` as JSON, atomically.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
    let text = serde_json::to_string_pretty(value).expect("string keys and finite numbers");
    atomic::write(path, (text + "\n").as_bytes()).map_err(StoreError::io(path))
}

/// Reads a JSON file.
pub(crate) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, StoreError> {
    let text = fs::read_to_string(path).map_err(StoreError::io(path))?;
    serde_json::from_str(&text).map_err(|error| StoreError::Damaged {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use cd_core::NoProgress;

    use super::*;

    fn slot(root: &Path) -> Slot {
        let store = Store::open(root).expect("a store");
        store.slot(StageName::Train, "0123456789abcdef0123")
    }

    #[test]
    fn a_stage_runs_once_and_only_a_complete_one_counts() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let slot = slot(scratch.path());
        let failed: Result<(), StoreError> = slot.fill("x", &NoProgress, |folder| {
            fs::write(folder.join("half"), "1").expect("written");
            Err(StoreError::Damaged {
                path: PathBuf::new(),
                reason: "stopped".into(),
            })
        });
        assert!(failed.is_err() && !slot.is_done());
        let left = |folder: &Path| -> Result<(), StoreError> {
            assert!(folder.join("half").exists(), "what was left is still there");
            Ok(())
        };
        slot.fill("x", &NoProgress, left).expect("done");
        let again = |_: &Path| -> Result<(), StoreError> { panic!("entered twice") };
        slot.fill("x", &NoProgress, again).expect("skipped");
        let mark = slot.done_mark().expect("marked");
        assert!(mark.seconds >= 0.0 && mark.what == "x");
    }

    #[test]
    fn of_several_at_once_one_works_and_the_others_wait() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let slot = slot(scratch.path());
        let entered = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let work = |_: &Path| -> Result<(), StoreError> {
                        entered.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(std::time::Duration::from_millis(30));
                        Ok(())
                    };
                    slot.fill("x", &NoProgress, work).expect("done");
                });
            }
        });
        assert_eq!(entered.into_inner(), 1);
    }

    #[test]
    fn a_damaged_mark_is_named() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let slot = slot(scratch.path());
        slot.make().expect("made");
        fs::write(slot.join(DONE), "{").expect("written");
        let error = slot.done_mark().expect_err("damaged");
        assert!(error.to_string().contains("DONE: damaged"), "{error}");
    }
}
