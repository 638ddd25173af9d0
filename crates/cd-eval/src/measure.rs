//! How good a detection is, and how good the attack was.

pub mod backdoor;
pub mod bootstrap;
pub mod evaluation;
pub mod metrics;
pub(crate) mod rows;
