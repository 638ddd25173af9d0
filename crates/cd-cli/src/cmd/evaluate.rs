//! `evaluate`: a scores.csv against a truth.csv.

use std::collections::HashMap;

use anyhow::{Result, bail};
use cd_eval::bootstrap::Bootstrap;
use cd_eval::evaluation::{Measured, Metric, level_text, measure};
use cd_eval::scores;

use crate::Ending;
use crate::args::EvaluateArgs;
use crate::output;

pub(crate) fn evaluate(args: &EvaluateArgs, as_json: bool) -> Result<Ending> {
    let rows = scores::read(&args.scores)?;
    let mut truth = HashMap::new();
    for row in scores::read_truth(&args.truth)? {
        if truth.insert(row.file.clone(), row.poisoned).is_some() {
            bail!("{} names `{}` twice", args.truth.display(), row.file);
        }
    }
    let mut poisoned = Vec::with_capacity(rows.len());
    for row in &rows {
        match truth.get(&row.file) {
            Some(&value) => poisoned.push(value),
            None => bail!(
                "{} knows nothing of `{}`, which stands in {}",
                args.truth.display(),
                row.file,
                args.scores.display()
            ),
        }
    }
    let values: Vec<f64> = rows.iter().map(|row| row.score).collect();
    let flagged: Vec<bool> = rows.iter().map(|row| row.flagged).collect();
    let bootstrap = Bootstrap::default();
    let metrics = measure(&poisoned, &values, &flagged, &bootstrap)?;
    print(&metrics, bootstrap.level, as_json)?;
    let auroc = metrics
        .iter()
        .find(|metric| metric.name == "AUROC")
        .and_then(|m| m.value);
    Ok(gate(auroc, args.min_auroc))
}

fn print(metrics: &[Metric], level: f64, as_json: bool) -> Result<()> {
    if as_json {
        return output::json(&metrics);
    }
    let mut table = output::table(&[
        "metric",
        "value",
        &format!("{} interval", level_text(level)),
    ]);
    for metric in metrics {
        let (value, interval) = match metric.value {
            Some(Measured { estimate, interval }) => (
                format!("{estimate:.4}"),
                interval.map_or(String::new(), |[low, high]| {
                    format!("{low:.4} to {high:.4}")
                }),
            ),
            None => ("not defined".to_owned(), String::new()),
        };
        table.add_row([metric.name.clone(), value, interval]);
    }
    output::line(&table.to_string())
}

fn gate(auroc: Option<Measured>, least: Option<f64>) -> Ending {
    let Some(least) = least else {
        return Ending::Done;
    };
    match auroc {
        Some(auroc) if auroc.estimate >= least => Ending::Done,
        other => {
            let value = other.map_or("not defined".to_owned(), |v| format!("{:.4}", v.estimate));
            eprintln!("gate missed: AUROC is {value}, expected at least {least}");
            Ending::GateMissed
        }
    }
}
