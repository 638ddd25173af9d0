//! Features come close, pixels stay close, and what is stored can be damaged.

use cd_core::NoProgress;
use tempfile::tempdir;

use super::*;
use crate::poison::{CraftTools, PoisonConfig, craft_split, poison};
use crate::testing::{pixels, stamped_as, striped_set};
use crate::{AttackConfig, DatasetConfig, DemoConfig, NotRead, Split};

fn options() -> FcConfig {
    let mut options = FcConfig {
        iterations: 30,
        watermark: 0.0,
        // Features of a network this small, hardly trained, lie close together.
        similarity: 0.01,
        ..FcConfig::example("unused".as_ref())
    };
    options.surrogate.model.width = Some(4);
    options.surrogate.epochs = 4;
    options
}

fn config(options: FcConfig) -> PoisonConfig {
    PoisonConfig {
        target: 1,
        rate: 0.05,
        ..PoisonConfig::of(AttackConfig::Fc(options))
    }
}

fn drawn() -> Split {
    let demo = DemoConfig {
        train: 60,
        test: 30,
        seed: 2,
    };
    DatasetConfig::Demo(demo).load(&NoProgress).expect("draws")
}

fn frogs(options: &FcConfig, split: &Split) -> Frogs {
    let (device, folder) = (Device::default(), tempdir().expect("scratch"));
    let context = CraftContext {
        images: &split.train,
        tests: split.test.as_ref(),
        target: 1,
        seed: 0,
        device: &device,
        batch_size: 8,
        folder: folder.path(),
        progress: &NoProgress,
    };
    let pixels = options.drawn(&context).expect("has others");
    Frogs {
        options: options.clone(),
        targets: Targets {
            height: split.train.height(),
            width: split.train.width(),
            pixels,
        },
        model: options
            .surrogate
            .train(INFO.name, &context)
            .expect("trains"),
        device: device.clone(),
    }
}

#[test]
fn features_come_close_while_pixels_stay_close() {
    let split = drawn();
    let frogs = frogs(&options(), &split);
    let side = split.train.height();
    let base: Vec<u8> = [pixels(&split.train, 0), pixels(&split.train, 1)].concat();
    let goals = [frogs.targets.get(0), frogs.targets.get(1)].concat();
    assert_ne!(frogs.targets.get(0), frogs.targets.get(1));
    assert_eq!(frogs.targets.get(0), frogs.targets.get(2));
    let made = stamped_as(&frogs, &base, side, Role::Train);
    let collision = Collision {
        model: &frogs.model,
        device: frogs.device.clone().without_autodiff(),
        options: &frogs.options,
        size: [side, side],
    };
    let (before, after) = (
        collision.apart(&base, &goals),
        collision.apart(&made, &goals),
    );
    for (before, after) in before.iter().zip(&after) {
        assert!(*after < 0.5 * before, "{before} to {after}");
    }
    let distance = |left: &[u8], right: &[u8]| -> f64 {
        let pairs = left.iter().zip(right);
        let sum: f64 = pairs.map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
        sum.sqrt()
    };
    assert!(distance(&made, &base) < 0.5 * distance(&made, &goals));
}

#[test]
fn likeness_keeps_pixels_and_a_watermark_mixes_the_target_in() {
    let split = drawn();
    let side = split.train.height();
    let base = pixels(&split.train, 0);
    let made = |change: &dyn Fn(&mut FcConfig)| {
        let mut options = options();
        options.iterations = 3;
        change(&mut options);
        let frogs = frogs(&options, &split);
        let made = stamped_as(&frogs, &base, side, Role::Train);
        (made, frogs.targets.get(0).to_vec())
    };
    let (kept, _) = made(&|options| options.similarity = 1e9);
    assert_eq!(kept, *base);
    let (mixed, target) = made(&|options| {
        options.similarity = 1e9;
        options.watermark = 0.25;
    });
    for ((mixed, &own), target) in mixed.iter().zip(&*base).zip(target) {
        let expected = 0.75 * f64::from(own) + 0.25 * f64::from(target);
        assert!((f64::from(*mixed) - expected).abs() <= 0.51);
    }
}

#[test]
fn only_the_chosen_test_images_count_and_they_stay_as_they_are() {
    let split = Split {
        name: "stripes".into(),
        train: striped_set(80, 16, 4),
        test: Some(striped_set(40, 16, 4)),
        not_read: NotRead::default(),
    };
    let config = config(FcConfig::example("unused".as_ref()));
    let (data, truth) = poison(&split, &config).expect("poisons");
    assert_eq!(data.train().labels(), split.train.labels());
    let tests = split.test.as_ref().expect("has tests");
    let sources = truth.triggered_sources().expect("has tests");
    assert_eq!(sources.len(), 2);
    let triggered = truth.triggered_test().expect("has tests");
    for (place, &source) in sources.iter().enumerate() {
        assert_eq!(pixels(triggered, place), pixels(tests, source));
        assert_ne!(tests.labels()[source], 1);
        assert_eq!(triggered.labels()[place], 1);
    }
    let folder = tempdir().expect("scratch");
    let tools = CraftTools {
        device: &Device::default(),
        batch_size: 8,
        folder: folder.path(),
        progress: &NoProgress,
    };
    let trigger = craft_split(&split, &config, &tools).expect("prepares");
    trigger.save(folder.path()).expect("saves");
    let stored = Targets::stored(folder.path()).expect("is there");
    for (number, &source) in sources.iter().enumerate() {
        assert_eq!(stored.get(number), &*pixels(tests, source));
    }
}

#[test]
fn targets_that_are_missing_are_asked_for_and_may_come_from_files() {
    let without = Split {
        test: None,
        ..drawn()
    };
    let error = poison(&without, &config(options())).expect_err("no test images");
    assert!(error.to_string().contains("`target_images`"), "{error}");
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("target.png");
    image::RgbImage::from_pixel(9, 9, image::Rgb([200, 30, 40]))
        .save(&path)
        .expect("writes");
    let options = FcConfig {
        target_images: vec![path],
        iterations: 2,
        ..options()
    };
    let (data, truth) = poison(&without, &config(options.clone())).expect("poisons");
    let entry = &truth.train().entries()[0];
    assert_ne!(
        pixels(data.train(), entry.index),
        pixels(&without.train, entry.index)
    );
    assert_eq!(options.read(4, 4).expect("reads").len(), 48);
    let missing = FcConfig {
        target_images: vec!["nowhere.png".into()],
        ..options
    };
    let error = poison(&without, &config(missing)).expect_err("no such file");
    assert!(error.to_string().contains("nowhere.png"), "{error}");
}

#[test]
fn bad_options_and_damaged_files_are_named() {
    let check = |change: &dyn Fn(&mut FcConfig)| {
        let mut options = FcConfig::default();
        change(&mut options);
        options.check().expect_err("out of range").to_string()
    };
    assert!(check(&|options| options.targets = 0).contains("`targets`"));
    assert!(check(&|options| options.watermark = f64::NAN).contains("`watermark`"));
    assert!(check(&|options| options.learning_rate = 0.0).contains("`learning_rate`"));
    assert!(check(&|options| options.similarity = -1.0).contains("`similarity`"));
    let folder = tempdir().expect("scratch");
    let path = folder.path().join(TARGETS);
    npy::save(&path, &[1, 2, 3], &[0_u8; 6]).expect("writes");
    let error = Targets::stored(folder.path())
        .expect_err("no images")
        .to_string();
    assert!(
        error.contains("[1, 2, 3]") && error.contains("remove it"),
        "{error}"
    );
    npy::save(&path, &[1, 1, 1, 3], &[0.0_f64, 300.0, 1.0]).expect("writes");
    assert!(Targets::stored(folder.path()).is_err());
}
