//! From numbers to a decision, without ever looking at the answer.

mod small_classes;
mod threshold;
mod verdict;

pub use small_classes::Comparison;
pub use threshold::{Decision, ThresholdError, ThresholdRule};
pub use verdict::{Canary, Power, Proof, Standing, SuspectClass, Verdict};
