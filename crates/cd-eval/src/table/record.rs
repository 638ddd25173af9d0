//! Records: a measured figure beside the published and the expected one.

use serde::{Deserialize, Serialize};

use super::{Column, RowResults, Table};
use crate::evaluation::Measured;

/// A published figure for one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// Label of the column.
    pub detector: String,
    /// The figure.
    pub value: f64,
    /// Ours may lie this far below without missing.
    pub tolerance: f64,
    /// Where it was published.
    pub source: String,
}

/// A figure that we measured before for one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Label of the column.
    pub detector: String,
    /// The figure.
    pub value: f64,
    /// Ours may lie this far above or below without missing.
    pub tolerance: f64,
}

/// One line of the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Label of the row.
    pub row: String,
    /// Label of the column.
    pub detector: String,
    /// The metric.
    pub metric: String,
    /// What we measured.
    pub ours: Option<Measured>,
    /// What we measured before.
    pub expected: Option<Expected>,
    /// What was published.
    pub reported: Option<Reported>,
    /// Ours is outside the band of the expected figure or, where nothing is expected, too far below the published one.
    pub missed: bool,
    /// Clean accuracy of the row's classifier.
    pub clean_accuracy: Option<Measured>,
    /// Attack success rate of the row's classifier.
    pub attack_success_rate: Option<Measured>,
}

impl Record {
    pub(super) fn new(
        table: &Table,
        results: &RowResults<'_>,
        column: &Column,
        metric: &str,
    ) -> Self {
        let (row, label) = (results.row, column.label());
        let ours = results.value(column, metric);
        let compared = metric == table.metric;
        let reported = row.reported.iter().find(|figure| figure.detector == label);
        let reported = reported.filter(|_| compared);
        let expected = row.expected.iter().find(|figure| figure.detector == label);
        let expected = expected.filter(|_| compared);
        Self {
            row: row.label.clone(),
            detector: label.to_owned(),
            metric: metric.to_owned(),
            ours,
            expected: expected.cloned(),
            reported: reported.cloned(),
            missed: missed(ours.map(|ours| ours.estimate), expected, reported),
            clean_accuracy: results.clean_accuracy(),
            attack_success_rate: results.attack_success_rate(),
        }
    }
}

fn missed(ours: Option<f64>, expected: Option<&Expected>, reported: Option<&Reported>) -> bool {
    match (expected, reported, ours) {
        (None, None, _) => false,
        (_, _, None) => true,
        (Some(expected), _, Some(ours)) => (ours - expected.value).abs() > expected.tolerance,
        (None, Some(reported), Some(ours)) => ours < reported.value - reported.tolerance,
    }
}
