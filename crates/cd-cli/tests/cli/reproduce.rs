//! `reproduce`: a table of experiments, row by row and in shards.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{TINY, fail_with, run, stderr, stdout};

/// Two rows; the first promises more than a detector can give where `expected` does not hold for it.
const TABLE: &str = r#"
title = "Tiny"
note = "For tests."
experiment = "tiny.toml"
metric = "AUROC"
detectors = ["cd-l", "cd-f"]
[[rows]]
label = "first"
reported = [{ detector = "cd-l", value = 3.0, tolerance = 0.1, source = "nobody" }]
expected = [{ detector = "cd-l", value = 0.5, tolerance = 0.5 }]
[[rows]]
label = "second"
set = ["poison.rate=0.3"]
"#;

fn prepare(here: &Path, table: &str) {
    fs::write(here.join("tiny.toml"), TINY).expect("written");
    fs::write(here.join("table.toml"), table).expect("written");
}

#[test]
fn rows_are_shared_among_processes_and_the_last_writes_the_table() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    prepare(here, TABLE);
    let second = run(here, "reproduce table.toml --shard 1/2");
    assert_eq!(second.status.code(), Some(0), "{}", stderr(&second));
    assert!(
        stderr(&second).contains("1 of 2 rows"),
        "{}",
        stderr(&second)
    );
    assert!(!here.join("runs/tables").exists());
    let first = run(here, "reproduce table.toml --shard 0/2 --json");
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let records: Value = serde_json::from_str(&stdout(&first)).expect("json");
    let rows: Vec<&str> = records
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|r| r["row"].as_str())
        .collect();
    assert_eq!(rows, ["first", "first", "second", "second"]);
    let kept = fs::read(here.join("runs/tables/table.json")).expect("written");
    assert_eq!(
        serde_json::from_slice::<Value>(&kept).expect("json"),
        records
    );
    let page = fs::read_to_string(here.join("runs/tables/table.md")).expect("written");
    assert!(
        page.contains("# Tiny") && page.contains("0.5 ± 0.5"),
        "{page}"
    );

    prepare(
        here,
        &TABLE.replace(
            "expected = [{ detector = \"cd-l\", value = 0.5, tolerance = 0.5 }]",
            "",
        ),
    );
    let missed = run(here, "reproduce table.toml");
    assert_eq!(missed.status.code(), Some(1), "{}", stderr(&missed));
    assert!(stdout(&missed).contains("MISSED"), "{}", stdout(&missed));
}

#[test]
fn seeds_and_experiments_of_a_row_share_what_they_can_and_what_is_missing_is_said() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    let table = TABLE.replace("\"cd-l\", \"cd-f\"", "\"cd-l\", \"ss\"").replace(
        "metric =",
        "further = [\"further.toml\"]\nseeds = [0, 1]\nmetrics = [\"AUROC\", \"FPR\"]\nmetric =",
    );
    prepare(
        here,
        &(table + "[[rows]]\nlabel = \"none\"\nclean = true\n"),
    );
    let cognitive = "{ name = \"cd-l\", steps = 4 }, { name = \"cd-f\", steps = 4 }";
    let further = TINY.replace(cognitive, "{ name = \"ss\" }");
    assert_ne!(further, TINY);
    fs::write(here.join("further.toml"), further).expect("written");
    let empty = run(here, "reproduce table.toml --finished");
    assert!(stdout(&empty).contains("0 of 6 runs"), "{}", stderr(&empty));
    let first = run(here, "reproduce table.toml --shard 0/3");
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let part = run(here, "reproduce table.toml --finished --page page.md");
    assert_eq!(part.status.code(), Some(0), "{}", stderr(&part));
    let page = fs::read_to_string(here.join("page.md")).expect("written");
    assert!(page.contains("2 of 6 runs"), "{page}");
    assert!(page.contains("| missing | missing |"), "{page}");
    let whole = run(here, "reproduce table.toml");
    assert_eq!(whole.status.code(), Some(0), "{}", stderr(&whole));
    let page = stdout(&whole);
    assert!(page.contains("6 of 6 runs"), "{page}");
    let trained = fs::read_dir(here.join("runs/store/train")).expect("there");
    // Two seeds of three rows; the second experiment of each takes the classifier of the first.
    assert_eq!(trained.count(), 6);
}

#[test]
fn tables_are_checked_before_anything_runs() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    fail_with(here, "reproduce none.toml", &["none.toml"]);
    prepare(here, &TABLE.replace("\"cd-l\", \"cd-f\"", "\"cd-f\""));
    fail_with(here, "reproduce table.toml", &["row `first`", "`cd-l`"]);
    prepare(here, &TABLE.replace("poison.rate=0.3", "poison.rte=0.3"));
    fail_with(
        here,
        "reproduce table.toml",
        &["row `second`", "did you mean `rate`"],
    );
    assert!(!here.join("runs").exists(), "nothing was begun");
}
