//! `reproduce`: the rows of a table of experiments, ours beside what was expected and reported.

use std::path::Path;

use anyhow::{Context, Result};
use cd_core::atomic;
use cd_eval::Experiment;
use cd_eval::evaluation::Evaluation;
use cd_eval::pipeline::{self, Outcome, Stage};
use cd_eval::run_dir::{OWN_STORE, RunDir};
use cd_eval::table::{self, Record, Row, Table};

use super::Session;
use crate::Ending;
use crate::args::ReproduceArgs;
use crate::output;

pub(crate) fn reproduce(args: &ReproduceArgs, session: &Session) -> Result<Ending> {
    let table = Table::read(&args.file)?;
    // All of them, before the first is computed for hours.
    let experiments: Vec<Experiment> = table
        .rows
        .iter()
        .map(|row| experiment(&table, row))
        .collect::<Result<_>>()?;
    let (index, count) = args.shard.unwrap_or((0, 1));
    let store = args.runs.join(OWN_STORE);
    let mut complete = Vec::new();
    for (at, (row, experiment)) in table.rows.iter().zip(&experiments).enumerate() {
        let folder = RunDir::path_of(&args.runs, experiment);
        let evaluation = if at % count == index {
            eprintln!("==> {}", row.label);
            Some(run(experiment, &folder, &store, session)?)
        } else {
            pipeline::finished(&folder)?
        };
        complete.extend(evaluation.map(|evaluation| table.records(row, &evaluation)));
    }
    if complete.len() < table.rows.len() {
        eprintln!(
            "this part is done; {} of {} rows are complete, and the table is written when all are",
            complete.len(),
            table.rows.len()
        );
        return Ok(Ending::Done);
    }
    let records: Vec<Record> = complete.into_iter().flatten().collect();
    print(&table, &records, session.json)?;
    write(&table, &records, args)?;
    if records.iter().any(|record| record.missed) {
        eprintln!("a figure missed; MISSED marks it");
        return Ok(Ending::GateMissed);
    }
    Ok(Ending::Done)
}

fn experiment(table: &Table, row: &Row) -> Result<Experiment> {
    let place = || format!("row `{}`", row.label);
    let mut experiment = Experiment::read(&table.experiment, &row.set).with_context(place)?;
    experiment.dataset.settle().with_context(place)?;
    Ok(experiment)
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

fn print(table: &Table, records: &[Record], as_json: bool) -> Result<()> {
    if as_json {
        return output::json(&records);
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

/// Leaves the table beside the runs, as a page and for programs.
fn write(table: &Table, records: &[Record], args: &ReproduceArgs) -> Result<()> {
    let folder = args.runs.join("tables");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let json = serde_json::to_string_pretty(records)? + "\n";
    let contents = [("md", table::markdown(table, records)), ("json", json)];
    for (ending, text) in contents {
        let name = args.file.with_extension(ending);
        let path = folder.join(name.file_name().context("a file was read")?);
        atomic::write(&path, text.as_bytes()).with_context(|| path.display().to_string())?;
        eprintln!("written: {}", path.display());
    }
    Ok(())
}
