//! What lies in a store, and what of it nothing refers to.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cd_core::Lock;
use walkdir::WalkDir;

use super::{MARK, Slot, StageName, Store, StoreError};

/// A stage in a store.
#[derive(Debug, Clone)]
pub struct StoredStage {
    /// Its place.
    pub slot: Slot,
    /// What it says of itself; empty while it is not complete.
    pub what: String,
    /// Whether it is complete.
    pub done: bool,
    /// Bytes of its files.
    pub bytes: u64,
    /// Time since a file of it last changed.
    pub age: Duration,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Number of stages.
    pub stages: usize,
    /// Bytes of their files.
    pub bytes: u64,
    /// Stages that nothing refers to but a process is at work on; they stay.
    pub in_use: usize,
}

impl Store {
    /// Whether there is a store at `root`.
    pub fn exists(root: &Path) -> bool {
        root.join(MARK).is_file()
    }

    /// Everything that lies in it, by stage and key.
    ///
    /// # Errors
    ///
    /// When a folder cannot be read.
    pub fn stages(&self) -> Result<Vec<StoredStage>, StoreError> {
        let mut found = Vec::new();
        for stage in StageName::ALL {
            for key in names(&self.root.join(stage.name()))? {
                found.push(stored(Slot::new(self, stage, &key)));
            }
        }
        Ok(found)
    }

    /// Removes every stage that is not among `kept` and that no process is at work on; with `dry_run`, only counts them.
    ///
    /// # Errors
    ///
    /// When a folder cannot be read or removed.
    pub fn collect(
        &self,
        kept: &BTreeSet<(StageName, String)>,
        dry_run: bool,
    ) -> Result<Garbage, StoreError> {
        let mut garbage = Garbage::default();
        for stored in self.stages()? {
            let slot = &stored.slot;
            if kept.contains(&(slot.stage(), slot.key().to_owned())) {
                continue;
            }
            let Some(_lock) = Lock::attempt(&slot.lock_path())? else {
                garbage.in_use += 1;
                continue;
            };
            if !dry_run {
                let folder = slot.folder();
                fs::remove_dir_all(&folder).map_err(StoreError::io(&folder))?;
            }
            garbage.stages += 1;
            garbage.bytes += stored.bytes;
        }
        Ok(garbage)
    }
}

/// Names of the folders in `folder`, sorted; none when it is not there.
fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StoreError::io(folder)(source)),
    };
    let folders = entries.flatten().filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

fn stored(slot: Slot) -> StoredStage {
    let (mut bytes, mut newest) = (0, SystemTime::UNIX_EPOCH);
    for entry in WalkDir::new(slot.folder()).into_iter().flatten() {
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if metadata.is_file() {
            bytes += metadata.len();
        }
        newest = newest.max(metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
    }
    StoredStage {
        done: slot.is_done(),
        what: slot.done_mark().map(|mark| mark.what).unwrap_or_default(),
        age: newest.elapsed().unwrap_or_default(),
        bytes,
        slot,
    }
}

/// Stores at or below `folder`, however deep.
pub fn stores_below(folder: &Path) -> Vec<PathBuf> {
    let marks = WalkDir::new(folder).into_iter().flatten();
    let marks = marks.filter(|entry| entry.file_type().is_file() && entry.file_name() == MARK);
    let roots = marks.filter_map(|entry| entry.path().parent().map(Path::to_owned));
    let mut roots: Vec<PathBuf> = roots.collect();
    roots.sort();
    roots
}

#[cfg(test)]
mod tests {
    use cd_core::NoProgress;

    use super::*;

    #[test]
    fn what_nothing_refers_to_and_nobody_works_on_is_removed() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let store = Store::open(scratch.path()).expect("a store");
        let slots = ["a", "b", "c"].map(|key| store.slot(StageName::Detect, key));
        for slot in &slots {
            let work = |folder: &Path| -> Result<(), StoreError> {
                fs::write(folder.join("file"), [0; 100]).expect("written");
                Ok(())
            };
            slot.fill("it", &NoProgress, work).expect("done");
        }
        let stages = store.stages().expect("listed");
        assert!(stages.iter().all(|stage| stage.bytes > 100 && stage.done));
        let held = slots[2].lock(&NoProgress).expect("free");
        let kept = BTreeSet::from([(StageName::Detect, "a".to_owned())]);
        let counted = store.collect(&kept, true).expect("counted");
        assert!(slots[1].is_done(), "only counted");
        let garbage = store.collect(&kept, false).expect("collected");
        assert_eq!(counted, garbage);
        assert_eq!((garbage.stages, garbage.in_use), (1, 1));
        drop(held);
        assert_eq!(slots.map(|slot| slot.is_done()), [true, false, true]);
        assert_eq!(stores_below(scratch.path()), [scratch.path()]);
    }
}
