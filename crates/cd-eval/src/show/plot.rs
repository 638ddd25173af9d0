//! Plots as SVG text: histograms of scores, ROC, precision-recall and training curves.
//!
//! The SVG is written here rather than by a plotting library because a report must stay readable in
//! light and dark pages, in print and on narrow screens: colours come from a style sheet with a
//! `prefers-color-scheme` rule, sizes from a `viewBox`. Each plot carries its own style, so the text
//! can be saved as a file or placed in a page as it is. Colours are the Okabe-Ito set, which the
//! common kinds of colour blindness keep apart; line dashes repeat the distinction.
//!
//! ```
//! use cd_eval::metrics::roc_curve;
//! use cd_eval::plot;
//!
//! let points = roc_curve(&[true, false, true], &[0.9, 0.4, 0.3])?;
//! let svg = plot::roc("ROC curve", &[("detector", &points)]);
//! assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
//! # Ok::<(), cd_eval::metrics::MetricError>(())
//! ```

mod curves;
mod frame;
mod histogram;
mod line;
mod scale;

pub use curves::{precision_recall, roc, training};
pub use histogram::{Group, Histogram, Marker};
pub use line::{Line, LinePlot};

/// Size of a plot that takes the whole width of a page, in units of the view box.
const WIDE: (f64, f64) = (800.0, 290.0);

/// Colour and dash of a series. The meaning of the first two is fixed across a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Blue, solid: clean images, or the first series.
    Clean,
    /// Vermilion, solid when filled, dashed as a line: poisoned images, or the second series.
    Poisoned,
    /// Green, dotted: a third series.
    Third,
    /// Purple, dash-dotted: a fourth series.
    Fourth,
    /// Gray, fine dashes: guessing, or another level to compare with.
    Reference,
}

impl Tone {
    /// Tones for series that have no fixed meaning, in order; repeats after four.
    pub(crate) fn of_series(index: usize) -> Self {
        [Self::Clean, Self::Poisoned, Self::Third, Self::Fourth][index % 4]
    }

    fn class(self) -> &'static str {
        match self {
            Self::Clean => "cd-clean",
            Self::Poisoned => "cd-poisoned",
            Self::Third => "cd-third",
            Self::Fourth => "cd-fourth",
            Self::Reference => "cd-reference",
        }
    }
}
