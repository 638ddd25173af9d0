//! Scans in a pipeline: files of findings, exit codes, baselines.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::{cd_cli, run, stderr, succeed};
use crate::planted::{golden, plant};

/// A search that judges by its own rule within seconds.
fn search(rest: &str) -> String {
    let weights = golden("resnet18_w16_badnets.safetensors");
    format!(
        "scan --images pictures --weights {} --detector scale-up {rest}",
        weights.display()
    )
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("written");
    serde_json::from_str(&text).expect("json")
}

#[test]
fn findings_are_written_before_the_exit_code_is_decided() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    plant(here);
    let files = "--output f/a.json --output f/a.csv --output f/a.parquet --output f/a.sarif";
    let output = run(
        here,
        &search(&format!("--out scan --fail-on suspicious {files}")),
    );
    let all = read(&here.join("f/a.json"));
    let flagged = all["images"].as_array().expect("a list").iter();
    let flagged = flagged.filter(|image| image["flagged"] == true).count();
    assert_eq!(
        output.status.code(),
        Some(i32::from(flagged > 0)),
        "{}",
        stderr(&output)
    );
    assert_eq!(all["detectors"][0]["flagged"], flagged);

    let table = fs::read_to_string(here.join("f/a.csv")).expect("written");
    assert_eq!(table.lines().next(), Some("filepath,label,score,tags"));
    assert_eq!(table.lines().count(), 65);
    assert_eq!(table.matches("flagged:scale-up").count(), flagged);
    let path = table.lines().nth(1).and_then(|line| line.split(',').next());
    assert!(here.join(path.expect("a path")).is_file(), "{path:?}");
    assert!(
        fs::read(here.join("f/a.parquet"))
            .expect("written")
            .starts_with(b"PAR1")
    );
    let sarif = read(&here.join("f/a.sarif"));
    assert_eq!(sarif["version"], "2.1.0");
    let results = sarif["runs"][0]["results"].as_array().expect("a list");
    assert_eq!(results.is_empty(), flagged == 0);
}

/// Takes the flag of one picture back in the table of the run in `scan`.
fn forget_a_flag(scan: &Path) {
    let path = scan.join("detect/scale-up/scores.csv");
    let table = fs::read_to_string(&path).expect("written");
    fs::remove_file(&path).expect("a link is removed, not written through");
    fs::write(&path, table.replacen(",true\n", ",false\n", 1)).expect("written");
}

#[test]
fn only_what_is_new_since_the_baseline_stops() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    plant(here);
    succeed(here, &search("--out old --output old.json"));
    let mut old = read(&here.join("old.json"));
    let images = old["images"].as_array_mut().expect("a list");
    let mut flagged: Vec<&mut Value> = images
        .iter_mut()
        .filter(|image| image["flagged"] == true)
        .collect();
    assert!(flagged.len() > 1, "the fixture has flagged pictures");
    flagged[0]["flagged"] = json!(false);
    fs::write(here.join("less.json"), old.to_string()).expect("written");

    let gate = |baseline: &str| {
        let rest =
            format!("--out new --baseline {baseline} --fail-on suspicious --output now.json");
        let output = run(here, &search(&rest));
        let since = read(&here.join("now.json"))["since"].clone();
        (output.status.code(), since, stderr(&output))
    };
    let nothing = json!({ "flagged": 0, "classes": [], "standing": "clean" });
    let one = json!({ "flagged": 1, "classes": [], "standing": "suspicious" });
    for (baseline, code, expected) in [
        ("old.json", 0, &nothing),
        ("old", 0, &nothing),
        ("less.json", 1, &one),
    ] {
        let (ended, since, message) = gate(baseline);
        assert_eq!(
            (ended, &since),
            (Some(code), expected),
            "{baseline}: {message}"
        );
    }
    forget_a_flag(&here.join("old"));
    let (ended, since, message) = gate("old");
    assert_eq!((ended, since), (Some(1), one), "{message}");
    assert!(
        message.contains("; new since the baseline: 1 picture"),
        "{message}"
    );
    let own = run(here, &search("--out new --baseline new"));
    assert_eq!(own.status.code(), Some(2), "{}", stderr(&own));
    assert!(stderr(&own).contains("is of this scan itself"));

    fs::rename(here.join("pictures/cats"), here.join("pictures/lions")).expect("renamed");
    let rest = "--out other --baseline old.json --fail-on suspicious --output now.json";
    let output = run(here, &search(rest));
    assert_eq!(
        output.status.code(),
        Some(1),
        "another label: {}",
        stderr(&output)
    );
}

#[test]
fn a_verdict_decides_when_there_is_one() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    plant(here);
    succeed(here, &search("--out scan"));
    let verdict = |standing: &str, found: u32| {
        json!({
            "standing": standing, "summary": "As found.", "images": 64, "flagged": 0, "classes": [], "warnings": [],
            "power": { "known": "measured", "canaries": [
                { "kind": "patch", "class": 0, "rate": 0.01, "planted": 8, "found": found }] },
        })
    };
    for (standing, found, fail_on, code) in [
        ("clean", 8, "suspicious", 0),
        ("clean", 1, "suspicious", 2),
        ("suspicious", 1, "suspicious", 1),
        ("suspicious", 8, "backdoored", 0),
        ("backdoored", 8, "backdoored", 1),
    ] {
        let text = verdict(standing, found).to_string();
        fs::write(here.join("scan/verdict.json"), text).expect("written");
        let output = run(
            here,
            &search(&format!("--out scan --format sarif --fail-on {fail_on}")),
        );
        assert_eq!(
            output.status.code(),
            Some(code),
            "{standing}, {found}: {}",
            stderr(&output)
        );
        let sarif = read(&here.join("scan/findings.sarif"));
        let results = sarif["runs"][0]["results"].as_array().expect("a list");
        assert_eq!(results.len(), usize::from(standing != "clean"));
        let report = fs::read_to_string(here.join("scan/report.html")).expect("written");
        assert!(report.contains(&format!("is-{standing}")) && report.contains("As found."));
    }
    fs::write(here.join("scan/verdict.json"), "{").expect("written");
    let damaged = run(here, &search("--out scan --fail-on suspicious"));
    assert_eq!(damaged.status.code(), Some(2), "{}", stderr(&damaged));
    assert!(
        stderr(&damaged).contains("verdict.json"),
        "{}",
        stderr(&damaged)
    );
}

#[test]
fn what_cannot_be_judged_never_passes() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    plant(here);
    let code = |arguments: &str| {
        let output = run(here, arguments);
        (output.status.code(), stderr(&output))
    };
    for (arguments, part) in [
        (search("--out a --fail-on nothing"), "suspicious"),
        (
            search("--out a --fail-on suspicious --output x.txt"),
            ".sarif",
        ),
        (
            search("--out a --format csv --output a --output b"),
            "--format",
        ),
        (search("--out a --baseline none.json"), "none.json"),
        (search("--out a --baseline pictures"), "config.toml"),
        (
            search("--out a --fail-on backdoored"),
            "--fail-on suspicious",
        ),
        (
            search("--out b --fail-on suspicious --shard 1/2"),
            "part that ends last",
        ),
        (
            "scan --images none --fail-on suspicious --out c".to_owned(),
            "none",
        ),
    ] {
        let (ended, message) = code(&arguments);
        assert_eq!(ended, Some(2), "{arguments}: {message}");
        assert!(
            message.contains(part),
            "{arguments} lacks {part}: {message}"
        );
    }
    assert!(!here.join("b/report.html").exists());
    fs::create_dir_all(here.join("empty/cats")).expect("made");
    let (ended, message) = code("scan --images empty --fail-on suspicious --out d");
    assert_eq!(ended, Some(2), "{message}");
}

#[test]
fn help_tells_of_pipelines() {
    let output = cd_cli().args(["scan", "--help"]).output().expect("starts");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in ["In a pipeline", "--fail-on", "--baseline", "sarif"] {
        assert!(help.contains(part), "{part}");
    }
}
