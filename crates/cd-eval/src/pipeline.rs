//! An experiment from data to report, stage by stage, each continued where it was interrupted.

mod data;
mod detect;
mod evaluate;
mod masks;
mod report;
mod train;

use std::path::Path;

use cd_data::{AttackError, DataError, ManifestError, PoisonError};
use cd_detect::{DetectError, Shard, ThresholdError};
use cd_models::{Device, InputSizeError, Progress, StorageError, TrainError, WeightsError};
use thiserror::Error;

use crate::evaluation::Evaluation;
use crate::experiment::{Experiment, ExperimentError};
use crate::picture::PictureError;
use crate::report::{MeasureError, ReportError};
use crate::run_dir::{RunDir, RunDirError};
use crate::scores::ScoresError;

pub use data::Data;
pub use report::channel_last;

/// Why a run stopped. What it had finished stays on disk.
#[derive(Debug, Error)]
pub enum PipelineError {
    /// The experiment is not valid.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// The images could not be loaded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The attack could not be set up.
    #[error(transparent)]
    Attack(#[from] AttackError),
    /// The images could not be poisoned.
    #[error(transparent)]
    Poison(#[from] PoisonError),
    /// The manifest could not be written or read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The weights could not be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The model cannot take images of this size.
    #[error(transparent)]
    InputSize(#[from] InputSizeError),
    /// A detector failed.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// The rule could not be applied.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// Metrics could not be computed.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// Tables of scores could not be read or written.
    #[error(transparent)]
    Scores(#[from] ScoresError),
    /// The report could not be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A picture could not be made.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// Images or masks could not be kept or read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The run directory is unusable.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// A stage needs something that the data does not have.
    #[error("{0}")]
    Missing(String),
}

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

/// Runs `experiment` in `folder`, continuing where an earlier start stopped.
///
/// # Errors
///
/// See [`PipelineError`].
pub fn run(
    experiment: &Experiment,
    folder: &Path,
    options: &RunOptions<'_>,
) -> Result<Outcome, PipelineError> {
    experiment.check()?;
    let seeded = experiment.seeded();
    // Before the folder is made: data that cannot be read leaves nothing behind.
    let data = data::load(&seeded, options)?;
    let run = RunDir::open(folder, experiment, options.device_name)?;
    data::keep_manifests(&run, &data)?;
    if options.until == Stage::Poison {
        return Ok(Outcome::Stopped(Stage::Poison));
    }
    let model = train::trained(&seeded, &run, &data, options)?;
    if options.until == Stage::Train {
        return Ok(Outcome::Stopped(Stage::Train));
    }
    if !detect::all(&seeded, &run, &data, &model, options)? {
        return Ok(Outcome::OtherShardsMissing);
    }
    if options.until == Stage::Detect {
        return Ok(Outcome::Stopped(Stage::Detect));
    }
    let evaluation = evaluate::evaluation(&seeded, &run, &data, &model, options)?;
    report::write(experiment, &run, &data, &evaluation)?;
    Ok(Outcome::Complete(evaluation))
}

/// Writes the report of a complete run again.
///
/// # Errors
///
/// When the run is not complete, or its data cannot be loaded again.
pub fn rewrite_report(folder: &Path, options: &RunOptions<'_>) -> Result<(), PipelineError> {
    let (run, text) = RunDir::existing(folder)?;
    let experiment = Experiment::parse(&text, &run.join("config.toml").display().to_string(), &[])?;
    let data = data::load(&experiment.seeded(), options)?;
    data::keep_manifests(&run, &data)?;
    let evaluation: Evaluation = run.read_json(Path::new("evaluate/metrics.json"))?;
    report::write(&experiment, &run, &data, &evaluation)
}
