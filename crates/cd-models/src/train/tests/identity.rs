//! Which run a checkpoint belongs to.

use burn::tensor::Device;
use cd_core::{ImageSet, NoProgress, content_key};

use super::{config, halves, train_on_halves};
use crate::model::config::ModelConfig;
use crate::train::checkpoint::Checkpoints;
use crate::train::error::TrainError;
use crate::train::run::train;

fn small(width: usize) -> ModelConfig {
    let config = ModelConfig::from_name("resnet10").expect("registered");
    config.with_width(width)
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let run = |epochs| train_on_halves(&config(epochs), Some(folder.path()), &NoProgress);
    run(1).expect("trains");
    let error = run(2).expect_err("other settings").to_string();
    assert!(error.contains("training settings"), "{error}");
    let checkpoints = Checkpoints::in_folder(folder.path());
    let continued = |model: &ModelConfig, set: &ImageSet| {
        let device = Device::flex();
        train(
            model,
            set,
            &config(1),
            Some(checkpoints),
            &device,
            &NoProgress,
        )
        .map(drop)
    };
    let refused = |model: &ModelConfig, set: &ImageSet| {
        let error = continued(model, set).expect_err("another run");
        assert!(matches!(error, TrainError::Checkpoint(_)), "{error}");
        error.to_string()
    };
    let set = halves(24);
    assert!(refused(&small(8), &set).contains("architecture was"));
    assert!(refused(&small(4), &halves(22)).contains("number of training images was 24, now 22"));
    continued(&small(4), &set).expect("the same run");
}

#[test]
fn other_images_of_the_same_number_are_another_run() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let set = halves(24);
    let checkpoints = Checkpoints::in_folder(folder.path());
    let run = |set: &ImageSet, checkpoints| {
        let device = Device::flex();
        train(
            &small(4),
            set,
            &config(1),
            Some(checkpoints),
            &device,
            &NoProgress,
        )
        .map(drop)
    };
    run(&set, checkpoints).expect("trains");
    let mut pixels = set.clone();
    let mut changed = set.pixels(7).expect("in memory").to_vec();
    changed[5] ^= 1;
    pixels.set_pixels(7, &changed).expect("fits");
    let mut label = set.clone();
    label.set_label(0, 1).expect("fits");
    for other in [&pixels, &label] {
        let error = run(other, checkpoints)
            .expect_err("other content")
            .to_string();
        assert!(error.contains("checkpoint of another run"), "{error}");
        assert!(error.contains("content"), "{error}");
        let key = content_key(other).expect("in memory");
        assert!(error.contains(&key), "{error}");
    }
    let key = content_key(&set).expect("in memory");
    run(&set, checkpoints.of_images(&key)).expect("a known key is the computed one");
}

#[test]
fn a_damaged_or_former_checkpoint_is_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let run = || train_on_halves(&config(1), Some(folder.path()), &NoProgress);
    run().expect("trains");
    let at = |file: &str| folder.path().join("epoch-0001").join(file);
    let losses = std::fs::read(at("losses.f32")).expect("written");
    std::fs::write(at("losses.f32"), &losses[1..]).expect("damaged");
    let error = run().expect_err("damaged").to_string();
    assert!(error.contains("losses.f32: 95 bytes"), "{error}");
    std::fs::write(at("state.json"), r#"{"version":1,"identity":{}}"#).expect("former");
    let error = run().expect_err("former").to_string();
    assert!(
        error.contains("format version 1; delete the folder"),
        "{error}"
    );
}
