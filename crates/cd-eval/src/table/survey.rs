//! A table of many detectors and several metrics as a page: means over attacks first, then every attack.

use std::fmt::Write;

use super::results::{FLAGGED, RowResults, SECONDS, mean};
use super::{Column, Table};

/// What stands for a figure that no run has given yet.
const MISSING: &str = "missing";
/// What stands for a figure that is not defined on a row, such as a true positive rate without poison.
const UNDEFINED: &str = "-";

/// The page of `table`; figures that are not there yet are marked.
pub fn survey(table: &Table, results: &[RowResults<'_>]) -> String {
    let mut page = format!("# {}\n\n{}\n", table.title, table.note);
    let seeds = table.seeds();
    let done: usize = results.iter().map(|row| row.evaluations.len()).sum();
    let _ = writeln!(
        page,
        "\nMeans over the seeds {}. {done} of {} runs are complete.\n\n## Classifiers\n\n{}",
        list(seeds),
        seeds.len() * results.len(),
        classifiers(table, results)
    );
    let _ = write!(
        page,
        "## Means over attacks\n\nOf the attacks that have run; *worst* is the lowest {0} of an attack, *clean* the largest share of a set without \
         poison that is flagged, *seconds* the time for 1,000 images beyond features and logits, which all detectors share.\n\n{1}",
        table.metric,
        means(table, results)
    );
    for metric in &table.metrics {
        let _ = write!(page, "\n## {metric}\n\n{}", matrix(table, results, metric));
    }
    page
}

fn list(numbers: &[u64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}

fn classifiers(table: &Table, results: &[RowResults<'_>]) -> String {
    let mut lines = heading(&[
        "setting",
        "clean accuracy %",
        "attack success rate %",
        "seeds",
    ]);
    let percent = |value: Option<f64>, absent: &str| {
        value.map_or_else(|| absent.to_owned(), |v| format!("{:.1}", v * 100.0))
    };
    for row in results {
        let absent = absent(row);
        lines += &line(&[
            row.row.label.clone(),
            percent(row.clean_accuracy().map(|v| v.estimate), absent),
            percent(row.attack_success_rate().map(|v| v.estimate), absent),
            format!("{} of {}", row.evaluations.len(), table.seeds().len()),
        ]);
    }
    lines
}

fn means(table: &Table, results: &[RowResults<'_>]) -> String {
    let mut words = vec!["detector"];
    words.extend(table.metrics.iter().map(String::as_str));
    words.extend(["worst", "clean", "seconds", "attacks"]);
    let mut lines = heading(&words);
    for column in &table.detectors {
        let attacks = |metric: &str| figures(results, column, metric, false);
        let average = |metric: &str| {
            let values = attacks(metric);
            (!values.is_empty()).then(|| mean(values.into_iter()).estimate)
        };
        let number = |value: Option<f64>| value.map_or_else(|| MISSING.to_owned(), three);
        let mut cells = vec![column.label().to_owned()];
        cells.extend(table.metrics.iter().map(|metric| number(average(metric))));
        let worst = attacks(&table.metric).into_iter().reduce(f64::min);
        let clean = figures(results, column, FLAGGED, true)
            .into_iter()
            .reduce(f64::max);
        cells.extend([number(worst), number(clean)]);
        cells.push(average(SECONDS).map_or_else(|| MISSING.to_owned(), |s| format!("{s:.2}")));
        cells.push(attacks(&table.metric).len().to_string());
        lines += &line(&cells);
    }
    lines
}

/// The figures of `column` on the rows that have run, with poison or without.
fn figures(results: &[RowResults<'_>], column: &Column, metric: &str, clean: bool) -> Vec<f64> {
    let rows = results.iter().filter(|row| row.row.clean == clean);
    rows.filter_map(|row| Some(row.value(column, metric)?.estimate))
        .collect()
}

/// One line for each detector, one column for each row. On rows without poison the false positive rate is the share that is flagged.
fn matrix(table: &Table, results: &[RowResults<'_>], metric: &str) -> String {
    let mut words = vec!["detector"];
    words.extend(results.iter().map(|row| row.row.label.as_str()));
    let mut lines = heading(&words);
    for column in &table.detectors {
        let cell = |row: &RowResults<'_>| {
            let metric = match metric {
                "FPR" if row.row.clean => FLAGGED,
                other => other,
            };
            let value = row.value(column, metric);
            value.map_or_else(|| absent(row).to_owned(), |value| three(value.estimate))
        };
        let mut cells = vec![column.label().to_owned()];
        cells.extend(results.iter().map(cell));
        lines += &line(&cells);
    }
    lines
}

/// What stands where `row` has no figure.
fn absent(row: &RowResults<'_>) -> &'static str {
    if row.evaluations.is_empty() || !row.row.clean {
        MISSING
    } else {
        UNDEFINED
    }
}

fn three(value: f64) -> String {
    format!("{value:.3}")
}

fn heading(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    line(&words) + &line(&vec!["---".to_owned(); words.len()])
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
