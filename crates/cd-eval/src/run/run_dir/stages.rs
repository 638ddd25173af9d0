//! Which stored stages a run stands on, and copies of what people look at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cd_core::atomic;
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use super::{RunDir, RunDirError};
use crate::store::{Slot, StageName, Store, StoreError};

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
    /// Key of the images that are searched, with their names and labels.
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

    /// Changes what the run stands on.
    ///
    /// # Errors
    ///
    /// When `stages.json` is damaged or cannot be written.
    pub fn update(&self, change: impl FnOnce(&mut Stages)) -> Result<(), RunDirError> {
        let former = self.stages()?;
        let mut stages = former.clone();
        change(&mut stages);
        if stages == former {
            return Ok(());
        }
        self.write_json(Path::new(FILE), &stages)
    }

    /// Notes where the stages are kept.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub fn keep_store(&self, store: &Store) -> Result<(), RunDirError> {
        let relative = relative(store.root(), self.path());
        self.update(|stages| stages.store = relative)
    }

    /// Where the stages are kept.
    ///
    /// # Errors
    ///
    /// When `stages.json` is damaged.
    pub fn store(&self) -> Result<PathBuf, RunDirError> {
        Ok(self.join(self.stages()?.store))
    }

    /// Notes that the stage `name` of this run is the one in `slot`.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub fn refer(&self, name: &str, slot: &Slot) -> Result<(), RunDirError> {
        let found = StageRef {
            stage: slot.stage(),
            key: slot.key().to_owned(),
        };
        self.update(|stages| {
            stages.stages.insert(name.to_owned(), found);
        })
    }

    /// Puts the files called `names` of a complete stage into the folder `name` of the run; those that the stage does not have are
    /// left out.
    ///
    /// # Errors
    ///
    /// When a file cannot be copied.
    pub fn publish(&self, name: &str, slot: &Slot, names: &[&str]) -> Result<(), RunDirError> {
        for file in names {
            let (from, to) = (slot.join(file), self.join(name).join(file));
            if from.exists() {
                publish_file(&from, &to)?;
            }
        }
        Ok(())
    }
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
    if to.exists() {
        fs::remove_file(to).map_err(StoreError::io(to))?;
    }
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    let copy =
        |file: &mut dyn std::io::Write| std::io::copy(&mut fs::File::open(from)?, file).map(drop);
    atomic::write_with(to, copy).map_err(StoreError::io(to))
}

/// Runs at or below `folder`, with what each stands on.
///
/// # Errors
///
/// When a `stages.json` is damaged.
pub fn runs_below(folder: &Path) -> Result<Vec<(PathBuf, Stages)>, RunDirError> {
    let mut runs = Vec::new();
    for entry in WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .flatten()
    {
        if entry.file_type().is_file() && entry.file_name() == FILE {
            let path = entry.path().parent().unwrap_or(folder).to_owned();
            let stages = RunDir { path: path.clone() }.stages()?;
            runs.push((path, stages));
        }
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
}
