//! What may be typed.

mod attacks;
mod bench;
mod cure;
mod features;
mod lists;
mod pipeline;
mod power;
mod runs;
mod search;
mod transfer;
mod values;
mod verdicts;

use std::path::PathBuf;

use cd_data::{ATTACKS, LabelMap, PUBLISHED};
use cd_detect::DETECTORS;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use attacks::{AttacksCommand, MakeArgs, PicturesArgs, ShowAttackArgs};
pub(crate) use bench::{BenchArgs, Work};
pub(crate) use cure::{BiasArgs, Cure, MitigateArgs, RecoverArgs, SuspectArgs};
pub(crate) use features::{FeaturesArgs, Part};
pub(crate) use lists::{ConvertArgs, ModelsCommand, Show};
pub(crate) use pipeline::PipelineArgs;
pub(crate) use power::PowerArgs;
pub(crate) use runs::{RunsArgs, RunsCommand};
pub(crate) use search::{ImagesArgs, ModelArgs, ScanArgs, SearchArgs, Turn};
pub(crate) use transfer::{ReferenceArgs, WeightsArgs};
use values::{positive, shard, share, threads, to_4096};
pub(crate) use verdicts::VerdictsArgs;

/// Finds backdoored images in training data.
#[derive(Debug, Parser)]
#[command(
    name = "cd-cli",
    version,
    about,
    propagate_version = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Start with `cd-cli demo`. Exit codes: 0 done; 1 ran, but a gate was missed or `--fail-on` stops; \
2 usage, configuration or environment; 130 interrupted (the same command continues)."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Where to compute: cpu, cuda:0, vulkan, metal, wgpu, rocm (see `cd-cli devices`)
    #[arg(long, global = true, env = "CD_DEVICE", value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// Threads of the CPU backend, of decoding and of training's data; results do not depend on it
    #[arg(long, global = true, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Instruction set of the CPU kernels: avx512, avx2, sse, neon or scalar [default: the widest of the machine]
    #[arg(long, global = true, env = cd_models::cpu_level::VARIABLE, value_name = "NAME", value_parser = values::cpu_level)]
    pub(crate) cpu_level: Option<String>,
    /// Results as JSON on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No progress, errors only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// More messages (twice: still more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train, poison, detect and report on drawn pictures: everything in a minute
    Demo(DemoArgs),
    /// Search your own folder of pictures for backdoored ones
    Scan(ScanArgs),
    /// Run an experiment file through every stage, continuing where it stopped
    Run(RunArgs),
    /// Fetch or export data sets
    Data {
        #[command(subcommand)]
        command: DataCommand,
    },
    /// Write a poisoned copy of a data set as pictures, with the truth beside it
    Poison(PoisonArgs),
    /// Train a classifier on a folder of pictures
    Train(TrainArgs),
    /// Score every picture of a folder through given weights
    Detect(DetectArgs),
    /// Write what a network sees in every picture, as a table of vectors
    Features(FeaturesArgs),
    /// Recover the trigger from the flagged pictures of a run, and try it on others
    Recover(RecoverArgs),
    /// Make the classifier of a run forget the suspects, or train it again without them
    Mitigate(MitigateArgs),
    /// Find what a classifier of attributes leans on, by its smallest masks
    Bias(BiasArgs),
    /// Measure a scores.csv against a truth.csv
    Evaluate(EvaluateArgs),
    /// Show image, mask and pattern of one picture
    Inspect(InspectArgs),
    /// Write the HTML report of a finished run again
    Report(ReportArgs),
    /// Run the rows of a table of experiments and print ours beside what was expected and reported
    Reproduce(ReproduceArgs),
    /// Make clean and poisoned sets, scan each, and count the right verdicts
    #[command(hide = true)]
    Verdicts(VerdictsArgs),
    /// List what runs keep in their stores, and remove what no run stands on
    Runs(RunsArgs),
    /// Measure how fast this machine forwards, searches and trains
    Bench(BenchArgs),
    /// List the attacks, show one, or make a poisoned copy of your pictures
    Attacks {
        #[command(subcommand)]
        command: Option<AttacksCommand>,
    },
    /// List the detectors, or show one
    Detectors {
        #[command(subcommand)]
        show: Option<Show>,
    },
    /// List the model architectures, or show one; look into weight files and convert them
    Models {
        #[command(subcommand)]
        command: Option<ModelsCommand>,
    },
    /// List the data sets, or show one
    Datasets {
        #[command(subcommand)]
        show: Option<Show>,
    },
    /// List the devices of this build
    Devices,
    /// Show experiment files as they are understood
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Folder of the run
    #[arg(long, default_value = "runs/demo", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Seed of everything
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) seed: u64,
    /// Change a setting, for example `poison.rate=0.05`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Experiment file
    pub(crate) file: PathBuf,
    /// Change a setting, for example `poison.rate=0.05`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Folder of all runs
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub(crate) runs: PathBuf,
    /// Last stage to run
    #[arg(long, value_enum, default_value = "evaluate")]
    pub(crate) until: Until,
    /// Work on part I of N (from 0) of the detection
    #[arg(long, value_name = "I/N", value_parser = shard, allow_hyphen_values = true)]
    pub(crate) shard: Option<(usize, usize)>,
    /// Print the plan and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    Poison,
    Train,
    Detect,
    Evaluate,
}

#[derive(Debug, Args)]
pub(crate) struct ReproduceArgs {
    /// Table file (configs/table); paths in it and in its experiment are relative to the current folder
    pub(crate) file: PathBuf,
    /// Folder of all runs; the table goes to `tables` in it
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub(crate) runs: PathBuf,
    /// Run part I of N (from 0) of the rows; the table is written when all rows are complete
    #[arg(long, value_name = "I/N", value_parser = shard, allow_hyphen_values = true)]
    pub(crate) shard: Option<(usize, usize)>,
    /// Run nothing: write the table of what is complete, with missing figures marked
    #[arg(long, conflicts_with = "shard")]
    pub(crate) finished: bool,
    /// Write the page to this file, too
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Download a data set, checked and resumable
    #[command(after_help = fetchable())]
    Fetch {
        /// Which one
        #[arg(default_value = PUBLISHED[0].name, value_name = "NAME")]
        name: String,
        /// Folder to put the files in [default: the one in which `run` looks]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// Another address of the file, or of the folder of the files
        #[arg(long, value_name = "URL")]
        from: Option<String>,
    },
    /// Write a data set as class folders of PNG pictures
    Export {
        #[command(flatten)]
        dataset: DatasetArgs,
        /// Folder to write
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// What can be downloaded, for the help.
fn fetchable() -> String {
    let sets = PUBLISHED.iter();
    let lines = sets.map(|set| format!("  {:<14} {}", set.name, set.summary));
    format!("Data sets:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

/// A data set by name or by folder.
#[derive(Debug, Args)]
pub(crate) struct DatasetArgs {
    /// Data set (see `cd-cli datasets`)
    #[arg(long, default_value = "demo", value_name = "NAME")]
    pub(crate) dataset: String,
    /// Where its files are
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
    /// Change a setting of the data set, for example `train=500`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PoisonArgs {
    #[command(flatten)]
    pub(crate) dataset: DatasetArgs,
    /// Attack (see `cd-cli attacks`)
    #[arg(long, default_value = ATTACKS[0].name, value_name = "NAME")]
    pub(crate) attack: String,
    /// Change a setting of the attack, for example `position="centre"`
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) attack_set: Vec<String>,
    /// Share of the training images to poison, 0 to 1
    #[arg(long, default_value_t = 0.1, allow_negative_numbers = true)]
    pub(crate) rate: f64,
    /// Class that the backdoor leads to, by its name or its number
    #[arg(
        long,
        default_value = "0",
        value_name = "CLASS",
        allow_negative_numbers = true
    )]
    pub(crate) target: String,
    /// Labels that poisoned images get: `all-to-one`, or `all-to-all` with each class leading to the next (`all-to-all:3` to the third next)
    #[arg(long, default_value_t = LabelMap::default(), value_name = "MAP")]
    pub(crate) labels: LabelMap,
    /// Seed of the choice
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) seed: u64,
    /// Folder to write: images/ in shuffled order, files.csv, truth.csv, manifest-train.json, manifest-test.json
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) images: ImagesArgs,
    #[command(flatten)]
    pub(crate) weights: WeightsArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Folder of the results; `train/model.safetensors` in it holds the weights
    #[arg(long, default_value = "runs/train", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DetectArgs {
    #[command(flatten)]
    pub(crate) images: ImagesArgs,
    /// Weights of the classifier (.safetensors, .pt, .bpk); detectors that look at `--features-weights` alone need none
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "features_weights"
    )]
    pub(crate) weights: Option<PathBuf>,
    /// Where in the weights file the network stands, for files with several (`models inspect` lists them)
    #[arg(long, value_name = "NAME", requires = "weights")]
    pub(crate) weights_key: Option<String>,
    #[command(flatten)]
    pub(crate) search: SearchArgs,
    /// Seed of random choices, such as fill colours
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) seed: u64,
    /// Folder of the results
    #[arg(long, default_value = "runs/detect", value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// The scores.csv of a detection
    #[arg(long, value_name = "FILE")]
    pub(crate) scores: PathBuf,
    /// The truth.csv that `poison` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) truth: PathBuf,
    /// Exit with 1 if the AUROC is below this
    #[arg(long, value_name = "AUROC", value_parser = share)]
    pub(crate) min_auroc: Option<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The picture
    pub(crate) image: PathBuf,
    /// Weights of the classifier (.safetensors, .pt, .bpk)
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: PathBuf,
    /// Where in the weights file the network stands, for files with several (`models inspect` lists them)
    #[arg(long, value_name = "NAME")]
    pub(crate) weights_key: Option<String>,
    /// PNG to write: image, mask, pattern
    #[arg(long, default_value = "inspect.png", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Detector that makes masks
    #[arg(long, default_value = DETECTORS[0].name, value_name = "NAME")]
    pub(crate) detector: String,
    /// Side in pixels that the picture is resized to [default: what fits the weights or the picture, at most 224]
    #[arg(long, value_name = "PIXELS", value_parser = to_4096)]
    pub(crate) size: Option<usize>,
    /// Optimisation steps
    #[arg(long, default_value_t = 100, value_parser = positive)]
    pub(crate) steps: usize,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Folder of the run
    pub(crate) run: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print an experiment file with its defaults written out
    Show {
        /// Experiment file; the built-in demo when absent
        file: Option<PathBuf>,
        /// Change a setting
        #[arg(long = "set", value_name = "KEY=VALUE")]
        overrides: Vec<String>,
        /// Also add the experiment's seed to every part, as the run does
        #[arg(long)]
        resolved: bool,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
