//! Interruption and determinism: the same numbers, however a run got to its end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{TINY, cd_cli, succeed};

/// The only cell below `runs/tiny`.
fn cell(runs: &Path) -> PathBuf {
    let entries = fs::read_dir(runs.join("tiny")).expect("the run exists");
    let mut cells: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    assert_eq!(cells.len(), 1);
    cells.remove(0)
}

/// Everything that must not depend on how the run went.
fn results(runs: &Path) -> Vec<Vec<u8>> {
    let cell = cell(runs);
    [
        "train/model.safetensors",
        "train/losses.f32",
        "detect/cd-l/scores.csv",
        "detect/cd-l/masks.safetensors",
        "detect/cd-f/scores.csv",
        "poison/train.json",
    ]
    .iter()
    .map(|file| fs::read(cell.join(file)).unwrap_or_else(|error| panic!("{file}: {error}")))
    .collect()
}

fn whole_run(folder: &Path, runs: &str, extra: &str) -> (Vec<Vec<u8>>, Duration) {
    let started = Instant::now();
    succeed(folder, &format!("run tiny.toml --runs {runs} {extra}"));
    (results(&folder.join(runs)), started.elapsed())
}

#[test]
fn killed_at_any_moment_a_run_ends_with_the_same_numbers() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    fs::write(here.join("tiny.toml"), TINY).expect("written");
    let (expected, duration) = whole_run(here, "whole", "");
    let mut killed = 0;
    for moment in 1..=8_u32 {
        let mut child = cd_cli()
            .current_dir(here)
            .args(["run", "tiny.toml", "--runs", "killed"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        // Kills fall all over a run, because each start has less left to do.
        sleep(duration * moment / 16);
        if child.try_wait().expect("a child").is_none() {
            child.kill().expect("SIGKILL");
            killed += 1;
        }
        child.wait().expect("a child");
    }
    assert!(killed >= 1, "no start was killed before it ended");
    let (after, _) = whole_run(here, "killed", "");
    assert!(after == expected, "results differ after {killed} kills");
}

#[test]
fn held_out_images_leave_the_best_and_the_last_weights() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    fs::write(here.join("tiny.toml"), TINY).expect("written");
    let options = "--set train.validation=0.2 --set train.clip_norm=1 --set train.label_smoothing=0.1 \
                   --set train.optimizer={name=\"adamw\"} --set train.learning_rate=0.01 \
                   --set train.augmentation=[{name=\"flip\"},{name=\"cutout\",pixels=3}]";
    for keep in ["best", "last"] {
        let run =
            format!("run tiny.toml --runs {keep} --until train --set train.keep={keep} {options}");
        succeed(here, &run);
        let train = cell(&here.join(keep)).join("train");
        let read = |name: &str| fs::read(train.join(name)).expect("written");
        let kept = read(&format!("{keep}.safetensors"));
        assert!(read("model.safetensors") == kept, "{keep}");
        let history = String::from_utf8(read("history.json")).expect("text");
        assert_eq!(history.matches("validation_accuracy").count(), 3);
    }
}

#[test]
fn batch_size_and_threads_do_not_change_a_byte_of_the_scores() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    fs::write(here.join("tiny.toml"), TINY).expect("written");
    let (expected, _) = whole_run(here, "base", "");
    let weights = cell(&here.join("base")).join("train/model.safetensors");
    let scores = |runs: &str, extra: &str| {
        let weights = weights.display();
        let name = format!("run tiny.toml --runs {runs} --set weights=\"{weights}\" {extra}");
        succeed(here, &name);
        fs::read(cell(&here.join(runs)).join("detect/cd-l/scores.csv")).expect("scores")
    };
    for (runs, extra) in [
        ("one", "--set detect.batch_size=1"),
        ("seven", "--set detect.batch_size=7"),
        ("all", "--set detect.batch_size=64"),
        ("thread", "--threads 1"),
        ("threads", "--threads 3"),
    ] {
        assert!(
            scores(runs, extra) == expected[2],
            "{extra} changes the scores"
        );
    }
}

#[test]
fn training_does_not_depend_on_threads() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    fs::write(here.join("tiny.toml"), TINY).expect("written");
    let weights = |runs: &str, threads: &str| {
        succeed(
            here,
            &format!("run tiny.toml --runs {runs} --until train --threads {threads}"),
        );
        fs::read(cell(&here.join(runs)).join("train/model.safetensors")).expect("weights")
    };
    assert!(
        weights("a", "1") == weights("b", "3"),
        "weights differ between 1 and 3 threads"
    );
}

#[test]
fn shards_together_make_the_whole() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    let text = TINY
        .replace("train = 60", "train = 150")
        .replace("sample = 40", "sample = 140");
    fs::write(here.join("tiny.toml"), text).expect("written");
    let (expected, _) = whole_run(here, "whole", "");
    succeed(here, "run tiny.toml --runs shards --shard 1/2");
    assert!(
        !cell(&here.join("shards"))
            .join("detect/cd-l/scores.csv")
            .exists()
    );
    let (after, _) = whole_run(here, "shards", "--shard 0/2");
    assert!(after == expected, "shards and whole differ");
}
