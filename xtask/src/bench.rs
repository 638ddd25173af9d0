//! `bench cd`: ours beside PyTorch, in turns, with the same weights and images.

mod page;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::build::binary;
use page::{median, page, table};

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// Python with torch, numpy and safetensors
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Rounds; in each, every program does the work once
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Where to compute: `cpu`, or `cuda:0` (which PyTorch calls the same)
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Another device of ours to time beside it, for example `vulkan` on the card of `cuda:0`
    #[arg(long)]
    also: Option<String>,
    /// The binary, instead of building one
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Only cases whose name holds this
    #[arg(long, default_value = "")]
    only: String,
    /// Where the table goes
    #[arg(long, default_value = "docs/performance.md")]
    out: PathBuf,
    /// Where every single measurement goes
    #[arg(long, default_value = "target/bench/cd.json")]
    json: PathBuf,
}

/// One line of the table.
struct Case {
    model: &'static str,
    width: usize,
    work: &'static str,
    images: usize,
    steps: usize,
}

/// The program that searches with the preset `fast`.
const FAST: &str = "ours, preset fast";

/// Batches of 32 throughout, the reference's on small cards.
const BATCH: usize = 32;

const CASES: &[Case] = &[
    case("resnet18", 64, "forward", 256, 1),
    case("resnet18", 64, "search", 64, 5),
    case("resnet18", 64, "train", 128, 2),
    case("resnet18", 16, "forward", 1024, 1),
    case("resnet18", 16, "search", 64, 20),
    case("resnet18", 16, "search", 64, 100),
    case("resnet18", 16, "train", 256, 8),
    case("vgg16", 64, "forward", 256, 1),
    case("vgg16", 64, "search", 64, 8),
    case("mobilenet_v2", 32, "forward", 256, 1),
    case("mobilenet_v2", 32, "search", 64, 8),
];

const fn case(
    model: &'static str,
    width: usize,
    work: &'static str,
    images: usize,
    steps: usize,
) -> Case {
    Case {
        model,
        width,
        work,
        images,
        steps,
    }
}

impl Case {
    fn name(&self) -> String {
        format!("{} width {}, {}", self.model, self.width, self.what())
    }

    fn what(&self) -> String {
        match self.work {
            "search" => format!("search, {} steps", self.steps),
            work => work.to_owned(),
        }
    }

    /// Images per second; a search counts as 100 steps.
    fn speed(&self, seconds: f64) -> f64 {
        let passes = match self.work {
            "search" => self.steps as f64 / 100.0,
            _ => self.steps as f64,
        };
        self.images as f64 * passes / seconds
    }
}

/// What both programs print.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Measurement {
    seconds: f64,
    cpu_seconds: Option<f64>,
    peak_mib: Option<f64>,
    checksum: f64,
    version: String,
}

/// Every measurement of one program on one case, in the order of the rounds.
#[derive(Debug, Serialize)]
struct Series {
    case: String,
    program: String,
    speeds: Vec<f64>,
    measurements: Vec<Measurement>,
}

impl Series {
    fn speed(&self) -> f64 {
        median(self.speeds.clone())
    }

    fn peak(&self) -> Option<f64> {
        let peaks: Option<Vec<f64>> = self.measurements.iter().map(|m| m.peak_mib).collect();
        peaks.filter(|peaks| !peaks.is_empty()).map(median)
    }

    /// Processor time over all threads of one image, as the speed counts images.
    fn processor(&self) -> Option<f64> {
        let seconds = self.speeds.iter().zip(&self.measurements);
        let seconds: Option<Vec<f64>> = seconds
            .map(|(speed, m)| Some(m.cpu_seconds? / (speed * m.seconds)))
            .collect();
        seconds.filter(|seconds| !seconds.is_empty()).map(median)
    }

    /// Our speed over theirs in every round.
    fn ratios(&self, theirs: &Self) -> Vec<f64> {
        let pairs = self.speeds.iter().zip(&theirs.speeds);
        pairs.map(|(ours, theirs)| ours / theirs).collect()
    }
}

pub(crate) fn bench(args: &BenchArgs) -> Result<bool> {
    let mut devices = vec![args.device.as_str()];
    devices.extend(args.also.as_deref());
    let binary = match &args.binary {
        Some(path) => path.clone(),
        None => binary(&devices)?,
    };
    let folder = args.json.parent().map_or(PathBuf::new(), Path::to_path_buf);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut results = Vec::new();
    for case in CASES.iter().filter(|case| case.name().contains(&args.only)) {
        eprintln!("==> {}", case.name());
        let weights = folder.join(format!("{}-{}.safetensors", case.model, case.width));
        save_weights(&binary, case, &weights)?;
        let ours = devices.iter().map(|device| Program::ours(&binary, device));
        let theirs =
            ["eager", "best"].map(|form| Program::theirs(&args.python, form, &args.device));
        let mut programs: Vec<Program> = ours.chain(theirs).collect();
        if case.work == "search" {
            programs.insert(1, Program::fast(&binary, &args.device));
        }
        results.push((case, rounds(case, &programs, &weights, args.rounds)?));
        // After every case, so that an interrupted run leaves what it measured.
        let all: Vec<&Series> = results.iter().flat_map(|(_, series)| series).collect();
        write(&args.json, &serde_json::to_string_pretty(&all)?)?;
        write(&crate::root().join(&args.out), &page(args, &results))?;
    }
    writeln!(std::io::stdout(), "{}", table(&results))?;
    Ok(true)
}

/// Something that does the work and prints one measurement.
struct Program {
    name: String,
    command: Vec<String>,
    /// Does searches whole, with the steps of its preset instead of the case's.
    has_preset: bool,
}

impl Program {
    fn ours(binary: &Path, device: &str) -> Self {
        let command = [
            &binary.display().to_string(),
            "bench",
            "--json",
            "--device",
            device,
        ];
        Self {
            name: format!("ours ({device})"),
            command: command.map(str::to_owned).to_vec(),
            has_preset: false,
        }
    }

    fn fast(binary: &Path, device: &str) -> Self {
        let ours = Self::ours(binary, device);
        let preset = ["--preset", "fast"].map(str::to_owned);
        Self {
            name: FAST.to_owned(),
            command: ours.command.into_iter().chain(preset).collect(),
            has_preset: true,
        }
    }

    fn theirs(python: &Path, form: &str, device: &str) -> Self {
        let script = crate::root().join("benches/peer/cd.py");
        let (python, script) = (python.display().to_string(), script.display().to_string());
        let command = [&python, &script, "--form", form, "--device", device];
        Self {
            name: format!("PyTorch {form}"),
            command: command.map(str::to_owned).to_vec(),
            has_preset: false,
        }
    }

    /// Images per second; a search counts as the whole of it.
    fn speed(&self, case: &Case, seconds: f64) -> f64 {
        if self.has_preset {
            return case.images as f64 / seconds;
        }
        case.speed(seconds)
    }

    fn measure(&self, case: &Case, weights: &Path) -> Result<Measurement> {
        let [program, arguments @ ..] = self.command.as_slice() else {
            bail!("a program has a name");
        };
        let mut command = Command::new(program);
        command.args(arguments);
        if !self.has_preset {
            command.args(["--steps", &case.steps.to_string()]);
        }
        let output = command
            .args(["--model", case.model, "--work", case.work])
            .args(["--width", &case.width.to_string()])
            .args(["--images", &case.images.to_string()])
            .args(["--batch-size", &BATCH.to_string()])
            .arg("--weights")
            .arg(weights)
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("{program} could not be started"))?;
        if !output.status.success() {
            bail!("{} failed on {}", self.name, case.name());
        }
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("what {} printed on {}", self.name, case.name()))
    }
}

fn save_weights(binary: &Path, case: &Case, weights: &Path) -> Result<()> {
    let status = Command::new(binary)
        .args([
            "bench", "--work", "forward", "--images", "1", "--model", case.model,
        ])
        .args(["--width", &case.width.to_string(), "--save-weights"])
        .arg(weights)
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("{} could not write weights", binary.display());
    }
    Ok(())
}

/// All programs in turns, so that a slow moment of the machine meets each of them.
fn rounds(case: &Case, programs: &[Program], weights: &Path, count: usize) -> Result<Vec<Series>> {
    let mut series: Vec<Series> = programs
        .iter()
        .map(|program| Series {
            case: case.name(),
            program: program.name.clone(),
            speeds: Vec::new(),
            measurements: Vec::new(),
        })
        .collect();
    for _ in 0..count.max(1) {
        for (program, series) in programs.iter().zip(&mut series) {
            let measured = program.measure(case, weights)?;
            let speed = program.speed(case, measured.seconds);
            eprintln!("    {:<18} {speed:8.3} images per second", program.name);
            series.speeds.push(speed);
            series.measurements.push(measured);
        }
        same_network(case, &series)?;
    }
    Ok(series)
}

/// Both sides must have computed the same thing.
fn same_network(case: &Case, series: &[Series]) -> Result<()> {
    let sums = series
        .iter()
        .filter_map(|series| series.measurements.last());
    let sums: Vec<f64> = sums
        .map(|measured| measured.checksum)
        .filter(|&sum| sum > 0.0)
        .collect();
    let first = sums.first().copied().unwrap_or_default();
    if case.work != "train" && sums.iter().any(|sum| (sum / first - 1.0).abs() > 0.02) {
        bail!("{}: logits differ: {sums:?}", case.name());
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_and_ratios_follow_the_rounds() {
        let case = case("resnet18", 16, "search", 64, 20);
        assert!((case.speed(3.2) - 4.0).abs() < 1e-12);
        let series = |program: &str, speeds: &[f64]| Series {
            case: case.name(),
            program: program.into(),
            speeds: speeds.to_vec(),
            measurements: Vec::new(),
        };
        let (ours, theirs) = (
            series("ours", &[4.0, 6.0, 5.0]),
            series("it", &[2.0, 2.0, 5.0]),
        );
        assert_eq!(ours.ratios(&theirs), [2.0, 3.0, 1.0]);
        let text = table(&[(&case, vec![ours, theirs])]);
        assert!(
            text.contains("| it | 2.00 | **2.00** (1.00 to 3.00) |  | - | - |"),
            "{text}"
        );
    }

    #[test]
    fn other_logits_are_refused() {
        let case = case("vgg16", 64, "forward", 8, 1);
        let series = |checksum: f64| Series {
            case: case.name(),
            program: "any".into(),
            speeds: vec![1.0],
            measurements: vec![Measurement {
                seconds: 1.0,
                cpu_seconds: None,
                peak_mib: None,
                checksum,
                version: String::new(),
            }],
        };
        assert!(same_network(&case, &[series(5.0), series(5.01)]).is_ok());
        assert!(same_network(&case, &[series(5.0), series(6.0)]).is_err());
    }
}
