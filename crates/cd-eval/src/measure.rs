//! How good a detection is.

pub mod bootstrap;
pub mod evaluation;
pub mod metrics;
pub(crate) mod rows;
