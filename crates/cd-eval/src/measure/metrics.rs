//! How well scores separate poisoned from clean images.
//!
//! Everywhere a **higher score means more suspicious**, `true` in a ground truth means **poisoned**,
//! and "positive" means poisoned. No function swaps the two sides: a detector that ranks the wrong
//! way round gets an area below one half, as it should. Numbers agree with scikit-learn, ties
//! included.
//!
//! ```
//! use cd_eval::metrics::{average_precision, roc_auc};
//!
//! let poisoned = [false, true, false, true];
//! let scores = [0.1, 0.9, 0.4, 0.4];
//! assert_eq!(roc_auc(&poisoned, &scores)?, 0.875);
//! assert!((average_precision(&poisoned, &scores)? - 5.0 / 6.0).abs() < 1e-12);
//! # Ok::<(), cd_eval::metrics::MetricError>(())
//! ```

mod confusion;
mod precision_recall;
mod ranking;
mod roc;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod property_tests;

pub use confusion::{Confusion, accuracy, confusion};
pub use precision_recall::{
    PrecisionRecallPoint, average_precision, precision_recall_auc, precision_recall_curve,
};
pub use ranking::Ranking;
pub use roc::{RocPoint, roc_auc, roc_curve};

use thiserror::Error;

/// Why a metric has no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MetricError {
    /// Two lists that should speak of the same images differ in length.
    #[error("{left} {left_name} but {right} {right_name}: every image needs one of each")]
    LengthMismatch {
        /// What the first list holds, in the plural.
        left_name: &'static str,
        /// Length of the first list.
        left: usize,
        /// What the second list holds, in the plural.
        right_name: &'static str,
        /// Length of the second list.
        right: usize,
    },
    /// A score is NaN, so the images cannot be ordered.
    #[error(
        "the score of image {index} is NaN: images cannot be ranked; check the detector's output for numerical faults"
    )]
    NotANumber {
        /// Position of the first such image.
        index: usize,
    },
    /// All images are of one kind, so there is nothing to separate.
    #[error(
        "the metric needs both poisoned and clean images, but there are {poisoned} poisoned and {clean} clean ones"
    )]
    OneClass {
        /// Number of poisoned images.
        poisoned: usize,
        /// Number of clean images.
        clean: usize,
    },
    /// There are no images at all.
    #[error("the metric needs at least one image, but there are none")]
    Empty,
}
