//! `scan`, `train` and `detect`: the user's own pictures.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cd_data::{DatasetConfig, Orientation, PictureOptions, Pictured};
use cd_detect::{DetectorConfig, ThresholdRule};
use cd_eval::Experiment;
use cd_eval::bootstrap::Bootstrap;
use cd_eval::experiment::DetectStage;
use cd_eval::pipeline::{self, Outcome, Stage};
use cd_eval::run_dir::OWN_STORE;
use cd_models::{Augmentation, ModelConfig, Schedule, TrainConfig};

use super::experiment::finish;
use super::size::Given;
use super::{Session, size};
use crate::Ending;
use crate::args::{DetectArgs, ImagesArgs, ModelArgs, ScanArgs, SearchArgs, TrainArgs, Turn};
use crate::output;

pub(crate) fn scan(args: &ScanArgs, session: &Session) -> Result<Ending> {
    let mut experiment = experiment(
        "scan",
        &args.images,
        Some(&args.model),
        given(args.weights.as_deref(), args.weights_key.as_deref()),
        session,
    )?;
    experiment.detect = detect_stage(&args.search, args.model.seed)?;
    let options = session.options(Stage::Evaluate, args.search.shard);
    let store = args.out.join(OWN_STORE);
    let outcome = pipeline::run(&experiment, &args.out, &store, &options)?;
    let ending = finish(&outcome, &args.out, session)?;
    point_to_results(&experiment, &outcome, &args.out, session)?;
    Ok(ending)
}

pub(crate) fn train(args: &TrainArgs, session: &Session) -> Result<Ending> {
    let experiment = experiment("train", &args.images, Some(&args.model), None, session)?;
    let store = args.out.join(OWN_STORE);
    let options = session.options(Stage::Train, None);
    pipeline::run(&experiment, &args.out, &store, &options)?;
    output::line(
        &args
            .out
            .join("train/model.safetensors")
            .display()
            .to_string(),
    )?;
    Ok(Ending::Done)
}

pub(crate) fn detect(args: &DetectArgs, session: &Session) -> Result<Ending> {
    let weights = given(Some(&args.weights), args.weights_key.as_deref());
    let mut experiment = experiment("detect", &args.images, None, weights, session)?;
    experiment.detect = detect_stage(&args.search, args.seed)?;
    let options = session.options(Stage::Evaluate, args.search.shard);
    let store = args.out.join(OWN_STORE);
    let outcome = pipeline::run(&experiment, &args.out, &store, &options)?;
    let ending = finish(&outcome, &args.out, session)?;
    point_to_results(&experiment, &outcome, &args.out, session)?;
    Ok(ending)
}

/// Says where the lists are, for people.
fn point_to_results(
    experiment: &Experiment,
    outcome: &Outcome,
    out: &Path,
    session: &Session,
) -> Result<()> {
    if session.json || !matches!(outcome, Outcome::Complete(_)) {
        return Ok(());
    }
    for label in experiment.detector_labels() {
        let folder = out.join("detect").join(label);
        output::line(&format!(
            "{0}/scores.csv, {0}/drop.txt, {0}/keep.txt",
            folder.display()
        ))?;
    }
    Ok(())
}

fn given<'a>(file: Option<&'a Path>, key: Option<&'a str>) -> Option<Given<'a>> {
    file.map(|file| Given { file, key })
}

/// An experiment on the user's own pictures, without ground truth.
fn experiment(
    name: &str,
    images: &ImagesArgs,
    model: Option<&ModelArgs>,
    weights: Option<Given<'_>>,
    session: &Session,
) -> Result<Experiment> {
    // Names first: a slip in them costs nothing yet.
    let named = model.and_then(|model| model.model.as_deref());
    named.map(ModelConfig::from_name).transpose()?;
    let mut dataset = pictures(images, weights, session)?;
    // Weights tell their own architecture, and nothing is trained.
    let trained = model.filter(|_| weights.is_none());
    let (model, train) = match trained {
        Some(model) => {
            let size = dataset.dataset_mut().size().and_then(|size| *size);
            let name = named.unwrap_or_else(|| default_model(size));
            let train = training(model, &dataset)?;
            session.say(&format!(
                "the classifier is {name} of width {}, trained for {} epochs",
                model.width, train.epochs
            ));
            let config = ModelConfig::from_name(name)?.with_width(model.width);
            (Some(config), train)
        }
        None => (None, TrainConfig::default()),
    };
    Ok(Experiment {
        name: name.to_owned(),
        seed: 0,
        dataset,
        poison: None,
        model,
        weights: absolute(weights.map(|weights| weights.file))?,
        weights_key: weights.and_then(|weights| weights.key).map(str::to_owned),
        train,
        detect: DetectStage::default(),
        evaluate: Bootstrap::default(),
    })
}

/// The pictures, with every number that their files decide.
fn pictures(
    images: &ImagesArgs,
    weights: Option<Given<'_>>,
    session: &Session,
) -> Result<DatasetConfig> {
    let path = absolute(Some(&images.images))?.context("a path was given")?;
    let options = PictureOptions {
        size: images.size,
        skip_bad: images.skip_bad.unwrap_or(0.0),
        orientation: match images.orientation {
            Turn::Ignore => Orientation::Ignore,
            Turn::Apply => Orientation::Apply,
        },
    };
    let mut dataset = DatasetConfig::of_images(&path, options);
    // Given weights need no labels.
    if weights.is_some() && dataset.dataset_mut().drop_missing_labels() {
        session.say("nothing tells the classes of the pictures; the given weights need none");
    }
    if images.size.is_none() {
        let side = pictured(&dataset)?.side;
        let (side, why) = match weights {
            Some(weights) => size::for_weights(weights, side, session)?,
            None => (side, "chosen from their own sizes".to_owned()),
        };
        session.say(&format!(
            "pictures are read at {side} x {side} pixels, {why}"
        ));
        if let Some(size) = dataset.dataset_mut().size() {
            *size = Some(side);
        }
    }
    Ok(dataset)
}

fn pictured(dataset: &DatasetConfig) -> Result<Pictured> {
    let pictured = dataset.dataset().pictures()?;
    pictured.context("the user's own pictures can be counted")
}

/// The architecture to train on pictures of this size: one that halves large ones twice before it looks for details.
fn default_model(size: Option<usize>) -> &'static str {
    const LARGE: usize = 96;
    match size {
        Some(side) if side >= LARGE => "imagenet_resnet18",
        _ => "resnet18",
    }
}

fn training(model: &ModelArgs, dataset: &DatasetConfig) -> Result<TrainConfig> {
    Ok(TrainConfig {
        epochs: match model.epochs {
            Some(epochs) => epochs,
            None => default_epochs(pictured(dataset)?.count),
        },
        batch_size: 64,
        learning_rate: 0.1,
        schedule: Schedule::Cosine {
            warmup: 1.0,
            floor: 0.0,
        },
        augmentation: Augmentation::None,
        seed: model.seed,
        record_losses: 0,
        ..TrainConfig::default()
    })
}

/// A classifier shows a trigger once it has learned to trust it: passes over `pictures` pictures that were
/// enough for that on the sets of docs/results.md.
fn default_epochs(pictures: usize) -> usize {
    const VIEWS: usize = 80_000;
    VIEWS.div_ceil(pictures.max(1)).clamp(13, 60)
}

fn detect_stage(search: &SearchArgs, seed: u64) -> Result<DetectStage> {
    let configure = |name: &String| -> Result<DetectorConfig> {
        let mut config = DetectorConfig::from_name(name)?.with_preset(search.preset);
        if let Some(steps) = search.steps.filter(|_| config.has("steps")) {
            config.set("steps", steps)?;
        }
        if config.has("seed") {
            config.set("seed", seed)?;
        }
        Ok(config)
    };
    Ok(DetectStage {
        sample: search.sample,
        batch_size: search.batch_size,
        compare: search.compare,
        threshold: ThresholdRule::Robust {
            t: search.threshold,
        },
        detectors: search
            .detectors
            .iter()
            .map(|name| configure(name).map(Into::into))
            .collect::<Result<_>>()?,
        ..DetectStage::default()
    })
}

/// Run directories remember their inputs, so that they can be continued from any folder.
fn absolute(path: Option<&Path>) -> Result<Option<PathBuf>> {
    let Some(path) = path else {
        return Ok(None);
    };
    let absolute = std::path::absolute(path).with_context(|| path.display().to_string())?;
    if absolute.to_str().is_none() {
        bail!(
            "{}: the name is not UTF-8, so the settings of a run cannot hold it; rename it",
            path.display()
        );
    }
    Ok(Some(absolute))
}
