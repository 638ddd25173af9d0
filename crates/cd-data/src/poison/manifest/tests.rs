//! Manifests in files: what is written, believed and refused.

use serde_json::{Value, json};
use tempfile::tempdir;

use super::*;
use crate::poison::{PlanRequest, Selection};
use crate::testing::striped_set;
use crate::{AttackConfig, LabelMap};

fn config(attack: &str) -> PoisonConfig {
    PoisonConfig {
        attack: AttackConfig::from_name(attack).expect("registered"),
        rate: 0.34,
        target: 1,
        labels: LabelMap::default(),
        seed: u64::MAX,
        select: Selection::default(),
    }
}

/// A plan for six images of the classes 0, 1, 2, 0, 1, 2.
fn plan() -> PoisonPlan {
    let entry = |source| PlanEntry {
        source,
        role: Role::Train,
        label: 1,
    };
    PoisonPlan {
        map: None,
        train: vec![entry(2), entry(5)],
        appended: Vec::new(),
        triggered: Vec::new(),
        mixed: Vec::new(),
    }
}

fn manifest() -> Manifest {
    let config = config("blend");
    let request = PlanRequest::new(&[], &[], 3, &config);
    let plan = PoisonPlan {
        map: Some(request.label_map().expect("fits")),
        ..plan()
    };
    Manifest::train(&config, &striped_set(6, 2, 3), &plan)
}

/// The same with a map to the next class, a cover and a copy.
fn extended() -> Manifest {
    let config = PoisonConfig {
        labels: LabelMap::AllToAll { shift: 1 },
        ..config("blend")
    };
    let entry = |source, role, label| PlanEntry {
        source,
        role,
        label,
    };
    let request = PlanRequest::new(&[], &[], 3, &config);
    let plan = PoisonPlan {
        map: Some(request.label_map().expect("fits")),
        train: vec![entry(1, Role::Train, 2), entry(2, Role::Cover, 2)],
        appended: vec![entry(2, Role::Train, 0)],
        ..plan()
    };
    Manifest::train(&config, &striped_set(6, 2, 3), &plan)
}

fn broken(change: impl FnOnce(&mut Value)) -> String {
    broken_of(&manifest(), change)
}

fn broken_of(manifest: &Manifest, change: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(&manifest.to_json()).expect("is JSON");
    change(&mut value);
    Manifest::from_json(&value.to_string()).expect_err("broken")
}

#[test]
fn a_file_reads_back_the_same() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("poison/manifest.json");
    manifest().write(&path).expect("writes");
    assert_eq!(Manifest::read(&path).expect("reads"), manifest());
    let files = fs::read_dir(path.parent().expect("parent"))
        .expect("lists")
        .count();
    assert_eq!(files, 1, "temporary files are gone");
}

#[test]
fn it_says_which_images_are_poisoned() {
    let manifest = manifest();
    assert_eq!(
        manifest.is_poisoned(),
        [false, false, true, false, false, true]
    );
    assert!((manifest.rate() - 1.0 / 3.0).abs() < 1e-12);
    let entry = &manifest.entries()[0];
    assert_eq!((entry.original_label, entry.new_label), (2, 1));
    assert_eq!(
        (entry.name.as_str(), entry.attack.as_str()),
        ("image002", "blend")
    );
}

#[test]
fn other_formats_and_versions_are_refused() {
    assert!(broken(|file| file["format"] = json!("x")).contains("`cd-manifest`"));
    let later = broken(|file| {
        file["version"] = json!(3);
        file["new_key"] = json!(true);
    });
    assert_eq!(later, "version 3 is not supported, only 1 and 2");
    assert!(
        broken(|file| drop(file.as_object_mut().expect("map").remove("version")))
            .contains("`version`")
    );
    assert!(Manifest::from_json("{").is_err());
}

#[test]
fn unknown_missing_and_contradicting_values_are_refused() {
    assert!(broken(|file| file["extra"] = json!(1)).contains("extra"));
    assert!(broken(|file| file["entries"][0]["extra"] = json!(1)).contains("extra"));
    assert!(broken(|file| file["config"]["extra"] = json!(1)).contains("extra"));
    let no_count = broken(|file| drop(file.as_object_mut().expect("map").remove("image_count")));
    assert!(no_count.contains("image_count"));
    assert!(broken(|file| file["split"] = json!("val")).contains("`val`"));
    assert!(broken(|file| file["entries"][1]["index"] = json!(2)).contains("ascending"));
    assert!(broken(|file| file["entries"][1]["index"] = json!(6)).contains("out of range"));
    assert!(broken(|file| file["entries"][1]["attack"] = json!("x")).contains("`x`"));
    assert!(broken(|file| file["entries"][1]["new_label"] = json!(0)).contains("target"));
}

#[test]
fn a_damaged_file_is_named() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("manifest.json");
    let missing = Manifest::read(&path).expect_err("missing");
    assert!(missing.to_string().contains("manifest.json"), "{missing}");
    let text = manifest().to_json();
    fs::write(&path, &text[..text.len() / 2]).expect("writes");
    let damaged = Manifest::read(&path).expect_err("half");
    assert!(
        matches!(damaged, ManifestError::Invalid { .. }),
        "{damaged}"
    );
}

#[test]
fn what_version_1_can_say_is_written_as_before() {
    let expected = r#"{
  "format": "cd-manifest",
  "version": 1,
  "split": "train",
  "image_count": 6,
  "config": {
    "attack": {
      "name": "blend",
      "alpha": 0.2,
      "pattern_seed": 0
    },
    "rate": 0.34,
    "target": 1,
    "seed": 18446744073709551615
  },
  "entries": [
    {
      "index": 2,
      "name": "image002",
      "original_label": 2,
      "new_label": 1,
      "attack": "blend"
    },
    {
      "index": 5,
      "name": "image005",
      "original_label": 2,
      "new_label": 1,
      "attack": "blend"
    }
  ]
}
"#;
    assert_eq!(manifest().to_json(), expected);
}

#[test]
fn covers_copies_and_label_maps_are_version_2() {
    let manifest = extended();
    let json: Value = serde_json::from_str(&manifest.to_json()).expect("is JSON");
    assert_eq!(json["version"], json!(2));
    assert_eq!(json["label_map"], json!([1, 2, 0]));
    assert_eq!(json["config"]["labels"], json!("all-to-all"));
    assert_eq!(
        Manifest::from_json(&manifest.to_json()),
        Ok(manifest.clone())
    );
    assert_eq!((manifest.image_count(), manifest.appended()), (7, 1));
    let poisoned = [false, true, false, false, false, false, true];
    assert_eq!(manifest.is_poisoned(), poisoned);
    assert_eq!(manifest.is_cover().iter().position(|&cover| cover), Some(2));
    assert!((manifest.rate() - 2.0 / 7.0).abs() < 1e-12);
    let copy = &manifest.entries()[2];
    assert_eq!(
        (copy.name.as_str(), copy.source),
        ("image002 (copy 1)", Some(2))
    );
}

#[test]
fn contradictions_of_version_2_are_refused() {
    let broken = |change: &dyn Fn(&mut Value)| broken_of(&extended(), change);
    let version = broken(&|file| file["version"] = json!(1));
    assert!(version.contains("version 1 has no"), "{version}");
    let mapped = broken(&|file| file["entries"][0]["new_label"] = json!(0));
    assert!(mapped.contains("the label map says 2"), "{mapped}");
    let cover = broken(&|file| file["entries"][1]["new_label"] = json!(0));
    assert!(cover.contains("keep its label 2"), "{cover}");
    let split = broken(&|file| file["split"] = json!("test"));
    assert!(split.contains("`cover`"), "{split}");
    let number = broken(&|file| file["appended"] = json!(2));
    assert!(number.contains("1 entries have a `source`"), "{number}");
    let more = broken(&|file| file["appended"] = json!(8));
    assert!(more.contains("`appended` is 8 of 7"), "{more}");
    let source = broken(&|file| file["entries"][2]["source"] = json!(6));
    assert!(source.contains("first 6 images"), "{source}");
    let place = broken(&|file| file["entries"][2]["index"] = json!(5));
    assert!(place.contains("entry 5 has `source`"), "{place}");
    let other = broken(&|file| file["label_map"] = json!([1, 2, 1]));
    assert!(other.contains("`label_map` is [1, 2, 1]"), "{other}");
    let label = broken(&|file| file["entries"][0]["original_label"] = json!(7));
    assert!(label.contains("`label_map` does not have"), "{label}");
    let none = broken(&|file| drop(file.as_object_mut().expect("map").remove("label_map")));
    assert!(none.contains("labels all-to-all"), "{none}");
}
