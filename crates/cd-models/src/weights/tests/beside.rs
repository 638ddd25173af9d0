//! Networks that were saved beside other things.

use std::fs;

use burn::tensor::Device;

use super::pickled::{
    Py, archive, bare, call, dict, object, old, ordered, parameters, tensor, text,
};
use super::{config, message, model};
use crate::weights::import::load_weights;
use crate::weights::request::WeightsRequest;
use crate::weights::state::StateDict;

fn network(prefix: &str) -> Py {
    ordered(parameters(&StateDict::of(model().net()), prefix))
}

/// Everything that training scripts put beside weights.
fn luggage() -> Vec<(Py, Py)> {
    let scalar = call(
        "numpy.core.multiarray",
        "scalar",
        vec![
            call("numpy", "dtype", vec![text("f8")]),
            Py::Bytes(vec![0; 8]),
        ],
    );
    let adam = dict([
        ("step", tensor(&[], &[7.0])),
        ("exp_avg", tensor(&[4, 3], &[0.5; 12])),
    ]);
    let optimizer = dict([
        ("state", Py::Dict(vec![(Py::Int(0), adam)])),
        (
            "param_groups",
            Py::List(vec![dict([
                ("lr", Py::Float(0.1)),
                ("params", Py::List(vec![Py::Int(0)])),
            ])]),
        ),
    ]);
    let history = Py::Items(
        Box::new(call(
            "collections",
            "defaultdict",
            vec![Py::Class("builtins", "list")],
        )),
        vec![(text("loss"), Py::List(vec![Py::Float(2.0)]))],
    );
    let queue = call(
        "collections",
        "deque",
        vec![Py::List(vec![Py::Int(1)]), Py::Int(5)],
    );
    vec![
        (text("epoch"), Py::Int(9)),
        (text("best"), scalar),
        (text("optimizer"), optimizer),
        (text("history"), history),
        (text("last"), queue),
        (
            text("args"),
            object("argparse", "Namespace", vec![(text("lr"), Py::Float(0.1))]),
        ),
        (
            text("time"),
            call("datetime", "datetime", vec![Py::Bytes(vec![7; 10])]),
        ),
        (
            text("logger"),
            object("project.utils", "Logger", vec![(text("file"), Py::None)]),
        ),
        (Py::Int(3), text("three")),
        (
            Py::Tuple(vec![Py::Int(1), text("a")]),
            tensor(&[2], &[1.0, 2.0]),
        ),
        (text("x_train"), tensor(&[20, 3, 8, 8], &[0.5; 3840])),
    ]
}

#[test]
fn luggage_is_left_alone() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("result.pt");
    for key in [
        "model",
        "net",
        "state_dict",
        "netC",
        "model_state_dict",
        "anything",
    ] {
        let mut items = luggage();
        items.insert(4, (text(key), network("module.")));
        let root = Py::Dict(items);
        for bytes in [archive("result", &root), old(&root)] {
            fs::write(&path, bytes).expect("written");
            let loaded = load_weights(&path, &Device::flex())
                .unwrap_or_else(|error| panic!("{key}: {error}"));
            assert_eq!(loaded.fingerprint(), model().fingerprint());
        }
        let summary = WeightsRequest::default()
            .describe(&path, &Device::flex())
            .expect("readable");
        assert_eq!(
            (summary.key.as_str(), summary.model),
            (key, Some((config(), 3)))
        );
        let notes = summary.notes.join("; ");
        for part in [
            "`x_train` (1 tensor)",
            "`optimizer` (2 tensors)",
            "`(1, a)`",
        ] {
            assert!(notes.contains(part), "{part}: {notes}");
        }
        let beside = summary.tensors.iter().filter(|tensor| !tensor.taken);
        assert_eq!(beside.count(), 4);
    }
}

#[test]
fn what_is_not_taken_is_not_read() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("result.pt");
    let pictures = tensor(&[100, 3, 8, 8], &vec![0.625; 19_200]);
    let root = dict([("model", network("")), ("x_train", pictures)]);
    let mut bytes = archive("result", &root);
    // The last member: damaged, so reading it would be noticed.
    let value = 0.625_f32.to_le_bytes();
    let at = bytes
        .windows(400)
        .rposition(|part| part.chunks(4).all(|chunk| chunk == value));
    bytes[at.expect("the pictures")] ^= 0xff;
    fs::write(&path, &bytes).expect("written");
    let loaded = load_weights(&path, &Device::flex()).expect("the network is whole");
    assert_eq!(loaded.fingerprint(), model().fingerprint());
    let stem = StateDict::of(model().net())
        .get("conv1.weight")
        .expect("named so")
        .values[0];
    let at = bytes.windows(4).position(|part| part == stem.to_le_bytes());
    bytes[at.expect("the first layer")] ^= 1;
    fs::write(&path, &bytes).expect("written");
    assert!(message(&path).contains("checksum"));
}

#[test]
fn several_networks_are_told_apart() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("two.pt");
    let other = config().init(3, 2, &Device::flex()).expect("registered");
    let second = ordered(parameters(&StateDict::of(other.net()), ""));
    let generator = ordered(vec![(text("main.0.weight"), tensor(&[2, 2], &[0.5; 4]))]);
    let loaded = |root: &Py, key: Option<&str>| {
        fs::write(&path, archive("two", root)).expect("written");
        let request = WeightsRequest::under(key);
        let loaded = request
            .load(&path, &Device::flex())
            .map_err(|error| error.to_string());
        loaded.map(|model| model.fingerprint())
    };
    let (first, second_print) = (model().fingerprint(), other.fingerprint());
    let equal = dict([("netC", network("")), ("netF", second.clone())]);
    let error = loaded(&equal, None).expect_err("equal");
    assert!(
        error.contains("`netC`, `netF`") && error.contains("--key"),
        "{error}"
    );
    assert_eq!(loaded(&equal, Some("netF")), Ok(second_print.clone()));
    let error = loaded(&equal, Some("netG")).expect_err("none");
    assert!(error.contains("there are `netC`, `netF`"), "{error}");
    for average in ["model_ema", "ema", "swa_model", "state_dict_ema"] {
        let both = dict([(average, second.clone()), ("model", network("module."))]);
        assert_eq!(loaded(&both, None), Ok(first.clone()));
        assert_eq!(loaded(&both, Some(average)), Ok(second_print.clone()));
    }
    let only = dict([("ema", second.clone()), ("netG", generator)]);
    assert_eq!(loaded(&only, None), Ok(second_print.clone()));
    // In one state dict, each with its layer in front.
    let mean = |value: f32| tensor(&[3], &[value; 3]);
    let mut items = parameters(&StateDict::of(model().net()), "model.1.");
    items.extend(parameters(&StateDict::of(other.net()), "ema.1."));
    for (name, value) in [
        ("model.0.mean", 0.5),
        ("model.0.std", 0.25),
        ("ema.0.mean", 0.25),
        ("ema.0.std", 0.5),
    ] {
        items.push((text(name), mean(value)));
    }
    let both = ordered(items);
    loaded(&both, None).expect("the trained one");
    let summary = WeightsRequest::default()
        .describe(&path, &Device::flex())
        .expect("readable");
    assert_eq!(summary.normalization.expect("its own").mean, [0.5; 3]);
    let summary = WeightsRequest::under(Some("ema"))
        .describe(&path, &Device::flex())
        .expect("readable");
    assert_eq!(summary.normalization.expect("its own").mean, [0.25; 3]);
}

#[test]
fn counters_are_left_out_with_a_word() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("counted.pt");
    let mut items = parameters(&StateDict::of(model().net()), "module.");
    for name in [
        "module.total_ops",
        "module.layer1.0.conv1.total_params",
        "n_averaged",
        "module.bn1.num_batches_tracked",
    ] {
        items.push((text(name), tensor(&[1], &[64.0])));
    }
    fs::write(&path, archive("counted", &ordered(items))).expect("written");
    let loaded = load_weights(&path, &Device::flex()).expect("counters do not matter");
    assert_eq!(loaded.fingerprint(), model().fingerprint());
    let notes = WeightsRequest::default()
        .describe(&path, &Device::flex())
        .expect("readable")
        .notes
        .join("; ");
    assert!(
        notes.contains("profiler") && notes.contains("average") && !notes.contains("BatchNorm"),
        "{notes}"
    );
}

#[test]
fn pickles_without_torch_say_so() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("plain.pkl");
    fs::write(&path, bare(&network(""))).expect("written");
    assert!(message(&path).contains("by `pickle`, not by `torch.save`"));
    fs::write(&path, bare(&dict([("a", Py::Int(1))]))).expect("written");
    assert!(message(&path).contains("no tensors"));
}

#[test]
fn archives_of_any_name_and_record_are_read() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.pt");
    for length in 1..40 {
        let mut bytes = archive(&"n".repeat(length), &network(""));
        // The 64-bit records that PyTorch always writes, with the plain end record left as it is.
        let end = bytes.len() - 22;
        let tail = bytes.split_off(end);
        let number = |at: usize| {
            u64::from(u32::from_le_bytes(
                tail[at..at + 4].try_into().expect("four bytes"),
            ))
        };
        let entries = u64::from(u16::from_le_bytes([tail[10], tail[11]]));
        let record_at = bytes.len() as u64;
        bytes.extend(b"PK\x06\x06");
        bytes.extend(44_u64.to_le_bytes());
        bytes.extend([0x1e, 3, 0x2d, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for value in [entries, entries, number(12), number(16)] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(b"PK\x06\x07\0\0\0\0");
        bytes.extend(record_at.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(tail);
        fs::write(&path, bytes).expect("written");
        let loaded = load_weights(&path, &Device::flex())
            .unwrap_or_else(|error| panic!("{length}: {error}"));
        assert_eq!(loaded.fingerprint(), model().fingerprint());
    }
}
