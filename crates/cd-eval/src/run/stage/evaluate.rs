//! Measures a run against its ground truth, where there is one.

mod backdoor;
mod signs;

use cd_core::{Key, Task};
use cd_models::{ImageSet, predict};

use self::backdoor::Attacked;

use super::Work;
use super::classifier::Trained;
use super::data::Data;
use super::decide::{self, Decided};
use crate::evaluation::{
    DetectorMetrics, Evaluation, Measured, Metric, WITHOUT_COVERS, measure, share,
};
use crate::pipeline::PipelineError;
use crate::scores::ScoreRow;
use crate::store::{StageName, write_json};

const METRICS: &str = "metrics.json";

/// Images per batch of plain predictions.
const BATCH: usize = 250;

/// The figures of the run.
pub(crate) fn evaluation(
    work: &Work<'_>,
    data: &Data,
    trained: Option<&Trained>,
    decided: &[Decided],
) -> Result<Evaluation, PipelineError> {
    let title = trained.map(Trained::title).transpose()?;
    let rules: Vec<_> = decided
        .iter()
        .map(|one| (&one.label, one.slot.key()))
        .collect();
    // What covers do to the FPR stands there since version 3.
    let version = match data.searched_covers() {
        Some(_) => "evaluate 3",
        None => "evaluate 2",
    };
    let key = Key::of(version)
        .with("evaluate", &work.experiment.evaluate)
        .text("sources", &data.sources)
        .text("classifier", trained.map_or("none", |trained| &trained.key))
        .text("title", title.as_deref().unwrap_or("none"))
        .with("train", &work.experiment.train)
        .text("images", &data.searched.key)
        .text("device", work.options.device_name)
        .with("decided", &rules)
        .finish();
    let slot = work.slot("evaluate", StageName::Evaluate, &key)?;
    slot.fill::<PipelineError>("metrics", work.options.progress, |folder| {
        let evaluation = compute(work, data, trained, decided)?;
        Ok(write_json(&folder.join(METRICS), &evaluation)?)
    })?;
    work.run.publish("evaluate", &slot, &[METRICS])?;
    super::stored_evaluation(work.run)
}

fn compute(
    work: &Work<'_>,
    data: &Data,
    trained: Option<&Trained>,
    decided: &[Decided],
) -> Result<Evaluation, PipelineError> {
    let level = work.experiment.evaluate.level;
    let mut evaluation = match (trained, &data.truth) {
        (Some(trained), Some(truth)) => Attacked {
            work,
            data,
            truth,
            trained,
        }
        .evaluation()?,
        (Some(trained), None) => {
            let clean = accuracy(work, trained, data.poisoned.test())?;
            Evaluation::new(clean, None, level)
        }
        (None, _) => Evaluation::new(None, None, level),
    };
    evaluation.classifier = trained.map(Trained::title).transpose()?;
    for one in decided {
        let rows = decide::stored_scores(&one.slot.folder(), data)?;
        let decision = decide::stored_decision(&one.slot.folder())?;
        evaluation.detectors.push(DetectorMetrics {
            images: rows.len(),
            poisoned: data.searched_truth().map(|truth| count(&truth)),
            flagged: rows.iter().filter(|row| row.flagged).count(),
            rule: decision.rule,
            metrics: metrics(work, data, &rows)?,
            seconds: one.detected.seconds,
            computed: one.detected.images,
            detector: one.label.clone(),
        });
    }
    Ok(evaluation)
}

fn metrics(work: &Work<'_>, data: &Data, rows: &[ScoreRow]) -> Result<Vec<Metric>, PipelineError> {
    let Some(truth) = data.searched_truth() else {
        return Ok(Vec::new());
    };
    let scores: Vec<f64> = rows.iter().map(|row| row.score).collect();
    let flagged: Vec<bool> = rows.iter().map(|row| row.flagged).collect();
    let bootstrap = &work.experiment.evaluate;
    let mut metrics = measure(&truth, &scores, &flagged, bootstrap)?;
    if let Some(covers) = data.searched_covers() {
        let is_untouched = |image: &usize| !truth[*image] && !covers[*image];
        let untouched = (0..flagged.len()).filter(is_untouched);
        let untouched: Vec<bool> = untouched.map(|image| flagged[image]).collect();
        metrics.push(Metric {
            name: WITHOUT_COVERS.to_owned(),
            value: share(&untouched, bootstrap)?,
        });
    }
    Ok(metrics)
}

/// Share of `set` that the model assigns to the set's labels.
fn accuracy(
    work: &Work<'_>,
    trained: &Trained,
    set: Option<&ImageSet>,
) -> Result<Option<Measured>, PipelineError> {
    // Weights from elsewhere may know other classes than the folder has.
    let Some(set) = set.filter(|set| set.class_count() == trained.model.classes()) else {
        return Ok(None);
    };
    let options = work.options;
    let task = Task::start(options.progress, "classifying", Some(set.len() as u64));
    let predictions = predict(&trained.model, set, BATCH, options.device, options.progress)?;
    drop(task);
    let labels = set.labels().iter().enumerate();
    let hits: Vec<bool> = labels
        .map(|(index, &label)| predictions.class(index) == label)
        .collect();
    Ok(share(&hits, &work.experiment.evaluate)?)
}

fn count(values: &[bool]) -> usize {
    values.iter().filter(|&&value| value).count()
}
