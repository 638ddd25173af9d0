//! `reproduce`: a table of `configs/table` by name, through a binary that has the device's backend.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build;

#[derive(Args)]
pub(crate) struct ReproduceArgs {
    /// Name of the table, a file of configs/table; or `verdicts`, the sets of configs/verdict
    table: String,
    /// Where to compute; its cargo feature is built
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Folder of all runs
    #[arg(long, default_value = "runs")]
    runs: PathBuf,
    /// Run part I of N (from 0) of the rows
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// Run nothing: write the table of what is complete, with missing figures marked
    #[arg(long)]
    finished: bool,
    /// Write the page to this file, too, such as docs/detector-table.md
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

/// What is no table: many sets, and the verdicts on them.
const VERDICTS: &str = "verdicts";
const SETS: &str = "configs/verdict/sets.toml";

/// Runs the missing rows; `false` when a figure misses.
pub(crate) fn reproduce(args: &ReproduceArgs) -> Result<bool> {
    let is_verdicts = args.table == VERDICTS;
    let file = if is_verdicts {
        PathBuf::from(SETS)
    } else {
        table(&args.table)?
    };
    let binary = build::binary(&[&args.device])?;
    let mut command = Command::new(&binary);
    if is_verdicts {
        let out = args.runs.join(VERDICTS);
        command.arg(VERDICTS).arg(file).arg("--out").arg(out);
    } else {
        command
            .arg("reproduce")
            .arg(file)
            .arg("--runs")
            .arg(&args.runs);
    }
    command.args(["--device", &args.device]);
    if let Some(shard) = &args.shard {
        command.args(["--shard", shard]);
    }
    if args.finished {
        command.arg("--finished");
    }
    if let Some(page) = &args.page {
        command.arg("--page").arg(page);
    }
    let status = command
        .current_dir(crate::root())
        .status()
        .with_context(|| binary.display().to_string())?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => bail!("`{}` ended with {status}", args.table),
    }
}

/// The file of a table, relative to the root.
fn table(name: &str) -> Result<PathBuf> {
    let folder = Path::new("configs/table");
    let path = folder.join(format!("{name}.toml"));
    if crate::root().join(&path).exists() {
        return Ok(path);
    }
    let entries = fs::read_dir(crate::root().join(folder))?.flatten();
    let mut known: Vec<String> = entries
        .filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    known.sort();
    bail!("there is no table `{name}`; known: {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_by_name() {
        assert!(crate::root().join(SETS).exists());
        assert!(
            table("smoke")
                .expect("part of the repository")
                .is_relative()
        );
        let error = table("smok").expect_err("unknown").to_string();
        assert!(
            error.contains("`smok`") && error.contains("smoke"),
            "{error}"
        );
    }
}
