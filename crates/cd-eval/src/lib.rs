//! Experiments: configuration, stored stages, metrics, tables and reports.
//!
//! `measure` has metrics and their intervals, `run` experiments and the stages that they go through, `show` plots, pictures and
//! the report; `findings` is what other programs get, `vectors` writes what a network sees.

pub mod findings;
mod measure;
mod run;
pub mod settings;
mod show;
pub mod table;
pub mod vectors;

pub use measure::{backdoor, bootstrap, evaluation, metrics};
pub use run::{experiment, mitigation, pipeline, recovery, run_dir, scores, store};
pub use show::{cure, picture, plot, report, trigger};

pub use experiment::Experiment;

/// The examples of the page on the library, which must stay true.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
struct LibraryPage;
