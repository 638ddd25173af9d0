//! Measures a run against its ground truth, where there is one.

use std::path::Path;

use cd_models::{ImageSet, Model, predict};

use super::data::Data;
use super::{PipelineError, RunOptions, detect};
use crate::evaluation::{DetectorMetrics, Evaluation, Measured, Metric, measure, share};
use crate::experiment::Experiment;
use crate::run_dir::RunDir;
use crate::scores::ScoreRow;

/// Images per batch of plain predictions.
const BATCH: usize = 250;

pub(super) fn evaluation(
    experiment: &Experiment,
    run: &RunDir,
    data: &Data,
    model: &Model,
    options: &RunOptions<'_>,
) -> Result<Evaluation, PipelineError> {
    let file = Path::new("evaluate/metrics.json");
    run.stage::<PipelineError>(Path::new("evaluate"), |_| {
        let evaluation = compute(experiment, run, data, model, options)?;
        Ok(run.write_json(file, &evaluation)?)
    })?;
    Ok(run.read_json(file)?)
}

fn compute(
    experiment: &Experiment,
    run: &RunDir,
    data: &Data,
    model: &Model,
    options: &RunOptions<'_>,
) -> Result<Evaluation, PipelineError> {
    let truth = data.truth.as_ref();
    let hits = |set: Option<&ImageSet>| accuracy(experiment, model, set, options);
    let clean = match truth {
        Some(truth) => hits(truth.clean_test())?,
        None => hits(data.poisoned.test())?,
    };
    let attack = hits(truth.and_then(|truth| truth.triggered_test()))?;
    let mut evaluation = Evaluation::new(clean, attack);
    for label in experiment.detector_labels() {
        let rows = detect::stored_scores(run, &label, data)?;
        let decision = detect::stored_decision(run, &label)?;
        let seconds = run.done_mark(&detect::stage(&label))?.seconds;
        evaluation.detectors.push(DetectorMetrics {
            images: rows.len(),
            poisoned: data.searched_truth().map(|truth| count(&truth)),
            flagged: rows.iter().filter(|row| row.flagged).count(),
            rule: decision.rule,
            metrics: metrics(experiment, data, &rows)?,
            seconds,
            detector: label,
        });
    }
    Ok(evaluation)
}

fn metrics(
    experiment: &Experiment,
    data: &Data,
    rows: &[ScoreRow],
) -> Result<Vec<Metric>, PipelineError> {
    let Some(truth) = data.searched_truth() else {
        return Ok(Vec::new());
    };
    let scores: Vec<f64> = rows.iter().map(|row| row.score).collect();
    let flagged: Vec<bool> = rows.iter().map(|row| row.flagged).collect();
    let measured = measure(&truth, &scores, &flagged, &experiment.evaluate)?;
    Ok(measured.iter().map(Metric::from).collect())
}

/// Share of `set` that the model assigns to the set's labels.
fn accuracy(
    experiment: &Experiment,
    model: &Model,
    set: Option<&ImageSet>,
    options: &RunOptions<'_>,
) -> Result<Option<Measured>, PipelineError> {
    // Weights from elsewhere may know other classes than the folder has.
    let Some(set) = set.filter(|set| set.class_count() == model.classes()) else {
        return Ok(None);
    };
    options
        .progress
        .start("classifying", Some(set.len() as u64));
    let predictions = predict(model, set, BATCH, options.device, options.progress)?;
    options.progress.finish();
    let labels = set.labels().iter().enumerate();
    let hits: Vec<bool> = labels
        .map(|(index, &label)| predictions.class(index) == label)
        .collect();
    Ok(share(&hits, &experiment.evaluate)?)
}

fn count(values: &[bool]) -> usize {
    values.iter().filter(|&&value| value).count()
}
