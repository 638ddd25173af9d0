//! The classifier of a run: trained here, or read from a file.

use std::fs;
use std::path::Path;

use cd_models::{Checkpoints, Classifier, Model, load_weights, save_weights, train};

use super::data::Data;
use super::{PipelineError, RunOptions};
use crate::experiment::Experiment;
use crate::run_dir::{RunDir, RunDirError};

const STAGE: &str = "train";
const WEIGHTS: &str = "model.safetensors";
/// Written where images were held out to tell which epoch was best.
const BEST: &str = "best.safetensors";
const LAST: &str = "last.safetensors";
const CHECKPOINTS: &str = "checkpoints";

pub(super) fn trained(
    experiment: &Experiment,
    run: &RunDir,
    data: &Data,
    options: &RunOptions<'_>,
) -> Result<Model, PipelineError> {
    if let Some(path) = &experiment.weights {
        let model = load_weights(path, options.device)?;
        let images = data.poisoned.train();
        model.check_size(images.height(), images.width())?;
        return Ok(model);
    }
    run.stage::<PipelineError>(Path::new(STAGE), |folder| {
        let trained = train(
            &experiment.model,
            data.poisoned.train(),
            &experiment.train,
            Some(Checkpoints::in_folder(&folder.join(CHECKPOINTS))),
            options.device,
            options.progress,
        )?;
        save_weights(&trained.model, &folder.join(WEIGHTS))?;
        if let Some(snapshots) = &trained.snapshots {
            save_weights(&snapshots.best, &folder.join(BEST))?;
            save_weights(&snapshots.last, &folder.join(LAST))?;
        }
        let losses = trained.history.losses.iter().flatten();
        let bytes: Vec<u8> = losses.flat_map(|loss| loss.to_le_bytes()).collect();
        run.write(&Path::new(STAGE).join("losses.f32"), &bytes)?;
        run.write_json(&Path::new(STAGE).join("history.json"), &trained.history)?;
        Ok(())
    })?;
    let checkpoints = run.join(STAGE).join(CHECKPOINTS);
    if checkpoints.exists() {
        fs::remove_dir_all(&checkpoints).map_err(|source| RunDirError::Io {
            path: checkpoints,
            source,
        })?;
    }
    Ok(load_weights(
        &run.join(STAGE).join(WEIGHTS),
        options.device,
    )?)
}
