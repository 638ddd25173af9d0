//! Gathers what a run found into its HTML report.

use std::path::Path;

use cd_models::{EpochReport, History, ImageSet};

use super::PipelineError;
use super::data::Data;
use super::detect::{self, stored_decision};
use super::masks::StoredMasks;
use crate::evaluation::{DetectorMetrics, Evaluation, Measured};
use crate::experiment::Experiment;
use crate::picture::Picture;
use crate::report::{
    Card, ClassCounts, DetectorSection, MetricRow, Report, Threshold, Tile, meaning, write_report,
};
use crate::run_dir::{Meta, RunDir};
use crate::scores::ScoreRow;

/// Images in each gallery.
const GALLERY: usize = 24;

pub(super) fn write(
    experiment: &Experiment,
    run: &RunDir,
    data: &Data,
    evaluation: &Evaluation,
) -> Result<(), PipelineError> {
    let meta: Meta = run.read_json(Path::new("meta.json"))?;
    let labels = experiment.detector_labels();
    let detectors = labels
        .iter()
        .zip(&experiment.detect.detectors)
        .zip(&evaluation.detectors)
        .map(|((label, config), metrics)| {
            section(run, data, label, config.detector().info(), metrics)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let report = Report {
        title: title(experiment, data),
        subtitle: subtitle(experiment, data),
        created: format!(
            "toolkit {} on `{}` ({}, {} threads)",
            meta.toolkit_version, meta.device, meta.platform, meta.threads
        ),
        summary: tiles(data, evaluation),
        detectors,
        settings: experiment.to_toml(),
        notes: notes(experiment, run, evaluation)?,
    };
    Ok(write_report(&run.join("report.html"), &report)?)
}

fn title(experiment: &Experiment, data: &Data) -> String {
    match &experiment.poison {
        Some(poison) => format!(
            "{}: {} at {} %",
            experiment.name,
            poison.attack.info().title,
            poison.rate * 100.0
        ),
        None => format!("{}: {} images", experiment.name, data.searched.len()),
    }
}

fn subtitle(experiment: &Experiment, data: &Data) -> String {
    let model = &experiment.model;
    let width = model
        .width
        .map_or(String::new(), |w| format!(", width {w}"));
    format!(
        "{} of {} images searched through {}{width}; seed {}",
        data.searched.len(),
        data.poisoned.train().len(),
        model.name,
        experiment.seed
    )
}

fn tiles(data: &Data, evaluation: &Evaluation) -> Vec<Tile> {
    let mut tiles = vec![Tile::new(
        "Images searched",
        data.searched.len().to_string(),
    )];
    if let Some(truth) = data.searched_truth() {
        let poisoned = truth.iter().filter(|&&p| p).count();
        tiles.push(Tile::new("Poisoned among them", poisoned.to_string()));
    }
    for detector in &evaluation.detectors {
        let name = detector.detector.to_uppercase();
        tiles.push(match detector.metric("AUROC") {
            Some(auroc) => Tile::new(format!("AUROC, {name}"), format!("{:.3}", auroc.estimate))
                .with_hint(interval(auroc)),
            None => Tile::new(format!("Flagged by {name}"), detector.flagged.to_string()),
        });
    }
    let shares = [
        ("Clean accuracy", evaluation.clean_accuracy),
        ("Attack success rate", evaluation.attack_success_rate),
    ];
    for (label, share) in shares {
        if let Some(share) = share {
            let value = format!("{:.1} %", share.estimate * 100.0);
            tiles.push(Tile::new(label, value).with_hint("of the classifier, on test images"));
        }
    }
    tiles
}

fn interval(measured: Measured) -> String {
    match measured.interval {
        Some([low, high]) => format!("95 % interval {low:.3} to {high:.3}"),
        None => String::new(),
    }
}

fn notes(
    experiment: &Experiment,
    run: &RunDir,
    evaluation: &Evaluation,
) -> Result<Vec<String>, PipelineError> {
    let mut notes = Vec::new();
    if experiment.weights.is_none() {
        let history: History = run.read_json(Path::new("train/history.json"))?;
        if let Some(EpochReport {
            epoch,
            train_loss,
            train_accuracy,
            ..
        }) = history.epochs.last()
        {
            notes.push(format!(
                "The classifier was trained for {} epochs and ended at a training loss of {train_loss:.3} and a training accuracy of {:.1} %.",
                epoch + 1,
                train_accuracy * 100.0
            ));
        }
    }
    for detector in &evaluation.detectors {
        let rate = detector.images as f64 / detector.seconds.max(1e-9);
        notes.push(format!(
            "{} took {:.1} s for {} images ({rate:.1} images per second) in the start that completed it.",
            detector.detector, detector.seconds, detector.images
        ));
    }
    Ok(notes)
}

fn section(
    run: &RunDir,
    data: &Data,
    label: &str,
    info: &cd_detect::DetectorInfo,
    metrics: &DetectorMetrics,
) -> Result<DetectorSection, PipelineError> {
    let rows = detect::stored_scores(run, label, data)?;
    let decision = stored_decision(run, label)?;
    let truth = data.searched_truth();
    let masks = StoredMasks::open(&run.join(detect::stage(label)))?;
    let mut order: Vec<&ScoreRow> = rows.iter().collect();
    order.sort_by_key(|row| row.rank);
    let gallery = |rows: Vec<&ScoreRow>| -> Result<Vec<Card>, PipelineError> {
        let card = |row| card(&data.searched, row, truth.as_deref(), masks.as_ref());
        rows.into_iter().map(card).collect()
    };
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
        metrics: metrics.metrics.iter().map(metric_row).collect(),
        classes: class_counts(&data.searched, &rows, truth.as_deref()),
        most_suspicious: gallery(order.iter().take(GALLERY).copied().collect())?,
        least_suspicious: gallery(order.iter().rev().take(GALLERY).copied().collect())?,
        truth,
    })
}

fn metric_row(metric: &crate::evaluation::Metric) -> MetricRow {
    let value = metric.value.map(|measured| match measured.interval {
        Some([low, high]) => crate::bootstrap::Interval {
            estimate: measured.estimate,
            low,
            high,
            level: 0.95,
        }
        .into(),
        None => measured.estimate.into(),
    });
    MetricRow {
        name: metric.name.clone(),
        value,
        hint: meaning(&metric.name).to_owned(),
    }
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
    Ok(match masks {
        Some(masks) => {
            let mask = channel_last(&masks.get(row.index)?, masks.channels());
            card.with_mask(&mask, masks.channels())?
        }
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
