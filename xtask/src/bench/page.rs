//! The page of a benchmark: medians and ranges as a table.

use std::fmt::Write as _;
use std::fs;

use super::{BATCH, BenchArgs, Case, FAST, Series};

pub(super) fn page(args: &BenchArgs, results: &[(&Case, Vec<Series>)]) -> String {
    let versions = results.first().map_or(String::new(), |(_, series)| {
        let versions = series.iter().filter_map(|s| s.measurements.first());
        let mut versions: Vec<&str> = versions.map(|m| m.version.as_str()).collect();
        versions.dedup();
        versions.join("; ")
    });
    format!(
        "# Performance\n\n\
         Written by `cargo xtask bench cd --python PYTHON --device {}`; nothing here is typed by hand. {}.\n\
         {versions}. Batches of {BATCH} images of 32 x 32 pixels, {} rounds in which every program does the work once; \
         medians, and in brackets the range of the rounds. Weights and images are the same, and so are the logits.\n\n\
         `search` is plain CD-L, in images per second at 100 steps, and beside it the preset `fast` with its 24. `PyTorch eager` is the form of the published \
         code: eager, evaluation mode, frozen parameters. `PyTorch best` has BatchNorm folded and channels last, and on \
         CUDA bfloat16 and TF32. `forward` and `train` are images per second and pass. Memory is the peak of the whole process.\n\n{}",
        args.device,
        machine(),
        args.rounds,
        table(results)
    )
}

pub(super) fn table(results: &[(&Case, Vec<Series>)]) -> String {
    let mut text = String::from(
        "| model | work | program | images/s | ours / it | fast / it | CPU s/image | memory, MiB |\n|---|---|---|---|---|---|---|---|\n",
    );
    for (case, series) in results {
        let Some(ours) = series.first() else {
            continue;
        };
        for program in series {
            let ratio = if program.program.starts_with("ours") {
                String::new()
            } else {
                with_range(&ours.ratios(program))
            };
            let fast = match series.iter().find(|other| other.program == FAST) {
                Some(fast) if !program.program.starts_with("ours") => {
                    with_range(&fast.ratios(program))
                }
                _ => String::new(),
            };
            let peak = program
                .peak()
                .map_or("-".to_owned(), |peak| format!("{peak:.0}"));
            let processor = program
                .processor()
                .map_or("-".to_owned(), |seconds| format!("{seconds:.3}"));
            let row = format!(
                "| {} w{} | {} | {} | {} | {ratio} | {fast} | {processor} | {peak} |",
                case.model,
                case.width,
                case.what(),
                program.program,
                significant(program.speed()),
            );
            writeln!(text, "{row}").expect("writing to a string cannot fail");
        }
    }
    text
}

fn with_range(values: &[f64]) -> String {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("**{:.2}** ({low:.2} to {high:.2})", median(values.to_vec()))
}

fn significant(value: f64) -> String {
    let digits = if value >= 100.0 { 0 } else { 2 };
    format!("{value:.digits$}")
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// The processor in words, where Linux tells.
fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = |line: &str| {
        Some(
            line.strip_prefix("model name")?
                .split_once(':')?
                .1
                .trim()
                .to_owned(),
        )
    };
    let model = text
        .lines()
        .find_map(named)
        .unwrap_or_else(|| "a processor of unknown kind".to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let wide = if text.contains("avx512f") {
        ", AVX-512"
    } else {
        ""
    };
    format!("{model}, {cores} cores{wide}")
}
