//! `reproduce`: the rows of a table of experiments, ours beside what was expected and reported.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cd_core::atomic;
use cd_eval::Experiment;
use cd_eval::evaluation::Evaluation;
use cd_eval::pipeline::{self, Outcome, Stage};
use cd_eval::run_dir::{OWN_STORE, RunDir};
use cd_eval::table::{self, Record, Row, RowResults, Table};

use super::Session;
use crate::Ending;
use crate::args::ReproduceArgs;
use crate::output;

pub(crate) fn reproduce(args: &ReproduceArgs, session: &Session) -> Result<Ending> {
    let table = Table::read(&args.file)?;
    // All of them, before the first is computed for hours.
    let runs: Vec<Vec<Vec<Experiment>>> = table
        .rows
        .iter()
        .map(|row| experiments(&table, row))
        .collect::<Result<_>>()?;
    let (index, count) = args.shard.unwrap_or((0, 1));
    let mut results: Vec<RowResults<'_>> = Vec::new();
    let mut missing = 0;
    for (at, (row, seeds)) in table.rows.iter().zip(&runs).enumerate() {
        let is_ours = !args.finished && at % count == index;
        let mut evaluations = Vec::new();
        for (seed, experiments) in table.seeds().iter().zip(seeds) {
            if is_ours {
                output::tell(&format!("==> {}, seed {seed}", row.label));
            }
            match evaluated(experiments, is_ours, args, session)? {
                Some(evaluation) => evaluations.push(evaluation),
                None => missing += 1,
            }
        }
        results.push(RowResults { row, evaluations });
    }
    if missing > 0 && !args.finished {
        let complete = results.iter().filter(|row| !row.evaluations.is_empty());
        output::tell(&format!(
            "this part is done; {} of {} rows are complete, and the table is written when all are; `--finished` writes it as it is",
            complete.count(),
            table.rows.len()
        ));
        return Ok(Ending::Done);
    }
    let records: Vec<Record> = results.iter().flat_map(|row| table.records(row)).collect();
    let page = if table.metrics.is_empty() {
        table::markdown(&table, &records)
    } else {
        table::survey(&table, &results)
    };
    print(&table, &records, &page, session.json)?;
    write(&page, &records, args)?;
    if missing == 0 && records.iter().any(|record| record.missed) {
        output::tell("a figure missed; MISSED marks it");
        return Ok(Ending::GateMissed);
    }
    Ok(Ending::Done)
}

/// The experiments of a row, seed after seed.
fn experiments(table: &Table, row: &Row) -> Result<Vec<Vec<Experiment>>> {
    let place = || format!("row `{}`", row.label);
    let mut runs = table.runs(row).with_context(place)?;
    for experiment in runs.iter_mut().flatten() {
        experiment.check().with_context(place)?;
        experiment.dataset.settle().with_context(place)?;
    }
    Ok(runs)
}

/// The figures of one seed of a row, of all its experiments together; `None` when one has not run and is not to.
fn evaluated(
    experiments: &[Experiment],
    is_ours: bool,
    args: &ReproduceArgs,
    session: &Session,
) -> Result<Option<Evaluation>> {
    let store = args.runs.join(OWN_STORE);
    let mut whole: Option<Evaluation> = None;
    for experiment in experiments {
        let folder = RunDir::path_of(&args.runs, experiment);
        let found = if is_ours {
            Some(run(experiment, &folder, &store, session)?)
        } else {
            pipeline::finished(&folder)?
        };
        match (&mut whole, found) {
            (Some(whole), Some(found)) => whole.detectors.extend(found.detectors),
            (None, Some(found)) => whole = Some(found),
            // What has run is shown where the table is asked for as it is.
            (_, None) if args.finished => {}
            (_, None) => return Ok(None),
        }
    }
    Ok(whole)
}

/// Runs a row through every stage, or takes what an earlier start left.
fn run(
    experiment: &Experiment,
    folder: &Path,
    store: &Path,
    session: &Session,
) -> Result<Evaluation> {
    let options = &session.options(Stage::Evaluate, None);
    match pipeline::run(experiment, folder, store, options)? {
        Outcome::Complete(evaluation) => Ok(evaluation),
        Outcome::Stopped(_) | Outcome::OtherShardsMissing => {
            unreachable!("the whole and every stage were asked for")
        }
    }
}

fn print(table: &Table, records: &[Record], page: &str, as_json: bool) -> Result<()> {
    if as_json {
        return output::json(&records);
    }
    if !table.metrics.is_empty() {
        return output::line(page.trim_end());
    }
    output::line(&table.title)?;
    let mut text = output::table(&table::HEADING);
    for record in records {
        text.add_row(table::cells(record));
    }
    output::line(&text.to_string())?;
    output::line(&table.note)?;
    output::line(table::INTERVALS)
}

/// Leaves the table beside the runs, as a page and for programs, and the page where it was asked for.
fn write(page: &str, records: &[Record], args: &ReproduceArgs) -> Result<()> {
    let folder = args.runs.join("tables");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let json = serde_json::to_string_pretty(records)? + "\n";
    let mut files: Vec<(PathBuf, &str)> = Vec::new();
    for (ending, text) in [("md", page), ("json", &json)] {
        let name = args.file.with_extension(ending);
        let name = name.file_name().context("a file was read")?.to_owned();
        files.push((folder.join(name), text));
    }
    files.extend(args.page.clone().map(|path| (path, page)));
    for (path, text) in files {
        atomic::write(&path, text.as_bytes()).with_context(|| path.display().to_string())?;
        output::tell(&format!("written: {}", path.display()));
    }
    Ok(())
}
