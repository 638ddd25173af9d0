//! `models inspect` and `models convert`: what is in a weights file, and the same in another format.

mod inspect;

use std::path::Path;

use anyhow::{Context, Result};
use cd_models::{
    Device, Model, ModelConfig, Normalization, WeightsFormat, WeightsRequest, save_weights,
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
        ModelsCommand::Inspect { file, key, tensors } => {
            inspect::inspect(file, key.as_deref(), *tensors, session)
        }
        ModelsCommand::Convert(args) => convert(args, session),
    }
}

fn convert(args: &ConvertArgs, session: &Session) -> Result<Ending> {
    let format = format(&args.to)?;
    let model = load(args, &session.device)?;
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
    let model = args
        .model
        .as_deref()
        .map(ModelConfig::from_name)
        .transpose()?;
    let model = model.map(|model| ModelConfig {
        width: args.width,
        ..model
    });
    let stated = args.mean.zip(args.std);
    let request = WeightsRequest {
        key: args.key.clone(),
        model,
        classes: args.classes,
        normalization: stated.map(|(mean, std)| Normalization { mean, std }),
    };
    Ok(request.load(&args.file, device)?)
}
