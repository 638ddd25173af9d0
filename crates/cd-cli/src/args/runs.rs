//! What may be done with finished runs.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// Folder of all runs
    #[arg(long, default_value = "runs", value_name = "DIR", global = true)]
    pub(crate) runs: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Option<RunsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List the stored stages with their size and age
    List,
    /// Remove the stages that no run stands on any more
    Gc {
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
}
