//! `inspect`: image, mask and pattern of one picture.

use anyhow::{Context, Result};
use cd_data::{picture_side, read_rgb};
use cd_detect::{CognitiveDistillation, DetectorConfig};
use cd_eval::picture::{Picture, mask_to_rgb, strip};
use cd_eval::pipeline::channel_last;
use cd_models::{Classifier, WeightsRequest, atomic, one_batch, quantize, to_host};

use super::size::{self, Given};
use super::{Session, apart};
use crate::Ending;
use crate::args::InspectArgs;
use crate::output;

/// Enlargement of the written picture.
const SCALE: usize = 8;

pub(crate) fn inspect(args: &InspectArgs, session: &Session) -> Result<Ending> {
    apart::check_png("--out", &args.out, Some(&args.image))?;
    let weights = Given {
        file: &args.weights,
        key: args.weights_key.as_deref(),
    };
    let model = WeightsRequest::under(weights.key).load(weights.file, &session.device)?;
    let side = match args.size {
        Some(side) => side,
        None => size::for_weights(weights, picture_side(&[&args.image]), session)?.0,
    };
    model.check_size(side, side)?;
    let pixels =
        read_rgb(&args.image, side, side).with_context(|| args.image.display().to_string())?;
    let images = one_batch(&pixels, side, side, &session.device);
    let distillation = distillation(&args.detector)?
        .with_steps(args.steps)
        .scaled_to(side, side);
    let distilled = distillation.distill(&model, images.clone(), &[0])?;
    let [_, channels, height, width] = distilled.masks.dims();
    let mask = channel_last(&quantize(&to_host(distilled.masks)), channels);
    let image = Picture::new(width, height, pixels)?;
    let pattern = image.masked(&mask, channels)?;
    let mask = mask_to_rgb(&mask, width, height, channels)?;
    let row = strip(
        &[image, mask, pattern].map(|picture| picture.enlarged(SCALE)),
        SCALE,
    );
    atomic::write(&args.out, &row.to_png()?).with_context(|| args.out.display().to_string())?;
    let logits = to_host(model.logits(images));
    let class = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
    output::line(&format!(
        "{}: class {}, mask L1 norm {:.2} of {}",
        args.out.display(),
        class.unwrap_or(0),
        distilled.norms[0],
        channels * height * width
    ))?;
    Ok(Ending::Done)
}

fn distillation(name: &str) -> Result<CognitiveDistillation> {
    CognitiveDistillation::from_config(&DetectorConfig::from_name(name)?)?
        .with_context(|| format!("detector `{name}` makes no masks; try `cd-l`"))
}
