//! Several processes on one experiment at the same time: each stage is computed once, and everything ends with the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{FULL, assert_same, results, start, succeed};

fn log(here: &Path, name: &str) -> String {
    fs::read_to_string(here.join(name)).expect("written")
}

/// Writes the experiment and runs it alone.
fn whole(here: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::write(here.join("full.toml"), FULL).expect("written");
    succeed(here, "run full.toml --runs whole");
    results(&here.join("whole"))
}

/// Starts one process for each of `extra`, all at once; their logs are called as they are numbered.
fn start_all(here: &Path, command: &str, extra: &[&str]) -> Vec<Child> {
    let start = |(number, extra): (usize, &&str)| {
        start(here, &format!("{command} {extra}"), &number.to_string())
    };
    extra.iter().enumerate().map(start).collect()
}

/// Waits for all of them and demands success; what they said together.
fn end(here: &Path, children: Vec<Child>) -> String {
    let mut said = String::new();
    for (number, mut child) in children.into_iter().enumerate() {
        let ended = child.wait().expect("a child");
        let log = log(here, &number.to_string());
        assert!(ended.success(), "{log}");
        said += &log;
    }
    said
}

/// Waits until one of the processes has `said`, and says which.
fn who(here: &Path, count: usize, said: &str) -> usize {
    let patience = Instant::now();
    loop {
        let found = (0..count).find(|number| log(here, &number.to_string()).contains(said));
        if let Some(number) = found {
            return number;
        }
        assert!(patience.elapsed() < Duration::from_mins(2), "{said}");
        sleep(Duration::from_millis(1));
    }
}

const SHARDS: [&str; 4] = ["--shard 0/4", "--shard 1/4", "--shard 2/4", "--shard 3/4"];

#[test]
fn shards_and_whole_runs_at_once_train_once_and_leave_the_same_files() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    let expected = whole(here);
    let mixes: [&[&str]; 4] = [&SHARDS, &["", ""], &["", "--shard 1/2"], &SHARDS];
    for (number, extra) in mixes.iter().enumerate() {
        let runs = format!("r{number}");
        let command = format!("run full.toml --runs {runs}");
        let said = end(here, start_all(here, &command, extra));
        // The attacker's own classifier, and the one under attack.
        assert_eq!(said.matches("training total").count(), 2, "{said}");
        // No further start is needed: whoever ended last has put everything together.
        assert_same(
            &expected,
            &results(&here.join(&runs)),
            &format!("{extra:?}"),
        );
    }
}

#[test]
fn whoever_waits_goes_on_when_the_one_at_work_is_killed() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    let expected = whole(here);
    for (runs, extra, moment) in [
        ("train", &SHARDS[..], "total=800"),
        ("detect", &["", ""][..], "distilling total"),
    ] {
        let command = format!("run full.toml --runs {runs}");
        let mut children = start_all(here, &command, extra);
        let at_work = who(here, children.len(), moment);
        children[at_work].kill().expect("SIGKILL");
        children[at_work].wait().expect("a child");
        for (number, child) in children.iter_mut().enumerate() {
            let ended = child.wait().expect("a child");
            let log = log(here, &number.to_string());
            assert_eq!(ended.success(), number != at_work, "{log}");
        }
        succeed(here, &format!("{command} {}", extra[at_work]));
        assert_same(&expected, &results(&here.join(runs)), runs);
    }
}

#[test]
fn shards_of_a_scan_end_with_its_results() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    succeed(
        here,
        "data export --dataset demo --set train=150 --set test=0 --out pictures",
    );
    let scan = "scan --images pictures --model resnet10 --width 2 --epochs 1 --steps 2 --detector cd-l --detector ss";
    succeed(here, &format!("{scan} --out whole"));
    let said = end(
        here,
        start_all(here, &format!("{scan} --out shared"), &SHARDS),
    );
    assert_eq!(said.matches("training total").count(), 1, "{said}");
    assert_same(
        &results(&here.join("whole")),
        &results(&here.join("shared")),
        "scan",
    );
}
