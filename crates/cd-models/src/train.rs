//! Training: the loop, its settings, its checkpoints and its history.
//!
//! `run` walks the epochs and `epoch` the steps of one. `objective` is the one place that knows what labels mean, `batches`
//! the one that knows which images come when. Settings are `config` with `optimizer`, `schedule` and `augment`.

pub(crate) mod augment;
pub(crate) mod checkpoint;
pub(crate) mod config;
pub(crate) mod error;
pub(crate) mod finetune;
pub(crate) mod history;
pub(crate) mod losses;
pub(crate) mod objective;
pub(crate) mod optimizer;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod setting;

mod batches;
mod epoch;
mod gradient;
mod pause;
mod state;
mod tally;
mod validation;

#[cfg(all(test, feature = "flex"))]
mod tests;
