//! Killed inside every stage, a run ends with the bytes of an undisturbed one.

#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{FULL, assert_same, results, start, succeed};

/// How far a stage is when its process is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Its folder has just been made.
    Begun,
    /// The first checkpoint or part is there.
    Halfway,
}

/// The folders of the stage in the store.
fn slots(store: &Path, stage: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(store.join(stage)).into_iter().flatten();
    entries.flatten().map(|entry| entry.path()).collect()
}

fn is_reached(store: &Path, stage: &str, moment: Moment) -> bool {
    let slots = slots(store, stage);
    match moment {
        Moment::Begun => !slots.is_empty(),
        Moment::Halfway => slots.iter().any(|slot| has_progress(slot)),
    }
}

fn has_progress(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.flatten().any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_progress = name.starts_with("epoch-") || name.starts_with("part-");
        is_progress || (entry.path().is_dir() && has_progress(&entry.path()))
    })
}

/// Starts the run and kills it at `moment` of `stage`; whether the stage was unfinished then.
fn kill_in(here: &Path, stage: &str, moment: Moment) -> bool {
    let store = here.join("killed/store");
    let mut child = start(here, "run full.toml --runs killed", "log");
    let patience = Instant::now();
    while !is_reached(&store, stage, moment) {
        let ended = child.try_wait().expect("a child");
        assert!(ended.is_none(), "{stage} was never seen: {}", log(here));
        assert!(patience.elapsed() < Duration::from_mins(2), "{stage}");
        sleep(Duration::from_micros(200));
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("a child");
    slots(&store, stage)
        .iter()
        .any(|slot| !slot.join("DONE").exists())
}

fn log(here: &Path) -> String {
    fs::read_to_string(here.join("log")).expect("written")
}

#[test]
fn killed_in_each_stage_a_run_ends_with_the_same_bytes() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    fs::write(here.join("full.toml"), FULL).expect("written");
    succeed(here, "run full.toml --runs whole");
    let kills = [
        ("craft", Moment::Begun),
        ("craft", Moment::Halfway),
        ("poison", Moment::Begun),
        ("train", Moment::Begun),
        ("train", Moment::Halfway),
        ("features", Moment::Begun),
        ("detect", Moment::Begun),
        ("detect", Moment::Halfway),
    ];
    for (stage, moment) in kills {
        // A stage that was quicker than the kill is computed again.
        let hit = (0..30).any(|_| {
            let hit = kill_in(here, stage, moment);
            if !hit {
                fs::remove_dir_all(here.join("killed/store").join(stage)).expect("removed");
            }
            hit
        });
        assert!(hit, "no kill hit `{stage}` at {moment:?}");
    }
    succeed(here, "run full.toml --runs killed");
    let (whole, killed) = (results(&here.join("whole")), results(&here.join("killed")));
    assert!(whole.len() > 30, "{:?}", whole.keys());
    assert_same(&whole, &killed, "killed");
    // Once everything is done nothing is computed again.
    let ended = start(here, "run full.toml --runs killed", "log").wait();
    assert!(ended.expect("a child").success());
    assert!(!log(here).contains("total="), "{}", log(here));
}
