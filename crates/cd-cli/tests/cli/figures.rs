//! What a run says of its attack: four figures, what is expected, and causes where it fails.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{TINY, succeed};

/// The metrics, the report and the output of a tiny run with more settings.
fn tiny(here: &Path, settings: &str) -> (Value, String, String) {
    fs::write(here.join("tiny.toml"), TINY).expect("written");
    let _ = fs::remove_dir_all(here.join("runs/tiny"));
    let command = format!("run tiny.toml --set detect.detectors=[{{name=\"ss\"}}] {settings}");
    let output = succeed(here, &command);
    let metrics = serde_json::from_str(&read(here, "evaluate/metrics.json")).expect("json");
    (metrics, read(here, "report.html"), output)
}

/// A file of the tiny run.
fn read(here: &Path, name: &str) -> String {
    let mut cells = fs::read_dir(here.join("runs/tiny")).expect("a run");
    let cell = cells.next().expect("one cell").expect("readable").path();
    fs::read_to_string(cell.join(name)).expect("is there")
}

const FIGURES: [(&str, &str); 4] = [
    ("clean_accuracy", "lean accuracy"),
    (
        "source_accuracy",
        "lean accuracy of all classes but the target",
    ),
    (
        "triggered_accuracy",
        "ccuracy on triggered images by true label",
    ),
    ("attack_success_rate", "ttack success rate"),
];

#[test]
fn a_run_ends_with_four_figures_and_causes_where_the_attack_fails() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let (metrics, report, output) = tiny(scratch.path(), "");
    for (key, words) in FIGURES {
        let share = metrics[key]["estimate"].as_f64().expect(key);
        assert!((0.0..=1.0).contains(&share), "{key}: {share}");
        assert!(
            report.contains(words) && output.contains(words),
            "{words}: {output}"
        );
    }
    let backdoor = &metrics["backdoor"];
    assert_eq!(backdoor["attack"], "badnets");
    assert_eq!(backdoor["signs"]["poisoned"], 12);
    assert_eq!(backdoor["signs"]["published"], 5000);
    let change = |key: &str| backdoor["signs"][key].as_f64().expect("measured");
    assert!((change("likeness") - 1.0).abs() < 0.5 && change("change_in_tests") > 0.0);
    let success = metrics["attack_success_rate"]["estimate"].as_f64();
    let low = success < backdoor["expected"][0].as_f64();
    let causes = backdoor["causes"].as_array().map_or(0, Vec::len);
    assert_eq!(
        causes > 0,
        low,
        "{success:?} against {}",
        backdoor["expected"]
    );
    let word = if low {
        "is below the 85"
    } else {
        "is not below the 85"
    };
    assert!(output.contains(word), "{output}");
}

#[test]
fn attacks_on_some_classes_and_of_several_triggers_say_more() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let some = "--set poison.select={sources=[1]} --set poison.rate=0.05";
    let (metrics, _, output) = tiny(scratch.path(), some);
    let backdoor = &metrics["backdoor"];
    let sources = backdoor["source_classes"].as_str().expect("words");
    assert!(sources.starts_with("the source class "), "{sources}");
    let others = backdoor["other_classes_to_target"]["estimate"].as_f64();
    assert!(others.is_some_and(|share| (0.0..=1.0).contains(&share)));
    assert!(
        output.contains("images of other classes that go to the target"),
        "{output}"
    );
    let several = "--set poison.attack={name=\"multi-target\"}";
    let (metrics, _, output) = tiny(scratch.path(), several);
    let targets = metrics["backdoor"]["targets"].as_array().expect("a list");
    assert_eq!(targets.len(), 2);
    for target in targets {
        assert_eq!(target["crossed"].as_array().map(Vec::len), Some(1));
    }
    assert!(output.contains("The trigger for "), "{output}");
}

#[test]
fn covers_stand_aside_in_a_figure_of_their_own() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let without = |metrics: &Value| {
        let metrics = metrics["detectors"][0]["metrics"]
            .as_array()
            .expect("a list")
            .clone();
        let found = metrics
            .iter()
            .find(|metric| metric["name"] == "FPR without covers");
        found.map(|metric| metric["value"]["estimate"].as_f64().expect("measured"))
    };
    assert_eq!(without(&tiny(scratch.path(), "").0), None);
    let (metrics, report, output) = tiny(scratch.path(), "--set poison.attack={name=\"wanet\"}");
    let manifest = read(scratch.path(), "poison/train.json");
    let manifest: Value = serde_json::from_str(&manifest).expect("json");
    let entries = manifest["entries"].as_array().expect("a list");
    let changed: Vec<&str> = entries
        .iter()
        .filter_map(|entry| entry["name"].as_str())
        .collect();
    assert!(entries.iter().any(|entry| entry["cover"] == true));
    let (mut untouched, mut flagged) = (0.0, 0.0);
    let scores = read(scratch.path(), "detect/ss/scores.csv");
    for line in scores.lines().skip(1) {
        let name = line.split(',').nth(1).expect("a column of names");
        if !changed.contains(&name) {
            untouched += 1.0;
            flagged += if line.ends_with("true") { 1.0 } else { 0.0 };
        }
    }
    assert!(flagged > 0.0, "nothing that could differ");
    let found = without(&metrics).expect("there are covers");
    assert!((found - flagged / untouched).abs() < 1e-12, "{found}");
    for text in [report, output] {
        assert!(text.contains("FPR without covers"), "{text}");
    }
}

#[test]
fn feature_collision_counts_its_targets() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let surrogate = "surrogate={model={name=\"resnet10\",width=2},epochs=1,batch_size=20}";
    let attack = format!(
        "--set poison.attack={{name=\"fc\",targets=3,iterations=2,{surrogate}}} --set poison.rate=0.05"
    );
    let (metrics, _, _) = tiny(scratch.path(), &attack);
    let success = metrics["attack_success_rate"]["estimate"].as_f64();
    let hit = success.expect("measured") * 3.0;
    assert!((hit - hit.round()).abs() < 1e-9, "a share of three: {hit}");
    assert!(metrics["backdoor"]["signs"]["change_in_tests"].is_null());
}
