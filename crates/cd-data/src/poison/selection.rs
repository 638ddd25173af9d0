//! Which images are poisoned, beyond their number: the `[poison.select]` table of an experiment file.

use serde::{Deserialize, Serialize};

use super::PoisonError;

/// Which images are poisoned, beyond their number; by default drawn from all classes and replaced.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// Clean-label attacks only: the share of the target class to poison, above 0 and at most 1, instead of `rate`, which is a share
    /// of the set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_rate: Option<f64>,
    /// Whether only images are drawn whose label changes; otherwise some have the target label already.
    #[serde(skip_serializing_if = "is_false")]
    pub exclude_target: bool,
    /// Only images of these classes lead to another label; all classes when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<u32>>,
    /// The training images to poison, by index, instead of `rate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indices: Option<Vec<usize>>,
    /// The training images that carry the trigger and keep their label, by index, for attacks that have any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover_indices: Option<Vec<usize>>,
    /// Whether stamped images are added to the set rather than put in place of their clean ones.
    #[serde(skip_serializing_if = "is_false")]
    pub append: bool,
    /// Whether fewer images are taken where there are not as many as asked for, which otherwise is an error.
    #[serde(skip_serializing_if = "is_false")]
    pub fewer: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Selection {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Checks what can be checked without the data; `clean` says whether the attack keeps labels.
    pub(super) fn check(&self, clean: bool) -> Result<(), PoisonError> {
        let wrong = |option, value: String, expected| {
            Err(PoisonError::Select {
                option,
                value,
                expected,
            })
        };
        if let Some(rate) = self.class_rate {
            if !clean {
                let expected =
                    "absent for attacks that change labels; `rate` is their share of the set";
                return wrong("class_rate", rate.to_string(), expected);
            }
            if !(rate > 0.0 && rate <= 1.0) {
                let expected = "a number above 0 and at most 1 (0.1 is 10 % of the target class)";
                return wrong("class_rate", rate.to_string(), expected);
            }
        }
        if clean && self.sources.is_some() {
            let expected = "absent for clean-label attacks, which poison the target class";
            return wrong("sources", "given".into(), expected);
        }
        if self.sources.as_ref().is_some_and(Vec::is_empty) {
            return wrong("sources", "[]".into(), "at least one class");
        }
        for (option, list) in [
            ("indices", &self.indices),
            ("cover_indices", &self.cover_indices),
        ] {
            let Some(list) = list else { continue };
            let mut sorted = list.clone();
            sorted.sort_unstable();
            let mut pairs = sorted.iter().zip(sorted.iter().skip(1));
            if let Some((index, _)) = pairs.find(|(index, next)| index == next) {
                return wrong(option, format!("{index} twice"), "every index once");
            }
            if option == "indices" && list.is_empty() {
                return wrong(option, "[]".into(), "at least one index");
            }
        }
        Ok(())
    }
}
