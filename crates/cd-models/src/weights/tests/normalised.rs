//! Networks that were saved together with what normalises their input.

use std::fs;
use std::path::Path;

use burn::tensor::Device;

use super::pickled::{Py, archive, call, dict, object, old, ordered, parameters, tensor, text};
use super::{message, model};
use crate::model::Model;
use crate::model::normalization::Normalization;
use crate::weights::import::load_weights;
use crate::weights::request::WeightsRequest;
use crate::weights::state::StateDict;

const CIFAR: Normalization = Normalization {
    mean: [0.5, 0.25, 0.125],
    std: [0.25, 0.5, 0.75],
};

fn written(folder: &Path, root: &Py) -> std::path::PathBuf {
    let path = folder.join("model.pt");
    fs::write(&path, archive("model", root)).expect("written");
    path
}

/// A state dict with the network under `inner` and a mean and deviation of `shape` under `layer`.
fn flat(inner: &str, layer: [&str; 2], shape: &[usize], values: Normalization) -> Vec<(Py, Py)> {
    let mut items = vec![
        (text(layer[0]), tensor(shape, &values.mean)),
        (text(layer[1]), tensor(shape, &values.std)),
    ];
    items.extend(parameters(&StateDict::of(model().net()), inner));
    items
}

fn same(loaded: &Model, expected: Option<Normalization>) {
    let expected = model().with_normalization(expected);
    assert_eq!(loaded.normalization(), expected.normalization());
    assert_eq!(loaded.fingerprint(), expected.fingerprint());
}

#[test]
fn a_layer_in_front_becomes_the_normalisation() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let layouts: [(&str, [&str; 2], &[usize]); 12] = [
        ("1.", ["0.mean", "0.std"], &[3]),
        ("1.", ["0.mean", "0.std"], &[1, 3, 1, 1]),
        ("module.1.", ["module.0.mean", "module.0.std"], &[3, 1, 1]),
        ("model.", ["normalize.mean", "normalize.std"], &[3]),
        ("net.", ["norm.mean", "norm.std"], &[1, 3, 1, 1]),
        ("", ["mean", "std"], &[1, 3, 1, 1]),
        ("", ["normalize.mean", "normalize.std"], &[3]),
        (
            "_orig_mod.module.model.",
            [
                "_orig_mod.module.normalize.mean",
                "_orig_mod.module.normalize.std",
            ],
            &[3],
        ),
        (
            "module._orig_mod.1.",
            ["module._orig_mod.0.mean", "module._orig_mod.0.std"],
            &[3],
        ),
        ("model.1.module.", ["model.0.mean", "model.0.std"], &[3]),
        (
            "model.",
            ["normalizer.new_mean", "normalizer.new_std"],
            &[3, 1, 1],
        ),
        ("model.", ["mu", "sigma"], &[1, 3, 1, 1]),
    ];
    for (inner, layer, shape) in layouts {
        let items = flat(inner, layer, shape, CIFAR);
        for root in [
            ordered(items.clone()),
            dict([("epoch", Py::Int(3)), ("state_dict", ordered(items))]),
        ] {
            let loaded = load_weights(&written(folder.path(), &root), &Device::flex());
            same(
                &loaded.unwrap_or_else(|error| panic!("{inner} {layer:?}: {error}")),
                Some(CIFAR),
            );
        }
    }
}

#[test]
fn numbers_of_0_to_255_are_scaled_and_odd_ones_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let bytes = Normalization {
        mean: CIFAR.mean.map(|value| value * 255.0),
        std: CIFAR.std.map(|value| value * 255.0),
    };
    let root = ordered(flat("1.", ["0.mean", "0.std"], &[3], bytes));
    let path = written(folder.path(), &root);
    same(
        &load_weights(&path, &Device::flex()).expect("scaled"),
        Some(CIFAR),
    );
    let odd = Normalization {
        mean: [103.53, 116.28, 123.675],
        std: [1.0; 3],
    };
    let path = written(
        folder.path(),
        &ordered(flat("1.", ["0.mean", "0.std"], &[3], odd)),
    );
    let error = message(&path);
    assert!(
        error.contains("`0.mean` and `0.std`") && error.contains("--mean"),
        "{error}"
    );
    let stated = WeightsRequest {
        normalization: Some(CIFAR),
        ..WeightsRequest::default()
    };
    same(
        &stated.load(&path, &Device::flex()).expect("stated"),
        Some(CIFAR),
    );
    let summary = WeightsRequest::default()
        .describe(&path, &Device::flex())
        .expect("readable");
    assert!(summary.problem.expect("one").contains("0.mean"));
}

#[test]
fn layers_that_differ_are_refused_and_equal_ones_are_one() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut items = flat(
        "model.",
        ["normalizer.new_mean", "normalizer.new_std"],
        &[3],
        CIFAR,
    );
    items.push((text("mean"), tensor(&[3], &CIFAR.mean)));
    items.push((text("std"), tensor(&[3], &CIFAR.std)));
    let path = written(folder.path(), &ordered(items.clone()));
    same(
        &load_weights(&path, &Device::flex()).expect("equal"),
        Some(CIFAR),
    );
    items.pop();
    items.push((text("std"), tensor(&[3], &[0.1; 3])));
    let error = message(&written(folder.path(), &ordered(items)));
    assert!(error.contains("several that differ"), "{error}");
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for (extra, shape) in [
        ("0.weight", &[3, 3, 1, 1][..]),
        ("0.running_mean", &[3]),
        ("0.mean", &[3]),
        ("temperature", &[1]),
        ("normalize.mean", &[5]),
    ] {
        let mut items = parameters(&StateDict::of(model().net()), "1.");
        let count = shape.iter().product();
        items.push((text(extra), tensor(shape, &vec![0.5; count])));
        let path = written(folder.path(), &ordered(items));
        let error = message(&path);
        assert!(
            error.contains(extra) && error.contains("--key 1"),
            "{error}"
        );
        let summary = WeightsRequest::default()
            .describe(&path, &Device::flex())
            .expect("readable");
        assert!(summary.problem.expect("one").contains(extra));
        let keyed = WeightsRequest::under(Some("1"));
        same(&keyed.load(&path, &Device::flex()).expect("named"), None);
        let summary = keyed.describe(&path, &Device::flex()).expect("readable");
        assert!(summary.problem.is_none());
    }
    let alone = ordered(parameters(&StateDict::of(model().net()), "1."));
    let path = written(folder.path(), &alone);
    let summary = WeightsRequest::default()
        .describe(&path, &Device::flex())
        .expect("readable");
    let notes = summary.notes.join("; ");
    assert!(
        notes.contains("begin with `1.`") && notes.contains("--mean"),
        "{notes}"
    );
}

/// A module with its parameters below it, as a network that was pickled whole holds them.
fn module(state: &[(&str, Py)], attributes: Vec<(Py, Py)>) -> Py {
    let mut own = Vec::new();
    let mut inner: Vec<(&str, Vec<(&str, Py)>)> = Vec::new();
    for (name, value) in state {
        match name.split_once('.') {
            None => own.push((text(name), value.clone())),
            Some((first, rest)) => match inner.iter_mut().find(|(known, _)| known == &first) {
                Some((_, items)) => items.push((rest, value.clone())),
                None => inner.push((first, vec![(rest, value.clone())])),
            },
        }
    }
    let inner = inner
        .into_iter()
        .map(|(name, items)| (text(name), module(&items, Vec::new())));
    let mut all = vec![
        (text("training"), Py::True),
        (text("_parameters"), Py::Dict(own)),
        (text("_buffers"), ordered(Vec::new())),
        (text("_modules"), ordered(inner.collect())),
    ];
    all.extend(attributes);
    object("project.models", "Net", all)
}

#[test]
fn plain_attributes_of_a_whole_network_count() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let state = StateDict::of(model().net());
    let parameters: Vec<(&str, Py)> = state
        .iter()
        .map(|(name, t)| (name, Py::Tensor(t.clone())))
        .collect();
    let network = module(&parameters, Vec::new());
    let numbers =
        |values: [f32; 3]| Py::List(values.iter().map(|&v| Py::Float(v.into())).collect());
    let lists = vec![
        (text("mean"), numbers(CIFAR.mean)),
        (text("std"), numbers(CIFAR.std)),
    ];
    let tensors = vec![
        (text("mean"), tensor(&[3, 1, 1], &CIFAR.mean)),
        (text("std"), tensor(&[3, 1, 1], &CIFAR.std)),
        (text("seen"), tensor(&[2], &[1.0, 2.0])),
    ];
    let path = folder.path().join("model.pth");
    for (attributes, expected) in [
        (lists, Some(CIFAR)),
        (tensors, Some(CIFAR)),
        (Vec::new(), None),
    ] {
        let sequence = object(
            "torch.nn.modules.container",
            "Sequential",
            vec![
                (text("_parameters"), ordered(Vec::new())),
                (text("_buffers"), ordered(Vec::new())),
                (
                    text("_modules"),
                    ordered(vec![
                        (text("0"), module(&[], attributes)),
                        (text("1"), network.clone()),
                    ]),
                ),
            ],
        );
        for bytes in [archive("model", &sequence), old(&sequence)] {
            fs::write(&path, bytes).expect("written");
            same(
                &load_weights(&path, &Device::flex()).expect("whole"),
                expected,
            );
        }
    }
    let parallel = dict([("net", call("torch.nn.parameter", "Parameter", vec![]))]);
    fs::write(&path, archive("model", &parallel)).expect("written");
    assert!(message(&path).contains("no tensors"));
}
