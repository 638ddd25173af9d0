//! The page of a benchmark: a summary of ratios, then every form.

use std::fmt::Write as _;

use super::level::machine;
use super::series::{Series, best, median};
use super::{BenchArgs, Outcome};

pub(super) fn page(args: &BenchArgs, outcomes: &[Outcome]) -> String {
    let measured = outcomes.iter().flat_map(|outcome| &outcome.series);
    let versions = measured.filter_map(|series| series.measurements.first());
    let mut versions: Vec<&str> = versions.map(|m| m.version.as_str()).collect();
    versions.sort_unstable();
    versions.dedup();
    let batch = outcomes.first().map(|outcome| &outcome.case);
    let side = batch.map_or(0, |case| case.side);
    let photographs = if args.photographs {
        " --photographs"
    } else {
        ""
    };
    let forms = if args.forms.is_empty() {
        String::new()
    } else {
        format!(
            " **Only these forms were measured here: {}.**",
            args.forms.join(", ")
        )
    };
    format!(
        "# Performance\n\n\
         Written by `cargo xtask bench cd --python PYTHON --device {}{photographs}`; nothing here is typed by hand. {}. {}. \
         Batches of {} images of {side} x {side} pixels, {} rounds in which every program does the work once. Weights and images are the same, and so \
         are the logits. Both sides are capped to the level's instructions (ours by `--cpu-level`; PyTorch by `ATEN_CPU_CAPABILITY`, `ONEDNN_MAX_CPU_ISA`, \
         `MKL_ENABLE_INSTRUCTIONS` and its compiler's vector length).\n\n\
         `search` is plain CD-L, in images per second at 100 steps; `fast` is the preset of that name with its 24. `forward` and `train` are images per second and pass. \
         *Eager* is the form of the published code: evaluation mode, frozen parameters. *Best* is the fastest of these forms of PyTorch: eager; BatchNorm folded and channels last; \
         the latter compiled (`torch.compile` of the whole objective; for forward passes with frozen, packed weights); compiled with `max-autotune`; each also with freed memory kept \
         (glibc's limits raised, as ours does). Ratios are our speed over theirs, median of the rounds, and in brackets their range; above 1 we are faster. Memory is the peak of the whole process.{forms}\n\n\
         {}\n## Every form\n\n\
         All forms were measured in the first round; those that were not among the three fastest there ended with it (one figure).\n\n{}",
        args.device,
        machine(),
        versions.join("; "),
        batch.map_or(0, |case| case.batch),
        args.rounds,
        summary(outcomes),
        every(outcomes)
    )
}

/// One row a case and level: our speed, the ratios, memory.
pub(super) fn summary(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| level | network | work | ours, images/s | over eager | over best | best is | `fast` over eager | memory, ours / best, MiB |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for outcome in outcomes {
        let series = &outcome.series;
        let (Some(ours), Some(best)) = (series.first(), best(series)) else {
            continue;
        };
        let eager = series.iter().find(|series| !series.is_ours());
        let over_eager = |ours: &Series| eager.map(|eager| with_range(&ours.ratios(eager)));
        let fast = series
            .iter()
            .find(|s| s.is_ours() && s.program.contains("fast"));
        let row = format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} / {} |",
            outcome.level.name,
            outcome.case.network(),
            outcome.case.what(),
            significant(ours.speed()),
            over_eager(ours).unwrap_or_default(),
            with_range(&ours.ratios(best)),
            best.program,
            fast.and_then(over_eager).unwrap_or_default(),
            whole(ours.peak()),
            whole(best.peak()),
        );
        writeln!(text, "{row}").expect("writing to a string cannot fail");
    }
    text
}

/// Every form with its speed, processor time and memory.
fn every(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| level | network | work | program | images/s | CPU s/image | memory, MiB |\n|---|---|---|---|---|---|---|\n",
    );
    for outcome in outcomes {
        for series in &outcome.series {
            let processor = series.processor();
            let row = format!(
                "| {} | {} | {} | {} | {} | {} | {} |",
                outcome.level.name,
                outcome.case.network(),
                outcome.case.what(),
                series.program,
                significant(series.speed()),
                processor.map_or("-".to_owned(), |seconds| format!("{seconds:.4}")),
                whole(series.peak()),
            );
            writeln!(text, "{row}").expect("writing to a string cannot fail");
        }
    }
    text
}

fn whole(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.0}"))
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

#[cfg(test)]
mod tests {
    use super::super::case::CASES;
    use super::super::level::Level;
    use super::super::series::series;
    use super::*;

    #[test]
    fn the_summary_compares_with_eager_and_with_the_best() {
        let levels = Level::chosen(&[], &["avx2".to_owned()]).expect("known");
        let outcome = Outcome {
            case: CASES[0].clone(),
            level: levels[0],
            series: vec![
                series("ours (cpu)", &[4.0, 6.0, 5.0], 1.0),
                series("ours, preset fast", &[8.0, 12.0, 10.0], 1.0),
                series("PyTorch eager", &[2.0, 2.0, 5.0], 1.0),
                series("compiled", &[4.0, 4.0, 5.0], 1.0),
            ],
        };
        let text = summary(&[outcome]);
        let row = "| 5.00 | **2.00** (1.00 to 3.00) | **1.00** (1.00 to 1.50) | compiled | **4.00** (2.00 to 6.00) | - / - |";
        assert!(text.contains(row), "{text}");
    }
}
