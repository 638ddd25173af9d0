//! A write that the system refuses: one clear message, and earlier results stay.

#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{TINY, stderr, succeed};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = walk(folder);
    found.sort();
    found
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => walk(&path),
            path => vec![path],
        })
        .collect()
}

#[test]
fn pictures_that_do_not_fit_are_an_error() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let limited = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 1; exec "$0" "$@""#])
        .arg(env!("CARGO_BIN_EXE_cd-cli"))
        .args(["data", "export", "--set", "train=20", "--set", "test=0"])
        .args(["--out", "pictures"])
        .current_dir(scratch.path())
        .output()
        .expect("a shell");
    let message = stderr(&limited);
    assert_eq!(limited.status.code(), Some(2), "{message}");
    assert!(message.contains(".png"), "{message}");
    assert!(files(scratch.path()).is_empty(), "nothing is left");
}

/// The shell's limit on file sizes makes writes fail as a full disk does, without a disk to fill.
#[test]
fn a_refused_write_loses_nothing_and_the_run_goes_on_later() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    fs::write(here.join("tiny.toml"), TINY).expect("written");
    succeed(here, "run tiny.toml --until poison");
    let before = files(&here.join("runs"));
    let limited = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 16; exec "$0" "$@""#])
        .arg(env!("CARGO_BIN_EXE_cd-cli"))
        .args(["run", "tiny.toml"])
        .env("NO_COLOR", "1")
        .current_dir(here)
        .output()
        .expect("a shell");
    let message = stderr(&limited);
    assert_eq!(limited.status.code(), Some(2), "{message}");
    assert_eq!(message.matches("error: ").count(), 1, "{message}");
    assert!(
        message.contains("epoch-"),
        "the message names the file: {message}"
    );
    let after = files(&here.join("runs"));
    for file in &before {
        assert!(after.contains(file), "{} is gone", file.display());
    }
    assert!(
        !after
            .iter()
            .any(|file| file.to_string_lossy().contains(".writing-")),
        "half a file was left: {after:?}"
    );
    succeed(here, "run tiny.toml");
}
