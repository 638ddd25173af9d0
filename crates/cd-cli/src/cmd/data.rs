//! `data`: fetch and export data sets.

use anyhow::{Context, Result, bail};
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
    let mut table = toml::Table::new();
    table.insert("name".to_owned(), name.into());
    for setting in settings {
        for (key, value) in one_setting(setting)? {
            if table.insert(key.clone(), value).is_some() {
                bail!("`{setting}`: `{key}` is set already");
            }
        }
    }
    let error = match toml::Value::Table(table.clone()).try_into() {
        Ok(component) => return Ok(component),
        Err(error) => error,
    };
    // What serde says names no key: the setting without which all is well is the one.
    let culprit = settings.iter().find(|setting| {
        let mut rest = table.clone();
        for (key, _) in one_setting(setting).unwrap_or_default() {
            rest.remove(&key);
        }
        rest.try_into::<T>().is_ok()
    });
    let message = error.message();
    match culprit {
        Some(setting) => bail!("`{setting}`: {message}{}", hint(message)),
        None => bail!("{message}{}", hint(message)),
    }
}

/// A setting of the form `key=value`; what is no TOML value is text.
fn one_setting(setting: &str) -> Result<toml::Table> {
    let Some((key, value)) = setting.split_once('=') else {
        bail!("`{setting}`: expected KEY=VALUE, for example `train=500`");
    };
    if let Ok(table) = setting.parse() {
        return Ok(table);
    }
    let text = toml::Value::String(value.trim().to_owned());
    Ok([(key.trim().to_owned(), text)].into_iter().collect())
}

/// The nearest valid name, ready to append.
fn hint(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    match quoted
        .next()
        .and_then(|wrong| names::nearest(wrong, quoted))
    {
        Some(nearest) if message.starts_with("unknown ") => {
            format!("; did you mean `{nearest}`?")
        }
        _ => String::new(),
    }
}
