//! What is said about the options of attacks, and the checks that most of them share.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::AttackError;

/// One option of an attack, for lists and documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttackOption {
    /// Its name in configurations.
    pub name: &'static str,
    /// The values that are accepted, with their unit.
    pub range: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// An option, in one line.
pub(super) const fn option(
    name: &'static str,
    range: &'static str,
    meaning: &'static str,
) -> AttackOption {
    AttackOption {
        name,
        range,
        meaning,
    }
}

/// How a computed grey level becomes a byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// Towards zero, as the published code does; darkens by half a level on average.
    #[default]
    Truncate,
    /// To the nearest level, ties to even.
    Nearest,
}

impl Rounding {
    /// Whether it is that of published code, which some attacks leave out of what they write.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
    pub(super) fn is_published(&self) -> bool {
        *self == Self::default()
    }

    /// What is added to a grey level before it is cut.
    pub(super) fn half(self) -> f64 {
        match self {
            Self::Truncate => 0.0,
            Self::Nearest => 0.5,
        }
    }

    /// The byte for grey level `value`; what is out of range becomes 0 or 255.
    pub(super) fn byte(self, value: f64) -> u8 {
        match self {
            Self::Truncate => value as u8,
            Self::Nearest => value.round_ties_even() as u8,
        }
    }

    /// [`byte`](Self::byte) of a value of single precision.
    pub(super) fn byte_of_single(self, value: f32) -> u8 {
        match self {
            Self::Truncate => value as u8,
            Self::Nearest => value.round_ties_even() as u8,
        }
    }
}

/// What [`AttackOption::range`] says of a rounding.
pub(super) const ROUNDING: AttackOption = option(
    "rounding",
    "\"truncate\" or \"nearest\"",
    "how a computed grey level becomes a byte; published code truncates",
);

/// [`ROUNDING`] where the usual one is not written.
pub(super) const ROUNDING_IF_GIVEN: AttackOption = option(
    "rounding",
    "\"truncate\" or \"nearest\"",
    "how a computed grey level becomes a byte; cut when absent, as in published code",
);

/// An option out of range.
pub(super) fn wrong(
    attack: &'static str,
    option: &'static str,
    value: impl ToString,
    expected: &'static str,
) -> AttackError {
    AttackError::Option {
        attack,
        option,
        value: value.to_string(),
        expected,
    }
}

/// Fails unless `value` is above 0 and at most 1.
pub(super) fn share(
    attack: &'static str,
    option: &'static str,
    value: f64,
) -> Result<(), AttackError> {
    if value > 0.0 && value <= 1.0 {
        return Ok(());
    }
    Err(wrong(
        attack,
        option,
        value,
        "a number above 0 and at most 1",
    ))
}

/// Fails unless `value` lies in `range`, which `expected` puts into words.
pub(super) fn within<T: PartialOrd + ToString>(
    attack: &'static str,
    option: &'static str,
    value: T,
    range: RangeInclusive<T>,
    expected: &'static str,
) -> Result<(), AttackError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(wrong(attack, option, value, expected))
}

/// A length given for images of 32 pixels a side, at images of `side` pixels: rounded, at least 1.
pub(super) fn scaled(length: usize, side: usize) -> usize {
    ((length * side + 16) / 32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_cut_or_rounded_and_never_wrap() {
        let bytes = |rounding: Rounding| [-3.0, 0.5, 1.5, 99.7, 300.0].map(|v| rounding.byte(v));
        assert_eq!(bytes(Rounding::Truncate), [0, 0, 1, 99, 255]);
        assert_eq!(bytes(Rounding::Nearest), [0, 0, 2, 100, 255]);
        assert_eq!(Rounding::Nearest.byte_of_single(1.5), 2);
    }

    #[test]
    fn lengths_follow_the_side() {
        assert_eq!(
            [28, 32, 64, 224].map(|side| scaled(8, side)),
            [7, 8, 16, 56]
        );
        assert_eq!(scaled(1, 8), 1);
    }
}
