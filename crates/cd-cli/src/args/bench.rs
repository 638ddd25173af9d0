//! The options of `bench`.

use std::path::PathBuf;

use cd_detect::Preset;
use clap::{Args, ValueEnum};

use super::values::{positive, to_4096, to_million};

/// What may be timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    /// Logits of every image
    Forward,
    /// Masks of every image
    Search,
    /// Passes of SGD over the images
    Train,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to time
    #[arg(long, value_enum, default_value_t = Work::Search)]
    pub(crate) work: Work,
    /// Architecture (see `cd-cli models`)
    #[arg(long, default_value = "resnet18", value_name = "NAME")]
    pub(crate) model: String,
    /// Channels of the stem [default: as published]
    #[arg(long, value_parser = to_4096)]
    pub(crate) width: Option<usize>,
    /// Weights to load instead of drawing some
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Write the weights, so that another implementation can use them
    #[arg(long, value_name = "FILE")]
    pub(crate) save_weights: Option<PathBuf>,
    /// The detector of `search`
    #[arg(long, default_value = cd_detect::DETECTORS[0].name, value_name = "NAME")]
    pub(crate) detector: String,
    /// Settings of the detector
    #[arg(long, value_enum, default_value_t = Preset::Paper)]
    pub(crate) preset: Preset,
    /// Steps of each search instead of the preset's; passes of `train` [default: 10]
    #[arg(long, value_name = "N", value_parser = to_million)]
    pub(crate) steps: Option<usize>,
    /// Number of images
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = to_million)]
    pub(crate) images: usize,
    /// Images computed at a time
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = positive)]
    pub(crate) batch_size: usize,
    /// Side of the images in pixels
    #[arg(long, default_value_t = 32, value_name = "PIXELS", value_parser = to_4096)]
    pub(crate) size: usize,
}
