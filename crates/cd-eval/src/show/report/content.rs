//! What a report says, as plain data.

use cd_detect::Verdict;

use super::ClassCounts;
use crate::evaluation::Metric;
use crate::picture::{Picture, PictureError, mask_to_rgb};

/// A whole report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Heading, for example the name of the data set.
    pub title: String,
    /// One line below the heading.
    pub subtitle: String,
    /// When the run was made, as text; the report itself never looks at a clock.
    pub created: String,
    /// The verdict on the set, where one was reached.
    pub verdict: Option<VerdictSection>,
    /// Headline figures, most important first.
    pub summary: Vec<Tile>,
    /// One section per detector.
    pub detectors: Vec<DetectorSection>,
    /// The resolved settings of the run, as TOML.
    pub settings: String,
    /// Remarks about this run, one sentence each.
    pub notes: Vec<String>,
}

/// The verdict and pictures of the triggers that prove it.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictSection {
    /// The verdict.
    pub verdict: Verdict,
    /// The recovered trigger of each class of the verdict, or what its suspicious images share, in the same order, where there is a picture.
    pub triggers: Vec<Option<Picture>>,
}

/// A headline figure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tile {
    /// What the figure is.
    pub label: String,
    /// The figure, ready to print.
    pub value: String,
    /// A few words below it, may be empty.
    pub hint: String,
}

impl Tile {
    /// A figure without a hint.
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            value: value.into(),
            hint: String::new(),
        }
    }

    /// The same figure with a few words below it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// What one detector found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DetectorSection {
    /// Short name, as typed on the command line.
    pub name: String,
    /// Heading.
    pub title: String,
    /// What the detector does and how to read its score, in plain words.
    pub explanation: String,
    /// One score per image, higher = more suspicious. Values that are not finite are not plotted.
    pub scores: Vec<f64>,
    /// Name and unit of the raw value on the cards, for example `mask L1 norm (pixels)`.
    pub raw_label: String,
    /// Which images are poisoned, aligned with `scores`, where known.
    pub truth: Option<Vec<bool>>,
    /// The rule that flags images, where one was applied.
    pub threshold: Option<Threshold>,
    /// Rows of the metrics table; see [`metric_rows`](super::metric_rows).
    pub metrics: Vec<Metric>,
    /// Confidence level of their intervals.
    pub level: f64,
    /// Flagged images per class, in any order.
    pub classes: Vec<ClassCounts>,
    /// The flagged images, most suspicious first; not all of them have to be listed.
    pub listed: Vec<Listed>,
    /// How many images have masks, where not all of them have: the pictures below are of these.
    pub searched: Option<usize>,
    /// The most suspicious images, most suspicious first.
    pub most_suspicious: Vec<Card>,
    /// The least suspicious images, least suspicious first.
    pub least_suspicious: Vec<Card>,
}

/// A rule that flags images, and what it flagged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Threshold {
    /// The rule in words, for example `(mean - norm) / std > 1, from 1 % clean images`.
    pub rule: String,
    /// Where the rule starts to flag, on the scale of the scores; `None` when it does not translate
    /// into one score.
    pub value: Option<f64>,
    /// Number of images flagged.
    pub flagged: usize,
}

/// One row of the table of flagged images.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// File name or record.
    pub name: String,
    /// Name of the class that the image is labelled as.
    pub label: String,
    /// The detector's score.
    pub score: f64,
    /// Place among all images, 1 = most suspicious.
    pub rank: usize,
}

/// One image of a gallery.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// File name or record.
    pub name: String,
    /// Name of the class that the image is labelled as.
    pub label: String,
    /// The detector's score.
    pub score: f64,
    /// The raw value behind the score, in the unit of the section's `raw_label`.
    pub raw: Option<f64>,
    /// Place among all images, 1 = most suspicious.
    pub rank: usize,
    /// Whether the rule flagged it.
    pub flagged: bool,
    /// Whether it is poisoned, where known.
    pub poisoned: Option<bool>,
    /// The image.
    pub image: Picture,
    /// Its mask as a picture.
    pub mask: Option<Picture>,
    /// The image seen through the mask.
    pub pattern: Option<Picture>,
}

impl Card {
    /// The card with mask and pattern drawn from mask values: `height * width * channels` of them,
    /// row by row, channel last, 255 = kept; 1 or 3 channels.
    ///
    /// # Errors
    /// [`PictureError::MaskChannels`] or [`PictureError::Length`].
    pub fn with_mask(mut self, mask: &[u8], channels: usize) -> Result<Self, PictureError> {
        let (width, height) = (self.image.width(), self.image.height());
        self.pattern = Some(self.image.masked(mask, channels)?);
        self.mask = Some(mask_to_rgb(mask, width, height, channels)?);
        Ok(self)
    }
}
