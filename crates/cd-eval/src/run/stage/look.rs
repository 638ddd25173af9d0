//! A first look at the classifier: how well a short training on part of the images tells the classes of the others. Training accuracy says
//! nothing, since any network learns a few thousand images by heart.

use std::path::Path;

use cd_core::random::{named, stream};
use cd_core::{Key, Progress};
use cd_models::{Model, TrainConfig, fine_tune, predict, train};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::Work;
use super::data::Data;
use super::train::start;
use crate::pipeline::PipelineError;
use crate::run_dir::RunDir;
use crate::store::{StageName, read_json, write_json};

const FILE: &str = "look.json";
/// Share of the epochs of the training that is to come.
const SHORTER: usize = 8;
/// Epochs that a network needs to learn anything from scratch; what knows pictures already needs one.
const FEWEST_EPOCHS: usize = 2;
/// Images a class that such a network is shown.
const OF_CLASS: usize = 32;
/// Fewer images that were held out say nothing.
const FEWEST: usize = 20;
/// Images per batch of predictions.
const BATCH: usize = 250;

/// What a short training on part of the images has learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    /// Images that were held out, and those that the classifier gets right.
    images: usize,
    right: usize,
    /// Images that it was trained on.
    trained: usize,
    /// Its epochs, and those of the training that is to come.
    epochs: usize,
    planned: usize,
    classes: usize,
}

impl Look {
    fn share(&self) -> f64 {
        self.right as f64 / self.images.max(1) as f64
    }

    /// Twice chance, and for two or three classes half way from chance to always.
    fn is_low(&self) -> bool {
        let chance = 1.0 / self.classes.max(1) as f64;
        self.share() < (2.0 * chance).min(f64::midpoint(1.0, chance))
    }

    fn text(&self) -> String {
        format!(
            "After {} of the {} epochs on {} pictures a classifier gets {} of {} others right ({:.1} %; chance is {:.1} %), so it has hardly \
             learned what the classes are.",
            self.epochs,
            self.planned,
            self.trained,
            self.right,
            self.images,
            self.share() * 100.0,
            100.0 / self.classes.max(1) as f64
        )
    }
}

/// Progress of a training and a prediction that are one task: the look.
struct Looking<'a>(&'a dyn Progress);

impl Progress for Looking<'_> {
    fn start(&self, _what: &str, total: Option<u64>) {
        self.0.start("looking at the classifier", total);
    }

    fn advance(&self, by: u64) {
        self.0.advance(by);
    }

    fn resume(&self, by: u64) {
        self.0.resume(by);
    }

    fn note(&self, text: &str) {
        self.0.note(text);
    }

    fn finish(&self) {
        self.0.finish();
    }
}

/// Takes the look where the experiment asks for it, and warns of a classifier that learns little, before it is trained for hours.
pub(crate) fn look(work: &Work<'_>, data: &Data) -> Result<(), PipelineError> {
    let experiment = work.experiment;
    let wanted = experiment.canary.map_or(0.0, |stage| stage.held_out);
    let set = data.poisoned.train();
    let held = (wanted * set.len() as f64) as usize;
    if experiment.given_weights().is_some() || held < FEWEST || set.class_count() < 2 {
        return Ok(());
    }
    let begun = start(work)?;
    let model = begun.as_ref().map(Model::config);
    let Some(model) = model.or(experiment.model.as_ref()) else {
        return Ok(());
    };
    let fewest = if begun.is_some() { 1 } else { FEWEST_EPOCHS };
    let config = TrainConfig {
        epochs: (experiment.train.epochs / SHORTER)
            .max(fewest)
            .min(experiment.train.epochs),
        record_losses: 0,
        ..experiment.train.clone()
    };
    let key = Key::of("look 2")
        .with("model", model)
        .with("train", &config)
        .with("held out", &held)
        .text("images", &data.train_key)
        .with("start", &begun.as_ref().map(Model::fingerprint))
        .text("device", work.options.device_name);
    let slot = work.slot("look", StageName::Train, &key.finish())?;
    slot.fill::<PipelineError>("a first look", work.options.progress, |folder| {
        let mut order: Vec<usize> = (0..set.len()).collect();
        order.shuffle(&mut stream(config.seed, named("held out")));
        if begun.is_some() {
            order.truncate(held + OF_CLASS * set.class_count());
        }
        let (others, rest) = order.split_at_mut(held);
        rest.sort_unstable();
        let (others, images) = (set.subset(others), set.subset(rest));
        let looking = Looking(work.options.progress);
        let (device, progress): (_, &dyn Progress) = (work.options.device, &looking);
        let trained = match &begun {
            Some(begun) => fine_tune(begun, &images, &config, None, device, progress),
            None => train(model, &images, &config, None, device, progress),
        }?;
        let predictions = predict(&trained.model, &others, BATCH, device, progress)?;
        let labels = others.labels().iter().enumerate();
        let look = Look {
            images: others.len(),
            right: labels
                .filter(|&(index, &label)| predictions.class(index) == label)
                .count(),
            trained: images.len(),
            epochs: config.epochs,
            planned: experiment.train.epochs,
            classes: set.class_count(),
        };
        Ok(write_json(&folder.join(FILE), &look)?)
    })?;
    let look: Look = read_json(&slot.join(FILE))?;
    if look.is_low() {
        warn!("{}", look.text());
    }
    Ok(work.run.write_json(Path::new(FILE), &look)?)
}

/// What a verdict says of it: nothing unless the classifier has hardly learned.
pub(super) fn warning(run: &RunDir) -> Result<Option<String>, PipelineError> {
    if !run.join(FILE).exists() {
        return Ok(None);
    }
    let look: Look = run.read_json(Path::new(FILE))?;
    Ok(look.is_low().then(|| look.text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_chance_is_low_and_told_with_its_numbers() {
        let look = |right, classes| Look {
            images: 100,
            right,
            trained: 400,
            epochs: 5,
            planned: 40,
            classes,
        };
        assert!(look(15, 10).is_low() && look(60, 2).is_low());
        assert!(!look(25, 10).is_low() && !look(80, 2).is_low());
        let text = look(15, 10).text();
        assert!(
            text.contains("5 of the 40 epochs")
                && text.contains("on 400 pictures")
                && text.contains("15 of 100 others")
                && text.contains("15.0 %; chance is 10.0 %"),
            "{text}"
        );
    }
}
