//! A manifest as it stands in a file, and which ones are believed.
//!
//! Version 1 knows images that were replaced and lead to the target. What else there is, covers, appended copies and other
//! label maps, is written as version 2, which has more keys and is otherwise the same.

use serde::{Deserialize, Serialize};

use super::{Manifest, ManifestEntry};
use crate::attack::LabelMode;
use crate::poison::PoisonConfig;

/// Marks a file as a manifest.
const FORMAT: &str = "cd-manifest";
/// The version for images that were replaced and lead to one target.
const PLAIN: u32 = 1;
/// The version with covers, appended copies and label maps.
const EXTENDED: u32 = 2;

/// A manifest as it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestFile {
    format: String,
    version: u32,
    split: String,
    image_count: usize,
    /// Images at the end of the set that were appended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    appended: Option<usize>,
    /// The new label of every class; empty where it depends on more than the class, absent where it is the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label_map: Option<Vec<u32>>,
    config: PoisonConfig,
    entries: Vec<ManifestEntry>,
}

impl From<Manifest> for ManifestFile {
    fn from(manifest: Manifest) -> Self {
        let mut file = Self {
            format: FORMAT.into(),
            version: PLAIN,
            split: manifest.split,
            image_count: manifest.image_count,
            appended: (manifest.appended > 0).then_some(manifest.appended),
            label_map: manifest.label_map,
            config: manifest.config,
            entries: manifest.entries,
        };
        if file.is_extended() {
            file.version = EXTENDED;
        }
        file
    }
}

impl TryFrom<ManifestFile> for Manifest {
    type Error = String;

    fn try_from(file: ManifestFile) -> Result<Self, String> {
        check_header(Some(&file.format), Some(file.version))?;
        file.check()?;
        Ok(Self {
            split: file.split,
            image_count: file.image_count,
            appended: file.appended.unwrap_or(0),
            label_map: file.label_map,
            config: file.config,
            entries: file.entries,
        })
    }
}

/// Fails unless this is a manifest of a known version.
pub(super) fn check_header(format: Option<&str>, version: Option<u32>) -> Result<(), String> {
    match (format, version) {
        (Some(FORMAT), Some(PLAIN | EXTENDED)) => Ok(()),
        (Some(FORMAT), Some(version)) => Err(format!(
            "version {version} is not supported, only {PLAIN} and {EXTENDED}"
        )),
        (Some(FORMAT), None) => Err("`version` is missing".into()),
        _ => Err(format!("`format` is not `{FORMAT}`")),
    }
}

impl ManifestFile {
    /// Whether there is anything that version 1 has no keys for.
    fn is_extended(&self) -> bool {
        let mut entries = self.entries.iter();
        self.appended.is_some()
            || self.label_map.is_some()
            || entries.any(|entry| entry.cover || entry.source.is_some())
    }

    fn check(&self) -> Result<(), String> {
        if self.version == PLAIN && self.is_extended() {
            return Err(format!(
                "version {PLAIN} has no `appended`, `label_map`, `cover` or `source`"
            ));
        }
        if self.split != "train" && self.split != "test" {
            return Err(format!(
                "`split` is `{}`, expected `train` or `test`",
                self.split
            ));
        }
        let ascending = |left: &ManifestEntry, right: &ManifestEntry| left.index < right.index;
        if !self.entries.is_sorted_by(ascending) {
            return Err("`entries` are not in ascending order of `index`, each once".into());
        }
        self.check_map()?;
        let clean_count = self.clean_count()?;
        self.entries
            .iter()
            .try_for_each(|entry| self.check_entry(entry, clean_count))
    }

    /// A label map other than all-to-one must be written out, and be the configured one.
    fn check_map(&self) -> Result<(), String> {
        let labels = self.config.labels;
        if labels.is_default() {
            return Ok(());
        }
        let map = self.label_map.as_deref().unwrap_or_default();
        let sources = self.config.select.sources.as_ref();
        let moves = |label: &u32| sources.is_none_or(|sources| sources.contains(label));
        let new_label = |label: u32| {
            if moves(&label) {
                labels.apply(label, self.config.target, map.len())
            } else {
                label
            }
        };
        if !map.is_empty() && map.iter().zip(0..).all(|(&to, from)| to == new_label(from)) {
            return Ok(());
        }
        Err(format!(
            "`label_map` is {map:?}, but `config` has labels {labels}"
        ))
    }

    /// Images before the appended ones, each of which must have an entry.
    fn clean_count(&self) -> Result<usize, String> {
        let appended = self.appended.unwrap_or(0);
        let copies = self.entries.iter().filter(|entry| entry.source.is_some());
        let copies = copies.count();
        match self.image_count.checked_sub(appended) {
            Some(clean_count) if copies == appended => Ok(clean_count),
            _ => Err(format!(
                "`appended` is {appended} of {} images, but {copies} entries have a `source`",
                self.image_count
            )),
        }
    }

    fn check_entry(&self, entry: &ManifestEntry, clean_count: usize) -> Result<(), String> {
        let index = entry.index;
        if index >= self.image_count {
            return Err(format!(
                "entry {index} is out of range, `image_count` is {}",
                self.image_count
            ));
        }
        let is_copy = index >= clean_count;
        if is_copy != entry.source.is_some() || entry.source.is_some_and(|at| at >= clean_count) {
            return Err(format!(
                "entry {index} has `source` {:?}, but the first {clean_count} images are the clean set and the others copies of them",
                entry.source
            ));
        }
        let attack = self.config.attack.name();
        if entry.attack != attack {
            return Err(format!(
                "entry {index} names attack `{}`, but `config` has `{attack}`",
                entry.attack
            ));
        }
        self.check_label(entry)
    }

    /// Covers, and training images of a clean-label attack, keep their label; others follow the label map.
    fn check_label(&self, entry: &ManifestEntry) -> Result<(), String> {
        let ManifestEntry {
            index,
            original_label,
            new_label,
            ..
        } = *entry;
        if entry.cover {
            if self.split == "test" || new_label != original_label {
                return Err(format!(
                    "entry {index} is a `cover`, which must be in training data and keep its label {original_label}"
                ));
            }
            return Ok(());
        }
        let clean_label = self.config.attack.info().label_mode == LabelMode::Clean;
        if clean_label && self.split == "train" && new_label == original_label {
            return self.expect_label(index, new_label, self.config.target);
        }
        match &self.label_map {
            None => self.expect_label(index, new_label, self.config.target),
            Some(map) if map.is_empty() => Ok(()),
            Some(map) => match map.get(original_label as usize) {
                Some(&mapped) => self.expect_label(index, new_label, mapped),
                None => Err(format!(
                    "entry {index} has `original_label` {original_label}, which `label_map` does not have"
                )),
            },
        }
    }

    fn expect_label(&self, index: usize, new_label: u32, expected: u32) -> Result<(), String> {
        if new_label == expected {
            return Ok(());
        }
        let rule = match self.label_map {
            Some(_) => "the label map says",
            None => "the target is",
        };
        Err(format!(
            "entry {index} has `new_label` {new_label}, but {rule} {expected}"
        ))
    }
}
