//! Networks that were trained elsewhere.

use std::path::PathBuf;

use clap::Args;

use super::values::share_above_0;

/// Given weights, and whether training continues from them.
#[derive(Debug, Args)]
pub(crate) struct WeightsArgs {
    /// Weights of a classifier trained on these pictures (.safetensors, .pt, .bpk), which skips training; or of any network,
    /// with `--finetune`
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Where in the weights file the network stands, for files with several (`models inspect` lists them)
    #[arg(long, value_name = "NAME", requires = "weights")]
    pub(crate) weights_key: Option<String>,
    /// Continue training from the weights, with a new head for the classes of these pictures
    #[arg(long, requires = "weights")]
    pub(crate) finetune: bool,
    /// Learning rate of everything but the new head, as a share of the head's [default: 0.1]
    #[arg(long, value_name = "SHARE", requires = "finetune", value_parser = share_above_0)]
    pub(crate) trunk_rate: Option<f64>,
}

/// The network that labels are compared with.
#[derive(Debug, Args)]
pub(crate) struct ReferenceArgs {
    /// Weights of a network that was not trained on these pictures, such as public ones, for detectors that compare labels with
    /// what it sees (`knn-label`, `probe-label`) [default: those of `--finetune`, as they were before]
    #[arg(long, value_name = "FILE")]
    pub(crate) features_weights: Option<PathBuf>,
    /// Where in that file the network stands, for files with several
    #[arg(long, value_name = "NAME", requires = "features_weights")]
    pub(crate) features_key: Option<String>,
}
