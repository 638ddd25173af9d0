//! The report: one self-contained HTML file.
//!
//! Everything is inside the file: style, plots (SVG) and pictures (data URIs). It needs no network, and its
//! content policy forbids all of it, so it can be mailed, archived and opened years later. The verdict comes
//! first, then classes, then images. One small script, the only one that the policy lets run, sorts and
//! filters the images; without it everything is shown all the same. The page follows the reader's light or
//! dark theme, prints, fits narrow screens and has at most 5 MB. Text that comes from outside (file names,
//! class names, settings) is escaped.
//!
//! ```
//! use cd_eval::report::{Report, Tile, render};
//!
//! let report = Report {
//!     title: "Scan of <my images>".into(),
//!     summary: vec![Tile::new("Images scanned", "1,000")],
//!     ..Report::default()
//! };
//! let page = render(&report)?;
//! assert!(page.contains("Scan of &lt;my images&gt;"));
//! # Ok::<(), cd_eval::report::ReportError>(())
//! ```

mod classes;
mod content;
mod detector;
mod format;
mod gallery;
mod guide;
mod listing;
mod metrics_table;
mod page;
mod prose;
mod script;
mod thumbnail;
mod verdict;
mod write;

#[cfg(test)]
mod escape_tests;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod sample;

pub use crate::measure::rows::{MeasureError, meaning, metric_rows};
pub use classes::{ClassCounts, Concentration, concentration};
pub use content::{Card, DetectorSection, Listed, Report, Threshold, Tile, VerdictSection};
pub use page::render;
pub use write::write_report;

use std::path::PathBuf;

use thiserror::Error;

use crate::picture::PictureError;

/// Why a report could not be made.
#[derive(Debug, Error)]
pub enum ReportError {
    /// A picture of a gallery could not be encoded.
    #[error("the {kind} of `{card}` cannot be shown in the report: {source}")]
    Picture {
        /// What the picture shows.
        kind: &'static str,
        /// Name of the card.
        card: String,
        /// What is wrong with it.
        source: PictureError,
    },
    /// Scores and ground truth of a detector speak of different numbers of images.
    #[error(
        "detector `{detector}` has {scores} scores but {truth} ground-truth labels: every image needs one of each"
    )]
    LengthMismatch {
        /// Name of the detector.
        detector: String,
        /// Number of scores.
        scores: usize,
        /// Number of labels.
        truth: usize,
    },
    /// The file could not be written.
    #[error("cannot write the report to {}: {source}; check that the folder exists and is writable", path.display())]
    Write {
        /// Where the report was to go.
        path: PathBuf,
        /// The system's message.
        source: std::io::Error,
    },
}
