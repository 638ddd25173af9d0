//! `evaluate`: a scores.csv against a truth.csv.

use std::collections::{HashMap, HashSet};

use anyhow::{Result, bail};
use cd_eval::bootstrap::Bootstrap;
use cd_eval::evaluation::{Measured, Metric, level_text, measure};
use cd_eval::scores::{self, ScoreRow};

use crate::Ending;
use crate::args::EvaluateArgs;
use crate::output;

pub(crate) fn evaluate(args: &EvaluateArgs, as_json: bool) -> Result<Ending> {
    let rows = scores::read(&args.scores)?;
    let (poisoned, unscored) = poisoned(args, &rows)?;
    if !as_json {
        for line in counts(args, &poisoned, unscored) {
            output::line(&line)?;
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

/// Whether each scored image is poisoned, by the table of the truth; and how many images there have no score, and poisoned ones among them.
fn poisoned(args: &EvaluateArgs, rows: &[ScoreRow]) -> Result<(Vec<bool>, [usize; 2])> {
    let table = scores::read_truth(&args.truth)?;
    let mut truth = HashMap::new();
    for row in &table {
        if truth.insert(row.file.clone(), row.poisoned).is_some() {
            bail!("{} names `{}` twice", args.truth.display(), row.file);
        }
    }
    // Names that scripts have written in another way count where that leaves no doubt.
    let mut plain: HashMap<String, Option<bool>> = HashMap::new();
    for row in &table {
        plain
            .entry(plain_name(&row.file))
            .and_modify(|known| *known = None)
            .or_insert(Some(row.poisoned));
    }
    let answer = |file: &str| {
        let exact = truth.get(file).copied();
        exact.or_else(|| plain.get(&plain_name(file)).copied().flatten())
    };
    let mut scored = HashSet::new();
    for row in rows {
        let known = truth.contains_key(&row.file);
        let name = if known {
            row.file.clone()
        } else {
            plain_name(&row.file)
        };
        if !scored.insert(name) {
            bail!("{} names `{}` twice", args.scores.display(), row.file);
        }
    }
    let unknown: Vec<&str> = rows
        .iter()
        .map(|row| row.file.as_str())
        .filter(|file| answer(file).is_none())
        .collect();
    if let Some(first) = unknown.first() {
        bail!(
            "{} knows nothing of `{first}`, which stands in {}, and of {} others of {}",
            args.truth.display(),
            args.scores.display(),
            unknown.len() - 1,
            rows.len()
        );
    }
    let poisoned: Vec<bool> = rows.iter().filter_map(|row| answer(&row.file)).collect();
    let of = |all: usize, scored: usize| all.saturating_sub(scored);
    let in_table = table.iter().filter(|row| row.poisoned).count();
    let in_scores = poisoned.iter().filter(|&&is_poisoned| is_poisoned).count();
    let unscored = [of(table.len(), rows.len()), of(in_table, in_scores)];
    Ok((poisoned, unscored))
}

/// How many images are measured on, and how many are not.
fn counts(args: &EvaluateArgs, poisoned: &[bool], unscored: [usize; 2]) -> Vec<String> {
    let count = poisoned.iter().filter(|&&is_poisoned| is_poisoned).count();
    let mut lines = vec![format!(
        "{} images, {count} of them poisoned",
        poisoned.len()
    )];
    if unscored[0] > 0 {
        lines.push(format!(
            "{} more images of {} have no score, {} of them poisoned: they count nowhere",
            unscored[0],
            args.truth.display(),
            unscored[1]
        ));
    }
    lines
}

/// A path without blanks around it and `./` in front, with `/` between folders.
fn plain_name(file: &str) -> String {
    let turned = file.trim().replace('\\', "/");
    turned.trim_start_matches("./").to_owned()
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
            output::tell(&format!(
                "gate missed: AUROC is {value}, expected at least {least}"
            ));
            Ending::GateMissed
        }
    }
}
