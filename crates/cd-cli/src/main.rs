//! `cd-cli`: finds backdoored images from the command line.
//!
//! Exit codes: 0 done; 1 ran, but a gate was missed; 2 usage, configuration or environment;
//! 130 interrupted, and resumable by the same command.

mod args;
mod bars;
mod cmd;
mod list;
mod output;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Global};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Everything was done.
    Done,
    /// The command ran, but a figure missed the gate that was set for it.
    GateMissed,
}

const GATE_MISSED: u8 = 1;
const FAILED: u8 = 2;
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    cd_models::keep_freed_memory();
    let cli = Cli::parse();
    start_logging(&cli.global);
    let handler = ctrlc::set_handler(|| {
        eprintln!("\ninterrupted; the same command continues where this one stopped");
        std::process::exit(INTERRUPTED);
    });
    if let Err(error) = handler {
        tracing::debug!(%error, "no interrupt handler");
    }
    match cmd::dispatch(&cli) {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::GateMissed) => ExitCode::from(GATE_MISSED),
        Err(error) => {
            eprintln!("error: {}", message(&error));
            ExitCode::from(FAILED)
        }
    }
}

/// The error and its causes on one line; most errors name their cause themselves.
fn message(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |message, cause| {
        let cause = cause.to_string();
        match message.as_str() {
            "" => cause,
            told if told.contains(&cause) => message,
            told => format!("{told}: {cause}"),
        }
    })
}

fn start_logging(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, _) => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("CD_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(format!("off,cd={level}")));
    let filter = ["cd_models", "cd_data", "cd_detect", "cd_eval", "cd_cli"]
        .iter()
        .filter_map(|name| format!("{name}={level}").parse().ok())
        .fold(filter, tracing_subscriber::EnvFilter::add_directive);
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::env::var_os("NO_COLOR").is_none())
        .without_time()
        .with_target(false)
        .init();
}
