//! Tables: which cells, what was reported for them, and what we measure.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use comfy_table::{ContentArrangement, Table as TextTable, presets};
use serde::{Deserialize, Serialize};

use crate::build::binary;

/// `configs/table/<name>.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    title: String,
    /// What a reader should know before comparing.
    note: String,
    /// Experiment file that every row starts from.
    experiment: PathBuf,
    /// Name of the metric, such as `AUROC`.
    metric: String,
    /// One line per row each.
    detectors: Vec<Column>,
    rows: Vec<Row>,
}

/// A detector by its label in the results, or several whose mean is shown.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Column {
    One(String),
    Mean { label: String, mean_of: Vec<String> },
}

impl Column {
    fn label(&self) -> &str {
        match self {
            Self::One(label) | Self::Mean { label, .. } => label,
        }
    }

    /// The value of one detector, or the mean of several; then smallest and largest take the place of the
    /// interval. `None` unless all are there.
    fn of(&self, value: impl Fn(&str) -> Option<Measured>) -> Option<Measured> {
        let Self::Mean { mean_of, .. } = self else {
            return value(self.label());
        };
        let values: Option<Vec<f64>> = mean_of
            .iter()
            .map(|label| value(label).map(|measured| measured.estimate))
            .collect();
        let values = values.filter(|values| !values.is_empty())?;
        Some(Measured {
            estimate: values.iter().sum::<f64>() / values.len() as f64,
            interval: Some([
                values.iter().copied().fold(f64::INFINITY, f64::min),
                values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            ]),
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    label: String,
    /// Overrides of the experiment.
    #[serde(default)]
    set: Vec<String>,
    #[serde(default)]
    reported: Vec<Reported>,
}

/// A published figure for one cell.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Reported {
    detector: String,
    value: f64,
    /// Ours may lie this far below without missing.
    tolerance: f64,
    source: String,
}

/// The part of `cd-cli run --json` that a table needs.
#[derive(Debug, Deserialize)]
struct Evaluation {
    clean_accuracy: Option<Measured>,
    attack_success_rate: Option<Measured>,
    detectors: Vec<DetectorMetrics>,
}

#[derive(Debug, Deserialize)]
struct DetectorMetrics {
    detector: String,
    metrics: Vec<Metric>,
}

#[derive(Debug, Deserialize)]
struct Metric {
    name: String,
    value: Option<Measured>,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
struct Measured {
    estimate: f64,
    interval: Option<[f64; 2]>,
}

/// One line of the result.
#[derive(Debug, Serialize)]
struct Record {
    row: String,
    detector: String,
    metric: String,
    ours: Option<Measured>,
    reported: Option<Reported>,
    missed: bool,
    clean_accuracy: Option<Measured>,
    attack_success_rate: Option<Measured>,
}

/// Runs the missing cells; `false` when a figure misses its tolerance.
pub(crate) fn reproduce(name: &str, device: Option<&str>, runs: &Path) -> Result<bool> {
    let table = read(name)?;
    let binary = binary()?;
    let mut records = Vec::new();
    for row in &table.rows {
        eprintln!("==> {}", row.label);
        let evaluation = run(&binary, &table, row, device, runs)?;
        let cells = table.detectors.iter();
        records.extend(cells.map(|column| record(&table, row, column, &evaluation)));
    }
    #[expect(clippy::print_stdout, reason = "the table is the output")]
    {
        println!(
            "{}\n{}\n{}\n{INTERVALS}",
            table.title,
            text(&records),
            table.note
        );
    }
    let folder = crate::root().join(runs).join("tables");
    fs::create_dir_all(&folder)?;
    fs::write(
        folder.join(format!("{name}.md")),
        markdown(&table, &records),
    )?;
    let json = serde_json::to_string_pretty(&records)?;
    fs::write(folder.join(format!("{name}.json")), json + "\n")?;
    eprintln!("written: {0}/{name}.md, {0}/{name}.json", folder.display());
    Ok(records.iter().all(|record| !record.missed))
}

fn read(name: &str) -> Result<Table> {
    let folder = crate::root().join("configs/table");
    let path = folder.join(format!("{name}.toml"));
    if !path.exists() {
        let mut known: Vec<String> = fs::read_dir(&folder)?
            .flatten()
            .filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()))
            .collect();
        known.sort();
        bail!("there is no table `{name}`; known: {}", known.join(", "));
    }
    let text = fs::read_to_string(&path)?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

fn run(
    binary: &Path,
    table: &Table,
    row: &Row,
    device: Option<&str>,
    runs: &Path,
) -> Result<Evaluation> {
    let mut command = Command::new(binary);
    command.arg("run").arg(&table.experiment).arg("--json");
    command.arg("--runs").arg(runs);
    for change in &row.set {
        command.arg("--set").arg(change);
    }
    if let Some(device) = device {
        command.arg("--device").arg(device);
    }
    let output = command
        .current_dir(crate::root())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| binary.display().to_string())?;
    if !output.status.success() {
        bail!("`{}` failed with {}", row.label, output.status);
    }
    serde_json::from_slice(&output.stdout).context("the output of `cd-cli run --json`")
}

fn record(table: &Table, row: &Row, column: &Column, evaluation: &Evaluation) -> Record {
    let ours = column.of(|label| {
        let found = evaluation.detectors.iter().find(|d| d.detector == label)?;
        let metric = found.metrics.iter().find(|m| m.name == table.metric)?;
        metric.value
    });
    let reported = row
        .reported
        .iter()
        .find(|r| r.detector == column.label())
        .cloned();
    let missed = reported.as_ref().is_some_and(|reported| {
        ours.is_none_or(|ours| ours.estimate < reported.value - reported.tolerance)
    });
    Record {
        row: row.label.clone(),
        detector: column.label().to_owned(),
        metric: table.metric.clone(),
        ours,
        reported,
        missed,
        clean_accuracy: evaluation.clean_accuracy,
        attack_success_rate: evaluation.attack_success_rate,
    }
}

/// What the column `interval` means.
const INTERVALS: &str = "Intervals: 95 % by bootstrap; smallest and largest where the value is a mean of several searches.";

const HEADING: [&str; 7] = [
    "setting", "detector", "ours", "interval", "reported", "CA %", "ASR %",
];

fn cells(record: &Record) -> [String; 7] {
    let percent = |value: Option<Measured>| {
        value.map_or("-".to_owned(), |v| format!("{:.1}", v.estimate * 100.0))
    };
    let ours = record
        .ours
        .map_or("-".to_owned(), |v| format!("{:.3}", v.estimate));
    let interval = record.ours.and_then(|v| v.interval);
    let reported = record.reported.as_ref().map_or("-".to_owned(), |reported| {
        let missed = if record.missed { " MISSED" } else { "" };
        format!("{} ({}){missed}", reported.value, reported.source)
    });
    [
        record.row.clone(),
        record.detector.clone(),
        ours,
        interval.map_or("-".to_owned(), |[low, high]| {
            format!("{low:.3} to {high:.3}")
        }),
        reported,
        percent(record.clean_accuracy),
        percent(record.attack_success_rate),
    ]
}

fn text(records: &[Record]) -> String {
    let mut table = TextTable::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(HEADING);
    for record in records {
        table.add_row(cells(record));
    }
    table.to_string()
}

fn markdown(table: &Table, records: &[Record]) -> String {
    let mut page = format!("# {}\n\n{}\n\n", table.title, table.note);
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    page.push_str(&line(&HEADING.map(str::to_owned)));
    page.push_str(&line(&HEADING.map(|_| "---".to_owned())));
    for record in records {
        page.push_str(&line(&cells(record)));
    }
    let _ = writeln!(page, "\nMetric: {}. {INTERVALS}", table.metric);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_needs_all_its_detectors_and_shows_their_range() {
        let value = |label: &str| {
            let estimate = label.strip_prefix("cd-")?.parse().ok()?;
            Some(Measured {
                estimate,
                interval: None,
            })
        };
        let mean_of = |labels: &[&str]| Column::Mean {
            label: "both".to_owned(),
            mean_of: labels.iter().map(ToString::to_string).collect(),
        };
        let both = mean_of(&["cd-1", "cd-4"])
            .of(value)
            .expect("both are there");
        assert_eq!((both.estimate, both.interval), (2.5, Some([1.0, 4.0])));
        assert!(mean_of(&["cd-1", "other"]).of(value).is_none());
        assert!(mean_of(&[]).of(value).is_none());
    }

    #[test]
    fn every_table_of_the_repository_is_readable_and_its_experiment_exists() {
        let folder = crate::root().join("configs/table");
        let entries = fs::read_dir(folder).expect("the folder exists");
        let mut count = 0;
        for entry in entries.flatten() {
            let stem = entry
                .path()
                .file_stem()
                .map(|s| s.to_string_lossy().into_owned());
            let table = read(&stem.expect("a file name")).expect("valid");
            assert!(crate::root().join(&table.experiment).exists());
            assert!(!table.rows.is_empty());
            count += 1;
        }
        assert!(count > 0);
        assert!(
            read("smok")
                .expect_err("unknown")
                .to_string()
                .contains("smoke")
        );
    }
}
