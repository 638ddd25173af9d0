//! `bench`: how fast this machine forwards, searches and trains.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use cd_detect::{CognitiveDistillation, Compute, DetectorConfig, Evidence};
use cd_models::{
    Classifier, ImageSet, Model, ModelConfig, NoProgress, TrainConfig, batch, cpu_level,
    load_weights, predict, save_weights, to_host, train,
};
use serde::Serialize;

use super::Session;
use crate::Ending;
use crate::args::{BenchArgs, Work};
use crate::output;

const CLASSES: usize = 10;
/// Bytes of pictures that can be meant.
const MOST_BYTES: usize = 4 << 30;
/// Clock ticks per second in `/proc`, fixed by Linux for programs.
const TICKS: f64 = 100.0;

/// One measurement, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Measurement {
    work: Work,
    model: String,
    width: Option<usize>,
    device: String,
    /// Instruction set of our kernels on the CPU.
    cpu_level: &'static str,
    threads: usize,
    images: usize,
    batch_size: usize,
    /// Optimiser steps per image; 1 for forward passes.
    steps: usize,
    /// Wall time, after one run that is not counted.
    seconds: f64,
    /// Processor time over all threads, where the system tells.
    cpu_seconds: Option<f64>,
    /// Peak memory of the process, where the system tells.
    peak_mib: Option<f64>,
    /// Images per second through all steps.
    images_per_second: f64,
    /// Sum of the absolute logits of the first batch, to compare with other implementations.
    checksum: f64,
    version: String,
}

pub(crate) fn bench(args: &BenchArgs, session: &Session) -> Result<Ending> {
    let bytes = args.images * args.size * args.size * 3;
    if bytes > MOST_BYTES {
        bail!("--images and --size make {bytes} bytes of pictures; at most {MOST_BYTES} are timed");
    }
    let (config, model) = model(args, session)?;
    let set = pictures(args)?;
    model.check_size(args.size, args.size)?;
    let detector = detector(args)?;
    let steps = match args.work {
        Work::Forward => 1,
        Work::Train => args.steps.unwrap_or(10),
        Work::Search => steps(&detector)?,
    };
    let bench = Bench {
        args,
        session,
        config: &config,
        model: &model,
        set: &set,
    };
    let mut short = detector.clone();
    if short.has("steps") {
        short.set("steps", 1)?;
    }
    bench.work(&short, 1)?;
    let (started, processor) = (Instant::now(), cpu_seconds());
    bench.work(&detector, steps)?;
    let seconds = started.elapsed().as_secs_f64();
    let cpu_seconds = cpu_seconds()
        .zip(processor)
        .map(|(after, before)| after - before);
    let first: Vec<usize> = (0..args.batch_size.min(args.images)).collect();
    let logits = to_host(model.logits(batch(&set, &first, &session.device)?));
    let measured = Measurement {
        work: args.work,
        model: args.model.clone(),
        width: args.width,
        device: session.device_name.clone(),
        cpu_level: cpu_level::current(),
        threads: session.workers,
        images: args.images,
        batch_size: args.batch_size,
        steps,
        seconds,
        cpu_seconds,
        peak_mib: peak_mib(),
        images_per_second: args.images as f64 / seconds,
        checksum: logits.iter().map(|&logit| f64::from(logit).abs()).sum(),
        version: format!("cd-cli {}", env!("CARGO_PKG_VERSION")),
    };
    print(&measured, session.json)?;
    Ok(Ending::Done)
}

/// The model to time: drawn, or loaded.
fn model(args: &BenchArgs, session: &Session) -> Result<(ModelConfig, Model)> {
    let config = ModelConfig::from_name(&args.model)?;
    let config = match args.width {
        Some(width) => config.with_width(width),
        None => config,
    };
    let model = match &args.weights {
        Some(path) => load_weights(path, &session.device)?,
        None => config.init(CLASSES, 0, &session.device)?,
    };
    if let Some(path) = &args.save_weights {
        save_weights(&model, path)?;
    }
    Ok((config, model))
}

struct Bench<'a> {
    args: &'a BenchArgs,
    session: &'a Session,
    config: &'a ModelConfig,
    model: &'a Model,
    set: &'a ImageSet,
}

impl Bench<'_> {
    /// Does the work once over all pictures.
    fn work(&self, detector: &DetectorConfig, epochs: usize) -> Result<()> {
        let device = &self.session.device;
        let batch_size = self.args.batch_size;
        match self.args.work {
            Work::Forward => {
                predict(self.model, self.set, batch_size, device, &NoProgress)?;
            }
            Work::Train => {
                let settings = TrainConfig {
                    epochs,
                    batch_size,
                    learning_rate: 0.01,
                    record_losses: 0,
                    ..TrainConfig::default()
                };
                train(self.config, self.set, &settings, None, device, &NoProgress)?;
            }
            Work::Search => {
                let compute = Compute {
                    batch_size,
                    workers: self.session.workers,
                    ..Compute::new(device)
                };
                let evidence = Evidence::new(self.model, self.set, compute);
                detector.detector().detect(&evidence)?;
            }
        }
        Ok(())
    }
}

/// Pictures by a formula that other implementations can repeat: byte `n` of the whole set, in the order
/// `[image, row, column, colour]`, is `n` modulo 251.
fn pictures(args: &BenchArgs) -> Result<ImageSet> {
    let names = (0..CLASSES).map(|class| class.to_string()).collect();
    let mut set = ImageSet::new(args.size, args.size, names);
    let bytes = args.size * args.size * 3;
    for image in 0..args.images {
        let pixels: Vec<u8> = (0..bytes)
            .map(|at| ((image * bytes + at) % 251) as u8)
            .collect();
        set.push(image.to_string(), &pixels, (image % CLASSES) as u32)?;
    }
    Ok(set)
}

fn detector(args: &BenchArgs) -> Result<DetectorConfig> {
    let mut config = DetectorConfig::from_name(&args.detector)?.with_preset(args.preset);
    if let Some(steps) = args.steps.filter(|_| config.has("steps")) {
        config.set("steps", steps)?;
    }
    Ok(config)
}

/// The steps that a detector will do per image.
fn steps(config: &DetectorConfig) -> Result<usize> {
    CognitiveDistillation::from_config(config)?
        .map(|distillation| distillation.total_steps())
        .with_context(|| "this detector makes no steps; try `cd-l`".to_owned())
}

fn print(measured: &Measurement, as_json: bool) -> Result<()> {
    if as_json {
        return output::json(measured);
    }
    let known = |value: Option<f64>, unit: &str| {
        value.map_or("not known".to_owned(), |value| format!("{value:.1} {unit}"))
    };
    output::line(&format!(
        "{:.2} images per second ({} images in {:.2} s, {} steps each; processor time {}, peak memory {}; instruction set {})",
        measured.images_per_second,
        measured.images,
        measured.seconds,
        measured.steps,
        known(measured.cpu_seconds, "s"),
        known(measured.peak_mib, "MiB"),
        measured.cpu_level,
    ))
}

/// Processor time of this process so far, from Linux's `/proc`.
fn cpu_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may hold blanks; `utime` and `stime` are the 12th and 13th fields after it.
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

fn peak_mib() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
