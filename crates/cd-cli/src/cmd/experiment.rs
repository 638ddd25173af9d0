//! `demo`, `run` and `report`: experiments in run directories.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use cd_eval::Experiment;
use cd_eval::evaluation::Evaluation;
use cd_eval::pipeline::{self, Outcome, Stage};
use cd_eval::run_dir::{OWN_STORE, RunDir};
use cd_eval::store::{StageName, Store};

use super::Session;
use crate::Ending;
use crate::args::{DemoArgs, ReportArgs, RunArgs, Until};
use crate::output;

/// The experiment behind `demo`, embedded so that the binary needs no other file; `configs/experiment/demo.toml` again, as a crate
/// that is published holds its own files alone.
pub(crate) const DEMO: &str = include_str!("../demo.toml");

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
    let store = args.out.join(OWN_STORE);
    let Outcome::Complete(evaluation) = pipeline::run(&experiment, &folder, &store, &options)?
    else {
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
            output::tell(&format!(
                "gate missed: {name} is {value:.3}, expected at least {least}"
            ));
            ending = Ending::GateMissed;
        }
    }
    ending
}

pub(crate) fn run(args: &RunArgs, session: &Session) -> Result<Ending> {
    let mut experiment = Experiment::read(&args.file, &args.overrides)?;
    session.settle(&mut experiment.dataset)?;
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
    let store = args.runs.join(OWN_STORE);
    let outcome = pipeline::run(&experiment, &folder, &store, &options)?;
    finish(&outcome, &folder, session)
}

/// Prints what a run came to.
pub(crate) fn finish(outcome: &Outcome, folder: &Path, session: &Session) -> Result<Ending> {
    match outcome {
        Outcome::Complete(evaluation) => output::evaluation(evaluation, folder, session.json)?,
        Outcome::Stopped(_) => output::line(&folder.display().to_string())?,
        Outcome::OtherShardsMissing => {
            output::tell("this shard is done; results are written when the others are, too");
            output::line(&folder.display().to_string())?;
        }
    }
    Ok(Ending::Done)
}

/// The stages with their sizes and what is done already, as far as the run has come to know its stages.
fn plan(experiment: &Experiment, folder: &Path) -> Result<()> {
    let begun = RunDir::existing(folder).and_then(|(run, _)| Ok((run.stages()?, run.store()?)));
    let (stages, store) = match begun {
        Ok((stages, store)) => (stages.stages, Some(Store::open(&store)?)),
        Err(_) => (BTreeMap::new(), None),
    };
    let done = |name: &str| {
        let slot = stages.get(name).zip(store.as_ref());
        let slot = slot.map(|(found, store)| store.slot(found.stage, &found.key));
        match slot {
            Some(slot) if slot.is_done() => "done",
            Some(_) => "begun",
            None => "to do",
        }
    };
    output::line(&format!("run directory: {}", folder.display()))?;
    let mut table = output::table(&["stage", "work", "state"]);
    if let Some(poison) = &experiment.poison {
        let what = format!("{} at {} %", poison.attack.name(), poison.rate * 100.0);
        if poison.attack.attack().needs().stored {
            table.add_row(["craft", poison.attack.name(), done("craft")]);
        }
        table.add_row(["poison", &what, done("poison")]);
    }
    match (experiment.given_weights(), &experiment.model) {
        (Some(path), _) => {
            let what = format!("none: weights from {}", path.display());
            table.add_row(["train", &what, "done"]);
        }
        (None, _) if !experiment.has_classifier() => {
            table.add_row(["train", "none: no detector looks at a classifier", "done"]);
        }
        (None, model) => {
            let start = experiment.weights.as_ref();
            let name = match (start, model) {
                (Some(path), _) => format!("from {}", path.display()),
                (None, model) => model
                    .as_ref()
                    .map_or(String::new(), |model| model.name.clone()),
            };
            let what = format!("{name}, {} epochs", experiment.train.epochs);
            table.add_row(["train", &what, done("train")]);
        }
    }
    for label in experiment.detector_labels() {
        let images = match experiment.detect.sample {
            Some(sample) => format!("up to {sample} images"),
            None => "all images".to_owned(),
        };
        let stage = format!("{}/{label}", StageName::Detect.name());
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

#[cfg(test)]
mod tests {
    use super::DEMO;

    #[test]
    fn the_demo_is_the_experiment_file() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../configs/experiment/demo.toml"
        );
        let text = std::fs::read_to_string(file).expect("part of the repository");
        assert_eq!(text, DEMO);
    }
}
