//! Settings of the form `key.path=value`: the one dialect of the command line.
//!
//! The value is a TOML value, or else plain text. A key is a path through tables and, by number from 0, through
//! lists: `train.epochs=3`, `detect.detectors.0.steps=7`.
//!
//! ```
//! use cd_data::AttackConfig;
//! use cd_eval::settings;
//!
//! let attack: AttackConfig = settings::named("blend", &["alpha=0.1".to_owned()])?;
//! assert_eq!(attack.name(), "blend");
//! let slip = settings::named::<AttackConfig>("blend", &["alhpa=0.1".to_owned()]);
//! assert!(slip.unwrap_err().to_string().contains("did you mean `alpha`?"));
//! # Ok::<(), settings::SettingError>(())
//! ```

#[cfg(test)]
mod tests;

use cd_core::names;
use serde::de::DeserializeOwned;
use thiserror::Error;
use toml::{Table, Value};

/// A setting that is not of the form `key=value`, leads nowhere or has a value that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}{reason}")]
pub struct SettingError {
    /// The setting in quotes, ready to stand before the reason; empty where no single one is to blame.
    place: String,
    reason: String,
}

impl SettingError {
    fn of(setting: &str, reason: impl Into<String>) -> Self {
        Self {
            place: format!("`{setting}`: "),
            reason: reason.into(),
        }
    }
}

/// The component called `name` (a data set, an attack, a detector) with `settings` instead of its defaults.
///
/// # Errors
///
/// Names the setting and what is wrong with it, or what the component lacks.
pub fn named<T: DeserializeOwned>(name: &str, settings: &[String]) -> Result<T, SettingError> {
    let table = Table::from_iter([("name".to_owned(), name.into())]);
    with(Value::Table(table), settings)
}

/// `base` with `settings` applied in order, read as a `T`.
///
/// # Errors
///
/// Names the setting and what is wrong with it. The same key twice is an error, too.
pub fn with<T: DeserializeOwned>(base: Value, settings: &[String]) -> Result<T, SettingError> {
    let mut value = base.clone();
    for (index, setting) in settings.iter().enumerate() {
        let (key, _) = split(setting)?;
        let former = settings[..index].iter().filter_map(|s| split(s).ok());
        if former.into_iter().any(|(other, _)| other == key) {
            return Err(SettingError::of(
                setting,
                format!("`{}` is set already", key.join(".")),
            ));
        }
        apply(&mut value, setting)?;
    }
    let error = match value.try_into() {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    let reason = error.message();
    let hint = nearest_name(reason).map_or_else(String::new, |nearest| {
        format!("; did you mean `{nearest}`?")
    });
    let place =
        culprit::<T>(&base, settings).map_or_else(String::new, |setting| format!("`{setting}`: "));
    Err(SettingError {
        place,
        reason: format!("{reason}{hint}"),
    })
}

/// What serde says names no key: the setting without which all is well is the one.
fn culprit<'a, T: DeserializeOwned>(base: &Value, settings: &'a [String]) -> Option<&'a String> {
    (0..settings.len()).find_map(|at| {
        let mut rest = base.clone();
        for (index, setting) in settings.iter().enumerate() {
            if index != at {
                apply(&mut rest, setting).ok()?;
            }
        }
        rest.try_into::<T>().is_ok().then_some(&settings[at])
    })
}

/// The keys and the value of a setting.
fn split(setting: &str) -> Result<(Vec<&str>, Value), SettingError> {
    let Some((path, right)) = setting.split_once('=') else {
        return Err(SettingError::of(
            setting,
            "expected KEY=VALUE, for example `train=500`",
        ));
    };
    let keys: Vec<&str> = path.split('.').map(str::trim).collect();
    if keys.contains(&"") {
        return Err(SettingError::of(setting, "a part of the key is empty"));
    }
    // One value and not more, which a line break could smuggle in.
    let parsed = toml::from_str::<Table>(&format!("value = {right}"));
    let value = match parsed {
        Ok(mut table) if table.len() == 1 => table.remove("value"),
        _ => None,
    };
    let text = || Value::String(right.trim().to_owned());
    Ok((keys, value.unwrap_or_else(text)))
}

/// Sets the key of `setting` in `value`; tables on the way are made where they are missing.
fn apply(value: &mut Value, setting: &str) -> Result<(), SettingError> {
    let wrong = |reason: String| SettingError::of(setting, reason);
    let (keys, new) = split(setting)?;
    let mut at = value;
    for (depth, key) in keys.iter().enumerate() {
        let parent = || match depth {
            0 => "the whole".to_owned(),
            _ => format!("`{}`", keys[..depth].join(".")),
        };
        at = match at {
            Value::Table(table) => table
                .entry((*key).to_owned())
                .or_insert_with(|| Value::Table(Table::new())),
            Value::Array(list) => {
                let count = list.len();
                let element = key
                    .parse()
                    .ok()
                    .and_then(|index: usize| list.get_mut(index));
                element.ok_or_else(|| {
                    wrong(format!(
                        "{} has no element `{key}`, only 0 to {}",
                        parent(),
                        count.saturating_sub(1)
                    ))
                })?
            }
            _ => return Err(wrong(format!("{} is no table", parent()))),
        };
    }
    *at = new;
    Ok(())
}

/// The valid name nearest to the wrong one, read off serde's own message:
/// `` unknown field `x`, expected one of `a`, `b` ``.
pub fn nearest_name(message: &str) -> Option<&str> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    names::nearest(wrong, quoted)
}

/// Every key that the component called `name` knows, also those that are off by default.
///
/// `T` must refuse unknown keys.
pub fn keys<T: DeserializeOwned>(name: &str) -> Vec<String> {
    // Serde lists the fields to whoever names a wrong one.
    const NO_KEY: &str = "no key has this name";
    let table = [("name", name), (NO_KEY, "")].map(|(key, value)| (key.to_owned(), value.into()));
    let Err(error) = Value::Table(Table::from_iter(table)).try_into::<T>() else {
        return Vec::new();
    };
    let quoted = error.message().split('`').skip(1).step_by(2);
    let keys = quoted.filter(|key| *key != NO_KEY);
    keys.map(str::to_owned).collect()
}
