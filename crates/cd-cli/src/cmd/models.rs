//! `models inspect` and `models convert`: what is in a weights file, and the same in another format.

use std::path::Path;

use anyhow::{Context, Result};
use cd_models::{
    Device, Model, ModelConfig, Normalization, WeightsFormat, WeightsSummary, describe_weights,
    load_weights, load_weights_as, save_weights,
};
use serde_json::{Value, json};
use tracing::warn;

use super::Session;
use crate::Ending;
use crate::args::{ConvertArgs, ModelsCommand};
use crate::output;

pub(crate) fn models(command: &ModelsCommand, session: &Session) -> Result<Ending> {
    match command {
        ModelsCommand::Inspect { file } => inspect(file, session),
        ModelsCommand::Convert(args) => convert(args, session),
    }
}

fn inspect(file: &Path, session: &Session) -> Result<Ending> {
    let summary = describe_weights(file, &session.device)?;
    let trainable = trainable(&summary, &session.device)?;
    if session.json {
        output::json(&as_json(file, &summary, trainable))?;
    } else {
        as_text(&summary, trainable)?;
    }
    Ok(Ending::Done)
}

/// Trainable values; only a recognised architecture says which of the tensors are trained.
fn trainable(summary: &WeightsSummary, device: &Device) -> Result<Option<usize>> {
    let Some((config, classes)) = &summary.model else {
        return Ok(None);
    };
    Ok(Some(config.parameter_count(*classes, device)?))
}

fn as_json(file: &Path, summary: &WeightsSummary, trainable: Option<usize>) -> Value {
    let tensors = summary.tensors.iter();
    let tensors: Vec<Value> = tensors
        .map(|(name, shape)| json!({ "name": name, "shape": shape }))
        .collect();
    let model = summary.model.as_ref();
    json!({
        "file": file,
        "format": summary.format.to_string(),
        "architecture": model.map(|(config, _)| &config.name),
        "width": model.and_then(|(config, _)| config.width),
        "classes": model.map(|(_, classes)| classes),
        "misfit": summary.misfit.as_ref().map(ToString::to_string),
        "normalization": summary.normalization,
        "parameters": trainable,
        "values": summary.values,
        "non_finite": summary.non_finite,
        "tensors": tensors,
    })
}

fn as_text(summary: &WeightsSummary, trainable: Option<usize>) -> Result<()> {
    output::line(&format!("format: {}", summary.format))?;
    output::line(&format!("architecture: {}", architecture(summary)?))?;
    let normalization = summary.normalization.map_or_else(
        || "none".to_owned(),
        |Normalization { mean, std }| format!("mean {mean:?}, standard deviation {std:?}"),
    );
    output::line(&format!("input normalisation: {normalization}"))?;
    if let Some(trainable) = trainable {
        output::line(&format!("parameters: {trainable}"))?;
    }
    let (count, values) = (summary.tensors.len(), summary.values);
    output::line(&format!("tensors: {count} with {values} values"))?;
    if let Some(name) = &summary.non_finite {
        output::line(&format!(
            "not finite: `{name}` holds NaN or infinite values"
        ))?;
    }
    let mut table = output::table(&["tensor", "shape"]);
    for (name, shape) in &summary.tensors {
        table.add_row([name.clone(), format!("{shape:?}")]);
    }
    output::line(&table.to_string())
}

fn architecture(summary: &WeightsSummary) -> Result<String> {
    if let Some((config, classes)) = &summary.model {
        let width = config.resolved_width()?;
        let title = config.architecture()?.title;
        let name = &config.name;
        return Ok(format!(
            "{name} ({title}), width {width}, {classes} classes"
        ));
    }
    Ok(match &summary.misfit {
        Some(misfit) => format!("not recognised; {misfit}"),
        None => "not recognised".to_owned(),
    })
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
