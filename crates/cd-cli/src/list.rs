//! The lists: what this build knows by name, and all about one of them.

mod show;

use anyhow::Result;
use cd_data::{ATTACKS, DATASETS};
use cd_detect::DETECTORS;
use cd_models::{ARCHITECTURES, cpu_level, device};
use serde_json::{Value, json};

use crate::Ending;
use crate::args::Show;
use crate::output;

pub(crate) use show::known as known_dataset;

pub(crate) fn attacks(one: Option<&str>, as_json: bool) -> Result<Ending> {
    if let Some(name) = one {
        return show::attack(name, as_json);
    }
    let rows = ATTACKS
        .iter()
        .map(|info| [info.name, info.title, info.summary]);
    print(["attack", "name", "what it does"], rows, as_json)
}

pub(crate) fn detectors(one: Option<&Show>, as_json: bool) -> Result<Ending> {
    if let Some(Show::Show { name }) = one {
        return show::detector(name, as_json);
    }
    let rows = DETECTORS
        .iter()
        .map(|info| [info.name, info.title, info.summary]);
    print(["detector", "name", "what it does"], rows, as_json)
}

pub(crate) fn models(one: Option<&String>, as_json: bool) -> Result<Ending> {
    if let Some(name) = one {
        return show::model(name, as_json);
    }
    let rows = ARCHITECTURES
        .iter()
        .map(|entry| [entry.name, entry.title, entry.summary]);
    print(["model", "name", "what it is"], rows, as_json)
}

pub(crate) fn datasets(one: Option<&Show>, as_json: bool) -> Result<Ending> {
    if let Some(Show::Show { name }) = one {
        return show::dataset(name, as_json);
    }
    let rows = DATASETS
        .iter()
        .map(|info| [info.name, info.title, info.summary]);
    print(["dataset", "name", "what it holds"], rows, as_json)
}

pub(crate) fn devices(as_json: bool) -> Result<Ending> {
    let compiled = device::compiled();
    let rows: Vec<[String; 3]> = device::BACKENDS
        .iter()
        .map(|(name, feature)| {
            let state = match (compiled.contains(name), device::parse(name)) {
                (true, Ok(_)) if *name == "cpu" => format!(
                    "ready: {} threads, {} (of {})",
                    device::workers(name),
                    cpu_level::current(),
                    cpu_level::available().join(", ")
                ),
                (true, Ok(_)) => "ready".to_owned(),
                (true, Err(error)) => error.to_string(),
                (false, _) => format!("not in this build; rebuild with `--features {feature}`"),
            };
            [(*name).to_owned(), (*feature).to_owned(), state]
        })
        .collect();
    print(["device", "feature", "state"], rows, as_json)
}

fn print<T: Into<String> + Clone>(
    heading: [&str; 3],
    rows: impl IntoIterator<Item = [T; 3]>,
    as_json: bool,
) -> Result<Ending> {
    let rows: Vec<[String; 3]> = rows.into_iter().map(|row| row.map(Into::into)).collect();
    if as_json {
        let entry = |row: &[String; 3]| {
            let pairs = heading.iter().zip(row);
            let object = pairs.map(|(key, value)| ((*key).to_owned(), json!(value)));
            Value::Object(object.collect())
        };
        output::json(&rows.iter().map(entry).collect::<Vec<_>>())?;
        return Ok(Ending::Done);
    }
    let mut table = output::table(&heading);
    for row in rows {
        table.add_row(row);
    }
    output::line(&table.to_string())?;
    Ok(Ending::Done)
}
