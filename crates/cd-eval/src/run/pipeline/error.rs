//! Why a run stopped.

use cd_core::ImageSetError;
use cd_data::{AttackError, DataError, ManifestError, PoisonError};
use cd_detect::{DetectError, MitigationError, ThresholdError};
use cd_models::{InputSizeError, LossesError, StorageError, TrainError, WeightsError};
use thiserror::Error;

use crate::experiment::ExperimentError;
use crate::findings::FindingsError;
use crate::picture::PictureError;
use crate::report::{MeasureError, ReportError};
use crate::run_dir::RunDirError;
use crate::scores::ScoresError;
use crate::store::StoreError;

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
    /// The losses of a training are damaged.
    #[error(transparent)]
    Losses(#[from] LossesError),
    /// The weights could not be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The model cannot take images of this size.
    #[error(transparent)]
    InputSize(#[from] InputSizeError),
    /// A detector failed.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// A mitigation failed.
    #[error(transparent)]
    Mitigation(#[from] MitigationError),
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
    /// The verdict could not be read.
    #[error(transparent)]
    Findings(#[from] FindingsError),
    /// A picture could not be made.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// Images could not be put together.
    #[error(transparent)]
    Images(#[from] ImageSetError),
    /// Images or masks could not be kept or read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The run directory is unusable.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// A stored stage is unusable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stage needs something that the data does not have.
    #[error("{0}")]
    Missing(String),
}
