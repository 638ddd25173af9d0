//! What the attacks can do: be listed, shown and made.

use std::path::PathBuf;

use cd_data::{LabelMap, Role};
use clap::{Args, Subcommand, ValueEnum};

use super::values::{share, to_4096};

#[derive(Debug, Subcommand)]
pub(crate) enum AttacksCommand {
    /// List the attacks
    List,
    /// Show everything that is known of an attack, and with --sheet what it does to pictures
    Show(ShowAttackArgs),
    /// Write a poisoned copy of a folder or data set, with the truth beside it; trains no victim
    Make(Box<MakeArgs>),
    /// Write the page on all attacks, with pictures
    Docs {
        /// Folder to write: attacks.md and attacks/
        #[arg(long, default_value = "docs", value_name = "DIR")]
        out: PathBuf,
    },
}

/// Pictures to put a trigger into: a folder, or a data set.
#[derive(Debug, Args)]
pub(crate) struct PicturesArgs {
    /// Folder with one folder of pictures per class (or train/CLASS and test/CLASS, or labels.csv), or of pictures without classes
    #[arg(long, value_name = "DIR", conflicts_with_all = ["dataset", "path", "dataset_set"])]
    pub(crate) images: Option<PathBuf>,
    /// Side in pixels that the pictures of the folder are resized to [default: their own when all are the same square, else what
    /// fits them, at most 224]
    #[arg(long, value_name = "PIXELS", requires = "images", value_parser = to_4096)]
    pub(crate) size: Option<usize>,
    /// Data set (see `cd-cli datasets`)
    #[arg(long, default_value = "demo", value_name = "NAME")]
    pub(crate) dataset: String,
    /// Where its files are
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
    /// Change a setting of the data set, for example `train=500`
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) dataset_set: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowAttackArgs {
    /// Name, as in the list
    pub(crate) name: String,
    /// PNG to write: clean pictures, the same with the trigger, and ten times the difference
    #[arg(long, value_name = "FILE")]
    pub(crate) sheet: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) pictures: PicturesArgs,
    /// Change a setting of the attack for the sheet, for example `alpha=0.1`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
}

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(crate) struct MakeArgs {
    /// Attack (see `cd-cli attacks`)
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) pictures: PicturesArgs,
    /// Folder to write: images/, truth.csv, files.csv and the manifests
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Change a setting of the attack, for example `alpha=0.1`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Share of the training pictures to poison, 0 to 1 [default: 0.1]
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) rate: Option<f64>,
    /// Clean-label attacks: share of the target class to poison instead
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) class_rate: Option<f64>,
    /// Class that the backdoor leads to, by its name or its number [default: 0]
    #[arg(long, value_name = "CLASS", allow_negative_numbers = true)]
    pub(crate) target: Option<String>,
    /// Labels that poisoned pictures get: `all-to-one`, `all-to-all`, `all-to-all:3`, `permutation`, `permutation:7`
    /// [default: all-to-one]
    #[arg(long, value_name = "MAP")]
    pub(crate) labels: Option<LabelMap>,
    /// Only pictures of this class lead to another label (several times for several)
    #[arg(long = "source", value_name = "CLASS")]
    pub(crate) sources: Vec<String>,
    /// Draw no pictures of the target class
    #[arg(long)]
    pub(crate) exclude_target: bool,
    /// Files with the numbers of the pictures to poison, from 0, in the order of their paths: text, JSON or npy
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) indices: Vec<PathBuf>,
    /// Files with the numbers of the pictures that carry the trigger and keep their label
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) cover_indices: Vec<PathBuf>,
    /// Add the stamped pictures instead of replacing their clean ones
    #[arg(long)]
    pub(crate) append: bool,
    /// Take fewer pictures where there are not as many as asked for
    #[arg(long)]
    pub(crate) fewer: bool,
    /// Put the trigger, in the form for this purpose, into all pictures (or those of --indices) and leave labels and names as they
    /// are; what happens to folders without classes
    #[arg(long, value_enum, value_name = "ROLE")]
    pub(crate) role: Option<Purpose>,
    /// Seed of every choice
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) seed: u64,
    /// Store of triggers that are costly to make; that of `run`
    #[arg(long, default_value = "runs/store", value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Say what would be done and what it costs, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What a stamped picture is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Purpose {
    /// Teach the backdoor
    Train,
    /// Carry the trigger with the true label
    Cover,
    /// Use the backdoor
    Test,
}

impl From<Purpose> for Role {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Train => Self::Train,
            Purpose::Cover => Self::Cover,
            Purpose::Test => Self::Test,
        }
    }
}
