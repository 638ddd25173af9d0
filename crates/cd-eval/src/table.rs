//! Tables of experiments: rows, what was published and expected for them, and what we measure.
//!
//! ```
//! use cd_eval::table::Table;
//!
//! let table: Table = toml::from_str(r#"
//!     title = "Patches"
//!     note = "Small pictures."
//!     experiment = "smoke.toml"
//!     metric = "AUROC"
//!     detectors = ["cd-l", { label = "both", mean_of = ["cd-l", "cd-f"] }]
//!     rows = [{ label = "10 %", set = ["poison.rate=0.1"] }]
//! "#)?;
//! assert_eq!(table.detectors[1].label(), "both");
//! # Ok::<(), toml::de::Error>(())
//! ```

mod column;
mod page;
mod record;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use column::Column;
pub use page::{HEADING, INTERVALS, cells, markdown};
pub use record::{Expected, Record, Reported};

use crate::evaluation::Evaluation;

/// A file of `configs/table`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Heading.
    pub title: String,
    /// What a reader should know before comparing.
    pub note: String,
    /// Experiment file that every row starts from.
    pub experiment: PathBuf,
    /// Name of the metric, such as `AUROC`.
    pub metric: String,
    /// One line per row each.
    pub detectors: Vec<Column>,
    /// The experiments.
    pub rows: Vec<Row>,
}

/// One experiment of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What it is called in the table.
    pub label: String,
    /// Settings that differ from the table's experiment, `key.path=value`.
    #[serde(default)]
    pub set: Vec<String>,
    /// Published figures.
    #[serde(default)]
    pub reported: Vec<Reported>,
    /// Figures that we measured before, where the published ones are no measure for this row.
    #[serde(default)]
    pub expected: Vec<Expected>,
}

/// Why a table cannot be used.
#[derive(Debug, Error)]
pub enum TableError {
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no table.
    #[error("{}: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, key and cause.
        message: String,
    },
    /// A figure belongs to no column, so that it would never be compared.
    #[error("{}: row `{row}` has a figure for `{detector}`, which is none of `detectors`", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The row.
        row: String,
        /// What the figure is for.
        detector: String,
    },
}

impl Table {
    /// Reads a table file.
    ///
    /// # Errors
    ///
    /// When it is missing, no table, or has figures that belong to no column.
    pub fn read(path: &Path) -> Result<Self, TableError> {
        let text = fs::read_to_string(path).map_err(|source| TableError::Io {
            path: path.to_owned(),
            source,
        })?;
        let table: Self = toml::from_str(&text).map_err(|error| TableError::Parse {
            path: path.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        let known = |detector: &str| table.detectors.iter().any(|c| c.label() == detector);
        for row in &table.rows {
            let reported = row.reported.iter().map(|figure| &figure.detector);
            let expected = row.expected.iter().map(|figure| &figure.detector);
            if let Some(detector) = reported.chain(expected).find(|name| !known(name)) {
                return Err(TableError::NoColumn {
                    path: path.to_owned(),
                    row: row.label.clone(),
                    detector: detector.clone(),
                });
            }
        }
        Ok(table)
    }

    /// The results of `row`, one per column.
    pub fn records(&self, row: &Row, evaluation: &Evaluation) -> Vec<Record> {
        let columns = self.detectors.iter();
        columns
            .map(|column| Record::new(self, row, column, evaluation))
            .collect()
    }
}
