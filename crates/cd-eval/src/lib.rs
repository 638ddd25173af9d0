//! Experiments: configuration, run directories, metrics, tables and reports.

pub mod bootstrap;
pub mod evaluation;
pub mod experiment;
pub mod metrics;
pub mod picture;
pub mod pipeline;
pub mod plot;
pub mod report;
pub mod run_dir;
pub mod scores;
pub mod settings;
pub mod table;

pub use experiment::Experiment;

/// The examples of the page on the library, which must stay true.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
struct LibraryPage;
