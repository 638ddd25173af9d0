use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use safetensors::tensor::{Dtype, TensorView};

mod beside;
mod cases;
mod libraries;
mod normalised;
pub(super) mod pickled;

use super::describe::describe_weights;
use super::export::save_weights;
use super::format::WeightsFormat;
use super::import::{load_weights, load_weights_as, read_weights};
use super::state::{NamedTensor, StateDict};
use crate::model::Model;
use crate::model::config::ModelConfig;
use crate::model::normalization::Normalization;

pub(super) fn config() -> ModelConfig {
    let config = ModelConfig::from_name("resnet10").expect("registered");
    config.with_width(4)
}

pub(super) fn model() -> Model {
    config().init(3, 1, &Device::flex()).expect("registered")
}

pub(super) fn message(path: &Path) -> String {
    let error = load_weights(path, &Device::flex()).expect_err("bad file");
    error.to_string()
}

pub(super) fn fixture(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/models");
    PathBuf::from(folder).join(name)
}

/// Writes `state` as safetensors without our metadata, as another program would.
fn write_foreign(state: &StateDict, path: &Path) {
    let stored: Vec<(String, Vec<usize>, Vec<u8>)> = state
        .iter()
        .map(|(name, tensor)| {
            let values = tensor.values.iter();
            let bytes = values.flat_map(|value| value.to_le_bytes()).collect();
            (name.to_owned(), tensor.shape.clone(), bytes)
        })
        .collect();
    let views = stored.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("matching sizes");
        (name.clone(), view)
    });
    let bytes = safetensors::serialize(views, None).expect("valid");
    fs::write(path, bytes).expect("written");
}

fn tensor(shape: &[usize]) -> NamedTensor {
    NamedTensor {
        shape: shape.to_vec(),
        values: vec![0.5; shape.iter().product()],
    }
}

#[test]
fn a_header_of_any_length_is_recognised() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let bytes = [0.5_f32.to_le_bytes(); 2].concat();
    let view = TensorView::new(Dtype::F32, vec![2], &bytes).expect("matching sizes");
    let mut looked_like_pickles = 0;
    for length in 0..300 {
        let name = "n".repeat(length + 1);
        let file = safetensors::serialize([(name.clone(), view.clone())], None).expect("valid");
        looked_like_pickles += usize::from(file[0] == 0x80);
        fs::write(&path, file).expect("written");
        let state = read_weights(&path).expect("a safetensors file");
        assert!(state.iter().any(|(own, _)| own == name));
    }
    assert!(looked_like_pickles > 0);
}

#[test]
fn a_pickle_that_unpacks_to_millions_of_lists_is_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("bomb.pt");
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut archive = zip::ZipWriter::new(fs::File::create(&path).expect("created"));
    archive
        .start_file("archive/data.pkl", options)
        .expect("begun");
    let pickle = [b"\x80\x02".as_slice(), &vec![b']'; 3 << 20]].concat();
    std::io::Write::write_all(&mut archive, &pickle).expect("written");
    archive.finish().expect("finished");
    let error = read_weights(&path).expect_err("refused").to_string();
    assert!(
        error.contains("bomb.pt") && error.contains("unpacks to too many objects"),
        "{error}"
    );
}

#[test]
fn saved_weights_come_back_exactly() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let normalization = Normalization {
        mean: [0.5, 0.25, 0.125],
        std: [1.0, 2.0, 4.0],
    };
    let saved = model().with_normalization(Some(normalization));
    save_weights(&saved, &path).expect("written");
    let loaded = load_weights(&path, &Device::flex()).expect("read back");
    assert_eq!(StateDict::of(loaded.net()), StateDict::of(saved.net()));
    assert_eq!(loaded.config(), saved.config());
    assert_eq!(
        (loaded.classes(), loaded.normalization()),
        (3, Some(normalization))
    );
    let bytes = fs::read(&path).expect("read");
    save_weights(&loaded, &path).expect("written again");
    assert!(
        fs::read(&path).expect("read") == bytes,
        "the same model gives the same bytes"
    );
    let summary = describe_weights(&path, &Device::flex()).expect("read back");
    assert_eq!(summary.format, WeightsFormat::Safetensors);
    assert_eq!(summary.model, Some((config(), 3)));
    assert_eq!(summary.normalization, Some(normalization));
    assert_eq!(summary.values, StateDict::of(saved.net()).value_count());
    assert!(summary.misfit.is_none() && summary.non_finite.is_none());
}

#[test]
fn impossible_statistics_are_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let refused = |model: &Model| {
        save_weights(model, &path).expect("written");
        let error = load_weights(&path, &Device::flex()).expect_err("refused");
        error.to_string()
    };
    let flat = Normalization {
        mean: [0.5; 3],
        std: [1.0, 0.0, 1.0],
    };
    let error = refused(&model().with_normalization(Some(flat)));
    assert!(error.contains("normalisation"), "{error}");

    let mut state = StateDict::of(model().net());
    let name = "bn1.running_var";
    let mut variances = state.get(name).expect("a BatchNorm").clone();
    variances.values[1] = -1.0;
    state.insert(name.to_owned(), variances);
    let bent = config().with_weights(3, state, &Device::flex());
    let error = refused(&bent.expect("fits"));
    assert!(
        error.contains("model.safetensors") && error.contains(name),
        "{error}"
    );
}

#[test]
fn pytorch_checkpoints_of_ours_come_back_exactly() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.pt");
    let saved = model();
    save_weights(&saved, &path).expect("written");
    let loaded = load_weights(&path, &Device::flex()).expect("read back");
    assert_eq!(StateDict::of(loaded.net()), StateDict::of(saved.net()));
    assert_eq!((loaded.config(), loaded.classes()), (saved.config(), 3));
    let summary = describe_weights(&path, &Device::flex()).expect("read back");
    assert_eq!(summary.format, WeightsFormat::PyTorch);
    let bytes = fs::read(&path).expect("read");
    save_weights(&loaded, &path).expect("written again");
    assert!(fs::read(&path).expect("read") == bytes, "the same bytes");
}

#[test]
fn bad_files_are_named_with_their_cause() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    assert!(message(&path).contains("model.safetensors"));
    fs::write(&path, b"").expect("written");
    assert!(message(&path).contains("empty"));
    fs::write(&path, b"some other file").expect("written");
    assert!(message(&path).contains("a text, not weights"));
    fs::write(&path, b"\x01\x02\x03").expect("written");
    assert!(message(&path).contains("neither a safetensors file nor"));
    fs::write(&path, b"\xff\xff\xff\xff\xff\xff\xff\x7f{\"a\":1}").expect("written");
    assert!(message(&path).contains("damaged safetensors"));
    fs::write(&path, b"PK\x03\x04garbage").expect("written");
    assert!(message(&path).contains("unreadable PyTorch"));
    // A burnpack header that claims 4 GiB of metadata.
    fs::write(&path, b"NRUB\x01\x00\xff\xff\xff\xff").expect("written");
    assert!(message(&path).contains("damaged burnpack"));
}

#[test]
fn every_cut_of_a_file_is_an_error() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let [torch, safetensors, burnpack] =
        ["model.pt", "model.safetensors", "model.bpk"].map(|name| folder.path().join(name));
    fs::copy(fixture("nested_module.pt"), &torch).expect("copied");
    save_weights(&model(), &safetensors).expect("written");
    save_weights(&model(), &burnpack).expect("written");
    for path in [torch, safetensors, burnpack] {
        let whole = fs::read(&path).expect("read");
        for part in 1..40 {
            let cut = &whole[..whole.len() * part / 40];
            fs::write(&path, cut).expect("written");
            assert!(message(&path).contains("model."), "{part}/40");
        }
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.any");
    for name in ["nested_module.pt", "hostile_code.pt"] {
        let whole = fs::read(fixture(name)).expect("part of the repository");
        for at in (0..whole.len()).step_by(whole.len() / 150) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            fs::write(&path, bytes).expect("written");
            // A flip inside a value still loads.
            let _ = describe_weights(&path, &Device::flex());
        }
    }
}

#[test]
fn hostile_checkpoints_do_nothing() {
    let view = message(&fixture("hostile_view.pt"));
    assert!(view.contains("claim 8589934592 bytes"), "{view}");
    let code = message(&fixture("hostile_code.pt"));
    assert!(code.contains("hostile_code.pt"), "{code}");
    assert!(!Path::new("hostile-code-ran").exists());
}

#[test]
fn nan_and_foreign_weights_are_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let mut state = StateDict::of(model().net());
    let mut bias = state.get("linear.bias").expect("named so").clone();
    bias.values[1] = f32::NAN;
    state.insert("linear.bias".to_owned(), bias);
    write_foreign(&state, &path);
    assert!(message(&path).contains("`linear.bias` holds NaN"));
    let summary = describe_weights(&path, &Device::flex()).expect("readable");
    assert_eq!(summary.non_finite.as_deref(), Some("linear.bias"));

    let mut foreign = StateDict::default();
    foreign.insert("head.weight".to_owned(), tensor(&[1]));
    write_foreign(&foreign, &path);
    assert!(message(&path).contains("could not be recognised from 1 tensors (head.weight"));
}

#[test]
fn everything_that_does_not_fit_is_in_one_message() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let state = StateDict::of(model().net());
    let mut altered = StateDict::default();
    for (name, tensor) in state.iter().filter(|(name, _)| *name != "bn1.bias") {
        altered.insert(name.to_owned(), tensor.clone());
    }
    altered.insert("bn1.weight".to_owned(), tensor(&[5]));
    altered.insert("stranger".to_owned(), tensor(&[1]));
    write_foreign(&altered, &path);
    let text = message(&path);
    for part in [
        "do not fit ResNet-10",
        "1 missing (bn1.bias)",
        "1 unexpected (stranger)",
        "bn1.weight is [5], expected [4]",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let summary = describe_weights(&path, &Device::flex()).expect("readable");
    let misfit = summary.misfit.expect("looks like ResNet-10");
    assert_eq!(misfit.missing, ["bn1.bias"]);
    assert!(summary.model.is_none());
}

#[test]
fn a_stated_architecture_helps_where_the_weights_do_not() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let mut headless = StateDict::default();
    for (name, tensor) in StateDict::of(model().net()).iter() {
        if !name.starts_with("linear") {
            headless.insert(name.to_owned(), tensor.clone());
        }
    }
    write_foreign(&headless, &path);
    let load = |classes| {
        let config = ModelConfig::from_name("resnet10").expect("registered");
        let loaded = load_weights_as(&path, &config, classes, &Device::flex());
        loaded.expect_err("no head").to_string()
    };
    assert!(load(None).contains("lack the head of ResNet-10"));
    let with_width = load_weights_as(&path, &config(), Some(3), &Device::flex());
    let text = with_width.expect_err("no head").to_string();
    assert!(
        text.contains("2 missing (linear.weight, linear.bias)"),
        "{text}"
    );

    save_weights(&model(), &path).expect("written");
    let wrong = ModelConfig::from_name("resnet18").expect("registered");
    let error = load_weights_as(&path, &wrong, None, &Device::flex());
    let text = error.expect_err("another architecture").to_string();
    assert!(text.contains("do not fit ResNet-18"), "{text}");
    let right = ModelConfig::from_name("resnet10").expect("registered");
    let model = load_weights_as(&path, &right, None, &Device::flex()).expect("fits");
    assert_eq!((model.config().width, model.classes()), (Some(4), 3));
}

#[test]
fn torchvision_names_and_nests_are_understood() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let loaded = load_weights(&fixture("nested_module.pt"), &Device::flex()).expect("loads");
    let expected = ModelConfig::from_name("resnet10").expect("registered");
    assert_eq!(*loaded.config(), expected.with_width(1));
    assert_eq!(loaded.classes(), 2);
    let state = StateDict::of(loaded.net());
    let stem = state.get("conv1.weight").expect("named so");
    assert_eq!(stem.values[..3], [0.5, 0.515_625, 0.531_25]);
    assert_eq!(stem.shape, [1, 3, 3, 3]);

    // Export, rename as torchvision would, import, export: the same bytes.
    let path = folder.path().join("model.safetensors");
    save_weights(&loaded, &path).expect("written");
    let first = fs::read(&path).expect("written");
    let renamed = read_weights(&path).expect("read back").renamed(|name| {
        let name = name.replace("linear.", "fc.");
        format!("module.{}", name.replace("shortcut", "downsample"))
    });
    assert!(renamed.get("module.layer2.0.downsample.0.weight").is_some());
    write_foreign(&renamed, &path);
    let back = load_weights(&path, &Device::flex()).expect("torchvision's names");
    save_weights(&back, &path).expect("written");
    assert!(fs::read(&path).expect("written") == first);
}

#[test]
fn older_names_of_a_vision_transformer_are_understood() {
    let config = ModelConfig::from_name("vit_tiny_32").expect("registered");
    let config = config.with_width(8);
    let model = config.init(2, 1, &Device::flex()).expect("registered");
    let state = StateDict::of(model.net());
    let older = state.clone().renamed(|name| {
        let name = name.replace("mlp.0.", "mlp.linear_1.");
        name.replace("mlp.3.", "mlp.linear_2.")
    });
    assert_ne!(older, state);
    let loaded = config
        .with_weights(2, older, &Device::flex())
        .expect("fits");
    assert!(StateDict::of(loaded.net()) == state);
}
