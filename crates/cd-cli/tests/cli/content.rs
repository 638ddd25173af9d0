//! Stages follow what their inputs hold, and what is stored is what comes back.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{TINY, fail_with, start, succeed};

/// Runs and gives what it said of its work.
fn said(folder: &Path, arguments: &str) -> String {
    let ended = start(folder, arguments, "log").wait().expect("a child");
    let log = fs::read_to_string(folder.join("log")).expect("written");
    assert!(ended.success(), "`{arguments}`: {log}");
    log
}

fn tiny(folder: &Path) {
    fs::write(folder.join("tiny.toml"), TINY).expect("written");
}

/// The only run directory below `runs/tiny`.
fn cell(folder: &Path) -> PathBuf {
    only(&folder.join("runs/tiny"))
}

fn only(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
    paths.remove(0)
}

fn paint(path: &Path, shade: u8) {
    let pixels: Vec<u8> = (0..32 * 32 * 3).map(|at| (at % 7) as u8 * shade).collect();
    let kind = image::ColorType::Rgb8;
    image::save_buffer(path, &pixels, 32, 32, kind).expect("saved");
}

#[test]
fn a_trigger_picture_that_changed_makes_other_poison() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    tiny(here);
    let pattern = here.join("pattern.png");
    paint(&pattern, 1);
    let run =
        "run tiny.toml --until poison --set poison.attack={name=\"blend\",pattern=\"pattern.png\"}";
    succeed(here, run);
    let shown = |file: &str| fs::read(cell(here).join(file)).expect("shown");
    let before = [shown("stages.json"), shown("poison/train.json")];
    paint(&pattern, 20);
    // The run that was begun with the former picture refuses, and stays as it is.
    fail_with(here, run, &["have changed since this run"]);
    assert!(before == [shown("stages.json"), shown("poison/train.json")]);
    fs::remove_dir_all(cell(here)).expect("removed");
    assert!(said(here, run).contains("stamping"));
    let pixels: Vec<Vec<u8>> = fs::read_dir(here.join("runs/store/poison"))
        .expect("stages")
        .flatten()
        .map(|slot| fs::read(slot.path().join("train.pixels")).expect("stored"))
        .collect();
    assert!(pixels.len() == 2 && pixels[0] != pixels[1]);
    fs::remove_file(&pattern).expect("removed");
    fail_with(here, run, &["pattern.png"]);
}

#[test]
fn images_that_are_set_aside_train_nothing_again() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    tiny(here);
    assert!(said(here, "run tiny.toml").contains("training total"));
    let rule = "--set detect.trusted=10 --set detect.threshold={rule=\"calibrated\",t=3}";
    let with_trusted = said(here, &format!("run tiny.toml {rule}"));
    assert!(!with_trusted.contains("training total"), "{with_trusted}");
    assert!(with_trusted.contains("distilling"));
}

#[test]
fn test_pictures_that_changed_are_classified_again_and_nothing_else() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    succeed(
        here,
        "data export --dataset demo --set train=40 --set test=20 --out pictures",
    );
    let (dataset, rest) = TINY.split_once("[model]").expect("a model");
    let name = dataset.lines().nth(1).expect("a name");
    let text = format!("{name}\n[dataset]\nname = \"folder\"\npath = \"pictures\"\n[model]{rest}");
    fs::write(here.join("tiny.toml"), text).expect("written");
    assert!(said(here, "run tiny.toml").contains("classifying"));
    let class = fs::read_dir(here.join("pictures/test")).expect("classes");
    let class = class.flatten().next().expect("one").path();
    let picture = fs::read_dir(class).expect("pictures").flatten().next();
    paint(&picture.expect("one").path(), 9);
    fail_with(here, "run tiny.toml", &["have changed since this run"]);
    fs::remove_dir_all(cell(here)).expect("removed");
    let again = said(here, "run tiny.toml");
    assert!(again.contains("classifying"), "{again}");
    for work in ["training total", "distilling"] {
        assert!(!again.contains(work), "{again}");
    }
}

#[test]
fn what_was_changed_in_the_store_is_named_and_not_used() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    tiny(here);
    // Large enough to be shown as a link.
    let run = "run tiny.toml --set model.width=24 --set train.epochs=1";
    succeed(here, run);
    let again = "--set evaluate.resamples=50";
    let weights = cell(here).join("train/model.safetensors");
    let mut bytes = fs::read(&weights).expect("shown");
    assert!(bytes.len() > 1 << 20);
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    fs::write(&weights, &bytes).expect("written");
    let named = ["model.safetensors", "not the file that was stored"];
    fail_with(here, &format!("{run} {again}"), &named);
    bytes[last] ^= 1;
    fs::write(&weights, &bytes).expect("written");
    let label = cell_of(here, "detect/cd-l");
    let slot = here.join("runs/store/detect").join(label);
    fs::remove_file(slot.join("masks.safetensors")).expect("removed");
    let named = ["masks.safetensors", "missing"];
    fail_with(here, &format!("{run} {again}"), &named);
    fs::remove_dir_all(slot).expect("removed");
    succeed(here, &format!("{run} {again}"));
}

/// The key that the first run below `runs/tiny` has for `stage`.
fn cell_of(folder: &Path, stage: &str) -> String {
    let cells = fs::read_dir(folder.join("runs/tiny")).expect("runs");
    let cell = cells.flatten().map(|entry| entry.path());
    let cell = cell.min_by_key(|cell| !cell.join("report.html").exists());
    let text = fs::read_to_string(cell.expect("one").join("stages.json")).expect("written");
    let stages: serde_json::Value = serde_json::from_str(&text).expect("json");
    let key = stages["stages"][stage]["key"].as_str();
    key.expect("a key").to_owned()
}

#[test]
fn a_report_needs_a_complete_run_and_knows_its_store() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    tiny(here);
    succeed(here, "run tiny.toml --until train");
    let run = cell(here);
    let report = format!("report {}", run.display());
    fail_with(here, &report, &["not complete"]);
    succeed(here, "run tiny.toml");
    fs::remove_dir_all(here.join("runs/store")).expect("removed");
    succeed(here, &report);
    // As a run is that was killed after a detector had been added to it.
    succeed(here, "run tiny.toml --runs more");
    let folder = only(&here.join("more/tiny"));
    let config = fs::read_to_string(folder.join("config.toml")).expect("written");
    let first = config.find("[[detect.detectors]]").expect("a detector");
    let with = format!(
        "{}[[detect.detectors]]\nname = \"abl\"\n\n{}",
        &config[..first],
        &config[first..]
    );
    fs::write(folder.join("config.toml"), with).expect("written");
    fail_with(
        here,
        &format!("report {}", folder.display()),
        &["not complete"],
    );
    fs::remove_file(run.join("stages.json")).expect("removed");
    fail_with(here, &report, &["stages.json", "where the stages are kept"]);
    assert!(!run.join("STORE").exists());
    succeed(here, "run tiny.toml");
    // A run and its store may move together.
    fs::rename(here.join("runs"), here.join("moved")).expect("moved");
    let run = only(&here.join("moved/tiny"));
    succeed(here, &format!("report {}", run.display()));
    let again = said(here, "run tiny.toml --runs moved");
    assert!(!again.contains("total="), "{again}");
}
