//! The record of what was changed: saved with a run, read back by evaluation.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cd_models::{ImageSet, atomic};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::PoisonConfig;

/// Marks a file as a manifest.
const FORMAT: &str = "cd-manifest";
/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
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
    /// The label it was given; equal to the original one in clean-label attacks and where a chosen
    /// image was of the target class already.
    pub new_label: u32,
    /// Name of the attack.
    pub attack: String,
}

/// Which images of one set were changed, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ManifestFile", into = "ManifestFile")]
pub struct Manifest {
    split: String,
    image_count: usize,
    config: PoisonConfig,
    entries: Vec<ManifestEntry>,
}

/// A manifest as it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestFile {
    format: String,
    version: u32,
    split: String,
    image_count: usize,
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
    /// The record of a change from `clean` to `changed` at `indices`, ascending.
    pub(super) fn of(
        split: &str,
        config: &PoisonConfig,
        clean: &ImageSet,
        changed: &ImageSet,
        indices: &[usize],
    ) -> Self {
        let entry = |&index: &usize| ManifestEntry {
            index,
            name: clean.name(index).into(),
            original_label: clean.labels()[index],
            new_label: changed.labels()[index],
            attack: config.attack.name().into(),
        };
        Self {
            split: split.into(),
            image_count: clean.len(),
            config: config.clone(),
            entries: indices.iter().map(entry).collect(),
        }
    }

    /// Which set this is about: `train` or `test`.
    pub fn split(&self) -> &str {
        &self.split
    }

    /// Number of images of the set, changed or not.
    pub fn image_count(&self) -> usize {
        self.image_count
    }

    /// What the set was poisoned with.
    pub fn config(&self) -> &PoisonConfig {
        &self.config
    }

    /// The changed images, by ascending index.
    pub fn entries(&self) -> &[ManifestEntry] {
        &self.entries
    }

    /// For every image of the set whether it was changed.
    pub fn is_poisoned(&self) -> Vec<bool> {
        let mut poisoned = vec![false; self.image_count];
        for entry in &self.entries {
            poisoned[entry.index] = true;
        }
        poisoned
    }

    /// Share of the images that were changed, 0 to 1; it can be below the configured rate.
    pub fn rate(&self) -> f64 {
        if self.image_count == 0 {
            return 0.0;
        }
        self.entries.len() as f64 / self.image_count as f64
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
    /// When the file cannot be read or is no manifest of this version.
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

impl From<Manifest> for ManifestFile {
    fn from(manifest: Manifest) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            split: manifest.split,
            image_count: manifest.image_count,
            config: manifest.config,
            entries: manifest.entries,
        }
    }
}

impl TryFrom<ManifestFile> for Manifest {
    type Error = String;

    fn try_from(file: ManifestFile) -> Result<Self, String> {
        check_header(Some(&file.format), Some(file.version))?;
        if file.split != "train" && file.split != "test" {
            return Err(format!(
                "`split` is `{}`, expected `train` or `test`",
                file.split
            ));
        }
        if !file
            .entries
            .is_sorted_by(|left, right| left.index < right.index)
        {
            return Err("`entries` are not in ascending order of `index`, each once".into());
        }
        for entry in &file.entries {
            check_entry(entry, &file)?;
        }
        Ok(Self {
            split: file.split,
            image_count: file.image_count,
            config: file.config,
            entries: file.entries,
        })
    }
}

fn check_header(format: Option<&str>, version: Option<u32>) -> Result<(), String> {
    match (format, version) {
        (Some(FORMAT), Some(VERSION)) => Ok(()),
        (Some(FORMAT), Some(version)) => Err(format!(
            "version {version} is not supported, only {VERSION}"
        )),
        (Some(FORMAT), None) => Err("`version` is missing".into()),
        _ => Err(format!("`format` is not `{FORMAT}`")),
    }
}

fn check_entry(entry: &ManifestEntry, file: &ManifestFile) -> Result<(), String> {
    let index = entry.index;
    if index >= file.image_count {
        return Err(format!(
            "entry {index} is out of range, `image_count` is {}",
            file.image_count
        ));
    }
    let attack = file.config.attack.name();
    if entry.attack != attack {
        return Err(format!(
            "entry {index} names attack `{}`, but `config` has `{attack}`",
            entry.attack
        ));
    }
    if entry.new_label != file.config.target {
        return Err(format!(
            "entry {index} has `new_label` {}, but the target is {}",
            entry.new_label, file.config.target
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tempfile::tempdir;

    use super::*;
    use crate::attack::AttackConfig;
    use crate::testing::striped_set;

    fn manifest() -> Manifest {
        let clean = striped_set(6, 2, 3);
        let mut changed = clean.clone();
        changed.set_label(2, 1).expect("class 1");
        changed.set_label(5, 1).expect("class 1");
        let config = PoisonConfig {
            attack: AttackConfig::from_name("blend").expect("registered"),
            rate: 0.34,
            target: 1,
            seed: u64::MAX,
        };
        Manifest::of("train", &config, &clean, &changed, &[2, 5])
    }

    fn broken(change: impl FnOnce(&mut Value)) -> String {
        let mut value: Value = serde_json::from_str(&manifest().to_json()).expect("is JSON");
        change(&mut value);
        Manifest::from_json(&value.to_string()).expect_err("broken")
    }

    #[test]
    fn a_file_reads_back_the_same() {
        let folder = tempdir().expect("scratch");
        let path = folder.path().join("poison/manifest.json");
        manifest().write(&path).expect("writes");
        assert_eq!(Manifest::read(&path).expect("reads"), manifest());
        let files = fs::read_dir(path.parent().expect("parent"))
            .expect("lists")
            .count();
        assert_eq!(files, 1, "temporary files are gone");
    }

    #[test]
    fn it_says_which_images_are_poisoned() {
        let manifest = manifest();
        assert_eq!(
            manifest.is_poisoned(),
            [false, false, true, false, false, true]
        );
        assert!((manifest.rate() - 1.0 / 3.0).abs() < 1e-12);
        let entry = &manifest.entries()[0];
        assert_eq!((entry.original_label, entry.new_label), (2, 1));
        assert_eq!(
            (entry.name.as_str(), entry.attack.as_str()),
            ("image002", "blend")
        );
    }

    #[test]
    fn other_formats_and_versions_are_refused() {
        assert!(broken(|file| file["format"] = json!("x")).contains("`cd-manifest`"));
        let later = broken(|file| {
            file["version"] = json!(2);
            file["new_key"] = json!(true);
        });
        assert_eq!(later, "version 2 is not supported, only 1");
        assert!(
            broken(|file| drop(file.as_object_mut().expect("map").remove("version")))
                .contains("`version`")
        );
        assert!(Manifest::from_json("{").is_err());
    }

    #[test]
    fn unknown_missing_and_contradicting_values_are_refused() {
        assert!(broken(|file| file["extra"] = json!(1)).contains("extra"));
        assert!(broken(|file| file["entries"][0]["extra"] = json!(1)).contains("extra"));
        assert!(broken(|file| file["config"]["extra"] = json!(1)).contains("extra"));
        let no_count =
            broken(|file| drop(file.as_object_mut().expect("map").remove("image_count")));
        assert!(no_count.contains("image_count"));
        assert!(broken(|file| file["split"] = json!("val")).contains("`val`"));
        assert!(broken(|file| file["entries"][1]["index"] = json!(2)).contains("ascending"));
        assert!(broken(|file| file["entries"][1]["index"] = json!(6)).contains("out of range"));
        assert!(broken(|file| file["entries"][1]["attack"] = json!("x")).contains("`x`"));
        assert!(broken(|file| file["entries"][1]["new_label"] = json!(0)).contains("target"));
    }

    #[test]
    fn a_damaged_file_is_named() {
        let folder = tempdir().expect("scratch");
        let path = folder.path().join("manifest.json");
        let missing = Manifest::read(&path).expect_err("missing");
        assert!(missing.to_string().contains("manifest.json"), "{missing}");
        let text = manifest().to_json();
        fs::write(&path, &text[..text.len() / 2]).expect("writes");
        let damaged = Manifest::read(&path).expect_err("half");
        assert!(
            matches!(damaged, ManifestError::Invalid { .. }),
            "{damaged}"
        );
    }
}
