//! What the lists can do besides listing.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::{deviation, mean, positive, to_4096};

/// One entry of a list.
#[derive(Debug, Subcommand)]
pub(crate) enum Show {
    /// Show everything that is known of one, with its settings
    Show {
        /// Name, as in the list
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// Show everything that is known of an architecture
    Show {
        /// Name, as in the list
        name: String,
    },
    /// Print what a weights file holds
    Inspect {
        /// Weights file of any origin (.safetensors, .pt, .bpk)
        file: PathBuf,
        /// Where in the file the network stands, for files with several
        #[arg(long, value_name = "NAME")]
        key: Option<String>,
        /// List every tensor with its shape and type
        #[arg(long)]
        tensors: bool,
    },
    /// Write a weights file in another format
    Convert(ConvertArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// Weights file of any origin (.safetensors, .pt, .bpk)
    pub(crate) file: PathBuf,
    /// File to write: `.safetensors`, `.pt` for PyTorch, `.bpk` for Burn
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    /// Where in the file the network stands, for files with several (`models inspect` lists them)
    #[arg(long, value_name = "NAME")]
    pub(crate) key: Option<String>,
    /// Architecture of the weights, where they do not tell it (see `cd-cli models`)
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Channels of the stem, where the weights do not tell
    #[arg(long, requires = "model", value_parser = to_4096)]
    pub(crate) width: Option<usize>,
    /// Number of classes, where the weights do not tell
    #[arg(long, requires = "model", value_parser = positive)]
    pub(crate) classes: Option<usize>,
    /// Mean of each channel on the [0, 1] scale; stored as input normalisation, replacing the file's
    #[arg(long, value_name = "R,G,B", requires = "std", value_parser = mean, allow_hyphen_values = true)]
    pub(crate) mean: Option<[f32; 3]>,
    /// Standard deviation of each channel on the [0, 1] scale
    #[arg(long, value_name = "R,G,B", requires = "mean", value_parser = deviation, allow_hyphen_values = true)]
    pub(crate) std: Option<[f32; 3]>,
}
