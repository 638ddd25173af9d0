//! Settings of any detector by their keys, through serde alone.

use std::fmt;

use cd_core::names;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::{Serialize, forward_to_deserialize_any};
use serde_json::Value;
use thiserror::Error;

use super::DetectorConfig;

/// A setting that cannot be changed so.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SettingError {
    /// The detector has no such setting.
    #[error("detector `{detector}` has no setting `{key}`; {}", names::did_you_mean(.key, .keys.iter().copied()))]
    Unknown {
        /// The detector.
        detector: &'static str,
        /// What was asked for.
        key: String,
        /// The settings that it has.
        keys: &'static [&'static str],
    },
    /// The value is of the wrong kind.
    #[error("detector `{detector}`, setting `{key}`: {reason}")]
    Value {
        /// The detector.
        detector: &'static str,
        /// The setting.
        key: String,
        /// What is wrong with the value.
        reason: String,
    },
}

impl DetectorConfig {
    /// Whether the detector has a setting of this name.
    pub fn has(&self, key: &str) -> bool {
        self.keys().contains(&key)
    }

    /// The value of a setting as configuration files have it; `None` when the detector lacks it, or leaves it out because it
    /// has its default.
    pub fn get(&self, key: &str) -> Option<Value> {
        let key = Some(key).filter(|key| self.has(key))?;
        serde_json::to_value(self).ok()?.get(key).cloned()
    }

    /// Changes a setting; the range of the value is checked by [`Detector::check`](super::Detector::check).
    ///
    /// # Errors
    ///
    /// When the detector lacks the setting (see [`has`](Self::has)), or the value is of another kind.
    pub fn set(&mut self, key: &str, value: impl Serialize) -> Result<(), SettingError> {
        let detector = self.detector().info().name;
        if !self.has(key) {
            return Err(SettingError::Unknown {
                detector,
                key: key.to_owned(),
                keys: self.keys(),
            });
        }
        let changed = serde_json::to_value(value)
            .and_then(|value| self.with(key, value))
            .map_err(|error| SettingError::Value {
                detector,
                key: key.to_owned(),
                reason: error.to_string(),
            })?;
        *self = changed;
        Ok(())
    }

    fn with(&self, key: &str, value: Value) -> Result<Self, serde_json::Error> {
        let mut all = serde_json::to_value(self)?;
        all[key] = value;
        serde_json::from_value(all)
    }
}

/// The names of the fields that `T`, a plain struct, is read from.
pub(super) fn keys<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // It fails after it has told its fields: there is nothing to read.
    let _ = T::deserialize(Fields(&mut fields));
    fields
}

/// Reads nothing and remembers which fields were asked for.
struct Fields<'a>(&'a mut &'static [&'static str]);

/// There is nothing to read.
#[derive(Debug)]
struct Nothing;

impl fmt::Display for Nothing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("nothing to read")
    }
}

impl std::error::Error for Nothing {}

impl serde::de::Error for Nothing {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Nothing;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Nothing> {
        Err(Nothing)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Nothing> {
        *self.0 = fields;
        Err(Nothing)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq
        tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests;
