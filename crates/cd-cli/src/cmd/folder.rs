//! `scan`, `train` and `detect`: the user's own pictures.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cd_data::{DatasetConfig, Orientation, PictureOptions, Pictured};
use cd_detect::{
    DETECTORS, DetectorConfig, Power, Preset, ThresholdRule, Verdict, search_of_large,
};
use cd_eval::Experiment;
use cd_eval::bootstrap::Bootstrap;
use cd_eval::experiment::{CanaryStage, ConfiguredDetector, DetectStage};
use cd_eval::pipeline::{self, Outcome, Stage};
use cd_eval::run_dir::OWN_STORE;

use super::classifier::Classifier;
use super::experiment::finish;
use super::gate::Gate;
use super::{Session, apart, size};
use crate::Ending;
use crate::args::{DetectArgs, ImagesArgs, ScanArgs, SearchArgs, TrainArgs, Turn};
use crate::output;

pub(crate) fn scan(args: &ScanArgs, session: &Session) -> Result<Ending> {
    apart::check(&args.out, &args.images.images)?;
    let gate = Gate::open(&args.pipeline, &args.out, &args.images.images)?;
    let experiment = scan_experiment(args, session)?;
    search(&experiment, args.search.shard, &args.out, &gate, session)
}

/// What `scan` runs.
pub(super) fn scan_experiment(args: &ScanArgs, session: &Session) -> Result<Experiment> {
    let chosen = match named(&args.search) {
        named if named.is_empty() => usual(args)?,
        named => named,
    };
    // Where classes are judged the verdict does not stand on masks, and pictures of them do not need the slow search.
    let usual = if chosen.iter().any(|name| name == JUDGE) {
        Preset::Fast
    } else {
        Preset::Accurate
    };
    let preset = args.search.preset.unwrap_or(usual);
    let rule = match args.search.threshold {
        Some(t) => ThresholdRule::Robust { t },
        None => fdr(args.search.fdr.unwrap_or(USUAL_FDR)),
    };
    let detect = detect_stage(&args.search, &chosen, preset, rule, args.model.seed)?;
    let classifier = Classifier::of(&args.weights, &args.model).as_needed(&detect, session);
    let mut experiment = experiment("scan", &args.images, &classifier, &detect, session)?;
    if let Some(clean) = absolute(args.power.clean.as_deref())? {
        let mut clean = DatasetConfig::of_images(&clean, picture_options(&args.images));
        if let Some(size) = clean.dataset_mut().size() {
            *size = experiment
                .dataset
                .dataset_mut()
                .size()
                .and_then(|size| *size);
        }
        experiment.detect.clean = Some(clean);
    }
    if !args.power.no_canary && experiment.given_weights().is_none() {
        experiment.canary = Some(CanaryStage {
            seed: args.model.seed,
            ..CanaryStage::default()
        });
    }
    Ok(experiment)
}

/// The detector that judges classes by what the classifier has learned.
const JUDGE: &str = "cascade";

/// Share of flags that may be false when nobody says one.
const USUAL_FDR: f64 = 0.05;

fn fdr(rate: f64) -> ThresholdRule {
    ThresholdRule::Fdr {
        rate,
        two_sided: false,
    }
}

/// Stands for the detectors that look at pictures alone.
const PICTURES: &str = "pictures";

/// The detectors that were named.
fn named(search: &SearchArgs) -> Vec<String> {
    let names = search.detectors.iter();
    let meant = |name: &String| match name.as_str() {
        PICTURES => names_of(&DetectorConfig::of_pictures()),
        _ => vec![name.clone()],
    };
    names.flat_map(meant).collect()
}

fn names_of(detectors: &[DetectorConfig]) -> Vec<String> {
    let names = detectors.iter().map(|one| one.detector().info().name);
    names.map(str::to_owned).collect()
}

/// The detectors of a scan that names none.
fn usual(args: &ScanArgs) -> Result<Vec<String>> {
    let path = absolute(Some(&args.images.images))?.context("a path was given")?;
    let mut dataset = DatasetConfig::of_images(&path, picture_options(&args.images));
    let is_given = args.weights.weights.is_some() && !args.weights.finetune;
    // Classes that are nothing but predictions cannot be judged.
    if is_given && dataset.dataset_mut().drop_missing_labels() {
        return Ok(vec![DETECTORS[0].name.to_owned()]);
    }
    let mut names = names_of(&DetectorConfig::of_scan());
    if args.search.reference.features_weights.is_some() || args.weights.finetune {
        names.push("probe-label".to_owned());
    }
    Ok(names)
}

pub(crate) fn train(args: &TrainArgs, session: &Session) -> Result<Ending> {
    if args.weights.weights.is_some() && !args.weights.finetune {
        bail!("`train --weights` continues from the weights: add `--finetune`");
    }
    apart::check(&args.out, &args.images.images)?;
    let classifier = Classifier::of(&args.weights, &args.model);
    let detect = DetectStage::default();
    let experiment = experiment("train", &args.images, &classifier, &detect, session)?;
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
    apart::check(&args.out, &args.images.images)?;
    let gate = Gate::open(&args.pipeline, &args.out, &args.images.images)?;
    let chosen = match named(&args.search) {
        named if named.is_empty() => vec![DETECTORS[0].name.to_owned()],
        named => named,
    };
    let rule = match args.search.fdr {
        Some(rate) => fdr(rate),
        None => ThresholdRule::Robust {
            t: args.search.threshold.unwrap_or(2.0),
        },
    };
    let preset = args.search.preset.unwrap_or(Preset::Accurate);
    let detect = detect_stage(&args.search, &chosen, preset, rule, args.seed)?;
    let classifier = Classifier::given(args.weights.as_deref(), args.weights_key.as_deref());
    let classifier = classifier.as_needed(&detect, session);
    if !classifier.is_there() {
        bail!(
            "these detectors look at a classifier of the pictures: name its weights with `--weights`"
        );
    }
    let experiment = experiment("detect", &args.images, &classifier, &detect, session)?;
    search(&experiment, args.search.shard, &args.out, &gate, session)
}

/// Runs a search and says where its results are.
fn search(
    experiment: &Experiment,
    shard: Option<(usize, usize)>,
    out: &Path,
    gate: &Gate,
    session: &Session,
) -> Result<Ending> {
    let options = session.options(Stage::Evaluate, shard);
    let outcome = pipeline::run(experiment, out, &out.join(OWN_STORE), &options)?;
    let verdict = match outcome {
        Outcome::Complete(_) => pipeline::verdict(out)?,
        _ => None,
    };
    match (&outcome, &verdict) {
        (Outcome::Complete(evaluation), verdict) if session.json => {
            let mut whole = serde_json::to_value(evaluation)?;
            whole["verdict"] = serde_json::to_value(verdict)?;
            output::json(&whole)?;
        }
        (_, Some(verdict)) => {
            say_verdict(verdict)?;
            finish(&outcome, out, session)?;
        }
        (_, None) => {
            finish(&outcome, out, session)?;
        }
    }
    point_to_results(experiment, &outcome, verdict.as_ref(), out, session)?;
    match outcome {
        Outcome::Complete(_) => gate.close(out, session),
        Outcome::Stopped(_) | Outcome::OtherShardsMissing => gate.left_open(),
    }
}

/// The verdict for people: what it is, why, and what limits it.
fn say_verdict(verdict: &Verdict) -> Result<()> {
    output::line(&verdict.summary)?;
    for class in &verdict.classes {
        for sentence in &class.evidence {
            output::line(&format!("  {}: {sentence}", class.name))?;
        }
    }
    if let Power::Measured { canaries } = &verdict.power {
        for canary in canaries {
            output::line(&format!(
                "  planted by this scan: a {} trigger on {:.1} % of the images, {} of {} found",
                canary.kind,
                canary.rate * 100.0,
                canary.found,
                canary.planted
            ))?;
        }
    }
    for warning in &verdict.warnings {
        output::line(&format!("  note: {warning}"))?;
    }
    output::line("")
}

/// Says where the lists are, for people.
fn point_to_results(
    experiment: &Experiment,
    outcome: &Outcome,
    verdict: Option<&Verdict>,
    out: &Path,
    session: &Session,
) -> Result<()> {
    if session.json || !matches!(outcome, Outcome::Complete(_)) {
        return Ok(());
    }
    if let Some(verdict) = verdict {
        output::line(&format!(
            "{0}/drop.txt names the {1} pictures that the verdict takes for poisoned, {0}/keep.txt the others",
            out.display(),
            verdict.flagged
        ))?;
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

/// An experiment on the user's own pictures, without ground truth.
pub(super) fn experiment(
    name: &str,
    images: &ImagesArgs,
    classifier: &Classifier<'_>,
    detect: &DetectStage,
    session: &Session,
) -> Result<Experiment> {
    // Names first: a slip in them costs nothing yet.
    classifier.check()?;
    let mut dataset = pictures(images, classifier, session)?;
    let (model, train) = classifier.training(&mut dataset, session)?;
    let weights = absolute(classifier.weights.map(|weights| weights.file))?;
    let weights_key = classifier.weights.and_then(|weights| weights.key);
    let weights_key = weights_key.map(str::to_owned);
    let mut detect = detect.clone();
    if classifier.is_reference {
        detect.features_weights.clone_from(&weights);
        detect.features_key.clone_from(&weights_key);
    }
    if let Some(side) = dataset.dataset_mut().size().and_then(|size| *size) {
        suit_large(&mut detect, side)?;
    }
    Ok(Experiment {
        name: name.to_owned(),
        seed: 0,
        dataset,
        poison: None,
        model,
        weights,
        weights_key,
        train,
        canary: None,
        detect,
        evaluate: Bootstrap::default(),
    })
}

/// Searches of large pictures find the weight of the norm for themselves, on a coarser mask.
fn suit_large(detect: &mut DetectStage, side: usize) -> Result<()> {
    let Some([scale, share]) = search_of_large(side, side) else {
        return Ok(());
    };
    for configured in &mut detect.detectors {
        if configured.detector.has("median_mask") {
            configured.detector.set("mask_scale", scale)?;
            configured.detector.set("median_mask", share)?;
        }
    }
    Ok(())
}

/// The pictures, with every number that their files decide.
fn pictures(
    images: &ImagesArgs,
    classifier: &Classifier<'_>,
    session: &Session,
) -> Result<DatasetConfig> {
    let path = absolute(Some(&images.images))?.context("a path was given")?;
    let mut dataset = DatasetConfig::of_images(&path, picture_options(images));
    // Given weights need no labels.
    if classifier.is_given() && dataset.dataset_mut().drop_missing_labels() {
        session.say("nothing tells the classes of the pictures; the given weights need none");
    }
    if images.size.is_none() {
        let side = pictured(&dataset)?.side;
        let (side, why) = match classifier.weights {
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

fn picture_options(images: &ImagesArgs) -> PictureOptions {
    PictureOptions {
        size: images.size,
        skip_bad: images.skip_bad.unwrap_or(0.0),
        orientation: match images.orientation {
            Turn::Ignore => Orientation::Ignore,
            Turn::Apply => Orientation::Apply,
        },
    }
}

pub(super) fn pictured(dataset: &DatasetConfig) -> Result<Pictured> {
    let pictured = dataset.dataset().pictures()?;
    pictured.context("the user's own pictures can be counted")
}

fn detect_stage(
    search: &SearchArgs,
    names: &[String],
    preset: Preset,
    rule: ThresholdRule,
    seed: u64,
) -> Result<DetectStage> {
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            bail!("--detector {name} is named twice; it would only be its own witness");
        }
    }
    let configure = |name: &String| -> Result<DetectorConfig> {
        let mut config = DetectorConfig::from_name(name)?.with_preset(preset);
        if let Some(steps) = search.steps.filter(|_| config.has("steps")) {
            config.set("steps", steps)?;
        }
        if config.has("seed") {
            config.set("seed", seed)?;
        }
        Ok(config)
    };
    // One that states a rule is flagged by it.
    let configured = |name: &String| -> Result<ConfiguredDetector> {
        let detector = configure(name)?;
        let own = detector.detector().info().rule.map(|_| ThresholdRule::Own);
        Ok(ConfiguredDetector {
            threshold: own,
            ..detector.into()
        })
    };
    Ok(DetectStage {
        sample: search.sample,
        batch_size: search.batch_size,
        compare: search.compare,
        threshold: rule,
        features_weights: absolute(search.reference.features_weights.as_deref())?,
        features_key: search.reference.features_key.clone(),
        detectors: names.iter().map(configured).collect::<Result<_>>()?,
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
