//! Everything that must pass before a merge.

use std::process::Command;

use anyhow::{Context, Result};

/// One step: name, arguments of cargo, environment.
type Step = (
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

const LINTS: &[Step] = &[
    ("format", &["fmt", "--all", "--check"], &[]),
    (
        "lints",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
        &[],
    ),
    (
        "documentation",
        &["doc", "--workspace", "--no-deps"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    ),
    (
        "no default features",
        &["check", "--workspace", "--no-default-features"],
        &[],
    ),
];

const TESTS: Step = ("tests", &["test", "--workspace"], &[]);

/// Runs every step and says at the end which failed.
pub(crate) fn check(with_tests: bool) -> Result<bool> {
    let tests = with_tests.then_some(&TESTS);
    let mut failed = Vec::new();
    for (name, arguments, environment) in LINTS.iter().chain(tests) {
        eprintln!("==> {name}: cargo {}", arguments.join(" "));
        let status = Command::new(env!("CARGO"))
            .args(*arguments)
            .envs(environment.iter().copied())
            .current_dir(crate::root())
            .status()
            .with_context(|| format!("{name}: cargo could not be started"))?;
        if !status.success() {
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        eprintln!("==> all checks passed");
    } else {
        eprintln!("==> failed: {}", failed.join(", "));
    }
    Ok(failed.is_empty())
}
