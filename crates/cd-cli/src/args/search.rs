//! `scan`, and what it shares with `train` and `detect`.

use std::path::PathBuf;

use cd_detect::{Comparison, Preset};
use clap::{Args, ValueEnum};

use super::values::{positive, shard, share, share_above_0, to_4096};
use super::{PipelineArgs, PowerArgs, ReferenceArgs, WeightsArgs};

/// The user's own pictures and how to read them.
#[derive(Debug, Args)]
pub(crate) struct ImagesArgs {
    /// Folder with one folder of pictures per class (or train/CLASS and test/CLASS, or labels.csv) or a zip archive of it, parquet or
    /// tar shards or NumPy arrays, or one such file; with given weights pictures need no classes
    #[arg(long, value_name = "PATH")]
    pub(crate) images: PathBuf,
    /// Side in pixels that pictures are resized to [default: what fits the pictures, at most 224, or the given weights]
    #[arg(long, value_name = "PIXELS")]
    pub(crate) size: Option<usize>,
    /// Leave out pictures that cannot be decoded, as long as they are at most this share of all; without the option any of them
    /// is an error
    #[arg(long, value_name = "SHARE", num_args = 0..=1, default_missing_value = "0.1", value_parser = share)]
    pub(crate) skip_bad: Option<f64>,
    /// Whether pictures are turned as their cameras noted (EXIF); common training code ignores it
    #[arg(long, value_enum, default_value_t = Turn::Ignore, value_name = "HOW")]
    pub(crate) orientation: Turn,
}

/// What to do with the orientation that cameras note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Turn {
    Ignore,
    Apply,
}

/// The classifier to train.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// Architecture (see `cd-cli models`) [default: `resnet18`, `imagenet_resnet18` from 96 pixels on]
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Channels of the stem; fewer are faster [default: 16]
    #[arg(long, value_parser = to_4096)]
    pub(crate) width: Option<usize>,
    /// Passes over the pictures [default: as many as show about 80,000 pictures, 13 to 60; of `--finetune` 4,000, 4 to 20]
    #[arg(long)]
    pub(crate) epochs: Option<usize>,
    /// Seed of weights and order
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) seed: u64,
}

/// How to search.
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// Detectors to run (see `cd-cli detectors`) [default: `cd-l`; of `scan` those that its verdict stands on: `cascade`, which searches the
    /// pictures that matter, `shared-pattern`, `shared-levels`, `shared-warp`, `shared-shift` and `moving-pattern`, and `probe-label` where there is a network to compare labels with]; `pictures` stands for the five that
    /// look at the pictures alone
    #[arg(long = "detector", value_name = "NAME")]
    pub(crate) detectors: Vec<String>,
    #[command(flatten)]
    pub(crate) reference: ReferenceArgs,
    /// Settings of the search that belong together [default: `accurate`; of `scan` `fast` where `cascade` runs]
    #[arg(long, value_enum)]
    pub(crate) preset: Option<Preset>,
    /// Optimisation steps of each search instead of the preset's (`accurate` searches every picture eight times)
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) steps: Option<usize>,
    /// Flag what is this many robust standard deviations more suspicious than the median; detectors with a rule of their own
    /// (see `cd-cli detectors show NAME`) are flagged by that [default of `detect`: 2]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub(crate) threshold: Option<f64>,
    /// Flag so many that on average no more than this share of the flags is false, against the pictures of `--clean` or the less
    /// suspicious half of the pictures themselves [default of `scan`: 0.05]
    #[arg(long, value_name = "SHARE", value_parser = share_above_0, conflicts_with = "threshold")]
    pub(crate) fdr: Option<f64>,
    /// Compare all images with each other, or those of a class of which nearly all are suspicious with
    /// their own class
    #[arg(long, value_enum, default_value_t = Comparison::SmallClasses)]
    pub(crate) compare: Comparison,
    /// Images computed at a time; bounds memory
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = positive)]
    pub(crate) batch_size: usize,
    /// Search only so many pictures, drawn at random
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) sample: Option<usize>,
    /// Work on part I of N (from 0) of the pictures; the last part to finish writes the results
    #[arg(long, value_name = "I/N", value_parser = shard, allow_hyphen_values = true)]
    pub(crate) shard: Option<(usize, usize)>,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    pub(crate) images: ImagesArgs,
    #[command(flatten)]
    pub(crate) weights: WeightsArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) search: SearchArgs,
    #[command(flatten)]
    pub(crate) power: PowerArgs,
    /// Folder of the results
    #[arg(long, default_value = "runs/scan", value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
}
