//! Many sets, of which it is known whether they are poisoned.

use std::path::PathBuf;

use clap::Args;

use super::values::shard;

/// What `verdicts` runs.
#[derive(Debug, Args)]
pub(crate) struct VerdictsArgs {
    /// File of sets (configs/verdict); paths in it are relative to the current folder
    pub(crate) file: PathBuf,
    /// Folder of the results, one file a set; those that are there are not made again
    #[arg(long, default_value = "runs/verdicts", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Run part I of N (from 0) of the sets
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(crate) shard: Option<(usize, usize)>,
    /// Only sets whose name holds this
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
    /// Run nothing: count what is there
    #[arg(long, conflicts_with = "shard")]
    pub(crate) finished: bool,
    /// Keep the sets and the folders of their scans
    #[arg(long)]
    pub(crate) keep: bool,
    /// Write the page to this file, too
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,
}
