//! One suite over the registry: every architecture, small.

use cd_models::burn::module::{Module, ModuleVisitor, Param};
use cd_models::burn::optim::{GradientsParams, SgdConfig};
use cd_models::burn::tensor::activation::log_softmax;
use cd_models::burn::tensor::{Device, Gradients, Tensor, TensorData};
use cd_models::{
    ARCHITECTURES, Architecture, Classifier, ImageSet, InputSize, Model, ModelConfig, Net,
    NoProgress, StateDict, Tap, TapError, TrainConfig, TrainError, describe_weights, device,
    load_weights, models_markdown, save_weights, to_host, train,
};

const CLASSES: usize = 3;

fn cpu() -> Device {
    device::parse("cpu").expect("compiled in")
}

fn small(entry: &Architecture) -> ModelConfig {
    let config = ModelConfig::from_name(entry.name).expect("registered");
    config.with_width(entry.family.small_width)
}

/// The smallest images on which every stage still has several pixels where the form allows.
fn side(entry: &Architecture) -> usize {
    match entry.family.input {
        InputSize::Exactly(side) => side,
        InputSize::From { published: 224, .. } => 64,
        InputSize::From { smallest, .. } => smallest.max(16),
    }
}

/// Values in `[0, 1)` that differ with `seed`.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    (0..count).map(|_| next()).collect()
}

fn images(entry: &Architecture, count: usize) -> Tensor<4> {
    let side = side(entry);
    let values = noise(count * 3 * side * side, 7);
    Tensor::from_data(TensorData::new(values, [count, 3, side, side]), &cpu())
}

/// A model whose BatchNorm statistics are not those of a fresh one.
fn model(entry: &Architecture) -> Model {
    let config = small(entry);
    let fresh = config.init(CLASSES, 1, &cpu()).expect("registered");
    let mut state = StateDict::default();
    for (index, (name, tensor)) in StateDict::of(fresh.net()).iter().enumerate() {
        let mut tensor = tensor.clone();
        let drawn = noise(tensor.values.len(), index as u32);
        let scaled = drawn.into_iter();
        if name.ends_with("running_mean") {
            tensor.values = scaled.map(|value| 0.2 * value - 0.1).collect();
        } else if name.ends_with("running_var") {
            tensor.values = scaled.map(|value| 0.5 + value).collect();
        }
        state.insert(name.to_owned(), tensor);
    }
    let model = config.with_weights(CLASSES, state, &cpu());
    model.expect("names and shapes of its own")
}

fn relative_error(ours: &[f32], expected: &[f32]) -> f64 {
    let pairs = ours.iter().zip(expected);
    let difference: f64 = pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum();
    let norm: f64 = expected.iter().map(|b| f64::from(*b).powi(2)).sum();
    (difference / norm).sqrt()
}

#[test]
fn logits_and_input_gradients_at_several_batch_sizes() {
    for entry in ARCHITECTURES {
        let model = model(entry);
        let mut alone = Vec::new();
        for batch in [1, 2, 7] {
            let images = images(entry, batch).autodiff().require_grad();
            let logits = model.logits(images.clone());
            assert_eq!(logits.dims(), [batch, CLASSES], "{}", entry.name);
            let gradients = logits.clone().powi_scalar(2).sum().backward();
            let gradient = images.grad(&gradients).expect("images are differentiated");
            let gradient = to_host(gradient);
            assert!(
                gradient.iter().all(|value| value.is_finite()),
                "{}",
                entry.name
            );
            let own = gradient.len() / batch;
            for image in gradient.chunks(own) {
                assert!(image.iter().any(|value| *value != 0.0), "{}", entry.name);
            }
            // An image's logits do not depend on what else is in the batch.
            let first = to_host(logits)[..CLASSES].to_vec();
            if batch == 1 {
                alone.clone_from(&first);
            }
            let error = relative_error(&first, &alone);
            assert!(error < 1e-5, "{}: {error:e}", entry.name);
        }
    }
}

#[test]
fn taps_have_the_documented_shapes() {
    for entry in ARCHITECTURES {
        let model = model(entry);
        let images = images(entry, 2);
        let width = entry.family.small_width;
        let published = entry.family.default_width;
        let channels = |channels: usize| {
            let scaled = channels as f64 * width as f64 / published as f64;
            (scaled.round() as usize).max(1)
        };
        let shape = |tap| {
            model
                .features(images.clone(), tap)
                .expect("documented")
                .dims()
        };
        let maps = entry.taps.stages.iter().enumerate();
        let maps = maps.map(|(index, map)| (Tap::Stage(index + 1), map));
        for (tap, map) in maps.chain([(Tap::Deep, &entry.taps.deep)]) {
            let [batch, features, height, columns] = shape(tap);
            let side = side(entry).div_ceil(map.stride);
            assert_eq!(
                [batch, height, columns],
                [2, side, side],
                "{} {tap}",
                entry.name
            );
            // Inception modules add up paths that are rounded each on its own.
            let slack = if entry.name == "googlenet" { 3 } else { 0 };
            let expected = channels(map.channels);
            assert!(
                features.abs_diff(expected) <= slack,
                "{} {tap}: {features}",
                entry.name
            );
        }
        let [batch, features, height, columns] = shape(Tap::Penultimate);
        assert_eq!([batch, height, columns], [2, 1, 1]);
        assert!(features.abs_diff(channels(entry.taps.penultimate)) <= 3);

        let beyond = Tap::Stage(entry.taps.stages.len() + 1);
        let error = model.features(images, beyond).expect_err("no such stage");
        let TapError::Missing { available, .. } = error else {
            panic!("{}: {error}", entry.name);
        };
        assert_eq!(available, model.taps());
        assert_eq!(available.len(), entry.taps.stages.len() + 2);
    }
}

/// Squared norm of the gradient over all parameters.
struct SquaredNorm<'a> {
    gradients: &'a Gradients,
    sum: f64,
}

impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            let values = to_host(gradient).into_iter();
            self.sum += values.map(|value| f64::from(value).powi(2)).sum::<f64>();
        }
    }
}

#[test]
fn one_step_lowers_the_loss() {
    for entry in ARCHITECTURES {
        let device = cpu().autodiff();
        let net = small(entry)
            .init_net(CLASSES, 3, &device)
            .expect("registered");
        let images = images(entry, 6).autodiff();
        let labels: Vec<f32> = (0..6 * CLASSES)
            .map(|at| f32::from(u8::from(at / CLASSES % CLASSES == at % CLASSES)))
            .collect();
        let labels = Tensor::<2>::from_data(TensorData::new(labels, [6, CLASSES]), &cpu());
        let loss_of = |net: &Net| {
            let scores = log_softmax(net.forward(images.clone()), 1);
            (scores * labels.clone().autodiff()).sum().neg() / 6.0
        };
        let before = loss_of(&net);
        let gradients = before.clone().backward();
        let mut norm = SquaredNorm {
            gradients: &gradients,
            sum: 0.0,
        };
        net.visit(&mut norm);
        let slope = norm.sum;
        let before: f32 = before.into_scalar();
        // To first order the step takes at most two per cent off the loss, however steep it is.
        let rate = (0.02 * f64::from(before) / slope).min(0.01);
        let gradients = GradientsParams::from_grads(gradients, &net);
        let net = SgdConfig::new().init().step(rate, net, gradients);
        let after: f32 = loss_of(&net).into_scalar();
        assert!(after < before, "{}: {before} to {after}", entry.name);
    }
}

#[test]
fn folding_changes_nothing_but_the_operations() {
    for entry in ARCHITECTURES {
        let model = model(entry);
        let (plain, folded) = (model.net(), model.folded());
        let images = images(entry, 2);
        let expected = to_host(plain.forward(images.clone()));
        let error = relative_error(&to_host(folded.forward(images.clone())), &expected);
        assert!(error < 1e-5, "{}: {error:e}", entry.name);
        for tap in model.taps() {
            let map = |net: &Net| to_host(net.features(images.clone(), tap).expect("a tap"));
            let error = relative_error(&map(folded), &map(plain));
            assert!(error < 1e-5, "{} {tap}: {error:e}", entry.name);
        }
        let norms = |net: &Net| {
            let state = StateDict::of(net);
            let names = state.iter().map(|(name, _)| name);
            names.filter(|name| name.ends_with("running_var")).count()
        };
        // Where a norm stands in front of a block it stays.
        let in_front = ["preact", "wide_resnet", "densenet"];
        if in_front.iter().any(|name| entry.name.starts_with(name)) {
            assert!(norms(folded) < norms(plain), "{}", entry.name);
        } else {
            assert_eq!(norms(folded), 0, "{}", entry.name);
        }
    }
}

#[test]
fn saving_and_loading_is_exact() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for entry in ARCHITECTURES {
        let model = model(entry);
        for ending in ["safetensors", "bpk"] {
            let path = folder.path().join(format!("{}.{ending}", entry.name));
            save_weights(&model, &path).expect("written");
            let loaded = load_weights(&path, &cpu()).expect("read back");
            assert_eq!(loaded.config(), model.config());
            assert_eq!(loaded.classes(), CLASSES);
            let [before, after] = [&model, &loaded].map(|model| StateDict::of(model.net()));
            assert!(before == after, "{} through {ending}", entry.name);
            let bytes = std::fs::read(&path).expect("written");
            save_weights(&loaded, &path).expect("written again");
            assert!(
                std::fs::read(&path).expect("written") == bytes,
                "{}",
                entry.name
            );
        }
        let path = folder.path().join("recorded.bpk");
        let record = model.net().clone().into_record();
        let bytes = record.into_bytes().expect("a record");
        std::fs::write(&path, &bytes[..]).expect("written");
        let summary = describe_weights(&path, &cpu()).expect("a burnpack");
        let (config, classes) = summary.model.expect("recognised");
        assert_eq!(
            (config.width, classes),
            (Some(entry.family.small_width), CLASSES)
        );
        let loaded = load_weights(&path, &cpu()).expect("a network of ours");
        let [before, after] = [&model, &loaded].map(|model| StateDict::of(model.net()));
        assert!(before == after, "{} from a record", entry.name);
    }
}

#[test]
fn parameter_counts_are_as_documented() {
    for entry in ARCHITECTURES {
        let config = ModelConfig::from_name(entry.name).expect("registered");
        let counted = config.parameter_count(10, &cpu()).expect("registered");
        assert_eq!(counted, entry.parameters, "{}", entry.name);
        let model = small(entry).init(CLASSES, 1, &cpu()).expect("registered");
        let counted = small(entry).parameter_count(CLASSES, &cpu());
        assert_eq!(Ok(model.parameter_count()), counted, "{}", entry.name);
    }
}

#[test]
fn wrong_sizes_are_clear_errors() {
    for entry in ARCHITECTURES {
        let published = entry.family.input.published();
        assert_eq!(entry.check_size(published, published), Ok(()));
        let smaller = entry.family.input.smallest() - 1;
        let error = entry.check_size(smaller, smaller).expect_err("too small");
        let text = error.to_string();
        assert!(text.contains(entry.title), "{text}");
        assert!(text.contains(&published.to_string()), "{text}");
        let config = small(entry);
        let model = config.init(CLASSES, 0, &cpu()).expect("registered");
        assert_eq!(model.check_size(smaller, smaller), Err(error));
        if smaller == 0 {
            continue;
        }
        let mut set = ImageSet::new(smaller, smaller, vec!["a".into(), "b".into()]);
        for label in 0..2 {
            let pixels = vec![0; smaller * smaller * 3];
            set.push(label.to_string(), &pixels, label).expect("fits");
        }
        let error = train(
            &config,
            &set,
            &TrainConfig::default(),
            None,
            &cpu(),
            &NoProgress,
        );
        let error = error.expect_err("images of the wrong size");
        assert!(matches!(error, TrainError::InputSize(_)), "{error}");
    }
}

#[test]
fn the_page_on_models_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/models.md");
    let page = models_markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).expect("written");
    }
    let stored = std::fs::read_to_string(path).expect("part of the repository");
    assert!(
        stored == page,
        "docs/models.md is stale; run UPDATE_DOCS=1 cargo test --workspace --test models"
    );
}
