//! A run that exists, opened again for what comes after it.

use std::path::Path;

use super::pipeline::{PipelineError, RunOptions};
use super::run_dir::RunDir;
use super::stage::classifier::Trained;
use super::stage::data::Data;
use super::stage::{Work, data, poison, train};
use super::store::Store;
use crate::experiment::Experiment;

/// Calls `then` with the images and the classifier of the run in `folder`. What is stored is read; a classifier that was not trained to
/// the end is trained, but not where all that was stored is gone.
pub(super) fn with_run<T>(
    folder: &Path,
    options: &RunOptions<'_>,
    then: impl FnOnce(&Work<'_>, &Data, &Trained) -> Result<T, PipelineError>,
) -> Result<T, PipelineError> {
    if !folder.join("config.toml").is_file() {
        return Err(PipelineError::Missing(format!(
            "{}: this is no folder of a run: it has no config.toml; name one that `scan`, `detect` or `run` wrote",
            folder.display()
        )));
    }
    let (run, text) = RunDir::existing(folder)?;
    let experiment = Experiment::parse(&text, &run.join("config.toml").display().to_string(), &[])?;
    if !experiment.has_classifier() {
        return Err(PipelineError::Missing(format!(
            "{}: none of the detectors of this run looks at a classifier, so there is none; scan the pictures into another folder without `--detector` first",
            folder.display()
        )));
    }
    let experiment = experiment.seeded();
    let store = Store::open(&run.present_store()?)?;
    let run = run.with_store(&store)?;
    let loaded = data::load(&experiment, folder, &store, options)?;
    let work = Work::new(&experiment, &run, &store, options);
    let data = poison::poisoned(&work, loaded)?;
    let trained = train::classifier(&work, &data)?;
    let classes = data.poisoned.train().class_count();
    if trained.model.classes() != classes {
        return Err(PipelineError::Missing(format!(
            "the classifier knows {} classes and the images have {classes}: what their labels mean to it is unknown",
            trained.model.classes()
        )));
    }
    then(&work, &data, &trained)
}
