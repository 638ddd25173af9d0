//! From scores to a decision, without ever looking at the answer.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::conformal::{discoveries, p_values};
use crate::detection::{Detection, Direction, Scale};
use crate::detector::DetectorInfo;
use crate::statistics::{median, robust_spread};

/// How images are flagged. No rule needs labels of what is poisoned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ThresholdRule {
    /// Flag what lies more than `t` standard deviations on the suspicious side of the mean of
    /// trusted clean images (the paper: 1 % clean, t = 1; its released script: 10 % clean, t = 0.5).
    Calibrated {
        /// Standard deviations.
        t: f64,
    },
    /// Flag what lies more than `t` robust standard deviations on the suspicious side of the median
    /// of the suspects themselves, on the scale of the measure: mask norms are compared by their
    /// logarithms. Needs no clean images; assumes that fewer than half are poisoned.
    Robust {
        /// Robust standard deviations (1.4826 median absolute deviations).
        t: f64,
    },
    /// Flag what the detector's own rule flags: the one that its method was published with, or that its documentation states.
    Own,
    /// Flag so many images that on average no more than a share of `rate` of the flags is false, by conformal p-values against
    /// trusted clean images or, without any, against the unsuspicious half of the images themselves.
    Fdr {
        /// Share of false flags, above 0 and below 1.
        rate: f64,
        /// Whether numbers far on the other side are suspicious, too.
        #[serde(default)]
        two_sided: bool,
    },
    /// Flag the most suspicious `share` of the images, in `[0, 1]`.
    Fraction {
        /// Share of the images.
        share: f64,
    },
}

impl Default for ThresholdRule {
    fn default() -> Self {
        Self::Robust { t: 2.0 }
    }
}

/// A rule applied to a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The rule in words, with the numbers it used.
    pub explanation: String,
    /// The raw value at the border; `None` when nothing can be flagged.
    pub cutoff: Option<f64>,
    /// Whether each image is flagged, in the order of the set.
    pub flagged: Vec<bool>,
}

impl Decision {
    /// Number of flagged images.
    pub fn flagged_count(&self) -> usize {
        self.flagged.iter().filter(|&&flag| flag).count()
    }
}

/// Why a rule could not be applied.
#[derive(Debug, Error, PartialEq)]
pub enum ThresholdError {
    /// A calibrated rule without trusted clean images.
    #[error(
        "the `calibrated` rule needs at least 2 trusted clean images, there are {0}; give some, or use the `robust` rule"
    )]
    NoCleanImages(usize),
    /// A calibrated rule with a method that judges a set as a whole, or without trusted clean images.
    #[error(
        "the `calibrated` rule compares with trusted clean images, and `{0}` has no numbers of any; use the `robust` or the `fraction` rule"
    )]
    NoCleanNumbers(String),
    /// A detector that only orders images was asked for a rule of its own.
    #[error("`{0}` has no rule of its own; use the `robust` or the `fraction` rule")]
    NoOwnRule(String),
    /// A parameter is out of its range.
    #[error("threshold: `{key}` is {value}, expected {expected}")]
    Parameter {
        /// The parameter.
        key: &'static str,
        /// Its value.
        value: f64,
        /// Its range.
        expected: &'static str,
    },
}

impl ThresholdRule {
    /// Flags the images of `detection`.
    ///
    /// # Errors
    ///
    /// When a parameter is out of range, or the rule needs numbers of trusted clean images and there are none.
    pub fn apply(&self, detection: &Detection) -> Result<Decision, ThresholdError> {
        self.check()?;
        match *self {
            Self::Calibrated { t } => calibrated(detection, t),
            Self::Robust { t } => Ok(robust(detection, t)),
            Self::Fraction { share } => Ok(most_suspicious(detection, share)),
            Self::Fdr { rate, two_sided } => Ok(fdr(detection, rate, two_sided)),
            Self::Own => detection
                .own
                .clone()
                .ok_or_else(|| ThresholdError::NoOwnRule(detection.measure.title.to_string())),
        }
    }

    /// Whether the rule can be applied to what the detector of `info` finds; to be asked before any work.
    ///
    /// # Errors
    ///
    /// When the rule needs numbers of trusted clean images, or one of the detector's own, and the detector has none.
    pub fn check_with(&self, info: &DetectorInfo) -> Result<(), ThresholdError> {
        match self {
            Self::Calibrated { .. } if !info.judges_clean => {
                Err(ThresholdError::NoCleanNumbers(info.name.to_owned()))
            }
            Self::Own if info.rule.is_none() => {
                Err(ThresholdError::NoOwnRule(info.name.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Whether the parameters are in their ranges.
    ///
    /// # Errors
    ///
    /// Names the parameter that is not.
    pub fn check(&self) -> Result<(), ThresholdError> {
        match *self {
            Self::Calibrated { t } | Self::Robust { t } => finite("t", t),
            Self::Fraction { share } if !(0.0..=1.0).contains(&share) => {
                Err(ThresholdError::Parameter {
                    key: "share",
                    value: share,
                    expected: "a number from 0 to 1",
                })
            }
            Self::Fdr { rate, .. } if !(rate > 0.0 && rate < 1.0) => {
                Err(ThresholdError::Parameter {
                    key: "rate",
                    value: rate,
                    expected: "a number above 0 and below 1",
                })
            }
            Self::Fraction { .. } | Self::Fdr { .. } | Self::Own => Ok(()),
        }
    }
}

fn finite(key: &'static str, value: f64) -> Result<(), ThresholdError> {
    if value.is_finite() {
        return Ok(());
    }
    Err(ThresholdError::Parameter {
        key,
        value,
        expected: "a finite number",
    })
}

fn calibrated(detection: &Detection, t: f64) -> Result<Decision, ThresholdError> {
    let Some(clean) = &detection.clean else {
        let title = detection.measure.title.to_string();
        return Err(ThresholdError::NoCleanNumbers(title));
    };
    if clean.len() < 2 {
        return Err(ThresholdError::NoCleanImages(clean.len()));
    }
    let mean = clean.iter().sum::<f64>() / clean.len() as f64;
    let squares = clean.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    let std = (squares / (clean.len() - 1) as f64).sqrt();
    let words = format!(
        "more than {t} standard deviations ({std:.4}) from the mean ({mean:.4}) of {} trusted clean images",
        clean.len()
    );
    Ok(beyond(detection, mean, std, t, words))
}

fn robust(detection: &Detection, t: f64) -> Decision {
    let median_and_std = |values: Vec<f64>| {
        let std = robust_spread(&values);
        (median(values), std)
    };
    match detection.measure.scale {
        Scale::Linear => {
            let (middle, std) = median_and_std(detection.raw.clone());
            let words = format!(
                "more than {t} robust standard deviations ({std:.4}) from the median ({middle:.4}) of the images themselves"
            );
            beyond(detection, middle, std, t, words)
        }
        Scale::Ratio => {
            let logarithm = |x: &f64| x.max(f64::MIN_POSITIVE).ln();
            let logarithms: Vec<f64> = detection.raw.iter().map(logarithm).collect();
            let (middle, std) = median_and_std(logarithms.clone());
            let words = format!(
                "more than {t} robust standard deviations (a factor of {:.2} each) from the median ({:.4}) of the images themselves",
                std.exp(),
                middle.exp()
            );
            let on_logarithms = Detection::new(detection.measure.clone(), logarithms);
            let decision = beyond(&on_logarithms, middle, std, t, words);
            Decision {
                cutoff: decision.cutoff.map(f64::exp),
                ..decision
            }
        }
    }
}

fn beyond(detection: &Detection, centre: f64, std: f64, t: f64, explanation: String) -> Decision {
    let is_flagged = |&raw: &f64| match detection.measure.direction {
        Direction::Low => centre - raw > t * std,
        Direction::High => raw - centre > t * std,
    };
    // Without spread every value ties and none stands out.
    let usable = std > 0.0;
    let cutoff = match detection.measure.direction {
        Direction::Low => centre - t * std,
        Direction::High => centre + t * std,
    };
    let flagged = detection.raw.iter().map(|raw| usable && is_flagged(raw));
    Decision {
        flagged: flagged.collect(),
        explanation,
        cutoff: usable.then_some(cutoff),
    }
}

fn fdr(detection: &Detection, rate: f64, two_sided: bool) -> Decision {
    let flagged = discoveries(&p_values(detection, two_sided), rate);
    let against = match detection.clean.as_ref().map_or(0, Vec::len) {
        0 => "the less suspicious half of the images themselves".to_owned(),
        count => format!("{count} trusted clean images"),
    };
    let sides = if two_sided { ", on both sides" } else { "" };
    let last = detection
        .ranking()
        .into_iter()
        .rfind(|&image| flagged[image]);
    Decision {
        explanation: format!("a false discovery rate of {rate} against {against}{sides}"),
        cutoff: last
            .filter(|_| !two_sided)
            .map(|image| detection.raw[image]),
        flagged,
    }
}

fn most_suspicious(detection: &Detection, share: f64) -> Decision {
    let count = (share * detection.raw.len() as f64).floor() as usize;
    let order = detection.ranking();
    let mut flagged = vec![false; order.len()];
    for &index in &order[..count] {
        flagged[index] = true;
    }
    Decision {
        explanation: format!("the most suspicious {} % of the images", share * 100.0),
        cutoff: count.checked_sub(1).map(|last| detection.raw[order[last]]),
        flagged,
    }
}

#[cfg(test)]
mod tests;
