//! Stages under keys: what is shared, what is computed again, what can go.

use std::fs;
use std::path::{Path, PathBuf};

use cd_core::Lock;

use crate::common::{TINY, cd_cli, fail_with, start, stderr, succeed};

/// Runs and says how often a classifier was trained and how often a detector searched.
fn counted(folder: &Path, arguments: &str) -> (usize, usize) {
    let output = cd_cli()
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .arg("-v")
        .output()
        .expect("the binary starts");
    let log = stderr(&output);
    assert!(output.status.success(), "`{arguments}` failed: {log}");
    (trainings(&log), log.matches("distilling total").count())
}

fn trainings(log: &str) -> usize {
    log.lines()
        .filter(|line| line.contains("training total"))
        .count()
}

fn tiny(folder: &Path) {
    fs::write(folder.join("tiny.toml"), TINY).expect("written");
}

/// The run directories below `runs/tiny`.
fn cells(runs: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(runs.join("tiny")).expect("the run exists");
    entries.flatten().map(|entry| entry.path()).collect()
}

#[test]
fn one_more_detector_runs_alone() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    tiny(here);
    let first = "run tiny.toml --set detect.detectors=[{name=\"cd-l\",steps=4}]";
    assert_eq!(counted(here, first), (1, 1));
    let scores = |runs: &Path| {
        let found = cells(runs)
            .into_iter()
            .map(|cell| cell.join("detect/cd-l/scores.csv"));
        found
            .map(|path| fs::read(path).expect("scores"))
            .collect::<Vec<_>>()
    };
    let before = scores(&here.join("runs"));
    let both = first.replace("steps=4}]", "steps=4},{name=\"ss\"},{name=\"abl\"}]");
    assert_eq!(
        counted(here, &both),
        (0, 0),
        "features and losses need neither"
    );
    let third = both.replace("},{name=\"ss\"}", "},{name=\"cd-f\",steps=4},{name=\"ss\"}");
    assert_eq!(counted(here, &third), (0, 1));
    assert_eq!(counted(here, &third), (0, 0));
    assert!(
        scores(&here.join("runs"))
            .iter()
            .all(|after| *after == before[0])
    );
    let other = format!(
        "{third} --set evaluate.resamples=50 --set detect.threshold={{rule=\"robust\",t=3}}"
    );
    assert_eq!(counted(here, &other), (0, 0), "another bootstrap and rule");
    assert_eq!(cells(&here.join("runs")).len(), 4);
}

#[test]
fn a_scan_takes_one_more_detector_into_the_same_folder() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    let demo = "data export --dataset demo --set train=40 --set test=0 --out pictures";
    succeed(here, demo);
    let scan = "scan --images pictures --model resnet10 --width 4 --epochs 2 --steps 2 --out s \
                --detector cd-l";
    assert_eq!(counted(here, scan), (1, 1));
    let more = format!("{scan} --detector ss");
    assert_eq!(counted(here, &more), (0, 0));
    assert!(here.join("s/detect/ss/scores.csv").exists());
    let report = fs::read_to_string(here.join("s/report.html")).expect("a report");
    assert!(report.contains("Spectral") && report.contains("resnet10, width 4"));
    fail_with(here, &format!("{more} --threshold 3"), &["another run"]);
}

#[test]
fn what_no_run_stands_on_is_listed_and_removed() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    tiny(here);
    succeed(here, "run tiny.toml");
    succeed(here, "run tiny.toml --set train.epochs=2 --until train");
    let listed = succeed(here, "runs");
    for part in [
        "train",
        "detect",
        "resnet10, 3 epochs",
        "BadNets at 20 %",
        "2 runs",
    ] {
        assert!(listed.contains(part), "`{part}` in {listed}");
    }
    assert!(succeed(here, "runs gc").contains("removed 0 stages"));
    let begun = |cell: &PathBuf| !cell.join("report.html").exists();
    let begun = cells(&here.join("runs"))
        .into_iter()
        .find(begun)
        .expect("the second");
    fs::remove_dir_all(begun).expect("removed");
    assert!(succeed(here, "runs gc --dry-run").contains("would remove 1 stages"));
    assert!(succeed(here, "runs gc").contains("removed 1 stages"));
    assert_eq!(
        counted(here, "run tiny.toml"),
        (0, 0),
        "what is needed stays"
    );
}

#[test]
fn stages_of_runs_that_cannot_be_found_are_not_removed() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    tiny(here);
    succeed(here, "run tiny.toml --until train");
    fail_with(
        here,
        "runs gc --runs runs/store",
        &["is a store of stages", "lie elsewhere"],
    );
    fs::create_dir(here.join("runs/old")).expect("made");
    fs::rename(here.join("runs/tiny"), here.join("runs/old/tiny")).expect("moved");
    fail_with(
        here,
        "runs gc",
        &["this run stands on stages", "move it back"],
    );
    let moved = cells(&here.join("runs/old"));
    let recover = format!("recover {}", moved[0].display());
    fail_with(here, &recover, &["stands on stages", "not there"]);
    fs::rename(here.join("runs/old/tiny"), here.join("runs/tiny")).expect("moved");
    assert!(succeed(here, "runs gc").contains("removed 0 stages"));
}

#[cfg(unix)]
#[test]
fn runs_behind_a_link_keep_their_stages() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    tiny(here);
    fs::create_dir_all(here.join("other/disk/tiny")).expect("made");
    fs::create_dir(here.join("runs")).expect("made");
    let (to, link) = (here.join("other/disk/tiny"), here.join("runs/tiny"));
    std::os::unix::fs::symlink(to, link).expect("linked");
    succeed(here, "run tiny.toml --until train");
    assert!(succeed(here, "runs gc").contains("removed 0 stages"));
    assert_eq!(counted(here, "run tiny.toml"), (0, 2));
    let report = format!("report {}", cells(&here.join("runs"))[0].display());
    succeed(here, &report);
    assert!(succeed(here, "runs gc").contains("removed 0 stages"));
}

#[test]
fn a_stage_that_is_being_removed_is_waited_for_and_computed_again() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    tiny(here);
    succeed(here, "run tiny.toml --until train");
    fs::remove_dir_all(here.join("runs/tiny")).expect("removed");
    let store = here.join("runs/store");
    let slot = fs::read_dir(store.join("train")).expect("stages").flatten();
    let slot = slot.map(|entry| entry.path()).next().expect("one");
    let key = slot.file_name().expect("a key").to_string_lossy();
    // As `runs gc` holds it.
    let lock = store.join("locks").join(format!("train-{key}"));
    let held = Lock::attempt(&lock).expect("lockable").expect("free");
    let mut run = start(here, "run tiny.toml --until train", "log");
    let log = || fs::read_to_string(here.join("log")).expect("written");
    while !log().contains("waiting") {
        assert!(run.try_wait().expect("a child").is_none(), "{}", log());
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    fs::remove_dir_all(&slot).expect("removed");
    drop(held);
    assert!(run.wait().expect("a child").success(), "{}", log());
    assert_eq!(trainings(&log()), 1, "{}", log());
    assert_eq!(log().matches("waiting").count(), 1, "{}", log());
}

#[test]
fn a_run_of_the_former_layout_is_refused_with_one_line() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    tiny(here);
    succeed(here, "run tiny.toml --until poison");
    let cell = cells(&here.join("runs")).remove(0);
    let meta = fs::read_to_string(cell.join("meta.json")).expect("written");
    let former = meta.replace("\"schema_version\": 2", "\"schema_version\": 1");
    assert_ne!(meta, former);
    fs::write(cell.join("meta.json"), former).expect("written");
    let line = ["layout 1", "choose another folder or delete it"];
    fail_with(here, "run tiny.toml", &line);
    fail_with(here, &format!("report {}", cell.display()), &line);
}

#[test]
fn names_do_not_reach_detectors() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    succeed(
        here,
        "data export --dataset demo --set train=40 --set test=0 --out a",
    );
    let weights = "train --images a --model resnet10 --width 4 --epochs 1 --out t";
    succeed(here, weights);
    // The same pictures in the same order under names that tell nothing.
    let mut number = 0;
    let mut classes: Vec<PathBuf> = fs::read_dir(here.join("a/train"))
        .expect("classes")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    classes.sort();
    for class in classes {
        let to = here.join("b").join(class.file_name().expect("a class"));
        fs::create_dir_all(&to).expect("made");
        let mut pictures: Vec<PathBuf> = fs::read_dir(&class)
            .expect("pictures")
            .flatten()
            .map(|entry| entry.path())
            .collect();
        pictures.sort();
        for picture in pictures {
            fs::copy(&picture, to.join(format!("{number:04}.png"))).expect("copied");
            number += 1;
        }
    }
    let raw = |images: &str, out: &str| {
        succeed(
            here,
            &format!(
                "detect --images {images} --weights t/train/model.safetensors --steps 2 --out {out}"
            ),
        );
        let scores =
            fs::read_to_string(here.join(out).join("detect/cd-l/scores.csv")).expect("scores");
        let column = |line: &str| line.split(',').nth(3).map(str::to_owned);
        let raw: Vec<String> = scores.lines().filter_map(column).collect();
        let masks = fs::read(here.join(out).join("detect/cd-l/masks.safetensors")).expect("masks");
        (raw, masks)
    };
    assert!(raw("a", "da") == raw("b", "db"));
}
