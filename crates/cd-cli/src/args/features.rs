//! What `features` may be told.

use std::path::PathBuf;

use cd_models::Tap;
use clap::{Args, ValueEnum};

use super::Turn;
use super::values::{positive, share, tap};

#[derive(Debug, Args)]
pub(crate) struct FeaturesArgs {
    /// Folder of pictures, with or without a folder per class
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "dataset",
        required_unless_present = "dataset"
    )]
    pub(crate) images: Option<PathBuf>,
    /// Side in pixels that pictures of a folder are resized to [default: what fits the weights]
    #[arg(long, value_name = "PIXELS", conflicts_with = "dataset")]
    pub(crate) size: Option<usize>,
    /// Leave out pictures of a folder that cannot be decoded, as long as they are at most this share of all
    #[arg(long, value_name = "SHARE", num_args = 0..=1, default_missing_value = "0.1", value_parser = share, conflicts_with = "dataset")]
    pub(crate) skip_bad: Option<f64>,
    /// Whether pictures of a folder are turned as their cameras noted (EXIF) [default: ignore]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) orientation: Option<Turn>,
    /// Data set (see `cd-cli datasets`), instead of a folder
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset: Option<String>,
    /// Where the files of the data set are
    #[arg(long, value_name = "PATH", requires = "dataset")]
    pub(crate) path: Option<PathBuf>,
    /// Change a setting of the data set, for example `train=500`
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "dataset")]
    pub(crate) overrides: Vec<String>,
    /// Which images
    #[arg(long, value_enum, default_value_t = Part::Train)]
    pub(crate) split: Part,
    /// Weights of any network (.safetensors, .pt, .bpk)
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: PathBuf,
    /// Where in the weights file the network stands, for files with several (`models inspect` lists them)
    #[arg(long, value_name = "NAME")]
    pub(crate) weights_key: Option<String>,
    /// Architecture of the weights, where they do not tell it (see `cd-cli models`)
    #[arg(long, value_name = "NAME")]
    pub(crate) arch: Option<String>,
    /// Where in the network: stage1 to stageN, deep or penultimate
    #[arg(long, default_value_t = Tap::Penultimate, value_name = "TAP", value_parser = tap)]
    pub(crate) tap: Tap,
    /// Write class scores, too
    #[arg(long)]
    pub(crate) logits: bool,
    /// At most so many images computed at a time; large ones are fewer
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = positive)]
    pub(crate) batch_size: usize,
    /// File to write; the ending decides: .parquet, .npy or .npz, the last two with paths and labels beside them as .csv
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// Images to train on, or to test on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    Train,
    Test,
}
