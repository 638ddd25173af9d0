//! Networks of other libraries in the wrappers and under the names that people's files have.

use std::fs;
use std::path::Path;

use burn::tensor::Device;

use super::pickled::{Py, archive, dict, ordered, parameters};
use super::{message, write_foreign};
use crate::model::Model;
use crate::model::config::ModelConfig;
use crate::weights::export::save_weights;
use crate::weights::import::load_weights;
use crate::weights::request::WeightsRequest;
use crate::weights::state::{NamedTensor, StateDict};

const CLASSES: usize = 3;

fn model(name: &str, seed: u64) -> Model {
    let config = ModelConfig::from_name(name).expect("registered");
    let width = config
        .architecture()
        .expect("registered")
        .family
        .small_width;
    let model = config
        .with_width(width)
        .init(CLASSES, seed, &Device::flex());
    model.expect("registered")
}

fn state(name: &str) -> StateDict {
    StateDict::of(model(name, 1).net())
}

fn load(path: &Path) -> Model {
    let loaded = load_weights(path, &Device::flex());
    loaded.unwrap_or_else(|error| panic!("{error}"))
}

fn notes(path: &Path) -> String {
    let summary = WeightsRequest::default().describe(path, &Device::flex());
    summary.expect("readable").notes.join("; ")
}

#[test]
fn wrappers_in_any_nesting() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.pt");
    let prefixes = [
        "module._orig_mod.",
        "net.",
        "model.",
        "_orig_mod.module.model.",
        "1.",
    ];
    for name in [
        "convnext_tiny",
        "densenet121",
        "mobilenet_v3_small",
        "imagenet_vgg11_bn",
        "imagenet_mobilenet_v2",
        "efficientnet_lite0",
        "wide_resnet16_1",
        "vit_tiny_32",
    ] {
        let expected = model(name, 1).fingerprint();
        let (own, other) = (state(name), StateDict::of(model(name, 2).net()));
        for prefix in prefixes {
            let network = ordered(parameters(&own, prefix));
            let average = ordered(parameters(&other, prefix));
            for root in [
                network.clone(),
                dict([("epoch", Py::Int(3)), ("state_dict", network.clone())]),
                dict([
                    ("state_dict", network.clone()),
                    ("ema_state_dict", average.clone()),
                ]),
                dict([("model_ema", average.clone()), ("model", network.clone())]),
            ] {
                fs::write(&path, archive("model", &root)).expect("written");
                let loaded = load(&path);
                assert_eq!(loaded.config().name, name, "{prefix}");
                assert_eq!(loaded.fingerprint(), expected, "{name} {prefix}");
            }
        }
    }
}

#[test]
fn heads_of_other_names_are_taken_with_a_word() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    for (name, own, other) in [
        ("imagenet_resnet18", "fc.", "fc.1."),
        ("imagenet_resnet18", "fc.", "classifier.1."),
        ("imagenet_resnet18", "fc.", "head.fc."),
        ("resnet10", "linear.", "last_linear."),
        ("convnext_tiny", "classifier.2.", "classifier.2.1."),
        ("convnext_tiny", "classifier.2.", "head.fc."),
        ("imagenet_mobilenet_v2", "classifier.1.", "classifier."),
        ("mobilenet_v3_small", "classifier.3.", "classifier.3.0."),
        ("imagenet_vgg11_bn", "classifier.6.", "classifier.6.1."),
        ("densenet121", "classifier.", "classifier.1."),
        ("efficientnet_lite0", "_fc.", "_fc.1."),
        ("wide_resnet16_1", "fc.", "linear."),
        ("vit_tiny_32", "heads.head.", "heads.0."),
    ] {
        let renamed = state(name).renamed(|full| match full.strip_prefix(own) {
            Some(leaf) => format!("{other}{leaf}"),
            None => full.to_owned(),
        });
        write_foreign(&renamed, &path);
        assert_eq!(
            load(&path).fingerprint(),
            model(name, 1).fingerprint(),
            "{name} {other}"
        );
        let (notes, other) = (notes(&path), other.trim_end_matches('.'));
        assert!(
            notes.contains(&format!("`{other}` was taken for the head")),
            "{name}: {notes}"
        );
    }
}

#[test]
fn two_heads_are_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    for (first, second) in [
        ("fc.0", "fc.3"),
        ("head", "classifier"),
        ("fc", "linear"),
        ("fc", "head_dist"),
    ] {
        let mut both = StateDict::default();
        for (full, tensor) in state("imagenet_resnet18").iter() {
            match full.strip_prefix("fc.") {
                Some(leaf) => {
                    both.insert(format!("{first}.{leaf}"), tensor.clone());
                    both.insert(format!("{second}.{leaf}"), tensor.clone());
                }
                None => both.insert(full.to_owned(), tensor.clone()),
            }
        }
        write_foreign(&both, &path);
        let error = message(&path);
        assert!(
            error.contains(second) || error.contains("recognised"),
            "{first} {second}: {error}"
        );
    }
}

#[test]
fn older_and_original_names_are_understood() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let older = state("densenet121").renamed(|full| {
        let layer = |name: &str| full.contains("denselayer") && full.contains(name);
        ["norm1", "norm2", "conv1", "conv2"]
            .into_iter()
            .find(|name| layer(name))
            .map_or(full.to_owned(), |name| {
                let (word, number) = name.split_at(4);
                full.replace(name, &format!("{word}.{number}"))
            })
    });
    write_foreign(&older, &path);
    assert_eq!(
        load(&path).fingerprint(),
        model("densenet121", 1).fingerprint()
    );

    let mut papers = StateDict::default();
    for (full, tensor) in state("convnext_tiny").iter() {
        let (name, tensor) = as_in_the_paper(full, tensor);
        papers.insert(name, tensor);
    }
    write_foreign(&papers, &path);
    assert_eq!(
        load(&path).fingerprint(),
        model("convnext_tiny", 1).fingerprint()
    );
    assert!(notes(&path).contains("the paper's code"));
}

fn as_in_the_paper(full: &str, tensor: &NamedTensor) -> (String, NamedTensor) {
    let mut tensor = tensor.clone();
    let parts: Vec<&str> = full.split('.').collect();
    let name = match parts[..] {
        ["features", stage, ref rest @ ..] => {
            let stage: usize = stage.parse().expect("a number");
            let (at, rest) = (stage / 2, rest.join("."));
            if stage % 2 == 0 {
                format!("downsample_layers.{at}.{rest}")
            } else {
                if rest.ends_with("layer_scale") {
                    tensor.shape.truncate(1);
                }
                let rest = rest
                    .replace("block.0", "dwconv")
                    .replace("block.2", "norm")
                    .replace("block.3", "pwconv1")
                    .replace("block.5", "pwconv2")
                    .replace("layer_scale", "gamma");
                format!("stages.{at}.{rest}")
            }
        }
        ["classifier", "0", leaf] => format!("norm.{leaf}"),
        ["classifier", "2", leaf] => format!("head.{leaf}"),
        _ => panic!("{full}"),
    };
    (name, tensor)
}

#[test]
fn published_weights_bring_their_normalisation() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let config = ModelConfig::from_name("efficientnet_lite0").expect("registered");
    let fresh = |classes| {
        config
            .init(classes, 1, &Device::flex())
            .expect("registered")
    };
    let thousand = fresh(1000);
    write_foreign(&StateDict::of(thousand.net()), &path);
    let loaded = load(&path).normalization().expect("as published");
    assert_eq!(
        (loaded.mean, loaded.std),
        ([127.0 / 255.0; 3], [128.0 / 255.0; 3])
    );
    assert!(notes(&path).contains("1000 classes"));
    save_weights(&thousand, &path).expect("written");
    assert_eq!(load(&path).normalization(), None);
    write_foreign(&StateDict::of(fresh(10).net()), &path);
    assert_eq!(load(&path).normalization(), None);
}

#[test]
fn one_of_several_files_is_called_that() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let whole = folder.path().join("model-00001-of-00001.safetensors");
    write_foreign(&state("resnet10"), &whole);
    load(&whole);
    let part = folder.path().join("model-00001-of-00003.safetensors");
    write_foreign(&state("resnet10"), &part);
    let error = message(&part);
    assert!(error.contains("file 1 of 3"), "{error}");
    let index = folder.path().join("model.safetensors.index.json");
    fs::write(
        &index,
        r#"{"metadata": {"total_size": 1}, "weight_map": {}}"#,
    )
    .expect("written");
    let error = message(&index);
    assert!(
        error.contains("index.json") && error.contains("several files"),
        "{error}"
    );
}
