//! What `recover`, `mitigate` and `bias` may be told.

use std::path::PathBuf;

use cd_detect::Preset;
use clap::{Args, ValueEnum};

use super::values::{positive, share, to_4096};

/// The images that are suspected.
#[derive(Debug, Args)]
pub(crate) struct SuspectArgs {
    /// Detector of the run whose flags are taken, by its label [default: what the verdict takes for poisoned, or else the flags of cascade or of the first that ran]
    #[arg(long, value_name = "LABEL", conflicts_with = "drop")]
    pub(crate) detector: Option<String>,
    /// List of suspected training images instead, a name a line, such as a drop.txt
    #[arg(long, value_name = "FILE")]
    pub(crate) drop: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// Folder of a run or a scan
    pub(crate) run: PathBuf,
    #[command(flatten)]
    pub(crate) suspects: SuspectArgs,
    /// Class that the trigger leads to [default: every class with a twentieth of the suspects]
    #[arg(long, value_name = "NAME")]
    pub(crate) class: Option<String>,
    /// Pictures of other classes that the trigger is put on
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = positive)]
    pub(crate) pictures: usize,
    /// Seed of all choices
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) seed: u64,
    /// Folder of the results [default: `recovered` in that of the run]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct MitigateArgs {
    /// Folder of a run or a scan; or name --images, --weights and --drop
    #[arg(required_unless_present = "images", conflicts_with = "images")]
    pub(crate) run: Option<PathBuf>,
    /// Folder of pictures that the weights were trained on, with a folder for each class
    #[arg(long, value_name = "PATH", requires_all = ["weights", "drop"])]
    pub(crate) images: Option<PathBuf>,
    /// Side in pixels that they are resized to [default: what fits the weights]
    #[arg(long, value_name = "PIXELS", requires = "images")]
    pub(crate) size: Option<usize>,
    /// Weights of the classifier (.safetensors, .pt, .bpk)
    #[arg(long, value_name = "FILE", requires = "images")]
    pub(crate) weights: Option<PathBuf>,
    /// Where in the weights file the network stands, for files with several
    #[arg(long, value_name = "NAME", requires = "weights")]
    pub(crate) weights_key: Option<String>,
    #[command(flatten)]
    pub(crate) suspects: SuspectArgs,
    /// How the classifier is cured
    #[arg(long, value_enum, default_value_t = Cure::Unlearn, value_name = "HOW")]
    pub(crate) method: Cure,
    /// Put as many random pictures in the place of the suspects: what these are worth shows beside it
    #[arg(long)]
    pub(crate) control: bool,
    /// Unlearn this share of the pictures, the most suspicious, instead of the flagged ones
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with = "drop")]
    pub(crate) unlearn_share: Option<f64>,
    /// Keep this share of the pictures, the least suspicious, for unlearning; with --drop all others are kept [default: 0.7]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) safe_share: Option<f64>,
    /// Passes of fine-tuning over the kept pictures before unlearning [default: 20]
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<usize>,
    /// Passes over the suspects, each followed by one over the kept pictures [default: 5]
    #[arg(long, value_name = "N")]
    pub(crate) unlearn_epochs: Option<usize>,
    /// Learning rate of the gradient ascent on the suspects [default: 0.0002]
    #[arg(long, value_name = "RATE")]
    pub(crate) unlearn_rate: Option<f64>,
    /// Never mirror pictures in fine-tuning: for signs and letters
    #[arg(long)]
    pub(crate) no_flip: bool,
    /// Seed of order, changes of pictures and random choices
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) seed: u64,
    /// Folder of the results [default: `mitigate/METHOD` in that of the run, `runs/mitigate` for --images]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// How a classifier is cured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cure {
    /// Fine-tuned on what is kept, then gradient ascent on the suspects
    Unlearn,
    /// Trained from the start without the suspects
    Retrain,
}

#[derive(Debug, Args)]
pub(crate) struct BiasArgs {
    /// Folder of CelebA, or of other pictures with its lists
    #[arg(long, default_value = "data/celeba", value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Attribute whose head is examined
    #[arg(long, value_name = "NAME")]
    pub(crate) attribute: String,
    /// Side in pixels that pictures are resized to
    #[arg(long, default_value_t = 64, value_name = "PIXELS", value_parser = to_4096)]
    pub(crate) size: usize,
    /// Weights of a network with a head for each attribute [default: one is trained]
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Channels of the stem of the one that is trained
    #[arg(long, default_value_t = 16, value_parser = to_4096, conflicts_with = "weights")]
    pub(crate) width: usize,
    /// Passes over the pictures in its training
    #[arg(long, default_value_t = 10, value_parser = positive, conflicts_with = "weights")]
    pub(crate) epochs: usize,
    /// Share of the pictures of a side, those with the smallest masks, that is compared with all of it; at most 0.5
    #[arg(long, default_value_t = 0.05, value_name = "SHARE", value_parser = share)]
    pub(crate) smallest: f64,
    /// Examine only so many pictures, drawn at random
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) sample: Option<usize>,
    /// Settings of the search that belong together
    #[arg(long, value_enum, default_value_t = Preset::Fast)]
    pub(crate) preset: Preset,
    /// Pictures computed at a time; bounds memory
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = positive)]
    pub(crate) batch_size: usize,
    /// Seed of the training, of the sample and of fill colours
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) seed: u64,
    /// Folder of the results
    #[arg(long, default_value = "runs/bias", value_name = "DIR")]
    pub(crate) out: PathBuf,
}
