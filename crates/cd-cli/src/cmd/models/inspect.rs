//! `models inspect`: what a weights file holds, in a few lines.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use cd_models::{Device, Normalization, TensorSummary, WeightsRequest, WeightsSummary};
use comfy_table::Table;
use serde_json::{Value, json};

use crate::Ending;
use crate::cmd::Session;
use crate::output;

pub(super) fn inspect(
    file: &Path,
    key: Option<&str>,
    tensors: bool,
    session: &Session,
) -> Result<Ending> {
    let summary = WeightsRequest::under(key).describe(file, &session.device)?;
    let trainable = trainable(&summary, &session.device)?;
    if session.json {
        output::json(&as_json(file, &summary, trainable))?;
    } else {
        as_text(&summary, trainable, tensors)?;
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
        .map(|TensorSummary { name, shape, element, taken }| {
            json!({ "name": name, "shape": shape, "type": element.to_string(), "of_network": taken })
        })
        .collect();
    let model = summary.model.as_ref();
    json!({
        "file": file,
        "format": summary.format.to_string(),
        "architecture": model.map(|(config, _)| &config.name),
        "width": model.and_then(|(config, _)| config.width),
        "classes": model.map(|(_, classes)| classes),
        "key": summary.key,
        "notes": summary.notes,
        "problem": summary.problem,
        "misfit": summary.misfit.as_ref().map(ToString::to_string),
        "normalization": summary.normalization,
        "parameters": trainable,
        "values": summary.values,
        "non_finite": summary.non_finite,
        "tensors": tensors,
    })
}

fn as_text(summary: &WeightsSummary, trainable: Option<usize>, tensors: bool) -> Result<()> {
    output::line(&format!("format: {}", summary.format))?;
    output::line(&format!("architecture: {}", architecture(summary)?))?;
    if let Some((config, _)) = &summary.model {
        let family = config.architecture()?.family.title;
        output::line(&format!(
            "computed as: {family}; names and shapes tell neither strides nor pooling, such as a max pool behind the stem"
        ))?;
    }
    if let Some(problem) = &summary.problem {
        output::line(&format!("cannot be loaded: {problem}"))?;
    }
    for note in &summary.notes {
        output::line(&format!("note: {note}"))?;
    }
    let normalization = summary.normalization.map_or_else(
        || "none".to_owned(),
        |Normalization { mean, std }| format!("mean {mean:?}, standard deviation {std:?}"),
    );
    output::line(&format!("input normalisation: {normalization}"))?;
    if let Some(trainable) = trainable {
        output::line(&format!("parameters: {trainable}"))?;
    }
    let taken = summary.tensors.iter().filter(|tensor| tensor.taken);
    let (count, values) = (taken.count(), summary.values);
    output::line(&format!("tensors: {count} with {values} values"))?;
    if let Some(name) = &summary.non_finite {
        output::line(&format!(
            "not finite: `{name}` holds NaN or infinite values"
        ))?;
    }
    let table = if tensors {
        every_tensor(summary)
    } else {
        parts(summary)
    };
    output::line(&table.to_string())?;
    if !tensors {
        output::line("`--tensors` lists every tensor with its shape")?;
    }
    Ok(())
}

fn every_tensor(summary: &WeightsSummary) -> Table {
    let mut table = output::table(&["tensor", "shape", "type", "of the network"]);
    for tensor in &summary.tensors {
        let taken = if tensor.taken { "yes" } else { "no" };
        table.add_row([
            tensor.name.clone(),
            format!("{:?}", tensor.shape),
            tensor.element.to_string(),
            taken.to_owned(),
        ]);
    }
    table
}

/// One line per first part of the names, which are the stages of most networks.
fn parts(summary: &WeightsSummary) -> Table {
    const MOST: usize = 20;
    let mut parts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for TensorSummary { name, shape, .. } in summary.tensors.iter().filter(|tensor| tensor.taken) {
        let (part, _) = name.split_once('.').unwrap_or((name, ""));
        let (tensors, values) = parts.entry(part).or_default();
        *tensors += 1;
        let extents = shape.iter();
        *values += extents.fold(1_usize, |count, &extent| count.saturating_mul(extent));
    }
    let mut table = output::table(&["part", "tensors", "values"]);
    for (part, (tensors, values)) in parts.iter().take(MOST) {
        table.add_row([(*part).to_owned(), tensors.to_string(), values.to_string()]);
    }
    let rest = parts.values().skip(MOST);
    let (tensors, values) = rest.fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    if tensors > 0 {
        let name = format!("{} more", parts.len() - MOST);
        table.add_row([name, tensors.to_string(), values.to_string()]);
    }
    table
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
