//! Results of stages on disk, each under the key of what it depends on.
//!
//! ```text
//! <store>/STORE                     what this folder is, with the version of its layout
//! <store>/<stage>/<key>/            files of the stage, and DONE once it is complete
//! <store>/locks/<stage>-<key>       held by the process that is at work on it
//! <store>/locks/run-<digits>        held for a moment while a run notes what it stands on
//! ```
//!
//! Two runs whose stages depend on the same things share them. A stage is complete when its `DONE` mark stands; one that was interrupted
//! is entered again and continues from what it left.

mod collect;
mod slot;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cd_core::{LockError, atomic};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub(crate) use collect::files_below;
pub use collect::{Garbage, StoredStage, stores_below};
pub use slot::{DoneMark, Slot, StoredFile};
pub(crate) use slot::{discard, read_json, write_json};

/// Marks a folder as a store.
const MARK: &str = "STORE";
/// Version of the layout.
const VERSION: u32 = 1;
/// Digits of a key that name a folder.
const DIGITS: usize = 16;

/// A kind of result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageName {
    /// What is known of the files of a data set.
    Data,
    /// A trigger that an attack had to make.
    Craft,
    /// The images that were changed, and which.
    Poison,
    /// A trained classifier.
    Train,
    /// Features and logits of images.
    Features,
    /// Numbers and masks of a detector.
    Detect,
    /// Scores and flags by a rule.
    Decide,
    /// Metrics.
    Evaluate,
}

impl StageName {
    /// All of them, in the order of a run.
    pub const ALL: [Self; 8] = [
        Self::Data,
        Self::Craft,
        Self::Poison,
        Self::Train,
        Self::Features,
        Self::Detect,
        Self::Decide,
        Self::Evaluate,
    ];

    /// Its name in paths and lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Craft => "craft",
            Self::Poison => "poison",
            Self::Train => "train",
            Self::Features => "features",
            Self::Detect => "detect",
            Self::Decide => "decide",
            Self::Evaluate => "evaluate",
        }
    }
}

/// Why a stored stage cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder is the store of another version of the toolkit.
    #[error("{}: a store of layout {found}, this program knows {VERSION}; choose another folder or delete this one", path.display())]
    Version {
        /// The folder.
        path: PathBuf,
        /// The version that stands in it.
        found: String,
    },
    /// A stage is damaged.
    #[error("{}: damaged: {reason}; delete the folder that it lies in to compute it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The lock of a stage could not be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl StoreError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// A folder of stored stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store at `root`, which is made when something is put into it.
    ///
    /// # Errors
    ///
    /// When the folder is a store of another layout.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let mark = root.join(MARK);
        match fs::read_to_string(&mark) {
            Ok(text) if text.trim() == VERSION.to_string() => {}
            Ok(text) => {
                return Err(StoreError::Version {
                    path: root.to_owned(),
                    found: text.trim().chars().take(20).collect(),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) if source.kind() == io::ErrorKind::NotADirectory => {
                return Err(StoreError::io(root)(source));
            }
            Err(source) => return Err(StoreError::Io { path: mark, source }),
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The place of the result of `stage` that depends on `key`.
    pub fn slot(&self, stage: StageName, key: &str) -> Slot {
        Slot::new(self, stage, &key[..key.len().min(DIGITS)])
    }

    /// The file that is locked for `what` of this name.
    pub(crate) fn lock_path(&self, what: &str, name: &str) -> PathBuf {
        self.root.join("locks").join(format!("{what}-{name}"))
    }

    /// Makes the folder and marks it.
    fn make(&self) -> Result<(), StoreError> {
        let mark = self.root.join(MARK);
        if mark.exists() {
            return Ok(());
        }
        let text = format!("{VERSION}\n");
        atomic::write(&mark, text.as_bytes()).map_err(StoreError::io(&mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_another_layout_is_refused() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let store = Store::open(scratch.path()).expect("new");
        store.make().expect("made");
        assert_eq!(Store::open(scratch.path()).expect("known"), store);
        fs::write(scratch.path().join(MARK), "7\n").expect("written");
        let error = Store::open(scratch.path()).expect_err("unknown");
        assert!(error.to_string().contains("layout 7"), "{error}");
    }

    #[test]
    fn stage_names_are_those_of_the_settings() {
        for stage in StageName::ALL {
            let text = serde_json::to_string(&stage).expect("plain");
            assert_eq!(text, format!("\"{}\"", stage.name()));
        }
    }
}
