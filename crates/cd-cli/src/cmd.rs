//! One file per command, or per group of small ones.

mod apart;
mod attacks;
mod bench;
mod bias;
mod classifier;
mod config;
mod cure;
mod data;
mod evaluate;
mod experiment;
mod features;
mod folder;
mod gate;
mod in_vain;
mod inspect;
mod models;
mod poison;
mod reproduce;
mod runs;
mod size;
mod verdicts;

use anyhow::{Context, Result};
use cd_data::DatasetConfig;
use cd_detect::Shard;
use cd_eval::pipeline::{RunOptions, Stage};
use cd_models::{Device, cpu_level, device};
use clap::CommandFactory;

use crate::Ending;
use crate::args::{Cli, Command, Global, ModelsCommand};
use crate::bars::Bars;
use crate::list;
use crate::output;

/// The global options made real.
pub(crate) struct Session {
    pub(crate) device: Device,
    pub(crate) device_name: String,
    pub(crate) bars: Bars,
    pub(crate) json: bool,
    quiet: bool,
    workers: usize,
}

impl Session {
    fn new(global: &Global) -> Result<Self> {
        if let Some(threads) = global.threads {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build_global()
                .context("--threads")?;
        }
        let device_name = match &global.device {
            Some(name) => name.clone(),
            None => device::default_name().to_owned(),
        };
        Ok(Self {
            device: device::parse(&device_name)?,
            workers: workers(&device_name, global.threads),
            device_name,
            bars: Bars::new(global.quiet),
            json: global.json,
            quiet: global.quiet,
        })
    }

    /// Puts numbers into options of a data set that were left to its files, and says which.
    pub(crate) fn settle(&self, dataset: &mut DatasetConfig) -> Result<()> {
        if let Some(choice) = dataset.settle()? {
            self.say(&choice);
        }
        Ok(())
    }

    /// Says something on stderr, unless only errors were asked for.
    pub(crate) fn say(&self, words: &str) {
        if !self.quiet {
            output::tell(words);
        }
    }

    /// Options of a pipeline run in this session.
    pub(crate) fn options(&self, until: Stage, shard: Option<(usize, usize)>) -> RunOptions<'_> {
        RunOptions {
            device: &self.device,
            device_name: &self.device_name,
            workers: self.workers,
            until,
            shard: shard.map_or(Shard::WHOLE, |(index, count)| Shard { index, count }),
            progress: &self.bars,
        }
    }
}

/// Batches that are computed at the same time: `--threads` bounds those of the CPU, a GPU takes one after the other.
fn workers(device: &str, threads: Option<usize>) -> usize {
    let on_cpu = device.split(':').next() == Some("cpu");
    match threads {
        Some(threads) if on_cpu => threads,
        _ => device::workers(device),
    }
}

/// Runs the command that was typed.
pub(crate) fn dispatch(cli: &Cli) -> Result<Ending> {
    let global = &cli.global;
    if let Some(level) = global.cpu_level.as_deref().filter(|name| !name.is_empty()) {
        cpu_level::set(level).context("--cpu-level")?;
    }
    match &cli.command {
        Command::Attacks { command: None } => list::attacks(None, global.json),
        Command::Detectors { show } => list::detectors(show.as_ref(), global.json),
        Command::Datasets { show } => list::datasets(show.as_ref(), global.json),
        Command::Models { command: None } => list::models(None, global.json),
        Command::Models {
            command: Some(ModelsCommand::Show { name }),
        } => list::models(Some(name), global.json),
        Command::Devices => list::devices(global.json),
        Command::Config { command } => config::show(command),
        Command::Completions { shell } => {
            let mut command = Cli::command();
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command, "cd-cli", &mut script);
            output::line(String::from_utf8_lossy(&script).trim_end())?;
            Ok(Ending::Done)
        }
        Command::Evaluate(args) => evaluate::evaluate(args, global.json),
        Command::Runs(args) => runs::runs(args, global.json),
        other => with_session(other, &Session::new(global)?),
    }
}

fn with_session(command: &Command, session: &Session) -> Result<Ending> {
    match command {
        Command::Demo(args) => experiment::demo(args, session),
        Command::Run(args) => experiment::run(args, session),
        Command::Report(args) => experiment::report(args, session),
        Command::Reproduce(args) => reproduce::reproduce(args, session),
        Command::Verdicts(args) => verdicts::verdicts(args, session),
        Command::Scan(args) => folder::scan(args, session),
        Command::Train(args) => folder::train(args, session),
        Command::Models {
            command: Some(command),
        } => models::models(command, session),
        Command::Attacks {
            command: Some(command),
        } => attacks::attacks(command, session),
        Command::Bench(args) => bench::bench(args, session),
        Command::Detect(args) => folder::detect(args, session),
        Command::Recover(args) => cure::recover(args, session),
        Command::Mitigate(args) => cure::mitigate(args, session),
        Command::Bias(args) => bias::bias(args, session),
        Command::Features(args) => features::features(args, session),
        Command::Data { command } => data::data(command, session),
        Command::Poison(args) => poison::poison(args, session),
        Command::Inspect(args) => inspect::inspect(args, session),
        _ => unreachable!("`dispatch` handles the commands that need no session"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_bound_the_cpu_alone() {
        assert_eq!(workers("cpu", Some(16)), 16);
        assert_eq!(workers("cpu:0", Some(1)), 1);
        assert_eq!(workers("cuda:0", Some(16)), 1);
        assert_eq!(workers("vulkan", None), 1);
        assert_eq!(workers("cpu", None), device::workers("cpu"));
    }
}
