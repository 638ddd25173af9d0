//! What lies in a store, and what of it nothing refers to.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cd_core::Lock;
use walkdir::WalkDir;

use super::{MARK, Slot, StageName, Store, StoreError};

/// Every lock is an open file, of which a process may have so many.
const LOCKED_AT_ONCE: usize = 128;

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

    /// Removes every stage that is not among those that `kept` gives and that no process is at work on; with `dry_run`, only
    /// counts them.
    ///
    /// `kept` is asked again while the stages in question are locked: a run notes a stage before it looks at it, and waits for
    /// the lock then, so what it has noted meanwhile stays.
    ///
    /// # Errors
    ///
    /// Those of `kept`, and when a folder cannot be read or removed.
    pub fn collect<E: From<StoreError>>(
        &self,
        kept: impl Fn() -> Result<BTreeSet<(StageName, String)>, E>,
        dry_run: bool,
    ) -> Result<Garbage, E> {
        let mut garbage = Garbage::default();
        let mut stages = self.stages()?;
        let in_use = kept()?;
        stages.retain(|stored| !in_use.contains(&stored.name()));
        for some in stages.chunks(LOCKED_AT_ONCE) {
            let mut locked = Vec::new();
            for stored in some {
                match Lock::attempt(&stored.slot.lock_path()).map_err(StoreError::from)? {
                    Some(lock) => locked.push((stored, lock)),
                    None => garbage.in_use += 1,
                }
            }
            let in_use = kept()?;
            for (stored, _lock) in locked {
                if in_use.contains(&stored.name()) {
                    continue;
                }
                if !dry_run {
                    stored.slot.remove()?;
                }
                garbage.stages += 1;
                garbage.bytes += stored.bytes;
            }
        }
        Ok(garbage)
    }
}

impl StoredStage {
    fn name(&self) -> (StageName, String) {
        (self.slot.stage(), self.slot.key().to_owned())
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

/// Stores at or below `folder`, however deep. Links to folders are followed.
///
/// # Errors
///
/// When a folder cannot be read.
pub fn stores_below(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let marks = files_below(folder, MARK)?;
    let roots = marks
        .iter()
        .filter_map(|mark| mark.parent().map(Path::to_owned));
    Ok(roots.collect())
}

/// Files called `name` at or below `folder`, sorted.
pub(crate) fn files_below(folder: &Path, name: &str) -> Result<Vec<PathBuf>, StoreError> {
    // Walking a plain file would find nothing and say nothing.
    fs::read_dir(folder).map_err(StoreError::io(folder))?;
    let mut found = Vec::new();
    let walk = WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter();
    for entry in walk {
        match entry {
            Ok(entry) if entry.file_type().is_file() && entry.file_name() == name => {
                found.push(entry.into_path());
            }
            Ok(_) => {}
            Err(error) if is_harmless(&error) => {}
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_owned();
                return Err(StoreError::io(&path)(error.into()));
            }
        }
    }
    Ok(found)
}

/// A link back to a folder on the way or to nothing, or what is gone since its folder was listed.
fn is_harmless(error: &walkdir::Error) -> bool {
    let gone = error.io_error().map(io::Error::kind) == Some(io::ErrorKind::NotFound);
    gone || error.loop_ancestor().is_some()
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
        let collect = |dry_run| store.collect(|| Ok::<_, StoreError>(kept.clone()), dry_run);
        let counted = collect(true).expect("counted");
        assert!(slots[1].is_done(), "only counted");
        let garbage = collect(false).expect("collected");
        assert_eq!(counted, garbage);
        assert_eq!((garbage.stages, garbage.in_use), (1, 1));
        drop(held);
        assert_eq!(slots.map(|slot| slot.is_done()), [true, false, true]);
        assert_eq!(
            stores_below(scratch.path()).expect("listed"),
            [scratch.path()]
        );
    }

    #[test]
    fn what_a_run_notes_meanwhile_stays() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let store = Store::open(scratch.path()).expect("a store");
        let slot = store.slot(StageName::Train, "a");
        let work = |_: &Path| -> Result<(), StoreError> { Ok(()) };
        slot.fill("it", &NoProgress, work).expect("done");
        let asked = std::cell::Cell::new(0);
        let kept = || -> Result<_, StoreError> {
            asked.set(asked.get() + 1);
            let noted = (StageName::Train, "a".to_owned());
            Ok(BTreeSet::from_iter((asked.get() > 1).then_some(noted)))
        };
        let garbage = store.collect(kept, false).expect("collected");
        assert_eq!((garbage.stages, asked.get()), (0, 2));
        assert!(slot.is_done());
    }

    #[cfg(unix)]
    #[test]
    fn stores_behind_links_are_found_and_links_may_lead_back() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let here = scratch.path();
        let store = Store::open(&here.join("elsewhere/store")).expect("a store");
        store.slot(StageName::Train, "a").make().expect("made");
        fs::create_dir(here.join("runs")).expect("made");
        for (to, link) in [
            ("elsewhere", "runs/linked"),
            ("runs", "runs/back"),
            ("no", "runs/dangling"),
        ] {
            std::os::unix::fs::symlink(here.join(to), here.join(link)).expect("linked");
        }
        let found = stores_below(&here.join("runs")).expect("listed");
        assert_eq!(found, [here.join("runs/linked/store")]);
        let error = stores_below(&here.join("none")).expect_err("nothing there");
        assert!(error.to_string().contains("none"), "{error}");
    }
}
