//! Experiments and the stages that they go through.

pub mod experiment;
pub mod mitigation;
mod opened;
pub mod pipeline;
pub mod recovery;
pub mod run_dir;
pub mod scores;
mod stage;
pub mod store;
mod suspects;
