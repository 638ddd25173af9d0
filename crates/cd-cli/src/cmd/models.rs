//! `models inspect` and `models convert`: what is in a weights file, and the same in another format.

mod inspect;

use std::path::Path;

use anyhow::{Context, Result};
use cd_models::{
    Device, Model, ModelConfig, Normalization, WeightsFormat, load_weights, load_weights_as,
    save_weights,
};
use tracing::warn;

use super::Session;
use crate::Ending;
use crate::args::{ConvertArgs, ModelsCommand};
use crate::list;
use crate::output;

pub(crate) fn models(command: &ModelsCommand, session: &Session) -> Result<Ending> {
    match command {
        ModelsCommand::Show { name } => list::models(Some(name), session.json),
        ModelsCommand::Inspect { file, tensors } => inspect::inspect(file, *tensors, session),
        ModelsCommand::Convert(args) => convert(args, session),
    }
}

fn convert(args: &ConvertArgs, session: &Session) -> Result<Ending> {
    let format = format(&args.to)?;
    let model = load(args, &session.device)?;
    let model = match (args.mean, args.std) {
        (Some(mean), Some(std)) => model.with_normalization(Some(Normalization { mean, std })),
        _ => model,
    };
    if format == WeightsFormat::PyTorch && model.normalization().is_some() {
        warn!("PyTorch checkpoints have no place for the input normalisation; it is left out");
    }
    save_weights(&model, &args.to)?;
    output::line(&args.to.display().to_string())?;
    Ok(Ending::Done)
}

/// The extension decides the format, so an unknown one must not become some format in silence.
fn format(path: &Path) -> Result<WeightsFormat> {
    WeightsFormat::of_name(path).with_context(|| {
        let shown = path.display();
        let written = "write `.safetensors`, `.pt` (PyTorch) or `.bpk` (Burn)";
        match path.extension().and_then(|ending| ending.to_str()) {
            Some(other) => format!("{shown}: no weights format ends in `.{other}`; {written}"),
            None => format!("{shown}: the ending decides the format; {written}"),
        }
    })
}

fn load(args: &ConvertArgs, device: &Device) -> Result<Model> {
    let Some(name) = &args.model else {
        return Ok(load_weights(&args.file, device)?);
    };
    let mut config = ModelConfig::from_name(name)?;
    config.width = args.width;
    Ok(load_weights_as(&args.file, &config, args.classes, device)?)
}
