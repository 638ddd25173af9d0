//! `features`: what a network sees in every picture, as a table.

use std::path::Path;

use anyhow::{Context, Result, bail};
use cd_data::{DatasetConfig, LoadContext, Orientation, PictureOptions, Split};
use cd_detect::Compute;
use cd_eval::vectors::{Vectors, VectorsFile};
use cd_models::{ImageSet, Model, ModelConfig, WeightsRequest};
use serde_json::json;

use super::apart::Results;
use super::folder::pictured;
use super::size::{self, Given};
use super::{Session, data, in_vain};
use crate::Ending;
use crate::args::{DatasetArgs, FeaturesArgs, Part, Turn};
use crate::output;

/// Names of the pictures that were checked, in the folder of what is computed already.
const INDEX: &str = "pictures";

pub(crate) fn features(args: &FeaturesArgs, session: &Session) -> Result<Ending> {
    if args.dataset.is_some() {
        let options = [("--orientation", args.orientation.is_some())];
        in_vain::check(&options, "it is for a folder of --images")?;
    }
    if let Some(images) = &args.images {
        results(args).check(images)?;
    }
    let file = VectorsFile::new(&args.out, args.force)?;
    let model = model(args, session)?;
    let images = images(args, &file, session)?;
    let vectors = Vectors {
        model: &model,
        images: &images,
        tap: args.tap,
        logits: args.logits,
    };
    let compute = Compute {
        batch_size: args.batch_size,
        workers: session.workers,
        progress: &session.bars,
        ..Compute::new(&session.device)
    };
    let width = file.write(&vectors, &session.device_name, &compute)?;
    if session.json {
        output::json(&json!({
            "file": args.out, "rows": images.len(), "tap": args.tap.to_string(), "features": width,
            "architecture": model.config().name,
        }))?;
    } else {
        output::line(&format!(
            "{}: {} rows of {width} features at `{}` of {}",
            args.out.display(),
            images.len(),
            args.tap,
            model.architecture().title
        ))?;
    }
    Ok(Ending::Done)
}

fn results(args: &FeaturesArgs) -> Results<'_> {
    Results::file("--out", &args.out)
}

fn model(args: &FeaturesArgs, session: &Session) -> Result<Model> {
    let mut request = WeightsRequest::under(args.weights_key.as_deref());
    if let Some(name) = &args.arch {
        request.model = Some(ModelConfig::from_name(name)?);
    }
    Ok(request.load(&args.weights, &session.device)?)
}

fn images(args: &FeaturesArgs, file: &VectorsFile, session: &Session) -> Result<ImageSet> {
    let Split {
        train, test, name, ..
    } = split(args, file, session)?;
    match (args.split, test) {
        (Part::Train, None) => Ok(train),
        (Part::Train, Some(test)) => {
            session.say(&format!(
                "the {} test images are left out; `--split test` writes them",
                test.len()
            ));
            Ok(train)
        }
        (Part::Test, Some(test)) => Ok(test),
        (Part::Test, None) => bail!("data set `{name}` has no test images"),
    }
}

fn split(args: &FeaturesArgs, file: &VectorsFile, session: &Session) -> Result<Split> {
    let mut bad_list = args.out.clone().into_os_string();
    bad_list.push(".bad-pictures.csv");
    let config = match (&args.dataset, &args.images) {
        (Some(dataset), _) => data::config(
            &DatasetArgs {
                dataset: dataset.clone(),
                path: args.path.clone(),
                overrides: args.overrides.clone(),
            },
            session,
        )?,
        (None, Some(images)) => folder(args, images, session)?,
        (None, None) => unreachable!("the command line asks for one of them"),
    };
    results(args).check_set(&config)?;
    let split = config.load_with(&LoadContext {
        progress: &session.bars,
        index: Some(&file.work().join(INDEX)),
        bad_list: Some(bad_list.as_ref()),
    });
    split.with_context(|| format!("data set `{}`", config.name()))
}

/// The user's own pictures, which need no classes here.
fn folder(args: &FeaturesArgs, images: &Path, session: &Session) -> Result<DatasetConfig> {
    let options = PictureOptions {
        size: args.size,
        skip_bad: args.skip_bad.unwrap_or(0.0),
        orientation: match args.orientation.unwrap_or(Turn::Ignore) {
            Turn::Ignore => Orientation::Ignore,
            Turn::Apply => Orientation::Apply,
        },
    };
    let mut dataset = DatasetConfig::of_images(images, options);
    dataset.dataset_mut().drop_missing_labels();
    if args.size.is_none() {
        let weights = Given {
            file: &args.weights,
            key: args.weights_key.as_deref(),
        };
        let (side, why) = size::for_weights(weights, pictured(&dataset)?.side, session)?;
        session.say(&format!(
            "pictures are read at {side} x {side} pixels, {why}"
        ));
        if let Some(size) = dataset.dataset_mut().size() {
            *size = Some(side);
        }
    }
    Ok(dataset)
}
