//! `models`: weight files looked into and converted.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{fail_with, succeed};

fn golden(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden");
    fs::canonicalize(PathBuf::from(folder).join(name)).expect("part of the repository")
}

/// A PyTorch checkpoint of ResNet-10, width 1, two classes, nested and prefixed.
fn checkpoint(here: &Path) {
    fs::copy(golden("models/nested_module.pt"), here.join("a.pt")).expect("copied");
}

fn inspect(here: &Path, file: &str) -> Value {
    let text = succeed(here, &format!("models inspect {file} --json"));
    serde_json::from_str(&text).expect("json")
}

#[test]
fn inspect_says_what_a_file_holds() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    checkpoint(here);
    let text = succeed(here, "models inspect a.pt");
    for part in [
        "format: PyTorch checkpoint",
        "architecture: resnet10 (ResNet-10), width 1, 2 classes",
        "input normalisation: none",
        "conv1",
        "layer4",
        "--tensors",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        !text.contains("conv1.weight") && text.lines().count() < 20,
        "{text}"
    );
    let all = succeed(here, "models inspect a.pt --tensors");
    for part in ["conv1.weight", "[1, 3, 3, 3]"] {
        assert!(all.contains(part), "{part}: {all}");
    }
    let summary = inspect(here, "a.pt");
    assert_eq!(summary["architecture"], "resnet10");
    assert_eq!(
        (&summary["width"], &summary["classes"]),
        (&json!(1), &json!(2))
    );
    let parameters = summary["parameters"].as_u64().expect("recognised");
    let values = summary["values"].as_u64().expect("counted");
    assert!(parameters < values, "statistics are values, not parameters");
    let tensors = summary["tensors"].as_array().expect("a list");
    let stem = tensors
        .iter()
        .find(|tensor| tensor["name"] == "conv1.weight");
    assert_eq!(stem.expect("listed")["shape"], json!([1, 3, 3, 3]));
}

#[test]
fn inspect_lists_weights_of_unknown_origin() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    fs::copy(golden("cd_w16.safetensors"), here.join("other.safetensors")).expect("copied");
    let text = succeed(here, "models inspect other.safetensors");
    assert!(text.contains("architecture: not recognised"), "{text}");
    let summary = inspect(here, "other.safetensors");
    assert!(summary["architecture"].is_null() && summary["parameters"].is_null());
}

#[test]
fn convert_goes_through_every_format_without_loss() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    checkpoint(here);
    succeed(here, "models convert a.pt --to first.safetensors");
    let normalised = "models convert a.pt --to b.bpk --mean 0.5,0.25,0 --std 1,2,4";
    assert_eq!(succeed(here, normalised).trim(), "b.bpk");
    let summary = inspect(here, "b.bpk");
    assert_eq!(summary["format"], "burnpack");
    let expected = json!({ "mean": [0.5, 0.25, 0.0], "std": [1.0, 2.0, 4.0] });
    assert_eq!(summary["normalization"], expected);
    succeed(here, "models convert b.bpk --to c.safetensors");
    succeed(here, "models convert first.safetensors --to torch.pt");
    assert_eq!(inspect(here, "torch.pt")["format"], "PyTorch checkpoint");
    succeed(here, "models convert torch.pt --to back.safetensors");
    assert_eq!(inspect(here, "c.safetensors")["normalization"], expected);
    let again = "models convert c.safetensors --to d.safetensors --mean 0,0,0 --std 1,1,1";
    succeed(here, again);
    let plain = "models convert first.safetensors --to e.safetensors --mean 0,0,0 --std 1,1,1 \
                 --model resnet10 --width 1 --classes 2";
    succeed(here, plain);
    let read = |name: &str| fs::read(here.join(name)).expect("written");
    assert!(
        read("back.safetensors") == read("first.safetensors"),
        "no bit lost through a PyTorch checkpoint"
    );
    assert!(
        read("d.safetensors") == read("e.safetensors"),
        "no bit lost"
    );
}

#[test]
fn conversions_that_cannot_be_are_told_before_anything_is_written() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    checkpoint(here);
    let unknown = "models convert a.pt --to b.onnx";
    fail_with(here, unknown, &["`.onnx`", "`.safetensors`"]);
    fail_with(here, "models convert a.pt --to b", &["the ending decides"]);
    fail_with(here, "models convert none.pt --to b.bpk", &["none.pt"]);
    fail_with(here, "models inspect none.pt", &["none.pt"]);
    let slip = "models convert a.pt --to b.bpk --model resnet-10";
    fail_with(here, slip, &["did you mean `resnet10`"]);
    let other = "models convert a.pt --to b.bpk --model resnet18";
    fail_with(here, other, &["a.pt", "do not fit ResNet-18"]);
    let alone = "models convert a.pt --to b.bpk --mean 0,0,0";
    fail_with(here, alone, &["--std"]);
    let negative = "models convert a.pt --to b.bpk --mean 0,0,0 --std 1,-1,1";
    fail_with(here, negative, &["above 0"]);
    let unnamed = "models convert a.pt --to b.bpk --classes 2";
    fail_with(here, unnamed, &["--model"]);
    fail_with(here, "models inspekt a.pt", &["inspect"]);
    fs::copy(golden("cd_w16.safetensors"), here.join("o.safetensors")).expect("copied");
    let foreign = "models convert o.safetensors --to b.bpk";
    fail_with(here, foreign, &["could not be recognised"]);
    assert!(!here.join("b.bpk").exists() && !here.join("b.pt").exists());
}
