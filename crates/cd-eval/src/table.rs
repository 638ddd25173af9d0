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
mod results;
mod survey;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use column::Column;
pub use page::{HEADING, INTERVALS, cells, markdown};
pub use record::{Expected, Record, Reported};
pub use results::RowResults;
pub use survey::survey;

use crate::Experiment;
use crate::experiment::ExperimentError;

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
    /// Further experiment files that every row runs beside the first: detectors that search a sample, of the same classifier.
    #[serde(default)]
    pub further: Vec<PathBuf>,
    /// Seeds that every row is run with, each added to all seeds of its experiment, and whose mean is shown; the experiment's
    /// own alone when empty.
    #[serde(default)]
    pub seeds: Vec<u64>,
    /// Name of the metric that figures are compared by, such as `AUROC`.
    pub metric: String,
    /// What is shown of every detector on every row; one line for each with `metric` alone when empty.
    #[serde(default)]
    pub metrics: Vec<String>,
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
    /// Whether nothing is poisoned, so that every flagged image is a false alarm.
    #[serde(default)]
    pub clean: bool,
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

    /// Seeds of every row, in the order of [`runs`](Self::runs).
    pub fn seeds(&self) -> &[u64] {
        if self.seeds.is_empty() {
            return &[0];
        }
        &self.seeds
    }

    /// The experiments of `row`: for each seed those of [`experiment`](Self::experiment) and [`further`](Self::further).
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or a setting of the row does not fit.
    pub fn runs(&self, row: &Row) -> Result<Vec<Vec<Experiment>>, ExperimentError> {
        let files = || [&self.experiment].into_iter().chain(&self.further);
        let of_seed = |&seed: &u64| {
            files()
                .map(|file| {
                    let mut experiment = Experiment::read(file, &row.set)?;
                    if row.clean {
                        experiment.poison = None;
                        experiment.detect.sample_poisoned = None;
                    }
                    experiment.seed = experiment.seed.wrapping_add(seed);
                    Ok(experiment)
                })
                .collect()
        };
        self.seeds().iter().map(of_seed).collect()
    }

    /// The results of a row, one for each column and metric.
    pub fn records(&self, results: &RowResults<'_>) -> Vec<Record> {
        let metrics = self.metrics.iter().filter(|&name| *name != self.metric);
        let metrics: Vec<&String> = [&self.metric].into_iter().chain(metrics).collect();
        let of_column = |column| {
            let metrics = metrics.iter();
            metrics.map(move |metric| Record::new(self, results, column, metric))
        };
        self.detectors.iter().flat_map(of_column).collect()
    }
}
