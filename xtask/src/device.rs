//! `bench device`: agreement, largest batch and speed of one device as one JSON file.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::build;

#[derive(Args)]
pub(crate) struct DeviceArgs {
    /// The device, for example `cuda:0` or `vulkan`; its cargo feature is built
    #[arg(long)]
    device: String,
    /// The architecture that is searched
    #[arg(long, default_value = "resnet18")]
    model: String,
    /// Channels of its stem
    #[arg(long, default_value_t = 64)]
    width: usize,
    /// Largest batch to try; batches double from 32 until one fails
    #[arg(long, default_value_t = 4096)]
    most: usize,
    /// Leave out the agreement with the PyTorch reference
    #[arg(long)]
    no_parity: bool,
    /// Where everything goes
    #[arg(long, default_value = "target/bench/device.json")]
    json: PathBuf,
}

/// What the file holds.
#[derive(Serialize)]
struct Report<'a> {
    device: &'a str,
    /// Absent when it was left out.
    parity: Option<Parity>,
    batches: Vec<Batch>,
    /// The batch that was fastest.
    best: Option<usize>,
}

/// The numeric tests against the PyTorch reference.
#[derive(Serialize)]
struct Parity {
    passed: bool,
    /// What the tests printed: differences, norms, AUROC.
    figures: Vec<String>,
}

/// A search with batches of so many images.
#[derive(Serialize)]
struct Batch {
    images: usize,
    /// What `cd-cli bench --json` printed; absent when it failed.
    measured: Option<Value>,
    /// Why it failed.
    error: Option<String>,
}

impl Batch {
    fn speed(&self) -> Option<f64> {
        self.measured.as_ref()?.get("images_per_second")?.as_f64()
    }
}

/// `false` when the device disagrees with the reference or no batch could be searched.
pub(crate) fn device(args: &DeviceArgs) -> Result<bool> {
    let feature = build::feature(&args.device)?;
    let binary = build::binary(&[&args.device])?;
    let parity = if args.no_parity {
        None
    } else {
        Some(parity(&feature, &args.device)?)
    };
    let batches = batches(&binary, args)?;
    let report = Report {
        device: &args.device,
        best: best(&batches),
        parity,
        batches,
    };
    if let Some(folder) = args.json.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let text = serde_json::to_string_pretty(&report)? + "\n";
    fs::write(&args.json, &text).with_context(|| args.json.display().to_string())?;
    writeln!(std::io::stdout(), "{text}")?;
    eprintln!("written: {}", args.json.display());
    let agrees = report.parity.is_none_or(|parity| parity.passed);
    Ok(agrees && report.best.is_some())
}

fn parity(feature: &str, device: &str) -> Result<Parity> {
    eprintln!("==> agreement with the reference on {device}");
    let output = Command::new(env!("CARGO"))
        .args(["test", "--release", "--workspace", "--test", "parity"])
        .args(["--features", feature])
        .args(["--", "--test-threads", "1", "--nocapture"])
        .env("CD_TEST_DEVICE", device)
        .current_dir(crate::root())
        .stderr(Stdio::inherit())
        .output()
        .context("cargo could not be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let figures = text.lines().filter(|line| !line.trim().is_empty());
    Ok(Parity {
        passed: output.status.success(),
        figures: figures.map(str::to_owned).collect(),
    })
}

/// Searches with batches that double until one fails, each in a process of its own: a device that runs out of
/// memory may take the process with it.
fn batches(binary: &Path, args: &DeviceArgs) -> Result<Vec<Batch>> {
    let mut batches = Vec::new();
    let mut batch_size = 32;
    while batch_size <= args.most {
        let batch = batch(binary, args, batch_size)?;
        match batch.speed() {
            Some(speed) => eprintln!("    batch {batch_size:<5} {speed:8.3} images per second"),
            None => eprintln!("    batch {batch_size:<5} failed"),
        }
        let failed = batch.error.is_some();
        batches.push(batch);
        if failed {
            break;
        }
        batch_size *= 2;
    }
    Ok(batches)
}

/// Twenty steps on two batches; the first run of `bench` is not counted, so that kernels are compiled and tuned.
fn batch(binary: &Path, args: &DeviceArgs, batch_size: usize) -> Result<Batch> {
    let output = Command::new(binary)
        .args(["bench", "--json", "--work", "search", "--steps", "20"])
        .args(["--device", &args.device, "--model", &args.model])
        .args(["--width", &args.width.to_string()])
        .args(["--batch-size", &batch_size.to_string()])
        .args(["--images", &(2 * batch_size).to_string()])
        .output()
        .with_context(|| binary.display().to_string())?;
    let measured = serde_json::from_slice(&output.stdout).ok();
    let measured = measured.filter(|_| output.status.success());
    let error = measured.is_none().then(|| {
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().rfind(|line| !line.trim().is_empty());
        format!("{}: {}", output.status, last.unwrap_or("no message"))
    });
    Ok(Batch {
        images: batch_size,
        measured,
        error,
    })
}

fn best(batches: &[Batch]) -> Option<usize> {
    let measured = batches
        .iter()
        .filter_map(|batch| Some((batch.images, batch.speed()?)));
    let best = measured.max_by(|a, b| a.1.total_cmp(&b.1));
    best.map(|(batch_size, _)| batch_size)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_fastest_batch_that_did_not_fail_is_best() {
        let batch = |images, speed: Option<f64>| Batch {
            images,
            measured: speed.map(|speed| json!({ "images_per_second": speed })),
            error: None,
        };
        let tried = [batch(32, Some(1.0)), batch(64, Some(3.0)), batch(128, None)];
        assert_eq!(best(&tried), Some(64));
        assert_eq!(best(&[batch(32, None)]), None);
    }
}
