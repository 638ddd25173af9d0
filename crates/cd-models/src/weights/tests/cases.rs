//! Files that people have, kept in `tests/cases`.

use std::path::PathBuf;

use burn::tensor::Device;

use super::message;
use crate::model::Model;
use crate::weights::request::WeightsRequest;

fn case(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases");
    PathBuf::from(folder).join(name)
}

fn load(name: &str, key: Option<&str>) -> Model {
    let loaded = WeightsRequest::under(key).load(&case(name), &Device::flex());
    loaded.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn notes(name: &str) -> String {
    let summary = WeightsRequest::default().describe(&case(name), &Device::flex());
    summary.expect("readable").notes.join("; ")
}

/// One network, in every form in which it was met.
#[test]
fn the_same_network_comes_out_of_every_form() {
    let expected = load("zip64-record-of-76-bytes/resnet18_cifar10_last1.pt", None).fingerprint();
    for name in [
        "zip64-record-of-76-bytes/resnet18_cifar10_best.pt",
        "prefixes/compiled.pt",
        "prefixes/lightning_compiled.ckpt",
        "prefixes/sequential_1.pt",
        "thop-counters/with_counters.pt",
        "numpy-and-integer-weights/numpy_arrays.pt",
        "old-full-model/full_model_before_1.6.pth",
    ] {
        assert_eq!(load(name, None).fingerprint(), expected, "{name}");
    }
    assert!(notes("prefixes/compiled.pt").contains("begin with `_orig_mod.`"));
    let lightning = notes("prefixes/lightning_compiled.ckpt");
    assert!(
        lightning.contains("`state_dict.model._orig_mod.`"),
        "{lightning}"
    );
    assert!(notes("prefixes/sequential_1.pt").contains("in front of `1`"));
    let counters = notes("thop-counters/with_counters.pt");
    assert!(
        counters.contains("counters of a profiler were left out: 76 tensors"),
        "{counters}"
    );
}

#[test]
fn integers_are_listed_and_refused_for_what_they_are() {
    let name = "numpy-and-integer-weights/int8.safetensors";
    let error = message(&case(name));
    assert!(
        error.contains("12 tensors of the network are int8 (`conv1.weight`"),
        "{error}"
    );
    let summary = WeightsRequest::default()
        .describe(&case(name), &Device::flex())
        .expect("readable");
    let stem = summary
        .tensors
        .iter()
        .find(|tensor| tensor.name == "conv1.weight");
    assert_eq!(stem.expect("listed").element.to_string(), "int8");
    assert_eq!(
        summary.tensors.iter().filter(|tensor| tensor.taken).count(),
        62
    );
    assert!(summary.problem.expect("one").contains("int8"));
}

#[test]
fn two_networks_are_never_one_by_chance() {
    let equal = "two-networks-in-one-file/net_and_model.pt";
    let error = message(&case(equal));
    assert!(
        error.contains("`model`, `net`") && error.contains("--key"),
        "{error}"
    );
    let averaged = "two-networks-in-one-file/with_ema.pth.tar";
    let [net, model] = ["net", "model"].map(|key| load(equal, Some(key)).fingerprint());
    assert_ne!(net, model);
    assert_eq!(load(averaged, None).fingerprint(), net);
    assert_eq!(load(averaged, Some("state_dict_ema")).fingerprint(), model);
    assert!(notes(averaged).contains("left out: `state_dict_ema`"));
}
