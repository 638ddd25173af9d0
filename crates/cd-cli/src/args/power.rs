//! What makes a verdict stronger, or tells how strong it is.

use std::path::PathBuf;

use clap::Args;

/// Trusted pictures, and backdoors that the scan plants itself.
#[derive(Debug, Default, Args)]
pub(crate) struct PowerArgs {
    /// Trusted pictures, 10 to 50 a class and more: a folder, archive or table as `--images`, with classes of the same names
    #[arg(long, value_name = "PATH")]
    pub(crate) clean: Option<PathBuf>,
    /// Plant no known backdoors in copies of some pictures: nothing then tells what the scan could have seen
    #[arg(long)]
    pub(crate) no_canary: bool,
}
