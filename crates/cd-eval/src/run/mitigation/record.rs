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
    /// Wall time of the last start.
    pub seconds: f64,
}
