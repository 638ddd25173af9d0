//! Experiments and the stages that they go through.

pub mod experiment;
pub mod pipeline;
pub mod run_dir;
pub mod scores;
mod stage;
pub mod store;
