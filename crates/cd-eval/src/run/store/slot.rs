//! One stored stage.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cd_core::{Lock, Progress, Task, atomic};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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
    /// Its files, but not those in folders inside.
    #[serde(default)]
    pub files: BTreeMap<String, StoredFile>,
}

impl DoneMark {
    fn new(what: &str, started: Instant) -> Self {
        Self {
            seconds: started.elapsed().as_secs_f64(),
            images: None,
            toolkit_version: env!("CARGO_PKG_VERSION").to_owned(),
            what: what.to_owned(),
            files: BTreeMap::new(),
        }
    }
}

/// A file of a complete stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its length.
    pub bytes: u64,
    /// Of its bytes, in hexadecimal digits.
    pub sha256: String,
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

    /// Whether the files called `names` are what they were when the stage was completed; those that it never had do not count.
    ///
    /// Runs show large files as links, so a program that writes into what a run shows writes into the store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] for a file that is missing or another.
    pub fn check(&self, names: &[&str]) -> Result<(), StoreError> {
        let files = self.done_mark()?.files;
        for (name, stored) in names
            .iter()
            .filter_map(|name| Some((name, files.get(*name)?)))
        {
            let path = self.join(name);
            let reason = match looked_at(&path) {
                Ok(found) if found == *stored => continue,
                Ok(_) => "it is not the file that was stored",
                Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    "it is missing"
                }
                Err(error) => return Err(error),
            };
            let reason = reason.to_owned();
            return Err(StoreError::Damaged { path, reason });
        }
        Ok(())
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
        if self.is_done() {
            tracing::debug!(stage = self.stage.name(), key = self.key, "already done");
            return Ok(());
        }
        let _lock = self.lock(progress)?;
        if self.is_done() {
            return Ok(());
        }
        let started = Instant::now();
        let folder = self.make()?;
        work(&folder)?;
        Ok(self.seal(what, started, None)?)
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
            waiting = Some(Task::start(progress, &what, None));
        })?;
        Ok(lock)
    }

    pub(super) fn lock_path(&self) -> PathBuf {
        self.store.lock_path(self.stage.name(), &self.key)
    }

    /// Marks it as complete with the files that it has now, and removes what a killed process left half written; to be called
    /// with the lock held.
    ///
    /// # Errors
    ///
    /// When files cannot be read, or the mark not written.
    pub fn seal(
        &self,
        what: &str,
        started: Instant,
        images: Option<u64>,
    ) -> Result<(), StoreError> {
        let mark = DoneMark {
            images,
            files: self.files()?,
            ..DoneMark::new(what, started)
        };
        write_json(&self.join(DONE), &mark)?;
        // Only now: a shard that still writes a part which is there already fails, and takes that for done.
        let folder = self.folder();
        atomic::remove_leftovers(&folder).map_err(StoreError::io(&folder))
    }

    /// Marks it as complete, without a lock: for files that change later on.
    ///
    /// # Errors
    ///
    /// When the mark cannot be written.
    pub fn mark(&self, what: &str, started: Instant) -> Result<(), StoreError> {
        write_json(&self.join(DONE), &DoneMark::new(what, started))
    }

    fn files(&self) -> Result<BTreeMap<String, StoredFile>, StoreError> {
        let folder = self.folder();
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&folder).map_err(StoreError::io(&folder))? {
            let path = entry.map_err(StoreError::io(&folder))?.path();
            let name = path.file_name().and_then(OsStr::to_str);
            if let Some(name) = name.filter(|name| !name.starts_with('.') && path.is_file()) {
                files.insert(name.to_owned(), looked_at(&path)?);
            }
        }
        Ok(files)
    }

    /// Removes it, to be called with the lock held; killed on the way, it is an incomplete stage and no damaged one.
    pub(super) fn remove(&self) -> Result<(), StoreError> {
        let mark = self.join(DONE);
        match fs::remove_file(&mark) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io(&mark)(error));
            }
            _ => {}
        }
        discard(&self.folder())
    }
}

/// How `path` looks as a file: its bytes and the SHA-256 of them.
fn looked_at(path: &Path) -> Result<StoredFile, StoreError> {
    let mut digest = Sha256::new();
    let bytes = File::open(path)
        .and_then(|mut file| io::copy(&mut file, &mut digest))
        .map_err(StoreError::io(path))?;
    let sha256 = format!("{:x}", digest.finalize());
    Ok(StoredFile { bytes, sha256 })
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
    fn files_that_were_changed_or_removed_are_named_and_leftovers_go() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let slot = slot(scratch.path());
        let work = |folder: &Path| -> Result<(), StoreError> {
            for name in ["a", "b", ".writing-c"] {
                fs::write(folder.join(name), name).expect("written");
            }
            Ok(())
        };
        slot.fill("x", &NoProgress, work).expect("done");
        assert!(!slot.join(".writing-c").exists());
        slot.check(&["a", "b", "never there"]).expect("unchanged");
        fs::write(slot.join("a"), "A").expect("written");
        fs::remove_file(slot.join("b")).expect("removed");
        for (name, reason) in [("a", "not the file"), ("b", "missing")] {
            let error = slot.check(&[name]).expect_err("damaged").to_string();
            assert!(error.contains(reason) && error.contains(name), "{error}");
        }
        slot.remove().expect("removed");
        assert!(!slot.folder().exists());
        slot.remove().expect("nothing to remove");
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
