//! What evaluation says about a run, in a form that tables and scripts read.

use serde::{Deserialize, Serialize};

use super::backdoor::Backdoor;
use super::bootstrap::{Bootstrap, Interval};
use super::rows::{MeasureError, metric_rows};

/// Version of `evaluate/metrics.json`.
pub const SCHEMA_VERSION: u32 = 1;

/// Metrics of one run: `evaluate/metrics.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Version of this format.
    pub schema_version: u32,
    /// Clean accuracy: share of clean test images that are classified right.
    pub clean_accuracy: Option<Measured>,
    /// The same over the classes that the attack starts from, which [`Backdoor::source_classes`] names: its source classes, else all but
    /// the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_accuracy: Option<Measured>,
    /// Share of triggered test images that still get their true class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triggered_accuracy: Option<Measured>,
    /// Attack success rate: share of triggered test images of other classes that go to the target.
    pub attack_success_rate: Option<Measured>,
    /// How the attack did against what is expected of it; `None` where none is known of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backdoor: Option<Box<Backdoor>>,
    /// Confidence level of every interval.
    #[serde(default = "usual_level")]
    pub level: f64,
    /// The classifier that was searched through, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier: Option<String>,
    /// One entry per detector.
    pub detectors: Vec<DetectorMetrics>,
}

/// Metrics of one detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectorMetrics {
    /// The detector's label in the run.
    pub detector: String,
    /// Number of images searched.
    pub images: usize,
    /// Number of poisoned ones among them; `None` without ground truth.
    pub poisoned: Option<usize>,
    /// Number of flagged images.
    pub flagged: usize,
    /// The rule that flagged them, in words.
    pub rule: String,
    /// Metrics against ground truth, empty without it.
    pub metrics: Vec<Metric>,
    /// Seconds of the detection, as of the start that completed it.
    pub seconds: f64,
    /// Images that were computed in that start; the others were found done. `None` in results from before this was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed: Option<u64>,
}

/// A named metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// For example `AUROC`.
    pub name: String,
    /// Its value, where it is defined.
    pub value: Option<Measured>,
}

/// A value, with a confidence interval where one could be computed; its level stands beside the values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The value over all images.
    pub estimate: f64,
    /// Lower and upper end.
    pub interval: Option<[f64; 2]>,
}

/// What evaluations from before the level was written have.
fn usual_level() -> f64 {
    0.95
}

/// A confidence level as text, such as `95 %`.
pub fn level_text(level: f64) -> String {
    format!("{} %", (level * 1e6).round() / 1e4)
}

impl Evaluation {
    /// An evaluation without detectors yet; `level` is that of its intervals.
    pub fn new(
        clean_accuracy: Option<Measured>,
        attack_success_rate: Option<Measured>,
        level: f64,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            clean_accuracy,
            source_accuracy: None,
            triggered_accuracy: None,
            attack_success_rate,
            backdoor: None,
            level,
            classifier: None,
            detectors: Vec::new(),
        }
    }
}

impl Evaluation {
    /// The four figures of a backdoored classifier with what each is of, as far as they are known.
    pub fn figures(&self) -> Vec<(String, Measured)> {
        let backdoor = self.backdoor.as_ref();
        let sources = backdoor.map_or("source classes", |known| &known.source_classes);
        let figures = [
            ("clean accuracy".to_owned(), self.clean_accuracy),
            (format!("clean accuracy of {sources}"), self.source_accuracy),
            (
                "accuracy on triggered images by true label".to_owned(),
                self.triggered_accuracy,
            ),
            ("attack success rate".to_owned(), self.attack_success_rate),
        ];
        let known = figures.into_iter();
        known
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }

    /// What is said of the attack, a sentence each; nothing where none is known of.
    pub fn attack_lines(&self) -> Vec<String> {
        let known = self.backdoor.as_ref().zip(self.attack_success_rate);
        known.map_or_else(Vec::new, |(backdoor, success)| {
            backdoor.lines(success.estimate)
        })
    }
}

impl DetectorMetrics {
    /// The metric `name`.
    pub fn metric(&self, name: &str) -> Option<Measured> {
        self.metrics
            .iter()
            .find(|metric| metric.name == name)?
            .value
    }
}

impl From<f64> for Measured {
    fn from(estimate: f64) -> Self {
        Self {
            estimate,
            interval: None,
        }
    }
}

impl From<Interval> for Measured {
    fn from(value: Interval) -> Self {
        Self {
            estimate: value.estimate,
            interval: Some([value.low, value.high]),
        }
    }
}

/// The metric of a set with covers, which carry the trigger and keep their labels: the FPR where they do not count as clean.
pub const WITHOUT_COVERS: &str = "FPR without covers";

/// The share of `true` with its bootstrap interval; `None` for no values.
///
/// # Errors
///
/// When the bootstrap's settings are unusable.
pub fn share(hits: &[bool], bootstrap: &Bootstrap) -> Result<Option<Measured>, MeasureError> {
    if hits.is_empty() {
        return Ok(None);
    }
    let one_kind = vec![false; hits.len()];
    let interval = bootstrap.interval(&one_kind, |images| {
        let count = images.iter().filter(|&&image| hits[image]).count();
        Some(count as f64 / images.len() as f64)
    })?;
    Ok(Some(interval.into()))
}

/// Metrics of scores and flags against ground truth, with intervals.
///
/// # Errors
///
/// When lengths differ or scores are NaN.
pub fn measure(
    truth: &[bool],
    scores: &[f64],
    flagged: &[bool],
    bootstrap: &Bootstrap,
) -> Result<Vec<Metric>, MeasureError> {
    metric_rows(truth, scores, Some(flagged), bootstrap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_not_rounded_to_certainty() {
        let texts = [0.95, 0.999, 0.5].map(level_text);
        assert_eq!(texts, ["95 %", "99.9 %", "50 %"]);
    }

    #[test]
    fn shares_have_intervals_and_survive_json() {
        let bootstrap = Bootstrap::default();
        let half = share(&[true, false, true, false], &bootstrap).expect("valid");
        let half = half.expect("four values");
        assert!((half.estimate - 0.5).abs() < 1e-12);
        let [low, high] = half.interval.expect("interval");
        assert!(low < 0.5 && high > 0.5);
        assert_eq!(share(&[], &bootstrap).expect("valid"), None);
        let evaluation = Evaluation::new(Some(half), None, bootstrap.level);
        let text = serde_json::to_string(&evaluation).expect("json");
        assert_eq!(
            serde_json::from_str::<Evaluation>(&text).expect("json"),
            evaluation
        );
    }
}
