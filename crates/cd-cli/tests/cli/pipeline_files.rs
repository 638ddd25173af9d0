//! The pre-commit hook, the action, the workflows and the examples of docs/pipeline.md: their commands run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::stderr;
use crate::planted::{golden, plant};

fn repository() -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    fs::canonicalize(folder).expect("the repository")
}

fn text(name: &str) -> String {
    let text = fs::read_to_string(repository().join(name)).expect("part of the repository");
    text.replace("\r\n", "\n")
}

/// The value of `key:` on a line of its own in YAML that is written as ours is.
fn value(yaml: &str, key: &str) -> String {
    let start = format!("{key}: ");
    let lines = yaml
        .lines()
        .map(|line| line.trim_start().trim_start_matches("- "));
    let mut values = lines.filter_map(|line| line.strip_prefix(&start));
    values
        .next()
        .unwrap_or_else(|| panic!("no `{key}` in {yaml}"))
        .to_owned()
}

/// The lines of every `run: |` block.
fn scripts(yaml: &str) -> Vec<String> {
    let lines: Vec<&str> = yaml.lines().collect();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let starts = (0..lines.len()).filter(|&at| lines[at].trim() == "run: |");
    starts
        .map(|at| {
            let inside = |line: &&&str| line.is_empty() || depth(line) > depth(lines[at]);
            let block: Vec<&str> = lines[at + 1..].iter().take_while(inside).copied().collect();
            let indent = depth(block[0]);
            let plain = block
                .iter()
                .map(|line| line.get(indent..).unwrap_or_default());
            plain.collect::<Vec<_>>().join("\n")
        })
        .collect()
}

/// Bash as platforms start it, with the binary under test on the path.
fn bash(folder: &Path) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_cd-cli"));
    let mut paths = vec![binary.parent().expect("a folder").to_owned()];
    paths.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let mut command = Command::new("bash");
    command
        .current_dir(folder)
        .env("PATH", std::env::join_paths(paths).expect("plain folders"))
        .env("RUNNER_TEMP", folder.join("temp"))
        .env("GITHUB_OUTPUT", folder.join("output.txt"))
        .env("TMPDIR", folder)
        .env_remove("CD_DEVICE");
    command
}

/// Arguments of a search of seconds that judges.
fn quick() -> Vec<String> {
    let weights = golden("resnet18_w16_badnets.safetensors");
    let weights = weights.display().to_string();
    ["--weights", &weights, "--detector", "ac"]
        .map(str::to_owned)
        .into()
}

fn judged(output: &Output) -> bool {
    matches!(output.status.code(), Some(0 | 1))
}

#[test]
fn the_hook_scans_and_stops() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    plant(here);
    let hook = text(".pre-commit-hooks.yaml");
    let entry = value(&hook, "entry");
    let args = value(&hook, "args");
    let args = args.trim_start_matches('[').trim_end_matches(']');
    let args = args.replace("data", "pictures");
    let start = |more: &[String]| {
        let given = args
            .split(", ")
            .map(str::to_owned)
            .chain(more.iter().cloned());
        let quoted: Vec<String> = given.map(|one| format!("'{one}'")).collect();
        let line = format!("{entry} {}", quoted.join(" "));
        bash(here)
            .args(["-c", &line])
            .output()
            .expect("bash starts")
    };
    let output = start(&quick());
    assert!(judged(&output), "{}", stderr(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("report.html"), "{said}");
    fs::remove_dir_all(here.join("pictures")).expect("removed");
    assert_eq!(
        start(&quick()).status.code(),
        Some(2),
        "no pictures, no pass"
    );
}

#[test]
fn the_action_scans_and_says_where_its_files_are() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    plant(here);
    fs::create_dir(here.join("temp")).expect("made");
    let action = text("action.yml");
    let scripts = scripts(&action);
    let [get, scan] = scripts.as_slice() else {
        panic!("two steps: {scripts:?}");
    };
    let start = |script: &str, images: &str, baseline: &str, fail_on: &str| {
        let _ = fs::remove_dir_all(here.join("temp/cd-scan"));
        let mut command = bash(here);
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
        command
            .env("CD_IMAGES", images)
            .env("CD_FAIL_ON", fail_on)
            .env("CD_SARIF", "cd-scan.sarif")
            .env("CD_BASELINE", baseline)
            .env("CD_ARGS", quick().join(" "));
        command.output().expect("bash starts")
    };
    let got = start(get, "", "", "");
    assert!(
        got.status.success(),
        "a program that is there is not built: {}",
        stderr(&got)
    );

    let first = start(scan, "pictures", "", "never");
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let told = fs::read_to_string(here.join("output.txt")).expect("written");
    for line in told.lines() {
        let (name, path) = line.split_once('=').expect("name=value");
        assert!(
            action.contains(&format!("steps.scan.outputs.{name} ")),
            "{name}"
        );
        assert!(here.join(path).is_file(), "{line}");
    }
    assert_eq!(told.lines().count(), 3);
    fs::copy(
        here.join("temp/cd-scan/findings.json"),
        here.join("base.json"),
    )
    .expect("copied");
    let second = start(scan, "pictures", "base.json", "suspicious");
    assert_eq!(
        second.status.code(),
        Some(0),
        "nothing is new: {}",
        stderr(&second)
    );
    let broken = start(scan, "none", "", "suspicious");
    assert_eq!(broken.status.code(), Some(2), "{}", stderr(&broken));
}

#[test]
fn inputs_reach_scripts_through_the_environment_alone() {
    for name in [
        "action.yml",
        ".github/workflows/ci.yml",
        ".github/workflows/release.yml",
    ] {
        let yaml = text(name);
        for script in scripts(&yaml) {
            assert!(!script.contains("${{"), "{name}: {script}");
        }
    }
}

#[test]
fn the_examples_name_inputs_and_hooks_that_exist() {
    let page = text("docs/pipeline.md");
    let hook = text(".pre-commit-hooks.yaml");
    assert!(page.contains(&format!("id: {}", value(&hook, "id"))));
    let action = text("action.yml");
    let (_, rest) = page.split_once("id: cd\n").expect("the worked example");
    let with = rest
        .lines()
        .skip_while(|line| line.trim() != "with:")
        .skip(1);
    let names: Vec<&str> = with
        .take_while(|line| line.starts_with("              "))
        .filter_map(|line| Some(line.trim().split_once(':')?.0))
        .collect();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        assert!(action.contains(&format!("\n  {name}:\n")), "{name}");
    }
}
