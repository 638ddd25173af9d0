//! Gathers what a run found into its HTML report.

use cd_models::ImageSet;

use super::data::Data;
use super::decide;
use super::masks::StoredMasks;
use super::report_texts::{notes, subtitle, tiles, title};
use super::report_verdict;
use crate::evaluation::{DetectorMetrics, Evaluation};
use crate::experiment::Experiment;
use crate::picture::Picture;
use crate::pipeline::PipelineError;
use crate::report::{Card, ClassCounts, DetectorSection, Listed, Report, Threshold, write_report};
use crate::run_dir::RunDir;
use crate::scores::ScoreRow;

/// The most suspicious images that are shown with their pictures.
const MOST: usize = 48;
/// The least suspicious ones.
const LEAST: usize = 12;
/// Flagged images that are listed.
const LISTED: usize = 5000;

/// Writes `report.html` of the run.
pub(crate) fn write(
    experiment: &Experiment,
    run: &RunDir,
    data: &Data,
    evaluation: &Evaluation,
) -> Result<(), PipelineError> {
    let meta = run.meta()?;
    let labels = experiment.detector_labels();
    let detectors = labels
        .iter()
        .zip(&experiment.detect.detectors)
        .zip(&evaluation.detectors)
        .map(|((label, configured), metrics)| {
            let info = configured.detector.detector().info();
            let section = section(run, data, label, info, metrics)?;
            Ok(DetectorSection {
                level: evaluation.level,
                ..section
            })
        })
        .collect::<Result<Vec<_>, PipelineError>>()?;
    let report = Report {
        title: title(experiment, data),
        subtitle: subtitle(experiment, data, evaluation),
        created: format!(
            "toolkit {} on `{}` ({}, {} threads)",
            meta.toolkit_version, meta.device, meta.platform, meta.threads
        ),
        verdict: report_verdict::section(run)?,
        summary: tiles(data, evaluation),
        detectors,
        settings: experiment.to_toml(),
        notes: notes(run, data, evaluation)?,
    };
    Ok(write_report(&run.join("report.html"), &report)?)
}

fn section(
    run: &RunDir,
    data: &Data,
    label: &str,
    info: &cd_detect::DetectorInfo,
    metrics: &DetectorMetrics,
) -> Result<DetectorSection, PipelineError> {
    let folder = decide::shown(run, label);
    let rows = decide::stored_scores(&folder, data)?;
    let decision = decide::stored_decision(&folder)?;
    let truth = data.searched_truth();
    let masks = StoredMasks::open(&folder)?;
    let mut order: Vec<&ScoreRow> = rows.iter().collect();
    order.sort_by_key(|row| row.rank);
    // Where only some images were searched, those are shown: there is more to see of them.
    let is_shown = |row: &&&ScoreRow| masks.as_ref().is_none_or(|masks| masks.has(row.index));
    let card = |row: &&ScoreRow| card(&data.searched.set, row, truth.as_deref(), masks.as_ref());
    let most = order.iter().filter(is_shown).take(MOST).map(card);
    let least = order.iter().rev().filter(is_shown).take(LEAST).map(card);
    Ok(DetectorSection {
        name: label.to_owned(),
        title: info.title.to_owned(),
        explanation: info.summary.to_owned(),
        scores: rows.iter().map(|row| row.score).collect(),
        raw_label: decision.measure,
        threshold: Some(Threshold {
            rule: decision.rule,
            value: decision.score,
            flagged: metrics.flagged,
        }),
        metrics: metrics.metrics.clone(),
        level: 0.0,
        classes: class_counts(&data.searched.set, &rows, truth.as_deref()),
        listed: listed(&order),
        searched: masks.as_ref().and_then(StoredMasks::searched),
        most_suspicious: most.collect::<Result<_, _>>()?,
        least_suspicious: least.collect::<Result<_, _>>()?,
        truth,
    })
}

/// The flagged images of those in `order`.
fn listed(order: &[&ScoreRow]) -> Vec<Listed> {
    let flagged = order.iter().filter(|row| row.flagged);
    flagged
        .take(LISTED)
        .map(|row| Listed {
            name: row.file.clone(),
            label: row.label.clone(),
            score: row.score,
            rank: row.rank,
        })
        .collect()
}

fn class_counts(set: &ImageSet, rows: &[ScoreRow], truth: Option<&[bool]>) -> Vec<ClassCounts> {
    let totals = set.class_counts();
    let names = set.class_names().iter().zip(totals);
    names
        .map(|(name, images)| {
            let of_class = || rows.iter().filter(|row| &row.label == name);
            ClassCounts {
                name: name.clone(),
                images,
                flagged: of_class().filter(|row| row.flagged).count(),
                poisoned: truth.map(|truth| of_class().filter(|row| truth[row.index]).count()),
            }
        })
        .collect()
}

fn card(
    set: &ImageSet,
    row: &ScoreRow,
    truth: Option<&[bool]>,
    masks: Option<&StoredMasks>,
) -> Result<Card, PipelineError> {
    let image = Picture::new(set.width(), set.height(), set.pixels(row.index)?.to_vec())?;
    let card = Card {
        name: row.file.clone(),
        label: row.label.clone(),
        score: row.score,
        raw: Some(row.raw),
        rank: row.rank,
        flagged: row.flagged,
        poisoned: truth.map(|truth| truth[row.index]),
        image,
        mask: None,
        pattern: None,
    };
    let Some(masks) = masks else { return Ok(card) };
    Ok(match masks.get(row.index)? {
        Some(mask) => card.with_mask(&channel_last(&mask, masks.channels()), masks.channels())?,
        None => card,
    })
}

/// A mask of bytes from `[C, H, W]` to `[H, W, C]`, the order of pictures.
pub fn channel_last(mask: &[u8], channels: usize) -> Vec<u8> {
    let plane = mask.len() / channels.max(1);
    (0..plane)
        .flat_map(|pixel| (0..channels).map(move |channel| mask[channel * plane + pixel]))
        .collect()
}
