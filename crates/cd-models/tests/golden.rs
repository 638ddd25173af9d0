//! Agreement of every architecture with the PyTorch reference: names, shapes, counts, logits and
//! penultimate features on two images.
//!
//! The weights are not stored: `models.json` holds the formula that both sides fill them with.
#![expect(
    clippy::print_stdout,
    reason = "figures for people who run with --nocapture"
)]

mod recipe;

use cd_models::burn::tensor::{Device, Tensor};
use cd_models::{
    Classifier, Model, ModelConfig, NamedTensor, Net, StateDict, Tap, device, to_host,
};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde_json::Value;

use recipe::{golden, images, recipe, relative_error, uniform};

/// Relative error that an architecture may have.
const TOLERANCE: f64 = 1e-4;

fn reference(name: &str) -> Option<Vec<f64>> {
    let bytes = golden("models.safetensors");
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let view = file.tensor(name).ok()?;
    let data = view.data();
    let values = match view.dtype() {
        Dtype::F64 => {
            let (chunks, _) = data.as_chunks();
            chunks.iter().map(|b| f64::from_le_bytes(*b)).collect()
        }
        Dtype::F32 => {
            let (chunks, _) = data.as_chunks();
            let values = chunks.iter().map(|b| f32::from_le_bytes(*b));
            values.map(f64::from).collect()
        }
        other => panic!("unexpected type {other:?}"),
    };
    Some(values)
}

struct Case {
    /// Its name among the reference's numbers.
    key: &'static str,
    /// Its name in the registry.
    name: &'static str,
    width: Option<usize>,
    classes: usize,
}

fn entry(key: &str) -> Value {
    let json: Value = serde_json::from_slice(&golden("models.json")).expect("JSON");
    json[key].clone()
}

/// Names and shapes of the reference's floating-point parameters.
fn keys(entry: &Value) -> Vec<(String, Vec<usize>)> {
    let keys = entry["keys"].as_array().expect("a list");
    keys.iter()
        .filter(|key| key[2] == "float32")
        .map(|key| {
            let shape = key[1].as_array().expect("a shape");
            let shape = shape
                .iter()
                .map(|n| n.as_u64().expect("an extent") as usize);
            let name = key[0].as_str().expect("a name");
            (name.to_owned(), shape.collect())
        })
        .collect()
}

/// The model with the weights of the recipe.
fn model(case: &Case, entry: &Value, device: &Device) -> Model {
    let gain = entry["gain"].as_f64().expect("a number");
    let mut state = StateDict::default();
    for (name, shape) in keys(entry) {
        let values = recipe(&name, &shape, gain);
        let plain = name.strip_prefix("model.").unwrap_or(&name);
        state.insert(plain.to_owned(), NamedTensor { shape, values });
    }
    let recognised = ModelConfig::recognise(&state, device).expect("a registered architecture");
    let mut config = ModelConfig::from_name(case.name).expect("registered");
    config.width = Some(config.resolved_width().expect("registered"));
    config.width = case.width.or(config.width);
    assert_eq!(recognised, (config.clone(), case.classes));
    let model = config.with_weights(case.classes, state, device);
    let model = model.expect("every name and shape fits");
    let parameters = entry["params"].as_u64().expect("a number") as usize;
    assert_eq!(model.parameter_count(), parameters);
    model
}

fn check(case: &Case) {
    let device = device::parse("cpu").expect("compiled in");
    let entry = entry(case.key);
    let model = model(case, &entry, &device);
    let shape: Vec<u64> = serde_json::from_value(entry["input"].clone()).expect("four numbers");
    let shape = [0, 1, 2, 3].map(|axis| shape[axis] as usize);
    let images = images(shape, &device);

    let logits = match model.folded() {
        Net::AttributeResNet(net) => to_host(net.scores(images.clone())),
        _ => to_host(model.logits(images.clone())),
    };
    let expected = reference(&format!("{}.logits_f64", case.key)).expect("measured");
    let logits_error = relative_error(&logits, &expected);

    let features = |tap| {
        to_host(
            model
                .features(images.clone(), tap)
                .expect("every model has it"),
        )
    };
    let penultimate = reference(&format!("{}.penultimate", case.key));
    let penultimate_error =
        penultimate.map(|expected| relative_error(&features(Tap::Penultimate), &expected));
    if let Some(expected) = reference(&format!("{}.cdf_feature_first64", case.key)) {
        let deep = features(Tap::Deep);
        let image = deep.len() / 2;
        let first = [&deep[..64], &deep[image..image + 64]].concat();
        let error = relative_error(&first, &expected);
        assert!(error <= TOLERANCE, "{}: deep {error:e}", case.key);
    }
    if let Some(shapes) = entry["feature_shapes"].as_array().filter(|s| s.len() == 5) {
        for (stage, expected) in shapes[..4].iter().enumerate() {
            let map = model.features(images.clone(), Tap::Stage(stage + 1));
            let shape = map.expect("four stages").dims().to_vec();
            assert_eq!(serde_json::json!(shape), *expected);
        }
    }

    println!(
        "{}: logits {logits_error:.1e}, penultimate {penultimate_error:?}",
        case.name
    );
    assert!(logits_error <= TOLERANCE, "{}: {logits_error:e}", case.key);
    let penultimate_error = penultimate_error.unwrap_or(0.0);
    assert!(penultimate_error <= TOLERANCE, "{}", case.key);
    if case.width.is_none() {
        let stated = cd_models::Architecture::find(case.name).expect("registered");
        let stated = stated.golden.expect("a measured figure");
        // Another machine may add in another order, but not be another order of magnitude off.
        assert!(logits_error <= 10.0 * stated.logits, "{}", case.key);
        let stated = stated.penultimate.unwrap_or(0.0);
        assert!(penultimate_error <= 10.0 * stated, "{}", case.key);
    }
}

macro_rules! cases {
    ($($test:ident: $key:literal is $name:literal $(at $width:literal)?, $classes:literal classes;)*) => {$(
        #[test]
        fn $test() {
            check(&Case {
                key: $key,
                name: $name,
                width: [$($width)?].first().copied(),
                classes: $classes,
            });
        }
    )*};
}

cases! {
    resnet18: "ResNet18" is "resnet18", 10 classes;
    resnet18_of_width_16: "ResNet18_w16" is "resnet18" at 16, 10 classes;
    preact_resnet18: "PreActResNet18" is "preact_resnet18", 10 classes;
    preact_resnet50: "PreActResNet50" is "preact_resnet50", 10 classes;
    preact_resnet101: "PreActResNet101" is "preact_resnet101", 10 classes;
    vgg16: "VGG16" is "vgg16", 10 classes;
    mobilenet_v2: "MobileNetV2" is "mobilenet_v2", 10 classes;
    googlenet: "GoogLeNet" is "googlenet", 10 classes;
    toy: "ToyModel" is "toy", 10 classes;
    imagenet_resnet18: "ISSBA_ResNet18_200" is "imagenet_resnet18", 200 classes;
    efficientnet_b0: "EfficientNetB0" is "efficientnet_b0", 200 classes;
    attribute_resnet18: "AttributesResNet18" is "attribute_resnet18", 40 classes;
}

#[test]
fn the_formula_is_the_documented_one() {
    let checks = entry("_recipe_check");
    for (text, name) in [
        (r#"u("conv1.weight",0..3)"#, "conv1.weight"),
        (r#"u("input",0..3)"#, "input"),
    ] {
        for index in 0..4 {
            assert_eq!(
                f64::from(uniform(name, index)),
                checks[text][index].as_f64().expect("a number")
            );
        }
    }
}

/// The reference has no vision transformer; `make_vision_transformer.py` is a second implementation.
#[test]
fn vision_transformer() {
    let device = device::parse("cpu").expect("compiled in");
    let config = ModelConfig::from_name("vit_tiny_32").expect("registered");
    let config = config.with_width(128);
    let fresh = config.init(10, 0, &device).expect("registered");
    let mut state = StateDict::default();
    for (name, tensor) in StateDict::of(fresh.net()).iter() {
        let shape = tensor.shape.clone();
        let values = recipe(name, &shape, 1.0);
        state.insert(name.to_owned(), NamedTensor { shape, values });
    }
    let model = config.with_weights(10, state, &device).expect("its own");
    let images = images([2, 3, 32, 32], &device);
    let expected: Value = serde_json::from_slice(&golden("vision_transformer.json")).expect("JSON");
    let check = |ours: Tensor<4>, key: &str| {
        let expected: Vec<f64> = serde_json::from_value(expected[key].clone()).expect("numbers");
        let error = relative_error(&to_host(ours), &expected);
        println!("vision transformer: {key} {error:.1e}");
        assert!(error <= TOLERANCE, "{key}: {error:e}");
    };
    let logits = model.logits(images.clone());
    check(logits.reshape([2, 10, 1, 1]), "logits");
    let penultimate = model.features(images, Tap::Penultimate);
    check(penultimate.expect("every model has it"), "penultimate");
}
