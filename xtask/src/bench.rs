//! `bench cd`: ours beside PyTorch, in turns, with the same weights and images, at every instruction set of the machine.

mod case;
mod level;
mod page;
mod program;
mod series;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build::binary;
use case::{CASES, Case, PHOTOGRAPHS};
use level::Level;
use page::{page, summary};
use program::{FORMS, Program};
use series::Series;

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
    /// Instruction sets of the CPU, for both sides: avx512, avx2, sse, neon [default: the machine's, down to avx2]
    #[arg(long, value_delimiter = ',')]
    levels: Vec<String>,
    /// The binary, instead of building one
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Images of a batch; larger ones are what a card wants [default: 32; 8 photographs]
    #[arg(long)]
    batch_size: Option<usize>,
    /// Only these forms of PyTorch: eager, folded, compiled, tuned
    #[arg(long, value_delimiter = ',')]
    forms: Vec<String>,
    /// Only cases whose name holds this, such as `train` or `resnet18 w16, forward`; may be given several times
    #[arg(long)]
    only: Vec<String>,
    /// Networks for photographs of 224 pixels in batches of 8, beside torchvision's, which Python must have
    #[arg(long)]
    photographs: bool,
    /// Keep the rows of an earlier run, from `--json`, that are not measured now
    #[arg(long)]
    keep: bool,
    /// Where the page goes
    #[arg(long, default_value = "docs/performance.md")]
    out: PathBuf,
    /// Where every single measurement goes
    #[arg(long, default_value = "target/bench/cd.json")]
    json: PathBuf,
}

impl BenchArgs {
    fn cases(&self) -> Vec<Case> {
        let cases = if self.photographs { PHOTOGRAPHS } else { CASES };
        let sized = cases.iter().map(|case| {
            let batch = self.batch_size.unwrap_or(case.batch);
            case.in_batches_of(batch)
        });
        sized.collect()
    }
}

/// Forms of the peer that stay after the first round, beside the published one.
const STAY: usize = 3;

/// What was measured of one case at one level.
struct Outcome {
    case: Case,
    level: &'static Level,
    series: Vec<Series>,
}

pub(crate) fn bench(args: &BenchArgs) -> Result<bool> {
    let mut devices = vec![args.device.as_str()];
    devices.extend(args.also.as_deref());
    let binary = match &args.binary {
        Some(path) => path.clone(),
        None => binary(&devices)?,
    };
    let levels = Level::chosen(&args.levels, &level::of_the_machine())?;
    let folder = args.json.parent().map_or(PathBuf::new(), Path::to_path_buf);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let cases = args.cases();
    let mut outcomes = if args.keep {
        earlier(&args.json, &cases)?
    } else {
        Vec::new()
    };
    let is_asked = |case: &&Case| {
        let holds = |part: &String| case.name().contains(part);
        args.only.is_empty() || args.only.iter().any(holds)
    };
    for case in cases.iter().filter(is_asked) {
        let weights = folder.join(format!("{}-{}.safetensors", case.model, case.width));
        save_weights(&binary, case, &weights)?;
        for &level in &levels {
            eprintln!("==> {}, {}", case.name(), level.name);
            let (mut ours, theirs) = programs(args, &binary, &devices, case, level, &weights)?;
            let series = rounds(case, level, &mut ours, theirs, args.rounds)?;
            let outcome = Outcome {
                case: case.clone(),
                level,
                series,
            };
            enter(&mut outcomes, outcome);
            // After every case, so that an interrupted run leaves what it measured.
            keep(args, &outcomes)?;
        }
    }
    keep(args, &outcomes)?;
    writeln!(std::io::stdout(), "{}", summary(&outcomes))?;
    Ok(true)
}

/// Writes what was measured, and the page of it.
fn keep(args: &BenchArgs, outcomes: &[Outcome]) -> Result<()> {
    let all: Vec<&Series> = outcomes.iter().flat_map(|o| &o.series).collect();
    write(&args.json, &serde_json::to_string_pretty(&all)?)?;
    write(&crate::root().join(&args.out), &page(args, outcomes))
}

fn programs(
    args: &BenchArgs,
    binary: &Path,
    devices: &[&str],
    case: &Case,
    level: &Level,
    weights: &Path,
) -> Result<(Vec<Program>, Vec<Program>)> {
    let plain = devices.iter().map(|device| (*device, None));
    let fast = (case.work == "search").then_some((args.device.as_str(), Some("fast")));
    let ours = plain
        .chain(fast)
        .map(|(device, preset)| Program::ours(binary, device, preset, level, case, weights));
    let theirs = FORMS
        .iter()
        .filter(|form| form.is_asked(&args.device, &args.forms))
        .map(|form| Program::theirs(&args.python, &args.device, form, level, case, weights));
    Ok((ours.collect(), theirs.collect::<Result<_>>()?))
}

/// The outcomes of an earlier run.
fn earlier(json: &Path, cases: &[Case]) -> Result<Vec<Outcome>> {
    let text = fs::read_to_string(json).with_context(|| json.display().to_string())?;
    let series: Vec<Series> =
        serde_json::from_str(&text).with_context(|| json.display().to_string())?;
    let mut outcomes = Vec::new();
    for case in cases {
        for level in level::LEVELS {
            let is_of = |one: &&Series| one.case == case.name() && one.level == level.name;
            let series: Vec<Series> = series.iter().filter(is_of).cloned().collect();
            if !series.is_empty() {
                outcomes.push(Outcome {
                    case: case.clone(),
                    level,
                    series,
                });
            }
        }
    }
    Ok(outcomes)
}

/// Puts an outcome in place of an earlier one of the same case and level, or at the end.
fn enter(outcomes: &mut Vec<Outcome>, new: Outcome) {
    let is_same =
        |one: &&mut Outcome| one.case.name() == new.case.name() && one.level.name == new.level.name;
    match outcomes.iter_mut().find(is_same) {
        Some(old) => *old = new,
        None => outcomes.push(new),
    }
}

fn save_weights(binary: &Path, case: &Case, weights: &Path) -> Result<()> {
    let status = Command::new(binary)
        .args([
            "bench", "--work", "forward", "--images", "1", "--model", case.model,
        ])
        .args(["--width", &case.width.to_string()])
        .args(["--size", &case.side.to_string(), "--save-weights"])
        .arg(weights)
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("{} could not write weights", binary.display());
    }
    Ok(())
}

/// All programs in turns, so that a slow moment of the machine meets each of them. Forms of the peer that the first
/// round shows to be far behind end there.
fn rounds(
    case: &Case,
    level: &Level,
    ours: &mut [Program],
    theirs: Vec<Program>,
    count: usize,
) -> Result<Vec<Series>> {
    let mut own: Vec<Series> = ours.iter().map(|p| empty(case, level, p)).collect();
    let mut peers: Vec<(Program, Series)> = theirs
        .into_iter()
        .map(|program| {
            let series = empty(case, level, &program);
            (program, series)
        })
        .collect();
    let mut ended = Vec::new();
    for round in 0..count.max(1) {
        for (program, series) in ours.iter_mut().zip(&mut own) {
            measure(case, program, series)?;
        }
        for (program, series) in &mut peers {
            measure(case, program, series)?;
        }
        if round == 0 {
            let all = own.iter().chain(peers.iter().map(|(_, series)| series));
            same_network(case, &all.collect::<Vec<_>>())?;
            let (stay, end) = split(peers);
            peers = stay;
            ended = end;
        }
    }
    own.extend(peers.into_iter().map(|(_, series)| series));
    own.extend(ended);
    Ok(own)
}

fn empty(case: &Case, level: &Level, program: &Program) -> Series {
    Series {
        case: case.name(),
        level: level.name.to_owned(),
        program: program.name.clone(),
        speeds: Vec::new(),
        measurements: Vec::new(),
    }
}

fn measure(case: &Case, program: &mut Program, series: &mut Series) -> Result<()> {
    let measured = program.measure()?;
    let speed = program.speed(case, measured.seconds);
    eprintln!("    {:<18} {speed:8.3} images per second", program.name);
    series.speeds.push(speed);
    series.measurements.push(measured);
    Ok(())
}

/// The published form and the fastest others stay; the processes of the rest end.
fn split(peers: Vec<(Program, Series)>) -> (Vec<(Program, Series)>, Vec<Series>) {
    let mut peers = peers.into_iter();
    let mut stay: Vec<(Program, Series)> = peers.next().into_iter().collect();
    let mut others: Vec<(Program, Series)> = peers.collect();
    others.sort_by(|(_, a), (_, b)| b.speed().total_cmp(&a.speed()));
    let end = others.split_off(STAY.min(others.len()));
    stay.extend(others);
    (stay, end.into_iter().map(|(_, series)| series).collect())
}

/// Both sides must have computed the same thing.
fn same_network(case: &Case, series: &[&Series]) -> Result<()> {
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
    use case::case;
    use series::series;

    #[test]
    fn rows_of_an_earlier_run_are_kept_and_replaced() {
        let folder = std::env::temp_dir().join(format!("earlier-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let json = folder.join("cd.json");
        let of = |case: &Case, level: &str, speed| Series {
            case: case.name(),
            level: level.to_owned(),
            ..series("ours (cpu)", &[speed], 5.0)
        };
        let old = [of(&CASES[0], "avx2", 1.0), of(&CASES[1], "avx512", 2.0)];
        write(&json, &serde_json::to_string(&old).expect("plain")).expect("written");
        let mut outcomes = earlier(&json, CASES).expect("its own file");
        fs::remove_dir_all(&folder).expect("its own folder");
        let new = Outcome {
            case: CASES[1].clone(),
            level: outcomes[1].level,
            series: vec![of(&CASES[1], "avx512", 3.0)],
        };
        enter(&mut outcomes, new);
        let speeds: Vec<f64> = outcomes.iter().map(|one| one.series[0].speed()).collect();
        assert_eq!(speeds, [1.0, 3.0]);
    }

    #[test]
    fn other_logits_are_refused() {
        let case = case("vgg16", 64, "forward", 8, 1);
        let (ours, near, far) = (
            series("ours (cpu)", &[1.0], 5.0),
            series("near", &[1.0], 5.01),
            series("far", &[1.0], 6.0),
        );
        assert!(same_network(&case, &[&ours, &near]).is_ok());
        assert!(same_network(&case, &[&ours, &far]).is_err());
    }
}
