//! Columns: which detectors a table shows.

use serde::{Deserialize, Serialize};

use super::results::mean;
use crate::evaluation::Measured;

/// A detector by its label in the results, or several whose mean is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Column {
    /// One detector.
    One(String),
    /// Several as one.
    Mean {
        /// What they are called together.
        label: String,
        /// Their labels in the results.
        mean_of: Vec<String>,
    },
}

impl Column {
    /// What the column is called.
    pub fn label(&self) -> &str {
        match self {
            Self::One(label) | Self::Mean { label, .. } => label,
        }
    }

    /// The value of one detector, or the mean of several; then smallest and largest take the place of the
    /// interval. `None` unless all are there.
    pub fn of(&self, value: impl Fn(&str) -> Option<Measured>) -> Option<Measured> {
        let Self::Mean { mean_of, .. } = self else {
            return value(self.label());
        };
        let values: Option<Vec<f64>> = mean_of
            .iter()
            .map(|label| value(label).map(|measured| measured.estimate))
            .collect();
        let values = values.filter(|values| !values.is_empty())?;
        Some(mean(values.into_iter()))
    }
}
