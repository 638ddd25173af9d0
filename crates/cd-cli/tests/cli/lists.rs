//! The lists, one entry of each, and what `-v`, `-q` and `CD_LOG` let through.

use serde_json::Value;

use crate::common::{cd_cli, fail_with, run, stderr, stdout, succeed};

#[test]
fn lists_and_help_go_to_stdout() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    for (list, entry) in [
        ("attacks", "badnets"),
        ("detectors", "cd-f"),
        ("models", "resnet18"),
        ("datasets", "cifar10"),
        ("devices", "cpu"),
        ("completions bash", "cd-cli"),
        ("config show --resolved", "learning_rate"),
        ("--help", "Exit codes"),
    ] {
        let output = run(scratch.path(), list);
        assert!(output.status.success(), "{list}");
        assert!(stdout(&output).contains(entry), "{list}");
    }
    let json = succeed(scratch.path(), "attacks --json");
    let parsed: serde_json::Value = serde_json::from_str(&json).expect("json");
    assert!(parsed.as_array().is_some_and(|list| list.len() >= 2));
}

#[test]
fn tables_have_one_rule_and_that_below_the_heading() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    for list in ["attacks", "detectors", "models", "datasets", "devices"] {
        let text = succeed(scratch.path(), list);
        let rules = text
            .lines()
            .filter(|line| line.trim_start().starts_with('─'));
        assert_eq!(rules.count(), 1, "{text}");
        let second = text.lines().nth(1).expect("a rule");
        assert!(second.contains('─'), "{text}");
    }
}

#[test]
fn every_entry_of_a_list_can_be_shown() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    for (list, key) in [
        ("attacks", "attack"),
        ("detectors", "detector"),
        ("models", "model"),
        ("datasets", "dataset"),
    ] {
        let all: Value =
            serde_json::from_str(&succeed(here, &format!("{list} --json"))).expect("json");
        for entry in all.as_array().expect("a list") {
            let name = entry[key].as_str().expect("a name");
            let show = format!("{list} show {name}");
            let shown: Value =
                serde_json::from_str(&succeed(here, &format!("{show} --json"))).expect("json");
            assert_eq!(shown["title"], entry["name"], "{show}");
            assert_eq!(shown["settings"]["name"], name, "{show}");
            let text = succeed(here, &show);
            let title = entry["name"].as_str().expect("a title");
            assert!(
                text.contains(title) && text.contains(&format!("name = \"{name}\"")),
                "{text}"
            );
        }
    }
}

#[test]
fn an_entry_tells_its_origin_and_its_settings() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    for (show, parts) in [
        (
            "attacks show blend",
            &[
                "threat model",
                "arXiv 1712.05526",
                "alpha = 0.2",
                "Off unless set: pattern",
            ][..],
        ),
        (
            "detectors show cd-l",
            &[
                "ICLR 2023",
                "steps = 100",
                "Off unless set: median_mask, mask_scale",
            ],
        ),
        ("datasets show cifar10", &["source", "cs.toronto.edu"]),
        (
            "datasets show folder",
            &["path = \"...\"", "Off unless set: test, size"],
        ),
        (
            "models show resnet18",
            &["CVPR 2016", "width = 64", "penultimate 512"],
        ),
    ] {
        let text = succeed(here, show);
        for part in parts {
            assert!(text.contains(part), "{show} lacks `{part}`: {text}");
        }
    }
    fail_with(here, "attacks show badnet", &["did you mean `badnets`"]);
    fail_with(here, "detectors show cdl", &["did you mean `cd-l`"]);
    fail_with(here, "datasets show cifar", &["did you mean `cifar10`"]);
    fail_with(here, "models show resnet-18", &["did you mean `resnet18`"]);
}

/// What a command that logs one line of level info writes to stderr.
fn logged(filter: Option<&str>, options: &str) -> String {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let mut command = cd_cli();
    if let Some(filter) = filter {
        command.env("CD_LOG", filter);
    }
    let export = format!("data export --set train=20 --set test=0 --out x {options}");
    let output = command
        .current_dir(scratch.path())
        .args(export.split_whitespace())
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

#[test]
fn the_environment_decides_the_level_and_options_where_it_is_silent() {
    assert_eq!(logged(None, ""), "");
    assert!(logged(None, "-v").contains("INFO"));
    assert_eq!(logged(None, "-q"), "");
    assert!(logged(Some("info"), "-q").contains("INFO"));
    assert!(logged(Some("cd_cli=info"), "").contains("INFO"));
    assert_eq!(logged(Some("warn"), "-vv"), "");
    assert_eq!(logged(Some("cd_data=info"), "-v"), "");
    assert!(logged(Some(""), "-v").contains("INFO"));
    let scratch = tempfile::tempdir().expect("temporary folder");
    let mut command = cd_cli();
    let output = command
        .env("CD_LOG", "cd_cli=loud")
        .current_dir(scratch.path())
        .arg("attacks")
        .output();
    let output = output.expect("the binary starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("error: CD_LOG is `cd_cli=loud`"),
        "{}",
        stderr(&output)
    );
}
