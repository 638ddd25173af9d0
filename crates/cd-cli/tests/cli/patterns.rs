//! Scans that look at the pictures alone.

use std::collections::BTreeSet;
use std::fs;

use crate::common::{fail_with, succeed};

const SCAN: &str =
    "scan --images poisoned/images --detector shared-pattern --detector moving-pattern --out scan";

#[test]
fn a_scan_without_a_classifier_trains_nothing_and_names_the_poisoned_pictures() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    succeed(
        here,
        "poison --dataset demo --set train=600 --set test=10 --rate 0.05 --out poisoned",
    );
    let said = succeed(here, SCAN);
    assert!(said.starts_with("Suspicious: 30 images"), "{said}");
    assert!(said.contains("a blend trigger on"), "{said}");
    assert!(!here.join("scan/train").exists());
    let truth = fs::read_to_string(here.join("poisoned/truth.csv")).expect("written");
    let poisoned = truth.lines().filter_map(|line| line.strip_suffix(",true"));
    let poisoned: BTreeSet<&str> = poisoned.collect();
    let dropped = fs::read_to_string(here.join("scan/drop.txt")).expect("written");
    let dropped: BTreeSet<&str> = dropped.lines().collect();
    assert_eq!(poisoned.len(), 30);
    assert_eq!(dropped, poisoned);
    let report = fs::read_to_string(here.join("scan/report.html")).expect("written");
    assert!(report.contains("searched without a classifier"));
    // What needs a classifier says so.
    fail_with(here, "mitigate scan", &["looks at a classifier"]);
}

#[test]
fn one_name_stands_for_all_that_look_at_pictures_alone() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    succeed(
        here,
        "data export --set train=40 --set test=0 --out pictures",
    );
    succeed(
        here,
        "scan --images pictures --detector pictures --out scan",
    );
    let folders = fs::read_dir(here.join("scan/detect")).expect("results");
    let names: BTreeSet<String> = folders
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let all = [
        "moving-pattern",
        "shared-levels",
        "shared-pattern",
        "shared-shift",
        "shared-warp",
    ];
    assert!(all.iter().all(|name| names.contains(*name)), "{names:?}");
    assert!(!here.join("scan/train").exists());
}
