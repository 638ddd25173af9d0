//! Throughput of the architectures: forward passes, and gradients of the input.
//!
//! ```text
//! cargo bench --workspace --bench models -- [NAME-PART]... [--batch N] [--repeats N] [--small]
//! ```
//!
//! `CD_BENCH_DEVICE` names the device (default `cpu`). Times are medians; every architecture has a process of its own,
//! whose peak of memory is shown where the system tells.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::process::Command;
use std::time::Instant;

use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::{
    ARCHITECTURES, Architecture, Classifier, Device, Model, ModelConfig, device, to_host,
};

const CLASSES: usize = 10;

/// What was asked for.
struct Options {
    parts: Vec<String>,
    batch: usize,
    repeats: usize,
    small: bool,
    /// Only the architecture of exactly this name, without a heading.
    exact: bool,
}

impl Options {
    /// `None` when cargo runs the benchmark as a test.
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, Box<dyn Error>> {
        let mut options = Self {
            parts: Vec::new(),
            batch: 32,
            repeats: 5,
            small: false,
            exact: false,
        };
        let mut is_bench = false;
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut number = || -> Result<usize, Box<dyn Error>> {
                let text = arguments.next().unwrap_or_default();
                let number = text.parse().ok().filter(|&number| number > 0);
                Ok(number.ok_or_else(|| format!("{argument} wants a number of at least 1"))?)
            };
            match argument.as_str() {
                "--bench" => is_bench = true,
                "--batch" => options.batch = number()?,
                "--repeats" => options.repeats = number()?,
                "--small" => options.small = true,
                "--exact" => options.exact = true,
                unknown if unknown.starts_with('-') => {
                    let known = "--batch N, --repeats N, --small";
                    return Err(format!("unknown option {unknown}; known: {known}").into());
                }
                _ => options.parts.push(argument),
            }
        }
        Ok(is_bench.then_some(options))
    }

    fn selects(&self, entry: &Architecture) -> bool {
        if self.exact {
            return self.parts == [entry.name];
        }
        self.parts.is_empty() || self.parts.iter().any(|part| entry.name.contains(part))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(options) = Options::parse(std::env::args().skip(1))? else {
        return Ok(());
    };
    let name = std::env::var("CD_BENCH_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
    let device = device::parse(&name)?;
    let mut selected = ARCHITECTURES.iter().filter(|entry| options.selects(entry));
    let mut out = io::stdout().lock();
    if options.exact {
        let entry = selected.next().ok_or("no architecture has this name")?;
        writeln!(out, "{}", row(&measured(entry, &options, &device)?))?;
        return Ok(());
    }
    let Options { batch, repeats, .. } = options;
    writeln!(
        out,
        "device {name}, batch {batch}, median of {repeats}, images per second"
    )?;
    let heading = ["model", "width", "side", "forward", "gradient", "peak MB"];
    writeln!(out, "{}", row(&heading.map(str::to_owned)))?;
    for entry in selected {
        alone(entry.name)?;
    }
    Ok(())
}

/// The same program for one architecture, so that the memory of others does not count.
fn alone(name: &str) -> Result<(), Box<dyn Error>> {
    let options = std::env::args().skip(1);
    let options =
        options.filter(|argument| argument.starts_with('-') || argument.parse::<usize>().is_ok());
    let status = Command::new(std::env::current_exe()?)
        .args(options)
        .args(["--exact", name])
        .status()?;
    if !status.success() {
        return Err(format!("{name} ended with {status}").into());
    }
    Ok(())
}

fn row([name, cells @ ..]: &[String; 6]) -> String {
    let cells = cells.iter().map(|cell| format!("{cell:>9}"));
    format!("{name:<24}{}", cells.collect::<String>())
}

fn measured(
    entry: &Architecture,
    options: &Options,
    device: &Device,
) -> Result<[String; 6], Box<dyn Error>> {
    let family = entry.family;
    let width = if options.small {
        family.small_width
    } else {
        family.default_width
    };
    let side = family.input.published();
    let config = ModelConfig::from_name(entry.name)?.with_width(width);
    let model = config.init(CLASSES, 0, device)?;
    let count = options.batch * 3 * side * side;
    let values: Vec<f32> = (0..count).map(|at| (at % 251) as f32 / 250.0).collect();
    let data = TensorData::new(values, [options.batch, 3, side, side]);
    let images = Tensor::<4>::from_data(data, device);
    let speed = |seconds: f64| format!("{:.1}", options.batch as f64 / seconds);
    let forward = median(options.repeats, || forward(&model, &images));
    let gradient = median(options.repeats, || gradient(&model, &images));
    Ok([
        entry.name.to_owned(),
        width.to_string(),
        side.to_string(),
        speed(forward),
        speed(gradient),
        peak_megabytes().map_or_else(|| "-".to_owned(), |peak| peak.to_string()),
    ])
}

/// Values are fetched to the host, for a device may still compute when a call returns.
fn forward(model: &Model, images: &Tensor<4>) {
    to_host(model.logits(images.clone()));
}

fn gradient(model: &Model, images: &Tensor<4>) {
    let images = images.clone().autodiff().require_grad();
    let gradients = model.logits(images.clone()).sum().backward();
    let gradient = images
        .grad(&gradients)
        .expect("the logits depend on the images");
    to_host(gradient);
}

/// Median of the seconds of `repeats` runs after one that is not counted.
fn median(repeats: usize, work: impl Fn()) -> f64 {
    work();
    let mut seconds: Vec<f64> = (0..repeats)
        .map(|_| {
            let started = Instant::now();
            work();
            started.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[repeats / 2]
}

fn peak_megabytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes / 1024)
}
