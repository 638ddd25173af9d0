//! What goes to stdout.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use cd_eval::evaluation::{DetectorMetrics, Evaluation, Measured, WITHOUT_COVERS};
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

/// One line under the heading and no rule between rows, in the order of comfy-table's parts.
const PRESET: &str = "     ──            ";

/// Writes a line to stdout; a closed pipe is no error.
pub(crate) fn line(text: &str) -> Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Writes a line to stderr, if there is anybody who reads it.
pub(crate) fn tell(text: &str) {
    // There is no third place to report to.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes `value` as JSON to stdout.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// An empty table with this heading.
pub(crate) fn table(heading: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(PRESET)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(heading.iter().copied());
    table
}

/// The figures of a run.
pub(crate) fn evaluation(evaluation: &Evaluation, folder: &Path, as_json: bool) -> Result<()> {
    if as_json {
        return json(evaluation);
    }
    for (name, value) in evaluation.figures() {
        line(&format!("{name}: {}", percent(value)))?;
    }
    for sentence in evaluation.attack_lines() {
        line(&sentence)?;
    }
    let mut heading = vec!["detector", "images", "flagged"];
    let with_truth = evaluation.detectors.iter().any(|d| !d.metrics.is_empty());
    let mut metrics = vec!["AUROC", "Average precision", "TPR (recall)", "FPR", "F1"];
    if with_truth {
        heading.extend(["AUROC", "avg. precision", "TPR", "FPR", "F1"]);
    }
    let of_covers = |detector: &DetectorMetrics| detector.metric(WITHOUT_COVERS).is_some();
    if evaluation.detectors.iter().any(of_covers) {
        metrics.push(WITHOUT_COVERS);
        heading.push(WITHOUT_COVERS);
    }
    heading.push("seconds");
    let mut table = table(&heading);
    for detector in &evaluation.detectors {
        let mut row = vec![
            detector.detector.clone(),
            detector.images.to_string(),
            detector.flagged.to_string(),
        ];
        if with_truth {
            for name in &metrics {
                row.push(number(detector.metric(name)));
            }
        }
        row.push(format!("{:.1}", detector.seconds));
        table.add_row(row);
    }
    line(&table.to_string())?;
    line(&format!("report: {}", folder.join("report.html").display()))
}

fn percent(value: Measured) -> String {
    let estimate = value.estimate * 100.0;
    match value.interval {
        Some([low, high]) => format!(
            "{estimate:.1} % ({:.1} to {:.1})",
            low * 100.0,
            high * 100.0
        ),
        None => format!("{estimate:.1} %"),
    }
}

fn number(value: Option<Measured>) -> String {
    match value {
        Some(Measured {
            estimate,
            interval: Some([low, high]),
        }) => format!("{estimate:.3} ({low:.3}-{high:.3})"),
        Some(value) => format!("{:.3}", value.estimate),
        None => "-".to_owned(),
    }
}
