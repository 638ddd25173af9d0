//! Developer commands: `cargo xtask check`, `cargo xtask reproduce <table>`, `cargo xtask bench`.
//!
//! Drives cargo and the `cd-cli` binary; links none of the toolkit's crates, so it builds in seconds.

mod bench;
mod build;
mod check;
mod device;
mod reproduce;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Developer commands")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The one pre-merge command: format, lints, tests, documentation
    Check {
        /// Leave out the tests
        #[arg(long)]
        no_tests: bool,
    },
    /// Run the missing rows of a table of configs/table and print ours beside what was expected and reported
    Reproduce(reproduce::ReproduceArgs),
    /// Time ours beside others
    Bench {
        #[command(subcommand)]
        what: Benchmark,
    },
}

#[derive(Subcommand)]
enum Benchmark {
    /// Cognitive Distillation, forward passes and training beside PyTorch (benches/peer/cd.py)
    Cd(bench::BenchArgs),
    /// Agreement with the reference, the largest batch and the speed of one device, as one JSON file
    Device(device::DeviceArgs),
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// `false` when everything ran, but a check or a figure missed.
fn run() -> Result<bool> {
    match Cli::parse().command {
        Command::Check { no_tests } => check::check(!no_tests),
        Command::Reproduce(args) => reproduce::reproduce(&args),
        Command::Bench {
            what: Benchmark::Cd(args),
        } => bench::bench(&args),
        Command::Bench {
            what: Benchmark::Device(args),
        } => device::device(&args),
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.parent().map(PathBuf::from).unwrap_or(own)
}
