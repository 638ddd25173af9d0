//! The classifier of a run: trained here, or read from a file.

use cd_core::Key;
use cd_models::{
    Checkpoints, Classifier, TrainConfig, WeightsRequest, save_weights, train, write_losses,
};

use super::Work;
use super::agreement;
use super::classifier::Trained;
use super::data::Data;
use crate::pipeline::PipelineError;
use crate::store::{Slot, StageName, StoreError, discard, write_json};

const WEIGHTS: &str = "model.safetensors";
/// Written where images were held out to tell which epoch was best.
const BEST: &str = "best.safetensors";
const LAST: &str = "last.safetensors";
const CHECKPOINTS: &str = "checkpoints";
pub(super) const HISTORY: &str = "history.json";
pub(super) const LOSSES: &str = "losses.f32";

/// The classifier: one that is complete in the store is not trained again.
pub(crate) fn classifier(work: &Work<'_>, data: &Data) -> Result<Trained, PipelineError> {
    let mut request = WeightsRequest::default();
    let (path, training) = if let Some(path) = &work.experiment.weights {
        request.key.clone_from(&work.experiment.weights_key);
        (path.clone(), None)
    } else {
        let slot = training(work, data)?;
        (slot.join(WEIGHTS), Some(slot))
    };
    let model = request.load(&path, work.options.device)?;
    let trained = Trained {
        key: model.fingerprint(),
        model,
        training,
    };
    let images = data.poisoned.train();
    trained.model.check_size(images.height(), images.width())?;
    let stages = work.run.stages()?;
    super::unchanged(
        work.run,
        stages.classifier.as_ref(),
        &trained.key,
        "the pictures or the weights",
    )?;
    work.run
        .update(|stages| stages.classifier = Some(trained.key.clone()))?;
    if trained.training.is_none() {
        agreement::check(work, data, &trained)?;
    }
    Ok(trained)
}

fn training(work: &Work<'_>, data: &Data) -> Result<Slot, PipelineError> {
    let model = work.experiment.model.as_ref();
    let model = model.ok_or_else(|| PipelineError::Missing("no `[model]` to train".into()))?;
    let config = TrainConfig {
        record_losses: work.experiment.recorded_losses(),
        ..work.experiment.train.clone()
    };
    let key = Key::of("train 1")
        .with("model", model)
        .with("train", &config)
        .text("images", &data.train_key)
        .text("device", work.options.device_name)
        .finish();
    let slot = work.slot("train", StageName::Train, &key)?;
    let what = format!("{}, {} epochs", model.name, config.epochs);
    slot.fill::<PipelineError>(&what, work.options.progress, |folder| {
        let checkpoints = folder.join(CHECKPOINTS);
        let checkpoints = Checkpoints::in_folder(&checkpoints).of_images(&data.train_key);
        let trained = train(
            model,
            data.poisoned.train(),
            &config,
            Some(checkpoints),
            work.options.device,
            work.options.progress,
        )?;
        save_weights(&trained.model, &folder.join(WEIGHTS))?;
        if let Some(snapshots) = &trained.snapshots {
            save_weights(&snapshots.best, &folder.join(BEST))?;
            save_weights(&snapshots.last, &folder.join(LAST))?;
        }
        let losses = folder.join(LOSSES);
        write_losses(&losses, &trained.history.losses_matrix()).map_err(StoreError::io(&losses))?;
        Ok(write_json(&folder.join(HISTORY), &trained.history)?)
    })?;
    discard(&slot.join(CHECKPOINTS))?;
    work.run
        .publish("train", &slot, &[WEIGHTS, BEST, LAST, HISTORY, LOSSES])?;
    Ok(slot)
}
