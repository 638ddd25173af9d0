//! The programs that do the work: ours, one process a measurement, and PyTorch, which stays and is asked again, for its
//! start and its compiler take longer than the work.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::case::Case;
use super::level::Level;

/// Steps of a search as published.
pub(super) const PASSES: f64 = 100.0;

/// What both sides print.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Measurement {
    pub(super) seconds: f64,
    pub(super) cpu_seconds: Option<f64>,
    pub(super) peak_mib: Option<f64>,
    pub(super) checksum: f64,
    pub(super) version: String,
}

/// Something that does the work and prints one measurement.
pub(super) struct Program {
    pub(super) name: String,
    how: How,
    /// Does searches whole, with the steps of its preset instead of the case's.
    has_preset: bool,
}

enum How {
    Once(Command),
    Staying(Box<Peer>),
}

/// A form of the peer: its name, what `cd.py` calls it, and whether freed memory is kept as ours is.
pub(super) struct Form(&'static str, &'static str, bool);

/// The published code first. Keeping memory always helps a compiled network, so the slow tuning is tried with it only.
pub(super) const FORMS: &[Form] = &[
    Form("PyTorch eager", "eager", false),
    Form("eager, kept", "eager", true),
    Form("folded", "folded", false),
    Form("folded, kept", "folded", true),
    Form("compiled", "compiled", false),
    Form("compiled, kept", "compiled", true),
    Form("tuned, kept", "tuned", true),
];

impl Form {
    /// Whether it is to be measured: on a card, what is kept of the host's memory makes no difference.
    pub(super) fn is_asked(&self, device: &str, asked: &[String]) -> bool {
        let &Self(_, form, keeps) = self;
        let is_named = asked.is_empty() || asked.iter().any(|name| name == form);
        is_named && !(keeps && form != "tuned" && device != "cpu")
    }
}

/// glibc's largest limit for blocks of the heap, and a limit of returned memory that is never reached.
const KEPT: &[(&str, &str)] = &[
    ("MALLOC_MMAP_THRESHOLD_", "33554432"),
    ("MALLOC_TRIM_THRESHOLD_", "17179869184"),
    ("MALLOC_TOP_PAD_", "67108864"),
];

impl Program {
    /// Our binary on a device; `preset` searches with those settings instead of the published ones.
    pub(super) fn ours(
        binary: &Path,
        device: &str,
        preset: Option<&str>,
        level: &Level,
        case: &Case,
        weights: &Path,
    ) -> Self {
        let mut command = Command::new(binary);
        command.args(["bench", "--json", "--device", device]);
        command.args(case.arguments());
        match preset {
            Some(preset) => command.args(["--preset", preset]),
            None => command.args(["--steps", &case.steps.to_string()]),
        };
        command.arg("--weights").arg(weights).envs(level.ours());
        Self {
            name: match preset {
                Some(preset) => format!("ours, preset {preset}"),
                None => format!("ours ({device})"),
            },
            how: How::Once(command),
            has_preset: preset.is_some(),
        }
    }

    pub(super) fn theirs(
        python: &Path,
        device: &str,
        form: &Form,
        level: &Level,
        case: &Case,
        weights: &Path,
    ) -> Result<Self> {
        let &Form(name, form, keeps) = form;
        let script: PathBuf = crate::root().join("benches/peer/cd.py");
        let mut command = Command::new(python);
        command.arg(script);
        command.args(["--form", form, "--device", device, "--again"]);
        command.args(case.arguments());
        command.args(["--steps", &case.steps.to_string()]);
        command.arg("--weights").arg(weights);
        command.envs(level.theirs().iter().copied());
        if keeps {
            command.envs(KEPT.iter().copied());
        }
        Ok(Self {
            name: name.to_owned(),
            how: How::Staying(Box::new(Peer::start(command)?)),
            has_preset: false,
        })
    }

    /// Images per second; a search counts as the whole of it.
    pub(super) fn speed(&self, case: &Case, seconds: f64) -> f64 {
        if self.has_preset {
            return case.images as f64 / seconds;
        }
        case.speed(seconds)
    }

    pub(super) fn measure(&mut self) -> Result<Measurement> {
        let line = match &mut self.how {
            How::Once(command) => once(command),
            How::Staying(peer) => peer.ask(),
        };
        let line = line.with_context(|| self.name.clone())?;
        serde_json::from_str(&line).with_context(|| format!("what {} printed", self.name))
    }
}

fn once(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("ended with {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A process that measures once for every line it is sent.
struct Peer {
    child: Child,
    orders: Option<ChildStdin>,
    results: BufReader<ChildStdout>,
}

impl Peer {
    /// Returns when the process has warmed up.
    fn start(mut command: Command) -> Result<Self> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("could not be started")?;
        let orders = child.stdin.take();
        let results = child.stdout.take().context("has no output")?;
        let mut peer = Self {
            child,
            orders,
            results: BufReader::new(results),
        };
        peer.line()?;
        Ok(peer)
    }

    fn ask(&mut self) -> Result<String> {
        let orders = self.orders.as_mut().context("takes no orders")?;
        writeln!(orders)?;
        orders.flush()?;
        self.line()
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.results.read_line(&mut line)? == 0 {
            bail!("ended with {}", self.child.wait()?);
        }
        Ok(line)
    }
}

impl Drop for Peer {
    /// Without orders it ends by itself.
    fn drop(&mut self) {
        self.orders = None;
        if let Err(error) = self.child.wait() {
            eprintln!("a process of the benchmark did not end: {error}");
        }
    }
}
