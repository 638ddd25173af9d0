//! `bias`: what a classifier of attributes leans on.

use std::path::Path;

use anyhow::{Context, Result, bail};
use cd_core::{Attributes, Labels, random};
use cd_data::{CelebAConfig, DatasetConfig, LoadContext};
use cd_detect::{CognitiveDistillation, Compute, HeadMasks, Side, head_masks};
use cd_eval::picture::{Picture, mask_to_rgb, strip};
use cd_eval::pipeline::channel_last;
use cd_eval::run_dir::BAD_LIST;
use cd_models::{
    ImageSet, Model, ModelConfig, Schedule, TrainConfig, WeightsRequest, atomic, names,
    save_weights, train,
};
use rand::seq::SliceRandom;
use serde_json::json;

use super::Session;
use crate::Ending;
use crate::args::BiasArgs;
use crate::output;

/// The network that is trained where none is given.
const ARCHITECTURE: &str = "attribute_resnet18";
/// Attributes that are printed of each side.
const PRINTED: usize = 5;

pub(crate) fn bias(args: &BiasArgs, session: &Session) -> Result<Ending> {
    if args.smallest > 0.5 || args.smallest <= 0.0 {
        bail!(
            "--smallest is {}, expected a number above 0, at most 0.5",
            args.smallest
        );
    }
    let set = images(args, session)?;
    let attribute = position(&args.attribute, set.class_names())?;
    std::fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    let model = model(args, &set, session)?;
    let some = sampled(&set, args);
    let Labels::Attributes(attributes) = some.annotations() else {
        bail!("the pictures have no attributes");
    };
    let head = model.attribute(attribute).with_context(|| {
        format!(
            "{} has no head for each attribute",
            model.architecture().title
        )
    })?;
    let method = CognitiveDistillation::logits()
        .with_preset(args.preset)
        .with_seed(args.seed)
        .scaled_to(some.height(), some.width());
    let compute = Compute {
        batch_size: args.batch_size,
        workers: session.workers,
        progress: &session.bars,
        ..Compute::new(&session.device)
    };
    let found = head_masks(&head, (&some).into(), &method, &compute)?;
    let found = found.context("there are no other shards")?;
    let sides = found.sides(attributes, args.smallest)?;
    write(&args.out, args, &some, &found, &sides)?;
    if session.json {
        output::json(&summary(args, &some, &sides))?;
    } else {
        print(args, &some, attributes, &sides)?;
    }
    Ok(Ending::Done)
}

fn images(args: &BiasArgs, session: &Session) -> Result<ImageSet> {
    let config = DatasetConfig::CelebA(CelebAConfig {
        path: args.path.clone(),
        size: args.size,
        classes: Vec::new(),
        ..CelebAConfig::default()
    });
    let split = config.load_with(&LoadContext {
        progress: &session.bars,
        index: None,
        bad_list: Some(&args.out.join(BAD_LIST)),
    })?;
    Ok(split.train)
}

fn position(name: &str, known: &[String]) -> Result<usize> {
    let found = known.iter().position(|one| one == name);
    found.with_context(|| {
        let hint = names::did_you_mean(name, known.iter().map(String::as_str));
        format!("--attribute: there is no attribute `{name}`; {hint}")
    })
}

/// The given network, or one that is trained on all pictures and kept beside the results.
fn model(args: &BiasArgs, set: &ImageSet, session: &Session) -> Result<Model> {
    if let Some(weights) = &args.weights {
        let model = WeightsRequest::default().load(weights, &session.device)?;
        if model.classes() != set.class_count() {
            bail!(
                "{}: the network knows {} attributes, the pictures have {}",
                weights.display(),
                model.classes(),
                set.class_count()
            );
        }
        return Ok(model);
    }
    let config = TrainConfig {
        epochs: args.epochs,
        batch_size: 64.min(set.len()),
        learning_rate: 0.01,
        schedule: Schedule::Cosine {
            warmup: 0.5,
            floor: 0.0,
        },
        seed: args.seed,
        record_losses: 0,
        ..TrainConfig::default()
    };
    let network = ModelConfig::from_name(ARCHITECTURE)?.with_width(args.width);
    let trained = train(&network, set, &config, None, &session.device, &session.bars)?;
    if let Some(last) = trained.history.epochs.last() {
        session.say(&format!(
            "trained {ARCHITECTURE} of width {}: {:.1} % of all answers right",
            args.width,
            100.0 * last.train_accuracy
        ));
    }
    save_weights(&trained.model, &args.out.join("model.safetensors"))?;
    Ok(trained.model)
}

fn sampled(set: &ImageSet, args: &BiasArgs) -> ImageSet {
    let Some(sample) = args.sample.filter(|sample| *sample < set.len()) else {
        return set.clone();
    };
    let mut order: Vec<usize> = (0..set.len()).collect();
    order.shuffle(&mut random::stream(args.seed, random::named("bias sample")));
    order.truncate(sample);
    order.sort_unstable();
    set.subset(&order)
}

/// `bias.json`, `masks.csv` and `masks.png`.
fn write(
    out: &Path,
    args: &BiasArgs,
    set: &ImageSet,
    found: &HeadMasks,
    sides: &[Side],
) -> Result<()> {
    let file = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        atomic::write(&path, bytes).with_context(|| path.display().to_string())
    };
    let text = serde_json::to_string_pretty(&summary(args, set, sides))?;
    file("bias.json", text.as_bytes())?;
    let small = sides.iter().flat_map(|side| side.small.iter().copied());
    let small: std::collections::BTreeSet<usize> = small.collect();
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["file", "said", "mask_norm", "small"])?;
    for index in 0..set.len() {
        let said = if found.present[index] {
            "present"
        } else {
            "absent"
        };
        table.write_record([
            set.name(index),
            said,
            &found.norms[index].to_string(),
            &small.contains(&index).to_string(),
        ])?;
    }
    file("masks.csv", &table.into_inner()?)?;
    let [channels, height, width] = found.masks.shape();
    let groups = sides.iter().flat_map(|side| [&side.images, &side.small]);
    let pictures = groups.map(|group| -> Result<Picture> {
        let mask = channel_last(&found.mean(group)?, channels);
        let picture = mask_to_rgb(&mask, width, height, channels)?;
        Ok(picture.enlarged(128_usize.div_ceil(height.max(width).max(1))))
    });
    let pictures = pictures.collect::<Result<Vec<_>>>()?;
    file("masks.png", &strip(&pictures, 6).to_png()?)
}

fn summary(args: &BiasArgs, set: &ImageSet, sides: &[Side]) -> serde_json::Value {
    let side = |side: &Side| {
        let attributes = side.attributes.iter().map(|one| {
            json!({
                "attribute": set.class_names()[one.attribute], "small": one.small, "all": one.all,
                "deviations": one.deviations,
            })
        });
        json!({
            "said": if side.present { "present" } else { "absent" },
            "images": side.images.len(), "small": side.small.len(),
            "attributes": attributes.collect::<Vec<_>>(),
        })
    };
    json!({
        "attribute": args.attribute, "images": set.len(), "smallest": args.smallest,
        "sides": sides.iter().map(side).collect::<Vec<_>>(),
        "pictures": "masks.png: for each side the mean mask of all its pictures, then of those with the smallest",
    })
}

fn print(args: &BiasArgs, set: &ImageSet, attributes: &Attributes, sides: &[Side]) -> Result<()> {
    let attribute = position(&args.attribute, set.class_names())?;
    for side in sides {
        let having = side
            .images
            .iter()
            .filter(|&&index| attributes.of(index)[attribute]);
        output::line(&format!(
            "the head of {} says {} of {} pictures, {} of which have it; {} with the smallest masks:",
            args.attribute,
            if side.present { "present" } else { "absent" },
            side.images.len(),
            having.count(),
            side.small.len()
        ))?;
        let mut table = output::table(&["attribute", "among these", "among all", "deviations"]);
        for one in side.attributes.iter().take(PRINTED) {
            table.add_row([
                set.class_names()[one.attribute].clone(),
                format!("{:.1} %", 100.0 * one.small),
                format!("{:.1} %", 100.0 * one.all),
                format!("{:+.1}", one.deviations),
            ]);
        }
        output::line(&table.to_string())?;
    }
    let files = ["bias.json", "masks.csv", "masks.png"];
    let files = files.map(|file| args.out.join(file).display().to_string());
    output::line(&files.join(", "))
}
