//! Whether given weights know the labels of the pictures: weights of another network, without their normalisation or with
//! classes in another order give answers without a word.

use std::path::Path;

use cd_core::random::{named, stream};
use cd_models::predict;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::Work;
use super::classifier::Trained;
use super::data::Data;
use crate::pipeline::PipelineError;
use crate::run_dir::RunDir;
use crate::store::write_json;

const FILE: &str = "agreement.json";
/// Pictures that are classified; the standard error is then 3 % at most.
const SAMPLE: usize = 256;
/// Fewer pictures say nothing.
const FEWEST: usize = 8;

/// How many labels of a sample the classifier predicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Agreement {
    /// Of which classifier and pictures.
    classifier: String,
    images: String,
    agreed: usize,
    sample: usize,
    /// Of the weights.
    classes: usize,
    /// Of the pictures, where they are others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    other_classes: Option<usize>,
}

impl Agreement {
    fn share(&self) -> f64 {
        self.agreed as f64 / self.sample.max(1) as f64
    }

    /// Twice chance, and for two or three classes half way from chance to always.
    fn least(&self) -> f64 {
        let chance = 1.0 / self.classes.max(1) as f64;
        (2.0 * chance).min(f64::midpoint(1.0, chance))
    }

    fn is_low(&self) -> bool {
        self.sample >= FEWEST && self.share() < self.least()
    }

    fn text(&self) -> String {
        let figures = format!(
            "The given weights agree with the labels of {} of {} pictures ({:.1} %)",
            self.agreed,
            self.sample,
            self.share() * 100.0
        );
        if !self.is_low() {
            return format!("{figures}.");
        }
        let counts = self.other_classes.map(|pictures| {
            format!(
                " The weights have {} classes, the pictures {pictures}.",
                self.classes
            )
        });
        format!(
            "{figures}; from {:.1} % on they would look like weights for these classes. They may be of another network than the \
             one that names and shapes tell (`models inspect` says which was assumed), lack their input normalisation \
             (`models convert --mean --std`), or have the classes in another order.{}",
            self.least() * 100.0,
            counts.unwrap_or_default()
        )
    }
}

/// Compares predictions with labels, and warns when few agree.
pub(super) fn check(work: &Work<'_>, data: &Data, trained: &Trained) -> Result<(), PipelineError> {
    let set = data.poisoned.train();
    let sees_attributes = trained.model.architecture().sees_attributes();
    if work.experiment.is_unlabelled() || sees_attributes || set.is_empty() {
        return Ok(());
    }
    let stored = stored(work.run)?;
    let known = stored.filter(|one| one.classifier == trained.key && one.images == data.train_key);
    let agreement = match known {
        Some(known) => known,
        None => measured(work, data, trained)?,
    };
    if agreement.is_low() {
        warn!("{}", agreement.text());
    }
    Ok(())
}

fn measured(work: &Work<'_>, data: &Data, trained: &Trained) -> Result<Agreement, PipelineError> {
    let set = data.poisoned.train();
    let mut chosen: Vec<usize> = (0..set.len()).collect();
    chosen.shuffle(&mut stream(0, named("agreement")));
    chosen.truncate(SAMPLE);
    chosen.sort_unstable();
    let sample = set.subset(&chosen);
    let options = work.options;
    let batch_size = work.experiment.detect.batch_size;
    let predictions = predict(
        &trained.model,
        &sample,
        batch_size,
        options.device,
        options.progress,
    )?;
    let labels = sample.labels().iter().enumerate();
    let classes = trained.model.classes();
    let agreement = Agreement {
        classifier: trained.key.clone(),
        images: data.train_key.clone(),
        agreed: labels
            .filter(|&(index, &label)| predictions.class(index) == label)
            .count(),
        sample: sample.len(),
        classes,
        other_classes: Some(set.class_count()).filter(|&count| count != classes),
    };
    write_json(&work.run.join(FILE), &agreement)?;
    Ok(agreement)
}

fn stored(run: &RunDir) -> Result<Option<Agreement>, PipelineError> {
    if run.join(FILE).exists() {
        return Ok(Some(run.read_json(Path::new(FILE))?));
    }
    Ok(None)
}

/// What a verdict says of it: nothing unless labels and predictions hardly agree.
pub(super) fn warning(run: &RunDir) -> Result<Option<String>, PipelineError> {
    let low = stored(run)?.filter(Agreement::is_low);
    Ok(low.map(|agreement| agreement.text()))
}

/// What the report says of it; nothing for weights that were trained here.
pub(super) fn note(run: &RunDir) -> Result<Option<String>, PipelineError> {
    Ok(stored(run)?.map(|agreement| agreement.text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(agreed: usize, sample: usize, classes: usize) -> Agreement {
        Agreement {
            classifier: String::new(),
            images: String::new(),
            agreed,
            sample,
            classes,
            other_classes: None,
        }
    }

    #[test]
    fn what_chance_gives_is_low() {
        for (agreed, sample, classes) in [(5, 12, 4), (25, 256, 10), (140, 256, 2), (0, 256, 1000)]
        {
            assert!(
                agreement(agreed, sample, classes).is_low(),
                "{agreed}/{sample} of {classes}"
            );
        }
        for (agreed, sample, classes) in [
            (6, 12, 4),
            (60, 256, 10),
            (200, 256, 2),
            (0, 7, 4),
            (8, 8, 1),
        ] {
            assert!(
                !agreement(agreed, sample, classes).is_low(),
                "{agreed}/{sample} of {classes}"
            );
        }
        assert!(
            agreement(5, 12, 4)
                .text()
                .contains("5 of 12 pictures (41.7 %); from 50.0 %")
        );
        let other = Agreement {
            other_classes: Some(3),
            ..agreement(1, 12, 4)
        };
        assert!(
            other
                .text()
                .ends_with("The weights have 4 classes, the pictures 3.")
        );
        assert!(
            agreement(9, 12, 4)
                .text()
                .ends_with("9 of 12 pictures (75.0 %).")
        );
    }
}
