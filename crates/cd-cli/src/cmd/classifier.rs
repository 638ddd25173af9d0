//! The classifier that a folder of pictures is searched through: trained on them, given, or continued from given weights.

use std::path::Path;

use anyhow::Result;
use cd_data::DatasetConfig;
use cd_detect::Detector;
use cd_eval::experiment::DetectStage;
use cd_models::{Augmentation, Finetune, ModelConfig, Schedule, TrainConfig};

use super::folder::pictured;
use super::size::Given;
use super::{Session, in_vain};
use crate::args::{ModelArgs, WeightsArgs};

/// Channels of the stem when nobody says a number.
const USUAL_WIDTH: usize = 16;

/// What was said of the classifier.
#[derive(Debug, Clone, Copy)]
pub(super) struct Classifier<'a> {
    model: Option<&'a ModelArgs>,
    pub(super) weights: Option<Given<'a>>,
    finetune: Option<Finetune>,
    /// Whether the weights are those of the reference network, because no detector looks at any other.
    pub(super) is_reference: bool,
    /// Whether any detector looks at it.
    is_needed: bool,
}

impl<'a> Classifier<'a> {
    /// One that is trained, unless weights are given.
    pub(super) fn of(weights: &'a WeightsArgs, model: &'a ModelArgs) -> Self {
        let finetune = weights.finetune.then(|| match weights.trunk_rate {
            Some(trunk_rate) => Finetune { trunk_rate },
            None => Finetune::default(),
        });
        Self {
            model: Some(model),
            finetune,
            ..Self::given(weights.weights.as_deref(), weights.weights_key.as_deref())
        }
    }

    /// Weights that were given, if they were.
    pub(super) fn given(file: Option<&'a Path>, key: Option<&'a str>) -> Self {
        Self {
            model: None,
            weights: file.map(|file| Given { file, key }),
            finetune: None,
            is_reference: false,
            is_needed: true,
        }
    }

    /// What the detectors need: the reference network in its place, where they look at that alone, or none at all. Then nothing has to be
    /// trained.
    pub(super) fn as_needed(self, detect: &'a DetectStage, session: &Session) -> Self {
        const NONE: &str =
            "no detector looks at a classifier of these pictures, so none is trained";
        let detectors = || detect.detectors.iter().map(|one| one.detector.detector());
        if !detectors().any(Detector::looks_at_classifier) && self.weights.is_none() {
            session.say(NONE);
            return Self {
                is_needed: false,
                ..self
            };
        }
        let mut detectors = detectors().filter(|one| one.looks_at_classifier());
        let alone = detectors.all(|one| one.needs().are_of_reference_alone());
        if !alone || self.is_given() {
            return self;
        }
        let named = detect.features_weights.as_deref();
        let named = named.map(|file| Given {
            file,
            key: detect.features_key.as_deref(),
        });
        let Some(weights) = named.or(self.weights) else {
            return self;
        };
        session.say(NONE);
        Self {
            weights: Some(weights),
            finetune: None,
            is_reference: true,
            ..self
        }
    }

    /// Whether weights are used as they are.
    pub(super) fn is_given(&self) -> bool {
        self.weights.is_some() && self.finetune.is_none()
    }

    /// Whether there is one, or what it takes to train one, or none is needed.
    pub(super) fn is_there(&self) -> bool {
        self.weights.is_some() || self.model.is_some() || !self.is_needed
    }

    /// Whether the architecture that was named exists, and what was said of a training has one that it is for.
    pub(super) fn check(&self) -> Result<()> {
        let Some(model) = self.model else {
            return Ok(());
        };
        model
            .model
            .as_deref()
            .map(ModelConfig::from_name)
            .transpose()?;
        let named = [
            ("--model", model.model.is_some()),
            ("--width", model.width.is_some()),
            ("--epochs", model.epochs.is_some()),
        ];
        let (shape, training) = named.split_at(2);
        if !self.is_needed || self.is_reference {
            let why = "none of the detectors looks at a classifier that is trained on the pictures";
            return in_vain::check(&named, why);
        }
        if self.weights.is_some() {
            in_vain::check(shape, "the weights tell their architecture")?;
        }
        if self.is_given() {
            let why =
                "given weights are used as they are, and `--finetune` would train on from them";
            in_vain::check(training, why)?;
        }
        Ok(())
    }

    /// What is trained and how. Weights tell their own architecture.
    pub(super) fn training(
        &self,
        dataset: &mut DatasetConfig,
        session: &Session,
    ) -> Result<(Option<ModelConfig>, TrainConfig)> {
        let Some(model) = self.model.filter(|_| self.is_needed && !self.is_given()) else {
            return Ok((None, TrainConfig::default()));
        };
        let count = pictured(dataset)?.count;
        let usual = || default_epochs(count, self.finetune.is_some());
        let epochs = model.epochs.unwrap_or_else(usual);
        let train = TrainConfig {
            finetune: self.finetune,
            epochs,
            ..settings(model.seed, epochs * count)
        };
        if self.weights.is_some() {
            session.say(&format!("the weights are trained on for {epochs} epochs"));
            return Ok((None, train));
        }
        let named = model.model.as_deref();
        let size = dataset.dataset_mut().size().and_then(|size| *size);
        let name = named.unwrap_or_else(|| default_model(size));
        let width = model.width.unwrap_or(USUAL_WIDTH);
        session.say(&format!(
            "the classifier is {name} of width {width}, trained for {epochs} epochs"
        ));
        let config = ModelConfig::from_name(name)?.with_width(width);
        Ok((Some(config), train))
    }
}

/// The architecture to train on pictures of this size: one that halves large ones twice before it looks for details.
fn default_model(size: Option<usize>) -> &'static str {
    const LARGE: usize = 96;
    match size {
        Some(side) if side >= LARGE => "imagenet_resnet18",
        _ => "resnet18",
    }
}

/// Settings of a training that shows `views` pictures.
fn settings(seed: u64, views: usize) -> TrainConfig {
    TrainConfig {
        batch_size: default_batch(views),
        learning_rate: 0.1,
        schedule: Schedule::Cosine {
            warmup: 1.0,
            floor: 0.0,
        },
        augmentation: Augmentation::None,
        seed,
        record_losses: 0,
        ..TrainConfig::default()
    }
}

/// Steps make a classifier trust what few pictures share: with a quarter of them, the same passes over 1,500 pictures learn a trigger on
/// one in a hundred by heart, picture by picture. So few pictures are shown in small batches.
fn default_batch(views: usize) -> usize {
    const STEPS: usize = 3000;
    match views / STEPS {
        0..32 => 16,
        32..64 => 32,
        _ => 64,
    }
}

/// A classifier shows a trigger once it has learned to trust it: passes over `pictures` pictures that were
/// enough for that on the sets of docs/results.md. What knows pictures already needs fewer.
fn default_epochs(pictures: usize, finetuned: bool) -> usize {
    let (views, fewest, most) = if finetuned {
        (4_000_usize, 4, 20)
    } else {
        (80_000, 13, 60)
    };
    views.div_ceil(pictures.max(1)).clamp(fewest, most)
}
