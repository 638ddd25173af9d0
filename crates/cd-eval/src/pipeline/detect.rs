//! Detection stages: one per detector, streamed to disk part by part.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cd_detect::{Clean, Compute, Decision, Detection, DetectorConfig, Evidence, Store, extract};
use cd_models::{Model, StateDict};
use sha2::{Digest, Sha256};

use super::data::Data;
use super::masks;
use super::{PipelineError, RunOptions};
use crate::experiment::Experiment;
use crate::run_dir::{RunDir, RunDirError};
use crate::scores::{self, ScoreRow, ScoresError};

const DECISION: &str = "decision.json";

/// The rule of a detection in words, with its border on the raw scale: `decision.json`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct StoredDecision {
    pub(super) rule: String,
    pub(super) cutoff: Option<f64>,
    /// The border on the scale of the scores.
    #[serde(default)]
    pub(super) score: Option<f64>,
    pub(super) measure: String,
    /// What the images were.
    #[serde(default)]
    images: Option<String>,
    /// What images and weights were together.
    #[serde(default)]
    searched: Option<String>,
}

/// Folder of the detector `label` inside a run.
pub(super) fn stage(label: &str) -> PathBuf {
    Path::new("detect").join(label)
}

/// Runs every detector; `false` when parts of other shards are missing.
pub(super) fn all(
    experiment: &Experiment,
    run: &RunDir,
    data: &Data,
    model: &Model,
    options: &RunOptions<'_>,
) -> Result<bool, PipelineError> {
    let fingerprint = fingerprint(data, model);
    let labels = experiment.detector_labels();
    let mut complete = true;
    for (label, config) in labels.iter().zip(&experiment.detect.detectors) {
        let stage = stage(label);
        let folder = run.join(&stage);
        if run.is_done(&stage) {
            let stored = stored_decision(run, label)?;
            unchanged(
                run,
                stored.searched.as_ref(),
                &fingerprint,
                "the pictures or the weights",
            )?;
            remove_parts(&folder)?;
            continue;
        }
        let started = Instant::now();
        let search = Search {
            experiment,
            config,
            model,
            fingerprint: &fingerprint,
            options,
        };
        let Some(detection) = search.run(data, &folder.join("parts"))? else {
            complete = false;
            continue;
        };
        let (raw, labels) = (detection.raw.clone(), data.searched.labels());
        let (judged, own) = experiment.detect.compare.apply(detection, labels);
        let rule = &experiment.detect.threshold;
        let mut decision = rule.apply(&judged)?;
        decision.explanation += &compared_with_themselves(&own, data.searched.class_names());
        run.stage_since::<PipelineError>(&stage, started, |_| {
            keep(run, &stage, data, &fingerprint, &raw, &judged, &decision)
        })?;
        remove_parts(&folder)?;
    }
    Ok(complete)
}

/// What the rule says of classes that were compared with themselves.
fn compared_with_themselves(classes: &[u32], names: &[String]) -> String {
    if classes.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = classes
        .iter()
        .map(|&class| names[class as usize].as_str())
        .collect();
    format!(
        "; compared with their own class, of which nearly all images are suspicious: {}",
        names.join(", ")
    )
}

struct Search<'a> {
    experiment: &'a Experiment,
    config: &'a DetectorConfig,
    model: &'a Model,
    fingerprint: &'a str,
    options: &'a RunOptions<'a>,
}

impl Search<'_> {
    /// The detection of the searched images; `None` when parts of other shards are missing.
    fn run(&self, data: &Data, parts: &Path) -> Result<Option<Detection>, PipelineError> {
        let compute = Compute {
            device: self.options.device,
            batch_size: self.experiment.detect.batch_size,
            workers: self.options.workers,
            shard: self.options.shard,
            store: Some(Store {
                folder: parts,
                fingerprint: self.fingerprint,
            }),
            progress: self.options.progress,
        };
        let (detector, images) = (self.config.detector(), (&data.searched).into());
        let taps = detector.needs().features;
        let Some(extracted) = extract(self.model, images, &taps, false, &compute)? else {
            return Ok(None);
        };
        let evidence = Evidence {
            labels: Some(data.searched.labels()),
            class_count: data.searched.class_count(),
            features: &extracted.features,
            clean: Some(Clean::new(&data.trusted)),
            ..Evidence::new(self.model, images, compute)
        };
        Ok(detector.detect(&evidence)?)
    }
}

/// Writes the final files of a detection.
fn keep(
    run: &RunDir,
    stage: &Path,
    data: &Data,
    fingerprint: &str,
    raw: &[f64],
    judged: &Detection,
    decision: &Decision,
) -> Result<(), PipelineError> {
    let folder = run.join(stage);
    scores::write_all(
        &folder,
        &scores::rows(&data.searched, raw, judged, decision),
    )?;
    if let Some(masks) = &judged.masks {
        masks::write(&folder, masks)?;
    }
    let stored = StoredDecision {
        rule: decision.explanation.clone(),
        cutoff: decision.cutoff,
        score: decision
            .cutoff
            .map(|cutoff| judged.on_score_scale(&[cutoff])[0]),
        measure: judged.measure.title.to_owned(),
        images: Some(data.fingerprint.clone()),
        searched: Some(fingerprint.to_owned()),
    };
    run.write_json(&stage.join(DECISION), &stored)?;
    Ok(())
}

/// Removes partial results, only after the complete ones are marked as done.
fn remove_parts(folder: &Path) -> Result<(), PipelineError> {
    let path = folder.join("parts");
    if path.exists() {
        fs::remove_dir_all(&path).map_err(|source| RunDirError::Io { path, source })?;
    }
    Ok(())
}

/// The scores of `label`, one for every searched image.
pub(super) fn stored_scores(
    run: &RunDir,
    label: &str,
    data: &Data,
) -> Result<Vec<ScoreRow>, PipelineError> {
    let stored = stored_decision(run, label)?;
    unchanged(
        run,
        stored.images.as_ref(),
        &data.fingerprint,
        "the pictures",
    )?;
    let path = run.join(stage(label)).join("scores.csv");
    let rows = scores::read(&path)?;
    if rows.len() == data.searched.len() {
        return Ok(rows);
    }
    let reason = format!("{} rows for {} images", rows.len(), data.searched.len());
    Err(ScoresError::Format { path, reason }.into())
}

/// Results of other inputs must not be shown as those of the present ones.
fn unchanged(
    run: &RunDir,
    stored: Option<&String>,
    present: &str,
    what: &str,
) -> Result<(), PipelineError> {
    if stored.is_none_or(|stored| stored == present) {
        return Ok(());
    }
    Err(PipelineError::Missing(format!(
        "{}: {what} have changed since this run; choose another folder, or delete this one to start again",
        run.path().display()
    )))
}

pub(super) fn stored_decision(run: &RunDir, label: &str) -> Result<StoredDecision, PipelineError> {
    Ok(run.read_json(&stage(label).join(DECISION))?)
}

/// What partial results belong to: these images seen through these weights.
fn fingerprint(data: &Data, model: &Model) -> String {
    let mut digest = Sha256::new();
    digest.update(&data.fingerprint);
    for (name, tensor) in StateDict::of(model.net()).iter() {
        digest.update(name);
        for value in &tensor.values {
            digest.update(value.to_le_bytes());
        }
    }
    format!("{:x}", digest.finalize())
}
