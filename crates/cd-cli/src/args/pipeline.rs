//! What a pipeline gets of a scan.

use std::path::PathBuf;

use cd_detect::Standing;
use cd_eval::findings::Format;
use clap::{Args, ValueEnum};

/// Files of findings, and when to stop.
#[derive(Debug, Args)]
#[command(next_help_heading = "In a pipeline")]
pub(crate) struct PipelineArgs {
    /// Exit with 1 when the pictures are at least this bad, and with 2 when that cannot be told
    #[arg(long, value_enum, value_name = "STANDING")]
    pub(crate) fail_on: Option<FailOn>,
    /// Write findings to this file (several times for several forms); its ending tells the form unless `--format` does
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Vec<PathBuf>,
    /// The form of the findings: json (everything), csv or parquet (a table with filepath, label, score, tags) or sarif; without
    /// `--output` they go to `findings.FORMAT` in the folder of the results
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Count only what is new since an earlier scan: the folder of its results, or what it wrote with `--format json`
    #[arg(long, value_name = "PATH")]
    pub(crate) baseline: Option<PathBuf>,
}

/// What stops a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// More than clean sets show
    Suspicious,
    /// A class stands out, and evidence of another kind confirms it
    Backdoored,
}

impl From<FailOn> for Standing {
    fn from(fail_on: FailOn) -> Self {
        match fail_on {
            FailOn::Suspicious => Self::Suspicious,
            FailOn::Backdoored => Self::Backdoored,
        }
    }
}
