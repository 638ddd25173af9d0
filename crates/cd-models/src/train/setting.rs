//! Settings out of their range.

use thiserror::Error;

/// A setting of a training run that is out of its range, or contradicts another.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("training: `{key}` is {value}, expected {expected}")]
pub struct SettingError {
    /// The setting.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// Its range.
    pub expected: &'static str,
}

/// Whether a setting of which 0 means off is off.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
pub(super) fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// An error that names `key` and what it should be, unless `holds`.
pub(super) fn require(
    holds: bool,
    key: &'static str,
    value: impl ToString,
    expected: &'static str,
) -> Result<(), SettingError> {
    if holds {
        return Ok(());
    }
    Err(SettingError {
        key,
        value: value.to_string(),
        expected,
    })
}

pub(super) fn at_least_one(key: &'static str, value: usize) -> Result<(), SettingError> {
    require(value > 0, key, value, "at least 1")
}

pub(super) fn positive(key: &'static str, value: f64) -> Result<(), SettingError> {
    let holds = value > 0.0 && value.is_finite();
    require(holds, key, value, "a number above 0")
}

pub(super) fn share(key: &'static str, value: f64) -> Result<(), SettingError> {
    let holds = (0.0..1.0).contains(&value);
    require(holds, key, value, "a number from 0 to below 1")
}
