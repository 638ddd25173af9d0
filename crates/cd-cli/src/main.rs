//! `cd-cli`: finds backdoored images from the command line.
//!
//! Exit codes: 0 done; 1 ran, but a gate was missed or there are findings that `--fail-on` names; 2 usage, configuration or
//! environment, or pictures that could not be judged; 130 interrupted, and resumable by the same command.

mod args;
mod bars;
mod cmd;
mod list;
mod output;

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, Global};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Everything was done.
    Done,
    /// The command ran, but a figure missed the gate that was set for it.
    GateMissed,
    /// The command ran, and found what `--fail-on` names.
    Findings,
}

/// A gate that was missed, and findings.
const STOPPED: u8 = 1;
const FAILED: u8 = 2;
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    cd_models::keep_freed_memory();
    let cli = Cli::parse();
    if let Err(error) = start_logging(&cli.global) {
        return failed(&error);
    }
    let handler = ctrlc::set_handler(|| {
        output::tell("\ninterrupted; the same command continues where this one stopped");
        std::process::exit(INTERRUPTED);
    });
    if let Err(error) = handler {
        tracing::debug!(%error, "no interrupt handler");
    }
    match cmd::dispatch(&cli) {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::GateMissed | Ending::Findings) => ExitCode::from(STOPPED),
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    output::tell(&format!("error: {}", message(error)));
    ExitCode::from(FAILED)
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

/// Logs on stderr: what `CD_LOG` says (`debug`, `cd_detect=trace`, ...), or else what `-q` and `-v` say of our crates.
fn start_logging(global: &Global) -> anyhow::Result<()> {
    let filter = match std::env::var("CD_LOG") {
        Ok(text) if !text.trim().is_empty() => {
            EnvFilter::try_new(&text).with_context(|| format!("CD_LOG is `{text}`"))?
        }
        _ => {
            let level = match (global.quiet, global.verbose) {
                (true, _) => "error",
                (false, 0) => "warn",
                (false, 1) => "info",
                (false, _) => "debug",
            };
            EnvFilter::try_new(directives(level))?
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::env::var_os("NO_COLOR").is_none() && std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
    Ok(())
}

/// The crates of the toolkit at `level`, all others silent.
fn directives(level: &str) -> String {
    const CRATES: [&str; 7] = [
        "cd_core",
        "cd_conv",
        "cd_models",
        "cd_data",
        "cd_detect",
        "cd_eval",
        "cd_cli",
    ];
    let ours = CRATES.map(|name| format!(",{name}={level}"));
    format!("off{}", ours.concat())
}
