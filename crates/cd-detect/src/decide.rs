//! From numbers to a decision, without ever looking at the answer.

mod small_classes;
mod threshold;

pub use small_classes::Comparison;
pub use threshold::{Decision, ThresholdError, ThresholdRule};
