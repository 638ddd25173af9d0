//! Which stored stages a run stands on, and copies of what people look at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cd_core::{Key, Lock, atomic};
use serde::{Deserialize, Serialize};

use super::{RunDir, RunDirError};
use crate::store::{Slot, StageName, Store, StoreError, files_below};

const FILE: &str = "stages.json";
/// Files from this size on are linked to the store instead of copied.
const LARGE: u64 = 1 << 20;

/// The stages of a run: `stages.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stages {
    /// Where the store lies, relative to the run where that is possible.
    #[serde(default)]
    pub store: PathBuf,
    /// Key of all that the images are made from: pictures, names, labels, what poisons them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<String>,
    /// Key of the classifier that they are searched through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier: Option<String>,
    /// By the name that the stage has in this run, such as `detect/cd-l`.
    #[serde(default)]
    pub stages: BTreeMap<String, StageRef>,
}

/// A stage in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageRef {
    /// Its kind.
    pub stage: StageName,
    /// Its key.
    pub key: String,
}

impl RunDir {
    /// What the run stands on so far; nothing in a new run.
    ///
    /// # Errors
    ///
    /// When `stages.json` is damaged.
    pub fn stages(&self) -> Result<Stages, RunDirError> {
        if !self.join(FILE).exists() {
            return Ok(Stages::default());
        }
        self.read_json(Path::new(FILE))
    }

    /// Changes what the run stands on, and says whether that was anything new. Processes side by side lose nothing of each
    /// other once the store is known.
    ///
    /// # Errors
    ///
    /// When `stages.json` is damaged or cannot be written.
    pub fn update(&self, change: impl Fn(&mut Stages)) -> Result<bool, RunDirError> {
        if self.changed(&change)?.is_none() {
            return Ok(false);
        }
        let lock = self.lock.as_ref().map(|path| Lock::wait(path, || ()));
        let _lock = lock.transpose().map_err(StoreError::from)?;
        let Some(stages) = self.changed(&change)? else {
            return Ok(false);
        };
        self.write_json(Path::new(FILE), &stages)?;
        Ok(true)
    }

    /// What the run stands on after `change`; `None` when that is what it stands on already.
    fn changed(&self, change: &impl Fn(&mut Stages)) -> Result<Option<Stages>, RunDirError> {
        let former = self.stages()?;
        let mut stages = former.clone();
        change(&mut stages);
        Ok((stages != former).then_some(stages))
    }

    /// The run with its stages in `store`, which is noted.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub fn with_store(self, store: &Store) -> Result<Self, RunDirError> {
        let path = real(self.path());
        let name = Key::of("run")
            .bytes("path", path.as_os_str().as_encoded_bytes())
            .finish();
        let run = Self {
            lock: Some(store.lock_path("run", &name[..16])),
            ..self
        };
        let relative = relative(&real(store.root()), &path);
        run.update(|stages| stages.store.clone_from(&relative))?;
        Ok(run)
    }

    /// Where the stages are kept.
    ///
    /// # Errors
    ///
    /// When `stages.json` is damaged or does not tell.
    pub fn store(&self) -> Result<PathBuf, RunDirError> {
        let store = self.stages()?.store;
        if store.as_os_str().is_empty() {
            return Err(RunDirError::Damaged {
                path: self.join(FILE),
                reason: "it does not say where the stages are kept".into(),
            });
        }
        Ok(self.join(store))
    }

    /// Where the stages are kept, which must be there.
    ///
    /// # Errors
    ///
    /// As [`store`](Self::store), and when the folder is not there.
    pub fn present_store(&self) -> Result<PathBuf, RunDirError> {
        let store = self.store()?;
        if store.is_dir() {
            return Ok(store);
        }
        Err(RunDirError::NoStore {
            path: self.path().to_owned(),
            store,
        })
    }

    /// Notes that the stage `name` of this run is the one in `slot`.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub fn refer(&self, name: &str, slot: &Slot) -> Result<bool, RunDirError> {
        let found = StageRef {
            stage: slot.stage(),
            key: slot.key().to_owned(),
        };
        self.update(|stages| {
            stages.stages.insert(name.to_owned(), found.clone());
        })
    }

    /// Puts the files called `names` of a complete stage into the folder `name` of the run; those that the stage does not have are
    /// left out.
    ///
    /// # Errors
    ///
    /// When a file cannot be copied.
    pub fn publish(&self, name: &str, slot: &Slot, names: &[&str]) -> Result<(), RunDirError> {
        slot.check(names)?;
        for file in names {
            let (from, to) = (slot.join(file), self.join(name).join(file));
            if from.exists() {
                publish_file(&from, &to)?;
            }
        }
        Ok(())
    }
}

/// `path` without links, as far as it is there: `..` leads elsewhere in a folder that is a link.
fn real(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|ancestor| {
        let rest = path.strip_prefix(ancestor).ok()?;
        let ancestor = if ancestor.as_os_str().is_empty() {
            Path::new(".")
        } else {
            ancestor
        };
        Some(ancestor.canonicalize().ok()?.join(rest))
    });
    there.unwrap_or_else(|| path.to_owned())
}

/// `to` as seen from the folder `from`; `to` itself where the two have nothing in common.
fn relative(to: &Path, from: &Path) -> PathBuf {
    let (Ok(to), Ok(from)) = (std::path::absolute(to), std::path::absolute(from)) else {
        return to.to_owned();
    };
    for (up, ancestor) in from.ancestors().enumerate() {
        if let Ok(rest) = to.strip_prefix(ancestor)
            && ancestor.parent().is_some()
        {
            return std::iter::repeat_n(Path::new(".."), up)
                .collect::<PathBuf>()
                .join(rest);
        }
    }
    to
}

/// Links large files, which nobody edits, and copies small ones.
fn publish_file(from: &Path, to: &Path) -> Result<(), StoreError> {
    let metadata = fs::metadata(from).map_err(StoreError::io(from))?;
    if metadata.len() < LARGE {
        let bytes = fs::read(from).map_err(StoreError::io(from))?;
        if fs::read(to).is_ok_and(|present| present == bytes) {
            return Ok(());
        }
        return atomic::write(to, &bytes).map_err(StoreError::io(to));
    }
    let folder = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(StoreError::io(folder))?;
    if atomic::link(from, to).is_ok() {
        return Ok(());
    }
    let copy =
        |file: &mut dyn std::io::Write| std::io::copy(&mut fs::File::open(from)?, file).map(drop);
    atomic::write_with(to, copy).map_err(StoreError::io(to))
}

/// Runs at or below `folder`, with what each stands on. Links to folders are followed.
///
/// # Errors
///
/// When a folder cannot be read or a `stages.json` is damaged: what is in use would not be known.
pub fn runs_below(folder: &Path) -> Result<Vec<(PathBuf, Stages)>, RunDirError> {
    let mut runs = Vec::new();
    for file in files_below(folder, FILE)? {
        let path = file.parent().unwrap_or(folder).to_owned();
        let stages = RunDir::at(&path).stages()?;
        runs.push((path, stages));
    }
    Ok(runs)
}

/// The stages that any of `runs` stands on.
pub fn referred<'a>(runs: impl IntoIterator<Item = &'a Stages>) -> BTreeSet<(StageName, String)> {
    let stages = runs.into_iter().flat_map(|run| run.stages.values());
    stages
        .map(|found| (found.stage, found.key.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_found_from_the_run() {
        let to = |to: &str, from: &str| relative(Path::new(to), Path::new(from));
        assert_eq!(
            to("/a/runs/store", "/a/runs/x/h-s0"),
            Path::new("../../store")
        );
        assert_eq!(to("/a/out/store", "/a/out"), Path::new("store"));
        assert_eq!(to("/b/store", "/a/out"), Path::new("/b/store"));
    }

    #[test]
    fn paths_lose_their_links_also_where_nothing_is_yet() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let here = scratch.path().canonicalize().expect("there");
        fs::create_dir(here.join("a")).expect("made");
        assert_eq!(real(&here.join("a/b/c")), here.join("a/b/c"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(here.join("a"), here.join("l")).expect("linked");
            assert_eq!(real(&here.join("l/b")), here.join("a/b"));
        }
        let relative = std::env::current_dir().expect("one").join("no-such-folder");
        assert_eq!(real(Path::new("no-such-folder")), relative);
    }
}
