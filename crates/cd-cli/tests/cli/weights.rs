//! Weight files that people have, given to searches.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{fail_with, run, stderr, succeed};

fn case(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases");
    fs::canonicalize(PathBuf::from(folder).join(name)).expect("part of the repository")
}

fn copied(name: &str, to: &Path) {
    fs::copy(case(name), to).expect("copied");
}

/// Pictures in the folders of the classes that PyTorch gives them.
fn labelled_pictures(here: &Path) {
    let text = fs::read_to_string(case("stem-of-3-with-max-pool/classes_by_pytorch.json"));
    let classes: Value = serde_json::from_str(&text.expect("text")).expect("json");
    for (name, class) in classes.as_object().expect("names and classes") {
        let folder = here.join(format!("data/class{class}"));
        fs::create_dir_all(&folder).expect("made");
        let picture = format!("stem-of-3-with-max-pool/pictures/{name}");
        copied(&picture, &folder.join(name));
    }
}

#[test]
fn weights_that_do_not_know_the_labels_are_noticed() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    labelled_pictures(here);
    copied("stem-of-3-with-max-pool/weights.pt", &here.join("w.pt"));
    let scan = "scan --images data --weights w.pt --preset fast --steps 1 --out run";
    let output = run(here, scan);
    let message = stderr(&output);
    assert!(output.status.success(), "{message}");
    // With the pool, as PyTorch computes it, all twelve agree.
    let figures = "agree with the labels of 4 of 12 pictures (33.3 %)";
    assert!(message.contains(figures), "{message}");
    let report = fs::read_to_string(here.join("run/report.html")).expect("written");
    assert!(report.contains(figures));
    let inspected = succeed(here, "models inspect w.pt");
    assert!(
        inspected.contains("max pool behind the stem"),
        "{inspected}"
    );
}

#[test]
fn the_report_names_the_classifier_that_was_used() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    let data = case("report-names-another-classifier/data");
    copied("prefixes/compiled.pt", &here.join("w.pt"));
    for command in ["scan", "detect"] {
        let data = data.display();
        let search = format!(
            "{command} --images {data} --weights w.pt --preset fast --steps 1 --out {command}"
        );
        succeed(here, &search);
        let report = fs::read_to_string(here.join(command).join("report.html")).expect("written");
        assert!(report.contains("images searched through resnet10, width 4 (given weights)"));
        let config = fs::read_to_string(here.join(command).join("config.toml")).expect("written");
        assert!(
            !config.contains("[model]") && !config.contains("weights_key"),
            "{config}"
        );
    }
}

#[test]
fn a_key_picks_the_network_of_a_file_with_several() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    copied(
        "two-networks-in-one-file/net_and_model.pt",
        &here.join("two.pt"),
    );
    copied(
        "stem-of-3-with-max-pool/pictures/00.png",
        &here.join("a.png"),
    );
    fail_with(
        here,
        "models convert two.pt --to x.bpk",
        &["`model`, `net`", "--key"],
    );
    let inspected = succeed(here, "models inspect two.pt");
    assert!(
        inspected.contains("several networks fit equally: `model`, `net`"),
        "{inspected}"
    );
    succeed(here, "models convert two.pt --key net --to net.safetensors");
    succeed(
        here,
        "models convert two.pt --key model --to model.safetensors",
    );
    let read = |name: &str| fs::read(here.join(name)).expect("written");
    assert_ne!(read("net.safetensors"), read("model.safetensors"));
    fail_with(
        here,
        "inspect a.png --weights two.pt --steps 1",
        &["--weights-key"],
    );
    let picture = "inspect a.png --weights two.pt --weights-key net --steps 1 --out two.png";
    let plain = "inspect a.png --weights net.safetensors --steps 1 --out one.png";
    let [of_two, of_one] = [picture, plain].map(|command| succeed(here, command));
    assert_eq!(of_two.replace("two.png", ""), of_one.replace("one.png", ""));
    let data = case("report-names-another-classifier/data");
    let scan = format!(
        "scan --images {} --weights two.pt --weights-key net --preset fast --steps 1 --out run",
        data.display()
    );
    succeed(here, &scan);
    let config = fs::read_to_string(here.join("run/config.toml")).expect("written");
    assert!(config.contains("weights_key = \"net\""), "{config}");
    fail_with(here, "scan --images data --weights-key net", &["--weights"]);
}

#[test]
fn files_that_are_no_weights_are_called_what_they_are() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    for (text, word) in [
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "git lfs pull",
        ),
        ("<!DOCTYPE html><html></html>", "web page"),
        (
            "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {}}",
            "several files",
        ),
        ("\u{1f}\u{8b}\u{8}", ""),
        ("", "empty"),
    ] {
        fs::write(here.join("model.pth"), text).expect("written");
        fail_with(here, "models inspect model.pth", &["model.pth", word]);
        fail_with(
            here,
            "models convert model.pth --to x.bpk",
            &["model.pth", word],
        );
    }
}
