//! What a scan found, for other programs: as JSON, CSV, Parquet or SARIF, and as a ruling on which a pipeline stops.
//!
//! Everything is read from the folder of a run, so a table of findings says what the folder says:
//!
//! | file | what it gives |
//! |---|---|
//! | `verdict.json` | the verdict, where one was reached |
//! | `detect/<label>/scores.csv`, `decision.json` | scores and flags of every detector |
//! | `contents.csv` | the key of the content of every picture |
//! | `config.toml` | which detectors ran, and by which rule they flag |
//!
//! ```no_run
//! use std::path::Path;
//!
//! use cd_detect::Standing;
//! use cd_eval::findings::{Baseline, Findings, Format, Ruling};
//!
//! let mut findings = Findings::read(Path::new("runs/scan"), Path::new("pictures"))?;
//! findings.compare(&Baseline::read(Path::new("runs/last-week"))?);
//! findings.write(Path::new("scan.sarif"), Format::Sarif)?;
//! if let Ruling::Findings(what) = findings.rule(Standing::Suspicious) {
//!     println!("{what}");
//! }
//! # Ok::<(), cd_eval::findings::FindingsError>(())
//! ```

mod baseline;
mod columns;
mod contents;
mod format;
mod gather;
mod ruling;
mod sarif;
mod table;
#[cfg(test)]
mod testing;

pub use baseline::Baseline;
pub use format::Format;
pub use ruling::Ruling;

pub(crate) use contents::write as write_contents;
pub(crate) use gather::verdict;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use cd_detect::{Standing, Verdict};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::run_dir::RunDirError;
use crate::scores::ScoresError;

/// Version of the JSON form.
const SCHEMA_VERSION: u32 = 1;

/// The name of the verdict in the folder of a run.
pub const VERDICT: &str = "verdict.json";

/// Why findings could not be read or written.
#[derive(Debug, Error)]
pub enum FindingsError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The scores of a detector could not be read.
    #[error(transparent)]
    Scores(#[from] ScoresError),
    /// The folder is no run that can be read.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Version of this form.
    pub schema_version: u32,
    /// Version of the toolkit that wrote it.
    pub toolkit_version: String,
    /// The folder or file of the pictures.
    pub root: PathBuf,
    /// The verdict on the set, where one was reached.
    pub verdict: Option<Verdict>,
    /// The detectors and how they flag.
    pub detectors: Vec<DetectorRule>,
    /// One entry for every picture, in the order of the set.
    pub images: Vec<ImageFinding>,
    /// What is new since an earlier scan, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// How a detector flags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetectorRule {
    /// Its label in the run.
    pub detector: String,
    /// The rule in words.
    pub rule: String,
    /// Whether its flags are findings. Those of a rule that always flags a share of the pictures, clean ones as well, are not
    /// as long as another detector judges.
    pub judges: bool,
    /// Pictures that it flags.
    pub flagged: usize,
}

/// What was found of one picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageFinding {
    /// Where it lies.
    pub filepath: PathBuf,
    /// Its name in the set.
    pub file: String,
    /// The class that it is labelled as.
    pub label: String,
    /// Key of its content; pictures that were read at one size have equal keys when their pixels are equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// From 0 to 1, higher = more suspicious: half the score of the first detector that judges, and one half more for a flagged picture,
    /// for it need not be that detector which has found it.
    pub score: f64,
    /// The scores of all detectors.
    pub scores: BTreeMap<String, f64>,
    /// Whether the verdict takes it for poisoned; without a verdict, whether a detector that judges flags it.
    pub flagged: bool,
    /// The detectors that flag it, judges or not.
    pub flagged_by: Vec<String>,
    /// Whether the earlier scan did not flag it under this label; absent without an earlier scan and for pictures that are not flagged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<bool>,
}

/// What is new since an earlier scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// Flagged pictures that the earlier scan did not flag.
    pub flagged: usize,
    /// Classes that stand out and did not, or hold flagged pictures that are new.
    pub classes: Vec<String>,
    /// What the set is taken for when only what is new counts.
    pub standing: Standing,
}

impl Findings {
    /// What the run in `folder` found about the pictures in `root`, a folder or a file.
    ///
    /// # Errors
    ///
    /// When the folder holds no complete run, or a damaged one.
    pub fn read(folder: &Path, root: &Path) -> Result<Self, FindingsError> {
        gather::read(folder, root)
    }

    /// Marks what is new since `baseline`; from then on nothing else counts for [`rule`](Self::rule).
    pub fn compare(&mut self, baseline: &Baseline) {
        baseline.mark(self);
    }

    /// What the set is taken for. Without a verdict it is suspicious when a picture is flagged by a detector's own rule, and clean
    /// otherwise.
    pub fn standing(&self) -> Standing {
        match &self.verdict {
            Some(verdict) => verdict.standing,
            None if self.flagged() > 0 => Standing::Suspicious,
            None => Standing::Clean,
        }
    }

    /// Flagged pictures.
    pub fn flagged(&self) -> usize {
        self.images.iter().filter(|image| image.flagged).count()
    }

    /// Whether something tells findings from chance: a verdict, or a detector with a rule of its own.
    pub fn is_judged(&self) -> bool {
        self.verdict.is_some() || self.detectors.iter().any(|detector| detector.judges)
    }

    /// Whether a pipeline that stops at `fail_on` stops here.
    pub fn rule(&self, fail_on: Standing) -> Ruling {
        ruling::rule(self, fail_on)
    }

    /// Writes everything to `path`, which appears whole or not at all.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, path: &Path, format: Format) -> Result<(), FindingsError> {
        format.write(path, self)
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> FindingsError + use<'_> {
    |source| FindingsError::Io {
        path: path.to_owned(),
        source,
    }
}

fn format_error(path: &Path, reason: impl Into<String>) -> FindingsError {
    FindingsError::Format {
        path: path.to_owned(),
        reason: reason.into(),
    }
}
