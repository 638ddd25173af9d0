//! `demo`, `run` and `report`: experiments in run directories.

use std::path::Path;

use anyhow::Result;
use cd_eval::Experiment;
use cd_eval::evaluation::Evaluation;
use cd_eval::pipeline::{self, Outcome, Stage};
use cd_eval::run_dir::{self, RunDir};

use super::Session;
use crate::Ending;
use crate::args::{DemoArgs, ReportArgs, RunArgs, Until};
use crate::output;

/// The experiment behind `demo`, embedded so that the binary needs no other file.
pub(crate) const DEMO: &str = include_str!("../../../../configs/experiment/demo.toml");

/// What the demo promises.
const MIN_ATTACK_SUCCESS: f64 = 0.95;
const MIN_CLEAN_ACCURACY: f64 = 0.85;
const MIN_AUROC: f64 = 0.95;

pub(crate) fn demo(args: &DemoArgs, session: &Session) -> Result<Ending> {
    let mut experiment = Experiment::parse(DEMO, "the built-in demo", &args.overrides)?;
    experiment.seed = experiment.seed.wrapping_add(args.seed);
    let folder = args
        .out
        .join(format!("{}-s{}", experiment.hash(), experiment.seed));
    let options = session.options(Stage::Evaluate, None);
    let Outcome::Complete(evaluation) = pipeline::run(&experiment, &folder, &options)? else {
        unreachable!("one shard and every stage were asked for");
    };
    output::evaluation(&evaluation, &folder, session.json)?;
    Ok(gates(&evaluation))
}

/// Whether the demo shows what it is there to show.
fn gates(evaluation: &Evaluation) -> Ending {
    let estimate = |value: Option<cd_eval::evaluation::Measured>| value.map_or(0.0, |v| v.estimate);
    let best = evaluation
        .detectors
        .iter()
        .map(|detector| estimate(detector.metric("AUROC")))
        .fold(0.0, f64::max);
    let gates = [
        (
            "attack success rate",
            estimate(evaluation.attack_success_rate),
            MIN_ATTACK_SUCCESS,
        ),
        (
            "clean accuracy",
            estimate(evaluation.clean_accuracy),
            MIN_CLEAN_ACCURACY,
        ),
        ("best AUROC", best, MIN_AUROC),
    ];
    let mut ending = Ending::Done;
    for (name, value, least) in gates {
        if value < least {
            eprintln!("gate missed: {name} is {value:.3}, expected at least {least}");
            ending = Ending::GateMissed;
        }
    }
    ending
}

pub(crate) fn run(args: &RunArgs, session: &Session) -> Result<Ending> {
    let experiment = Experiment::read(&args.file, &args.overrides)?;
    let folder = RunDir::path_of(&args.runs, &experiment);
    if args.dry_run {
        plan(&experiment, &folder)?;
        return Ok(Ending::Done);
    }
    let until = match args.until {
        Until::Poison => Stage::Poison,
        Until::Train => Stage::Train,
        Until::Detect => Stage::Detect,
        Until::Evaluate => Stage::Evaluate,
    };
    let options = session.options(until, args.shard);
    let outcome = pipeline::run(&experiment, &folder, &options)?;
    finish(&outcome, &folder, session)
}

/// Prints what a run came to.
pub(crate) fn finish(outcome: &Outcome, folder: &Path, session: &Session) -> Result<Ending> {
    match outcome {
        Outcome::Complete(evaluation) => output::evaluation(evaluation, folder, session.json)?,
        Outcome::Stopped(_) => output::line(&folder.display().to_string())?,
        Outcome::OtherShardsMissing => {
            eprintln!("this shard is done; results are written when the others are, too");
            output::line(&folder.display().to_string())?;
        }
    }
    Ok(Ending::Done)
}

/// The stages with their sizes and what is done already.
fn plan(experiment: &Experiment, folder: &Path) -> Result<()> {
    let done = |stage: &str| {
        if run_dir::stage_is_done(folder, stage) {
            "done"
        } else {
            "to do"
        }
    };
    output::line(&format!("run directory: {}", folder.display()))?;
    let mut table = output::table(&["stage", "work", "state"]);
    let poison = experiment
        .poison
        .as_ref()
        .map_or("none: data as it comes".to_owned(), |poison| {
            format!("{} at {} %", poison.attack.name(), poison.rate * 100.0)
        });
    table.add_row(["poison", &poison, done("poison")]);
    let train = match &experiment.weights {
        Some(path) => format!("none: weights from {}", path.display()),
        None => format!(
            "{}, {} epochs",
            experiment.model.name, experiment.train.epochs
        ),
    };
    table.add_row(["train", &train, done("train")]);
    for label in experiment.detector_labels() {
        let images = match experiment.detect.sample {
            Some(sample) => format!("up to {sample} images"),
            None => "all images".to_owned(),
        };
        let stage = format!("detect/{label}");
        table.add_row([stage.as_str(), images.as_str(), done(&stage)]);
    }
    table.add_row(["evaluate", "metrics and report", done("evaluate")]);
    output::line(&table.to_string())
}

pub(crate) fn report(args: &ReportArgs, session: &Session) -> Result<Ending> {
    let options = session.options(Stage::Evaluate, None);
    pipeline::rewrite_report(&args.run, &options)?;
    output::line(&args.run.join("report.html").display().to_string())?;
    Ok(Ending::Done)
}
