//! Networks of torchvision, timm and Hugging Face against ours: logits and input gradients of one picture.
//!
//! `tests/golden/models/make_architectures.py` wrote the numbers; the weights are not stored, both sides fill them by a formula.
#![expect(
    clippy::print_stdout,
    reason = "figures for people who run with --nocapture"
)]

mod recipe;

use std::collections::BTreeMap;

use cd_models::burn::tensor::{Device, Tensor};
use cd_models::{
    Architecture, Classifier, Model, ModelConfig, NamedTensor, StateDict, WeightsRequest, device,
    load_weights, to_host,
};
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;
use serde_json::Value;

use recipe::{golden, images, recipe, relative_error};

/// Relative error that logits may have.
const TOLERANCE: f64 = 1e-4;

/// Relative error that input gradients may have. At the kinks of activations rounding decides: PyTorch's own gradients in f32 are
/// up to 0.009 off, and mostly 1e-6.
const GRADIENT_TOLERANCE: f64 = 0.05;

/// Places between the gradients that are stored.
const STEP: usize = 4703;

#[derive(Deserialize)]
struct Numbers {
    ours: Vec<Entry>,
    others: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    /// Whose names the parameters have, if not ours.
    #[serde(default)]
    of: String,
    model: String,
    width: Option<usize>,
    side: usize,
    gain: f64,
    tensors: usize,
    logits: Vec<f64>,
    gradient: Vec<f64>,
    /// Names as a tree with shapes as its leaves.
    #[serde(default)]
    names: Value,
}

fn numbers() -> Numbers {
    serde_json::from_slice(&golden("architectures.json")).expect("as the script writes it")
}

fn cpu() -> Device {
    device::parse("cpu").expect("compiled in")
}

impl Entry {
    fn config(&self) -> ModelConfig {
        let config = ModelConfig::from_name(&self.model).expect("registered");
        let width = self
            .width
            .unwrap_or_else(|| config.resolved_width().expect("registered"));
        config.with_width(width)
    }

    /// Relative errors of logits and of the gradients that are stored.
    fn errors(&self, model: &Model) -> [f64; 2] {
        let picture = images([1, 3, self.side, self.side], &cpu());
        let picture = picture.autodiff().require_grad();
        let logits: Tensor<2> = model.logits(picture.clone());
        let gradients = logits.clone().sum().backward();
        let gradient = to_host(picture.grad(&gradients).expect("differentiated"));
        let places = (0..self.gradient.len()).map(|place| place * STEP % gradient.len());
        let gradient: Vec<f32> = places.map(|place| gradient[place]).collect();
        let logits = relative_error(&to_host(logits), &self.logits);
        [logits, relative_error(&gradient, &self.gradient)]
    }

    fn check(&self, model: &Model) -> f64 {
        let [logits, gradient] = self.errors(model);
        let (of, name) = (&self.of, &self.model);
        println!("{of} {name}: logits {logits:.1e}, input gradient {gradient:.1e}");
        assert!(logits <= TOLERANCE, "{of} {name}: {logits:e}");
        assert!(
            gradient <= GRADIENT_TOLERANCE,
            "{of} {name}: gradient {gradient:e}"
        );
        logits
    }
}

#[test]
fn our_networks_compute_what_theirs_do() {
    for entry in numbers().ours {
        let config = entry.config();
        let fresh = config.init_net(10, 0, &cpu()).expect("registered");
        let mut state = StateDict::default();
        for (name, tensor) in StateDict::of(&fresh).iter() {
            let shape = tensor.shape.clone();
            let values = recipe(name, &shape, entry.gain);
            state.insert(name.to_owned(), NamedTensor { shape, values });
        }
        assert_eq!(state.iter().count(), entry.tensors, "{}", entry.model);
        let recognised = ModelConfig::recognise(&state, &cpu());
        assert_eq!(recognised, Some((config.clone(), 10)));
        let model = config.with_weights(10, state, &cpu()).expect("its own");
        let error = entry.check(&model);
        let stated = Architecture::find(&entry.model).expect("registered");
        let stated = stated.golden.expect("a measured figure").logits;
        // Another machine may add in another order, but not be another order of magnitude off.
        assert!(error <= 10.0 * stated, "{}: {error:e}", entry.model);
    }
}

/// Names and shapes below `node`.
fn leaves(node: &Value, name: &str, found: &mut BTreeMap<String, Vec<usize>>) {
    match node {
        Value::Object(inner) => {
            for (part, node) in inner {
                let dot = if name.is_empty() { "" } else { "." };
                leaves(node, &format!("{name}{dot}{part}"), found);
            }
        }
        shape => {
            let shape = serde_json::from_value(shape.clone()).expect("extents");
            found.insert(name.to_owned(), shape);
        }
    }
}

#[test]
fn names_of_other_libraries_load() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    for entry in numbers().others {
        let mut names = BTreeMap::new();
        leaves(&entry.names, "", &mut names);
        assert_eq!(names.len(), entry.tensors, "{}", entry.model);
        let tensors = names.iter().map(|(name, shape)| {
            let values = recipe(name, shape, entry.gain).into_iter();
            let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
            (format!("model.{name}"), shape.clone(), bytes)
        });
        let tensors: Vec<_> = tensors.collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("fits");
            (name, view)
        });
        safetensors::serialize_to_file(views, None, &path).expect("written");
        let model = load_weights(&path, &cpu()).expect("names of another library");
        // Vision transformers of one width differ in nothing else.
        if !entry.model.starts_with("vit") {
            assert_eq!(*model.config(), entry.config(), "{}", entry.of);
        }
        entry.check(&model);
        let summary = WeightsRequest::default().describe(&path, &cpu());
        let notes = summary.expect("readable").notes.join("; ");
        assert!(notes.contains(&entry.of), "{notes}");
        assert!(notes.contains("begin with `model.`"), "{notes}");
    }
}
