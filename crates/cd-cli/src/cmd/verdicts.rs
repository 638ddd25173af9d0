//! `verdicts`: many clean and poisoned sets, each scanned as a user would, and the share of right verdicts.

mod case;
mod record;
mod summary;
mod vary;

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use cd_core::{atomic, npy};
use cd_data::DatasetConfig;
use cd_data::poison::poison_on;
use cd_eval::pipeline::{self, Outcome, Stage};
use cd_eval::run_dir::OWN_STORE;
use cd_models::{ImageSet, NoProgress};
use clap::Parser;

use self::case::{Case, Sets};
use self::record::Record;
use super::{Session, folder};
use crate::Ending;
use crate::args::{Cli, Command, VerdictsArgs};
use crate::output;

pub(crate) fn verdicts(args: &VerdictsArgs, session: &Session) -> Result<Ending> {
    let sets = Sets::read(&args.file)?;
    let only = args.only.as_deref().unwrap_or_default();
    let cases: Vec<Case<'_>> = sets.cases();
    let cases: Vec<&Case<'_>> = cases
        .iter()
        .filter(|case| case.name().contains(only))
        .collect();
    let (index, count) = args.shard.unwrap_or((0, 1));
    fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    for (number, case) in cases.iter().enumerate() {
        let file = args.out.join(format!("{}.json", case.name()));
        if args.finished || number % count != index || file.exists() {
            continue;
        }
        output::tell(&format!(
            "==> {} ({} of {})",
            case.name(),
            number + 1,
            cases.len()
        ));
        match scanned(case, args, session) {
            Ok(record) => {
                let text = serde_json::to_string_pretty(&record)? + "\n";
                atomic::write(&file, text.as_bytes())
                    .with_context(|| file.display().to_string())?;
            }
            // One set that fails must not keep the others from being scanned: the summary counts it as missing.
            Err(error) => output::tell(&format!("{}: {error:#}", case.name())),
        }
    }
    let mut records = Vec::new();
    for case in &cases {
        let file = args.out.join(format!("{}.json", case.name()));
        if let Ok(text) = fs::read_to_string(&file) {
            let record: Record =
                serde_json::from_str(&text).with_context(|| file.display().to_string())?;
            records.push(record);
        }
    }
    if records.is_empty() {
        bail!("none of the {} sets was scanned", cases.len());
    }
    let page = summary::page(&sets, &records, cases.len());
    if let Some(path) = &args.page {
        atomic::write(path, page.as_bytes()).with_context(|| path.display().to_string())?;
    }
    output::line(page.trim_end())?;
    Ok(Ending::Done)
}

/// Makes the set, scans it, and keeps what is of interest.
fn scanned(case: &Case<'_>, args: &VerdictsArgs, session: &Session) -> Result<Record> {
    let started = Instant::now();
    let folder = args.out.join("sets").join(case.name());
    let (set, truth) = made(case, session)?;
    let images = folder.join("images");
    write_arrays(&set, &images)?;
    let run = folder.join("scan");
    let mut line = vec![
        "cd-cli".to_owned(),
        "scan".to_owned(),
        "--images".to_owned(),
        images.display().to_string(),
        "--seed".to_owned(),
        case.seed.to_string(),
    ];
    line.extend(case.source.scan.iter().cloned());
    let cli = Cli::try_parse_from(&line).context("`scan` of the source")?;
    let Command::Scan(scan) = cli.command else {
        bail!("`scan` of the source is another command");
    };
    let experiment = folder::scan_experiment(&scan, session)?;
    let options = session.options(Stage::Evaluate, None);
    let outcome = pipeline::run(&experiment, &run, &run.join(OWN_STORE), &options)?;
    if !matches!(outcome, Outcome::Complete(_)) {
        bail!("the scan has not come to an end");
    }
    let seconds = started.elapsed().as_secs_f64();
    let record = Record::of(case, &run, &set, &truth, seconds)?;
    if !args.keep {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    Ok(record)
}

/// The images of the case, and which of them are poisoned.
fn made(case: &Case<'_>, session: &Session) -> Result<(ImageSet, Vec<bool>)> {
    let mut dataset: DatasetConfig = case.source.dataset.clone();
    dataset.settle()?;
    let split = dataset.load(&NoProgress)?;
    let chosen = vary::varied(&split.train, case.source.count, case.variant, case.seed)?;
    let Some(config) = case.poison() else {
        let clean = vec![false; chosen.len()];
        return Ok((chosen, clean));
    };
    let split = cd_data::Split {
        train: chosen,
        test: None,
        ..split
    };
    let (poisoned, truth) = poison_on(&split, &config, &session.device, &NoProgress)?;
    Ok((poisoned.train().clone(), truth.train().is_poisoned()))
}

/// Writes images and labels as arrays, which take no time to read.
fn write_arrays(set: &ImageSet, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut pixels = Vec::with_capacity(set.len() * set.image_len());
    for index in 0..set.len() {
        pixels.extend_from_slice(&set.pixels(index)?);
    }
    let shape = [set.len(), set.height(), set.width(), 3];
    npy::save(&folder.join("x.npy"), &shape, &pixels)?;
    let labels: Vec<i64> = set.labels().iter().map(|&label| i64::from(label)).collect();
    npy::save(&folder.join("y.npy"), &[set.len()], &labels)?;
    Ok(())
}
