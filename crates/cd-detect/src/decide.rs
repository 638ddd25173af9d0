//! From numbers to a decision, without ever looking at the answer.

mod compose;
mod conformal;
mod finding;
mod small_classes;
mod threshold;
mod verdict;

pub(crate) use compose::is_separate;
pub use compose::{Findings, Witness};
pub use conformal::{discoveries, joint_p_values};
pub use finding::{ClassFinding, SearchFinding, Testimony};
pub use small_classes::Comparison;
pub use threshold::{Decision, ThresholdError, ThresholdRule};
pub use verdict::{Canary, Power, Proof, Standing, SuspectClass, Verdict};
