//! The classifier of a run: trained here, or read from a file.

use std::path::Path;

use cd_core::Key;
use cd_models::{
    Checkpoints, Classifier, EpochReport, History, Model, TrainConfig, WeightsRequest, fine_tune,
    save_weights, train, write_losses,
};

use super::Work;
use super::agreement;
use super::classifier::Trained;
use super::data::Data;
use crate::pipeline::PipelineError;
use crate::run_dir::RunDir;
use crate::store::{Slot, StageName, StoreError, discard, write_json};

const WEIGHTS: &str = "model.safetensors";
/// Written where images were held out to tell which epoch was best.
const BEST: &str = "best.safetensors";
const LAST: &str = "last.safetensors";
const CHECKPOINTS: &str = "checkpoints";
const HISTORY: &str = "history.json";
pub(super) const LOSSES: &str = "losses.f32";

/// Share of its training images that a classifier has learned from which it would have learned a trigger.
const LEARNED: f64 = 0.8;

/// The classifier: one that is complete in the store is not trained again.
pub(crate) fn classifier(work: &Work<'_>, data: &Data) -> Result<Trained, PipelineError> {
    let mut request = WeightsRequest::default();
    let (path, training) = if let Some(path) = work.experiment.given_weights() {
        request.key.clone_from(&work.experiment.weights_key);
        (path.to_owned(), None)
    } else {
        let slot = training(work, data)?;
        (slot.join(WEIGHTS), Some(slot))
    };
    let model = request.load(&path, work.options.device)?;
    let trained = Trained {
        key: model.fingerprint(),
        model,
        training,
        is_finetuned: work.experiment.train.finetune.is_some(),
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

/// The weights that training continues from, where it does.
pub(super) fn start(work: &Work<'_>) -> Result<Option<Model>, PipelineError> {
    let experiment = work.experiment;
    let weights = experiment.weights.as_deref();
    let Some(weights) = weights.filter(|_| experiment.train.finetune.is_some()) else {
        return Ok(None);
    };
    let request = WeightsRequest::under(experiment.weights_key.as_deref());
    Ok(Some(request.load(weights, work.options.device)?))
}

/// The last report of the training of a run; `None` where nothing was trained.
pub(super) fn last_epoch(run: &RunDir) -> Result<Option<EpochReport>, PipelineError> {
    let path = Path::new("train").join(HISTORY);
    if !run.join(&path).exists() {
        return Ok(None);
    }
    let history: History = run.read_json(&path)?;
    Ok(history.epochs.into_iter().next_back())
}

/// What a verdict says of a classifier that has not learned its own training images.
pub(super) fn warning(run: &RunDir) -> Result<Option<String>, PipelineError> {
    let last = last_epoch(run)?;
    let share = last.map_or(1.0, |report| report.train_accuracy);
    Ok((share < LEARNED).then(|| {
        format!(
            "The classifier takes only {:.1} % of the pictures that it was trained on for their class, so it may not have learned a trigger, \
             either: more epochs, more channels or smaller pictures would help.",
            share * 100.0
        )
    }))
}

fn training(work: &Work<'_>, data: &Data) -> Result<Slot, PipelineError> {
    let start = start(work)?;
    let model = start.as_ref().map(Model::config);
    let model = model.or(work.experiment.model.as_ref());
    let model = model.ok_or_else(|| PipelineError::Missing("no `[model]` to train".into()))?;
    let config = TrainConfig {
        record_losses: work.experiment.recorded_losses(),
        ..work.experiment.train.clone()
    };
    let (images, images_key) = data.training();
    let key = Key::of("train 1")
        .with("model", model)
        .with("train", &config)
        .text("images", images_key)
        .text("device", work.options.device_name);
    let key = match &start {
        Some(start) => key.text("start", &start.fingerprint()),
        None => key,
    };
    let slot = work.slot("train", StageName::Train, &key.finish())?;
    let what = format!("{}, {} epochs", model.name, config.epochs);
    slot.fill::<PipelineError>(&what, work.options.progress, |folder| {
        let checkpoints = folder.join(CHECKPOINTS);
        let checkpoints = Checkpoints::in_folder(&checkpoints).of_images(images_key);
        let checkpoints = Some(checkpoints);
        let (device, progress) = (work.options.device, work.options.progress);
        let trained = match &start {
            Some(start) => fine_tune(start, images, &config, checkpoints, device, progress),
            None => train(model, images, &config, checkpoints, device, progress),
        }?;
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
