//! What a mitigation came to: `mitigation.json`.

use cd_detect::{PassReport, Proof};
use serde::{Deserialize, Serialize};

/// Version of the form of `mitigation.json`.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// How a classifier is cured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Fine-tuning on safe images, and gradient ascent on the suspects.
    Unlearn,
    /// Training from the start without the suspects.
    Retrain,
}

impl Method {
    /// Its name on the command line and in paths.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unlearn => "unlearn",
            Self::Retrain => "retrain",
        }
    }
}

/// A share of some images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The share, 0 to 1.
    pub share: f64,
    /// Of how many images.
    pub images: usize,
}

/// A classifier at one time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Accuracy on clean images.
    pub accuracy: Option<Measure>,
    /// Share of images with the trigger that go where it leads.
    pub success: Option<Measure>,
}

/// A pass, and the classifier after it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PassFigures {
    /// What happened in it.
    #[serde(flatten)]
    pub report: PassReport,
    /// The classifier after it.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Images of a part, and how many of them are poisoned where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartCounts {
    /// Images.
    pub images: usize,
    /// Poisoned ones.
    pub poisoned: Option<usize>,
}

/// The share of images that a trigger may still turn after a cure, beside the errors of any classifier.
const STILL: f64 = 0.2;
/// Fewer images than these say little.
const FEW: usize = 50;
/// How much accuracy may fall.
const LOST: f64 = 0.05;

impl Method {
    /// What speaks against a cure that came from `before` to `after`.
    pub(super) fn warnings(self, before: &Figures, after: &Figures) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(success) = after.success.filter(|success| success.share >= STILL) {
            let advice = match self {
                Self::Unlearn => {
                    "`--method retrain` trains again without the suspects, which takes longer and is surer"
                }
                Self::Retrain => "poisoned images may be among those that were kept",
            };
            warnings.push(format!(
                "The trigger still turns {:.0} % of {} images: the backdoor is not gone; {advice}.",
                success.share * 100.0,
                success.images
            ));
        }
        if let Some(success) = after.success.filter(|success| success.images < FEW) {
            warnings.push(format!(
                "What the trigger turns is measured on {} images alone.",
                success.images
            ));
        }
        if let Some((before, after)) = before.accuracy.zip(after.accuracy)
            && before.share - after.share > LOST
        {
            warnings.push(format!(
                "The cure costs {:.0} points of accuracy.",
                (before.share - after.share) * 100.0
            ));
        }
        warnings
    }
}

/// What was done and what it came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mitigation {
    /// Version of this form.
    pub schema_version: u32,
    /// The classifier, in words.
    pub classifier: String,
    /// How it was cured.
    pub method: Method,
    /// Whether random images took the place of the suspects.
    pub control: bool,
    /// Where it stood which images are suspected, in words.
    pub suspects: String,
    /// The suspects, the images that were kept, and the rest, in this order.
    pub parts: [PartCounts; 3],
    /// What accuracy is measured on, in words.
    pub accuracy_of: String,
    /// Whose success is measured, on what, in words; or why it is not.
    pub success_of: String,
    /// What the recovered trigger does to the classifier before the cure, where the truth is not known.
    pub proof: Option<Proof>,
    /// Before.
    pub before: Figures,
    /// After every pass.
    pub passes: Vec<PassFigures>,
    /// After.
    pub after: Figures,
    /// Why the cure is not to be relied on, in sentences.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Wall time of the last start.
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(accuracy: f64, success: f64, images: usize) -> Figures {
        let of = |share| Some(Measure { share, images });
        Figures {
            accuracy: of(accuracy),
            success: of(success),
        }
    }

    #[test]
    fn a_cure_that_failed_says_so() {
        let before = figures(0.9, 1.0, 500);
        let warned = |method: Method, after| method.warnings(&before, &after);
        assert!(warned(Method::Unlearn, figures(0.88, 0.1, 500)).is_empty());
        let failed = warned(Method::Unlearn, figures(0.88, 0.6, 500));
        assert!(failed[0].contains("still turns 60 % of 500") && failed[0].contains("retrain"));
        let again = warned(Method::Retrain, figures(0.8, 0.6, 7));
        assert_eq!(again.len(), 3);
        assert!(!again[0].contains("--method") && again[1].contains("7 images"));
        assert!(again[2].contains("10 points"));
    }
}
