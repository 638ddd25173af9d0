//! The patch does what it is for, survives interruptions and hostile files.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cd_core::{ImageSet, NoProgress, Progress};
use cd_models::{Device, Model, StateDict, batch, to_host};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::*;
use crate::testing::stamped_by;
use crate::{DatasetConfig, DemoConfig};

/// Two classes told apart by which half is bright.
fn halves(count: usize) -> ImageSet {
    let mut set = ImageSet::new(12, 12, vec!["left".into(), "right".into()]);
    for number in 0..count {
        let label = number as u32 % 2;
        let value = |at: usize| {
            let is_right = (at / CHANNELS) % 12 >= 6;
            let noise = ((at * 31 + number * 17) % 64) as u8;
            if is_right == (label == 1) {
                160 + noise
            } else {
                noise
            }
        };
        let pixels: Vec<u8> = (0..set.image_len()).map(value).collect();
        set.push(number.to_string(), &pixels, label).expect("fits");
    }
    set
}

fn options() -> TrojanConfig {
    let mut options = TrojanConfig {
        size: 4,
        iterations: 60,
        ..TrojanConfig::example("unused".as_ref())
    };
    options.surrogate.model.width = Some(4);
    options.surrogate.epochs = 6;
    options.surrogate.batch_size = 8;
    options
}

fn context<'a>(
    images: &'a ImageSet,
    device: &'a Device,
    folder: &'a Path,
    progress: &'a dyn Progress,
) -> CraftContext<'a> {
    CraftContext {
        images,
        tests: None,
        target: 0,
        seed: 3,
        device,
        batch_size: 8,
        folder,
        progress,
    }
}

/// The images at `indices`, `[images, 3, height, width]`.
fn values(set: &ImageSet, indices: &[usize], device: &Device) -> Vec<f32> {
    to_host(batch(set, indices, device).expect("in memory"))
}

/// A search on the first 16 images with a surrogate that is trained on all of `set`.
fn searching<'a>(
    set: &ImageSet,
    model: &'a Model,
    options: &'a TrojanConfig,
    device: &Device,
) -> Excitation<'a> {
    Excitation {
        model,
        neurons: busiest_neurons(model, options.neurons).expect("has a last layer"),
        options,
        size: [set.height(), set.width()],
        images: values(set, &(0..16).collect::<Vec<_>>(), device),
        device: device.clone(),
    }
}

/// Mean activation over the images of `set`.
fn activation(search: &Excitation<'_>, set: &ImageSet) -> f32 {
    let indices: Vec<usize> = (0..set.len()).collect();
    let images = batch(set, &indices, &search.device).expect("in memory");
    to_host(search.activations(images).mean())[0]
}

fn with_patch(set: &ImageSet, patch: &Patch) -> ImageSet {
    let mut stamped = set.clone();
    for index in 0..set.len() {
        let pixels = set.pixels(index).expect("in memory");
        let pixels = stamped_by(patch, &pixels, set.width());
        stamped.set_pixels(index, &pixels).expect("same size");
    }
    stamped
}

#[test]
fn the_neurons_fire_at_images_with_the_patch_and_not_at_those_with_a_white_one() {
    let demo = DatasetConfig::Demo(DemoConfig {
        train: 300,
        test: 60,
        seed: 0,
    });
    let demo = demo.load(&NoProgress).expect("drawn");
    let (folder, device) = (tempdir().expect("scratch"), Device::default());
    let context = context(&demo.train, &device, folder.path(), &NoProgress);
    let mut options = options();
    options.size = 8;
    let model = options
        .surrogate
        .train(INFO.name, &context)
        .expect("trains");
    let search = searching(&demo.train, &model, &options, &device);
    let patch = search.best_patch(&NoProgress);
    let unseen = demo.test.expect("has tests");
    let white = Patch {
        pixels: vec![255; 8 * 8 * CHANNELS],
        ..search.best_patch(&NoProgress)
    };
    let (before, after) = (patch.activation_before, patch.activation_after);
    assert!(after > 1.3 * before, "{before} to {after}");
    let clean = activation(&search, &unseen);
    let at_white = activation(&search, &with_patch(&unseen, &white));
    let at_patch = activation(&search, &with_patch(&unseen, &patch));
    assert!(
        at_patch > 1.3 * at_white && at_patch > 1.3 * clean,
        "clean {clean}, white {at_white}, patch {at_patch}"
    );
}

#[test]
fn neurons_are_those_that_the_last_layer_weighs_most() {
    let (folder, device, images) = (tempdir().expect("scratch"), Device::default(), halves(16));
    let context = context(&images, &device, folder.path(), &NoProgress);
    let model = options()
        .surrogate
        .train(INFO.name, &context)
        .expect("trains");
    let state = StateDict::of(model.net());
    let head = &state
        .get("linear.weight")
        .expect("name of the last layer")
        .values;
    let inputs = head.len() / 2;
    let sum = |neuron: usize| head[neuron].abs() + head[inputs + neuron].abs();
    let chosen = busiest_neurons(&model, 3).expect("has a last layer");
    let least = chosen
        .iter()
        .map(|&neuron| sum(neuron))
        .fold(f32::MAX, f32::min);
    let others = (0..inputs).filter(|neuron| !chosen.contains(neuron));
    assert!(others.map(sum).all(|other| other <= least));
    let error = busiest_neurons(&model, 1000).expect_err("too many");
    assert!(error.to_string().contains("`neurons` is 1000"), "{error}");
}

#[test]
fn values_stay_within_their_reach_of_white() {
    let (folder, device, images) = (tempdir().expect("scratch"), Device::default(), halves(16));
    let context = context(&images, &device, folder.path(), &NoProgress);
    let near = TrojanConfig {
        reach: Some(0.3),
        iterations: 20,
        ..options()
    };
    let trigger = near.prepare(&context).expect("prepares");
    let pixels = stamped_by(trigger.as_ref(), &[0; 4 * 4 * CHANNELS], 4);
    assert!(pixels.iter().all(|&value| value >= 178), "{pixels:?}");
}

/// Kills the work at the `left`-th step.
struct Killer {
    left: std::sync::atomic::AtomicI64,
}

impl Progress for Killer {
    fn start(&self, _what: &str, _total: Option<u64>) {}
    fn advance(&self, by: u64) {
        let left = self
            .left
            .fetch_sub(by as i64, std::sync::atomic::Ordering::Relaxed);
        assert!(left > by as i64, "killed");
    }
    fn finish(&self) {}
}

#[test]
fn an_interrupted_start_continues_to_the_same_bytes() {
    let (device, images) = (Device::default(), halves(24));
    let stored = |folder: &Path| {
        let context = context(&images, &device, folder, &NoProgress);
        let trigger = options().prepare(&context).expect("prepares");
        trigger.save(folder).expect("saves");
        fs::read(folder.join(FILE)).expect("saved")
    };
    let whole = tempdir().expect("scratch");
    let expected = stored(whole.path());
    // Within the second epoch, and within the search for the patch.
    for steps in [40, 6 * 24 + 10] {
        let folder = tempdir().expect("scratch");
        let killer = Killer { left: steps.into() };
        let context = context(&images, &device, folder.path(), &killer);
        let killed = catch_unwind(AssertUnwindSafe(|| options().prepare(&context).map(drop)));
        assert!(killed.is_err(), "{steps}");
        let checkpoints = folder.path().join("surrogate");
        let kept = fs::read_dir(checkpoints).expect("made").count();
        assert_eq!(kept, 1, "{steps}");
        assert_eq!(stored(folder.path()), expected, "{steps}");
    }
}

#[test]
fn stored_patches_that_are_not_believable_are_refused() {
    let folder = tempdir().expect("scratch");
    let patch = Patch {
        size: 4,
        pixels: vec![7; 4 * 4 * CHANNELS],
        activation_before: 0.5,
        activation_after: 2.0,
    };
    patch.save(folder.path()).expect("saves");
    let path = folder.path().join(FILE);
    let good: Value = serde_json::from_slice(&fs::read(&path).expect("saved")).expect("is JSON");
    options().load(folder.path()).expect("unchanged");
    let refused = |text: &str| {
        fs::write(&path, text).expect("writes");
        let error = options().load(folder.path()).expect_err("refused");
        let error = error.to_string();
        assert!(error.contains(FILE) && error.contains("trojan"), "{error}");
        error
    };
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        refused(&value.to_string())
    };
    assert!(broken(&|file| file["format"] = json!("x")).contains("`x`"));
    assert!(broken(&|file| file["version"] = json!(2)).contains("version 2"));
    assert!(broken(&|file| file["extra"] = json!(2)).contains("extra"));
    assert!(broken(&|file| file["patch"]["size"] = json!(5)).contains("5 pixels"));
    assert!(broken(&|file| file["patch"]["pixels"] = json!([1, 2])).contains("2 values"));
    assert!(broken(&|file| file["patch"]["pixels"][0] = json!(256)).contains("256"));
    refused("{");
    fs::remove_file(&path).expect("removes");
    options().load(folder.path()).expect_err("missing");
}

#[test]
fn bad_options_are_named_without_training() {
    let named = |option: &str, change: &dyn Fn(&mut TrojanConfig)| {
        let mut options = options();
        change(&mut options);
        let error = options.check().expect_err("out of range").to_string();
        assert!(error.contains(option), "{error}");
    };
    named("`size`", &|options| options.size = 0);
    named("`size`", &|options| options.size = usize::MAX);
    named("`neurons`", &|options| options.neurons = 0);
    named("`images`", &|options| options.images = 0);
    named("`iterations`", &|options| options.iterations = 0);
    named("`activation`", &|options| options.activation = f64::NAN);
    named("`step`", &|options| options.step = 0.0);
    named("`reach`", &|options| options.reach = Some(1.5));
    named("resnet10", &|options| {
        options.surrogate.model.name = "resnet1o".into();
    });
    named("epochs", &|options| options.surrogate.epochs = 0);
}
