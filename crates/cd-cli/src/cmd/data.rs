//! `data`: fetch and export data sets.

use anyhow::{Context, Result};
use cd_data::{DatasetConfig, Split, export, fetch_cifar10};
use cd_models::names;
use serde::de::DeserializeOwned;

use super::Session;
use crate::Ending;
use crate::args::{DataCommand, DatasetArgs};
use crate::output;

pub(crate) fn data(command: &DataCommand, session: &Session) -> Result<Ending> {
    match command {
        DataCommand::Fetch { to, from } => {
            let path = fetch_cifar10(to, from.as_deref(), &session.bars)?;
            output::line(&path.display().to_string())?;
        }
        DataCommand::Export { dataset, out } => {
            let split = load(dataset, session)?;
            export(&split.train, &out.join("train"), &session.bars)?;
            if let Some(test) = &split.test {
                export(test, &out.join("test"), &session.bars)?;
            }
            output::line(&out.display().to_string())?;
        }
    }
    Ok(Ending::Done)
}

/// Loads a data set that was named on the command line.
pub(crate) fn load(args: &DatasetArgs, session: &Session) -> Result<Split> {
    let known = || cd_data::DATASETS.iter().map(|info| info.name);
    if !known().any(|name| name == args.dataset) {
        let hint = names::did_you_mean(&args.dataset, known());
        anyhow::bail!("unknown data set `{}`; {hint}", args.dataset);
    }
    let path = args
        .path
        .iter()
        .map(|path| format!("path = {:?}", path.display().to_string()));
    let settings: Vec<String> = path.into_iter().chain(args.overrides.clone()).collect();
    let config: DatasetConfig =
        named(&args.dataset, &settings).with_context(|| format!("data set `{}`", args.dataset))?;
    Ok(config.load(&session.bars)?)
}

/// The component `name` with settings of the form `key=value`, as in a table of an experiment file.
pub(crate) fn named<T: DeserializeOwned>(name: &str, settings: &[String]) -> Result<T> {
    let text = format!("name = {name:?}\n{}", settings.join("\n"));
    Ok(toml::from_str(&text)?)
}
