//! Scores and flags: what the numbers of a detector come to by the rule of the run.

use std::path::{Path, PathBuf};

use cd_core::Key;
use cd_detect::{Comparison, Decision, Detection, Testimony, ThresholdRule};
use serde::{Deserialize, Serialize};

use super::data::Data;
use super::{Work, numbers};
use crate::experiment::ConfiguredDetector;
use crate::pipeline::PipelineError;
use crate::run_dir::RunDir;
use crate::scores::{self, ScoreRow, ScoresError};
use crate::store::{DoneMark, Slot, StageName, StoreError, read_json, write_json};

const DECISION: &str = "decision.json";
const SCORES: &str = "scores.csv";

/// A detector that ran, with its rule applied.
pub(crate) struct Decided {
    pub(super) label: String,
    pub(super) slot: Slot,
    /// Where its numbers lie.
    numbers: PathBuf,
    /// How long its numbers took.
    pub(super) detected: DoneMark,
}

impl Decided {
    /// Its numbers, without masks.
    pub(super) fn detection(&self, data: &Data) -> Result<Detection, PipelineError> {
        Ok(numbers::read(&self.numbers, data.searched.set.len())?)
    }
}

/// The rule of a detection in words, with its border on the raw scale: `decision.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredDecision {
    pub(super) rule: String,
    pub(super) cutoff: Option<f64>,
    /// The border on the scale of the scores.
    #[serde(default)]
    pub(super) score: Option<f64>,
    pub(super) measure: String,
}

/// The detectors that find poisoned classes by themselves, as they were configured and what they came to: the first that judges classes, and
/// all that look for patterns.
pub(super) fn finders<'a>(
    work: &Work<'a>,
    decided: &'a [Decided],
) -> Vec<(&'a ConfiguredDetector, &'a Decided)> {
    let detectors = work.experiment.detect.detectors.iter().zip(decided);
    let mut is_judged = false;
    detectors
        .filter(|(one, _)| match one.detector.detector().testimony() {
            Testimony::Classes => !std::mem::replace(&mut is_judged, true),
            Testimony::Patterns => true,
            Testimony::Labels | Testimony::Images => false,
        })
        .collect()
}

/// Whether any of the finders flags each searched image.
pub(super) fn flagged_by_any(
    finders: &[(&ConfiguredDetector, &Decided)],
    data: &Data,
) -> Result<Vec<bool>, PipelineError> {
    let mut flagged = vec![false; data.searched.set.len()];
    for (_, decided) in finders {
        let own = decided.detection(data)?.own.map(|own| own.flagged);
        for (all, flag) in flagged.iter_mut().zip(own.unwrap_or_default()) {
            *all |= flag;
        }
    }
    Ok(flagged)
}

/// Applies the rule to the numbers in `detected`.
pub(super) fn decided(
    work: &Work<'_>,
    data: &Data,
    label: &str,
    rule: ThresholdRule,
    detected: &Slot,
) -> Result<Decided, PipelineError> {
    // A rule of the detector's own has compared what it wants to.
    let compare = match rule {
        ThresholdRule::Own => Comparison::Set,
        _ => work.experiment.detect.compare,
    };
    let key = Key::of("decide 1")
        .text("numbers", detected.key())
        .text("images", &data.searched.key)
        .with("compare", &compare)
        .with("threshold", &rule)
        .finish();
    let slot = work.slot(&format!("decide/{label}"), StageName::Decide, &key)?;
    slot.fill::<PipelineError>(label, work.options.progress, |folder| {
        let detection = numbers::read(&detected.folder(), data.searched.set.len())?;
        let raw = detection.raw.clone();
        let (judged, own) = compare.apply(detection, data.searched.set.labels());
        let mut decision = rule.apply(&judged)?;
        decision.explanation += &compared_with_themselves(&own, data.searched.set.class_names());
        let escaped = scores::escaped(data.searched.set.names());
        let labels = work.experiment.detector_labels();
        let is_first = labels.first().is_some_and(|first| first == label);
        if escaped > 0 && is_first {
            tracing::warn!(
                "{escaped} names hold line breaks or the like: they stand in keep.txt and drop.txt as JSON strings"
            );
        }
        keep(folder, data, &raw, &judged, &decision)
    })?;
    work.run.publish(
        &format!("detect/{label}"),
        &slot,
        &[SCORES, "keep.txt", "drop.txt", DECISION],
    )?;
    Ok(Decided {
        label: label.to_owned(),
        numbers: detected.folder(),
        detected: detected.done_mark()?,
        slot,
    })
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

fn keep(
    folder: &Path,
    data: &Data,
    raw: &[f64],
    judged: &Detection,
    decision: &Decision,
) -> Result<(), PipelineError> {
    scores::write_all(
        folder,
        &scores::rows(&data.searched.set, raw, judged, decision),
    )?;
    let border = decision
        .cutoff
        .map(|cutoff| judged.on_score_scale(&[cutoff])[0]);
    let stored = StoredDecision {
        rule: decision.explanation.clone(),
        cutoff: decision.cutoff,
        score: border,
        measure: judged.measure.title.to_string(),
    };
    Ok(write_json(&folder.join(DECISION), &stored)?)
}

/// Folder in which the run shows the detector `label`.
pub(super) fn shown(run: &RunDir, label: &str) -> PathBuf {
    run.join("detect").join(label)
}

/// The decision in `folder`, which is that of a stage or one that a run shows.
pub(super) fn stored_decision(folder: &Path) -> Result<StoredDecision, StoreError> {
    read_json(&folder.join(DECISION))
}

/// The scores in `folder`, one for every searched image.
pub(super) fn stored_scores(folder: &Path, data: &Data) -> Result<Vec<ScoreRow>, PipelineError> {
    let path = folder.join(SCORES);
    let rows = scores::read(&path)?;
    if rows.len() == data.searched.set.len() {
        return Ok(rows);
    }
    let reason = format!("{} rows for {} images", rows.len(), data.searched.set.len());
    Err(ScoresError::Format { path, reason }.into())
}
