//! Headings, headline figures and remarks of the report.

use cd_models::EpochReport;

use super::agreement;
use super::data::Data;
use super::train::last_epoch;
use crate::evaluation::{Evaluation, Measured, level_text};
use crate::experiment::{Experiment, SearchedImages};
use crate::pipeline::PipelineError;
use crate::report::Tile;
use crate::run_dir::{NOT_READ, RunDir};

pub(super) fn title(experiment: &Experiment, data: &Data) -> String {
    match &experiment.poison {
        Some(poison) => format!(
            "{}: {} at {} %",
            experiment.name,
            poison.attack.info().title,
            poison.rate * 100.0
        ),
        None => format!("{}: {} images", experiment.name, data.searched.set.len()),
    }
}

pub(super) fn subtitle(experiment: &Experiment, data: &Data, evaluation: &Evaluation) -> String {
    let kind = match data.searched_images {
        SearchedImages::Train => "images",
        SearchedImages::Test => "test images",
    };
    let classifier = match &evaluation.classifier {
        Some(classifier) => format!("through {classifier}"),
        None => "without a classifier".to_owned(),
    };
    format!(
        "{} of {} {kind} searched {classifier}; seed {}",
        data.searched.set.len(),
        data.whole_len(),
        experiment.seed
    )
}

pub(super) fn tiles(data: &Data, evaluation: &Evaluation) -> Vec<Tile> {
    let mut tiles = vec![Tile::new(
        "Images searched",
        data.searched.set.len().to_string(),
    )];
    if let Some(truth) = data.searched_truth() {
        let poisoned = truth.iter().filter(|&&p| p).count();
        tiles.push(Tile::new("Poisoned among them", poisoned.to_string()));
    }
    for detector in &evaluation.detectors {
        let name = detector.detector.to_uppercase();
        tiles.push(match detector.metric("AUROC") {
            Some(auroc) => Tile::new(format!("AUROC, {name}"), format!("{:.3}", auroc.estimate))
                .with_hint(interval(auroc, evaluation.level)),
            None => Tile::new(format!("Flagged by {name}"), detector.flagged.to_string()),
        });
    }
    for (name, share) in evaluation.figures() {
        let value = format!("{:.1} %", share.estimate * 100.0);
        tiles.push(Tile::new(capital(&name), value).with_hint("of the classifier, on test images"));
    }
    tiles
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn interval(measured: Measured, level: f64) -> String {
    match measured.interval {
        Some([low, high]) => format!("{} interval {low:.3} to {high:.3}", level_text(level)),
        None => String::new(),
    }
}

pub(super) fn notes(
    run: &RunDir,
    data: &Data,
    evaluation: &Evaluation,
) -> Result<Vec<String>, PipelineError> {
    let mut notes = data.not_read.lines();
    if !notes.is_empty() {
        notes.push(format!(
            "All files that were not read are listed in {NOT_READ}."
        ));
    }
    if let Some(EpochReport {
        epoch,
        train_loss,
        train_accuracy,
        ..
    }) = last_epoch(run)?
    {
        notes.push(format!(
                "The classifier was trained for {} epochs and ended at a training loss of {train_loss:.3} and a training accuracy of {:.1} %.",
                epoch + 1,
                train_accuracy * 100.0
            ));
    }
    notes.extend(agreement::note(run)?);
    notes.extend(evaluation.attack_lines());
    for detector in &evaluation.detectors {
        let images = detector.computed.unwrap_or(detector.images as u64);
        let rate = images as f64 / detector.seconds.max(1e-9);
        let done = match images {
            0 => String::new(),
            _ => format!(" for {images} images ({rate:.1} per second)"),
        };
        notes.push(format!(
            "{} took {:.1} s{done} in the start that completed it.",
            detector.detector, detector.seconds
        ));
    }
    Ok(notes)
}
