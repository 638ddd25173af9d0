//! The record of what was changed: saved with a run, read back by evaluation.

mod file;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cd_core::{ImageSet, atomic};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::file::{ManifestFile, check_header};
use super::overlay::{Which, copy_name};
use super::plan::{PlanEntry, PoisonPlan};
use super::{ClassMap, PoisonConfig};
use crate::attack::Role;

/// Largest accepted size of a manifest file in bytes.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// One image that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestEntry {
    /// Index in its set, from 0.
    pub index: usize,
    /// Name of the image.
    pub name: String,
    /// Its true label.
    pub original_label: u32,
    /// The label it was given; equal to the original one in clean-label attacks, for covers, and where a chosen
    /// image was of the target class already.
    pub new_label: u32,
    /// Name of the attack.
    pub attack: String,
    /// Whether it carries the trigger with its true label so that the trigger alone is not enough.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cover: bool,
    /// The image that it is a stamped copy of, where it was appended to the clean set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<usize>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Which images of one set were changed, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ManifestFile", into = "ManifestFile")]
pub struct Manifest {
    split: String,
    image_count: usize,
    appended: usize,
    label_map: Option<Vec<u32>>,
    config: PoisonConfig,
    entries: Vec<ManifestEntry>,
}

/// What every version of the file has.
#[derive(Deserialize)]
struct Header {
    format: Option<String>,
    version: Option<u32>,
}

/// Why a manifest could not be written or read.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The file could not be read or written.
    #[error("manifest `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The content is no manifest.
    #[error("manifest `{}`: {problem}; write it again with the poisoning that it belongs to", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl Manifest {
    /// The record of the training images that `plan` changes and adds.
    pub(super) fn train(config: &PoisonConfig, clean: &ImageSet, plan: &PoisonPlan) -> Self {
        let replaced = plan.train.iter().map(|entry| record(config, clean, entry));
        let copies = plan.appended.iter().enumerate().map(|(copy, entry)| {
            let record = record(config, clean, entry);
            ManifestEntry {
                index: clean.len() + copy,
                name: copy_name(&record.name, copy),
                source: Some(entry.source),
                ..record
            }
        });
        Self {
            split: Which::Train.name().into(),
            image_count: clean.len() + plan.appended.len(),
            appended: plan.appended.len(),
            label_map: recorded_map(config, plan),
            config: config.clone(),
            entries: replaced.chain(copies).collect(),
        }
    }

    /// The record of the images of the mixed test set that `plan` changes.
    pub(super) fn test(config: &PoisonConfig, clean: &ImageSet, plan: &PoisonPlan) -> Self {
        let mixed = |entry: &&PlanEntry| plan.mixed.binary_search(&entry.source).is_ok();
        let entries = plan.triggered.iter().filter(mixed);
        Self {
            split: Which::Test.name().into(),
            image_count: clean.len(),
            appended: 0,
            label_map: recorded_map(config, plan),
            config: config.clone(),
            entries: entries.map(|entry| record(config, clean, entry)).collect(),
        }
    }

    /// Which set this is about: `train` or `test`.
    pub fn split(&self) -> &str {
        &self.split
    }

    /// Number of images of the set, changed or not, with those that were appended.
    pub fn image_count(&self) -> usize {
        self.image_count
    }

    /// Number of images at the end of the set that were appended to the clean ones.
    pub fn appended(&self) -> usize {
        self.appended
    }

    /// The new label of every class, where it is not the target for all; empty where it depends on more than the class.
    pub fn label_map(&self) -> Option<&[u32]> {
        self.label_map.as_deref()
    }

    /// What the set was poisoned with.
    pub fn config(&self) -> &PoisonConfig {
        &self.config
    }

    /// The changed images, by ascending index.
    pub fn entries(&self) -> &[ManifestEntry] {
        &self.entries
    }

    /// For every image of the set whether it teaches or uses the backdoor; covers do not.
    pub fn is_poisoned(&self) -> Vec<bool> {
        self.marked(|entry| !entry.cover)
    }

    /// For every image of the set whether it carries the trigger with its true label, as a cover.
    pub fn is_cover(&self) -> Vec<bool> {
        self.marked(|entry| entry.cover)
    }

    fn marked(&self, of_kind: impl Fn(&ManifestEntry) -> bool) -> Vec<bool> {
        let mut marked = vec![false; self.image_count];
        for entry in self.entries.iter().filter(|entry| of_kind(entry)) {
            marked[entry.index] = true;
        }
        marked
    }

    /// Share of the images that are poisoned, 0 to 1, covers not counted; it can be below the configured rate.
    pub fn rate(&self) -> f64 {
        if self.image_count == 0 {
            return 0.0;
        }
        let poisoned = self.entries.iter().filter(|entry| !entry.cover).count();
        poisoned as f64 / self.image_count as f64
    }

    /// The manifest as JSON text, ending in a newline.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self)
            .expect("a manifest has string keys only and its rate is finite");
        json + "\n"
    }

    /// Reads a manifest from JSON text.
    ///
    /// # Errors
    ///
    /// A sentence on what is wrong: another format or version, unknown or missing keys, or entries
    /// that contradict each other.
    pub fn from_json(text: &str) -> Result<Self, String> {
        // First, because a later version may well have other keys.
        let header: Header = serde_json::from_str(text).map_err(|error| error.to_string())?;
        check_header(header.format.as_deref(), header.version)?;
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Writes the manifest to `path`: all of it or nothing.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ManifestError> {
        atomic::write(path, self.to_json().as_bytes()).map_err(|source| ManifestError::Io {
            path: path.into(),
            source,
        })
    }

    /// Reads a manifest file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is no manifest of a known version.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let unreadable = |source| ManifestError::Io {
            path: path.into(),
            source,
        };
        let invalid = |problem| ManifestError::Invalid {
            path: path.into(),
            problem,
        };
        if fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE_BYTES {
            return Err(invalid(format!("larger than {MAX_FILE_BYTES} bytes")));
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Self::from_json(&text).map_err(invalid)
    }
}

fn record(config: &PoisonConfig, clean: &ImageSet, entry: &PlanEntry) -> ManifestEntry {
    ManifestEntry {
        index: entry.source,
        name: clean.name(entry.source).into(),
        original_label: clean.labels()[entry.source],
        new_label: entry.label,
        attack: config.attack.name().into(),
        cover: entry.role == Role::Cover,
        source: None,
    }
}

/// The new label of every class; nothing where the target says it all.
fn recorded_map(config: &PoisonConfig, plan: &PoisonPlan) -> Option<Vec<u32>> {
    let table = plan.map.as_ref().map_or(&[][..], ClassMap::table);
    let to_target = !table.is_empty() && table.iter().all(|&label| label == config.target);
    (!to_target).then(|| table.to_vec())
}
