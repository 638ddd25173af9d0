//! An experiment from data to report, stage by stage. Every stage is stored under the key of what it depends on, and
//! continued where it was interrupted.

mod error;

use std::collections::BTreeMap;
use std::path::Path;

use cd_core::Progress;
use cd_detect::{Shard, Verdict};
use cd_models::Device;

use super::run_dir::RunDir;
use super::stage::reference::Reference;
use super::stage::{
    self, Work, canary, data, detect, evaluate, look, poison, proof, report, train, verdict,
};
use super::store::Store;
use crate::evaluation::Evaluation;
use crate::experiment::Experiment;
use crate::findings;

pub use super::stage::report::channel_last;
pub use error::PipelineError;

/// The last stage to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Load and poison the data.
    Poison,
    /// Train the classifier.
    Train,
    /// Search the images.
    Detect,
    /// Measure and write the report.
    Evaluate,
}

/// What to do with an experiment.
pub struct RunOptions<'a> {
    /// Where to compute.
    pub device: &'a Device,
    /// The name of that device, kept with the run.
    pub device_name: &'a str,
    /// Batches that the device computes at the same time.
    pub workers: usize,
    /// The last stage to run.
    pub until: Stage,
    /// This process's share of the detection.
    pub shard: Shard,
    /// Told how far it is.
    pub progress: &'a dyn Progress,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Every stage is complete.
    Complete(Evaluation),
    /// The asked-for stage is complete; later ones were not asked for.
    Stopped(Stage),
    /// This shard is done; others are not.
    OtherShardsMissing,
}

/// Runs `experiment` and shows its results in `folder`. Stages are kept in the store at `store`: those that are complete there,
/// through whatever run, are not computed again.
///
/// # Errors
///
/// See [`PipelineError`]. What was finished stays in the store.
pub fn run(
    experiment: &Experiment,
    folder: &Path,
    store: &Path,
    options: &RunOptions<'_>,
) -> Result<Outcome, PipelineError> {
    experiment.check()?;
    let mut experiment = experiment.clone();
    experiment.dataset.settle()?;
    let experiment = &experiment;
    RunDir::check(folder, experiment, options.device_name)?;
    let seeded = experiment.seeded();
    let store = Store::open(store)?;
    // Before the folder is made: data that cannot be read leaves nothing behind.
    let loaded = data::load(&seeded, folder, &store, options)?;
    let run = RunDir::open(folder, experiment, options.device_name)?.with_store(&store)?;
    let work = Work::new(&seeded, &run, &store, options);
    let data = poison::poisoned(&work, loaded)?;
    if options.until == Stage::Poison {
        return Ok(Outcome::Stopped(Stage::Poison));
    }
    // Read before hours of training, which a file that is none would waste.
    let reference = match options.until {
        Stage::Train => None,
        _ => Reference::of(&work, &data)?,
    };
    if options.until != Stage::Train {
        detect::ahead(&work, &data)?;
    }
    let classifier = if experiment.has_classifier() || options.until == Stage::Train {
        look::look(&work, &data)?;
        Some(train::classifier(&work, &data)?)
    } else {
        None
    };
    if options.until == Stage::Train {
        return Ok(Outcome::Stopped(Stage::Train));
    }
    let classifier = classifier.as_ref();
    let Some(decided) = detect::all(&work, &data, classifier, reference.as_ref())? else {
        return Ok(Outcome::OtherShardsMissing);
    };
    let Some(power) = canary::power(&work, &data, classifier, &decided)? else {
        return Ok(Outcome::OtherShardsMissing);
    };
    let proofs = match classifier {
        Some(classifier) => proof::proofs(&work, &data, classifier, &decided)?,
        None => BTreeMap::new(),
    };
    verdict::verdict(&work, &data, &decided, power, proofs)?;
    if options.until == Stage::Detect {
        return Ok(Outcome::Stopped(Stage::Detect));
    }
    let evaluation = evaluate::evaluation(&work, &data, classifier, &decided)?;
    findings::write_contents(run.path(), &data.searched.set)?;
    report::write(experiment, &run, &data, &evaluation)?;
    Ok(Outcome::Complete(evaluation))
}

/// The figures of the run in `folder`; `None` when it has not come that far.
///
/// # Errors
///
/// When the run is of another layout, or damaged.
pub fn finished(folder: &Path) -> Result<Option<Evaluation>, PipelineError> {
    if !folder.join("evaluate/metrics.json").exists() {
        return Ok(None);
    }
    let (run, _) = RunDir::existing(folder)?;
    Ok(Some(stage::stored_evaluation(&run)?))
}

/// The verdict of the run in `folder`; `None` when it has not come that far, or none of its detectors judges classes.
///
/// # Errors
///
/// When the run is of another layout, or damaged.
pub fn verdict(folder: &Path) -> Result<Option<Verdict>, PipelineError> {
    let (run, _) = RunDir::existing(folder)?;
    Ok(findings::verdict(run.path())?)
}

/// Writes the report of a complete run again.
///
/// # Errors
///
/// When the run is not complete, or its data have changed or cannot be loaded again.
pub fn rewrite_report(folder: &Path, options: &RunOptions<'_>) -> Result<(), PipelineError> {
    let (run, text) = RunDir::existing(folder)?;
    let experiment = Experiment::parse(&text, &run.join("config.toml").display().to_string(), &[])?;
    // A detector may have been added to a complete run, and not have run yet.
    let labels = experiment.detector_labels();
    let evaluation = finished(folder)?.filter(|found| {
        let measured = found.detectors.iter().map(|found| &found.detector);
        measured.eq(&labels)
    });
    let Some(evaluation) = evaluation else {
        return Err(PipelineError::Missing(format!(
            "{}: this run is not complete; the command that began it continues it and writes the report",
            folder.display()
        )));
    };
    let seeded = experiment.seeded();
    let store = Store::open(&run.store()?)?;
    let run = run.with_store(&store)?;
    let loaded = data::load(&seeded, folder, &store, options)?;
    let work = Work::new(&seeded, &run, &store, options);
    let data = poison::poisoned(&work, loaded)?;
    report::write(&experiment, &run, &data, &evaluation)
}
