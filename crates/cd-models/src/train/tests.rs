use std::path::Path;

use burn::tensor::Device;
use cd_core::{ImageSet, NoProgress, Progress};

use super::checkpoint::Checkpoints;
use super::config::TrainConfig;
use super::error::TrainError;
use super::optimizer::{Moments, Optimizer};
use super::run::{Trained, train};
use super::schedule::Schedule;
use crate::model::config::ModelConfig;

mod attributes;
mod finetune;
mod identity;
mod progress;
mod resume;

/// Two classes told apart by which half is bright.
fn halves(count: usize) -> ImageSet {
    let mut set = ImageSet::new(8, 8, vec!["left".into(), "right".into()]);
    for number in 0..count {
        let label = (number % 2) as u32;
        let pixels: Vec<u8> = (0..8 * 8 * 3)
            .map(|at| {
                let right = (at / 3) % 8 >= 4;
                let noise = ((at * 31 + number * 17) % 64) as u8;
                if right == (label == 1) {
                    180 + noise
                } else {
                    noise
                }
            })
            .collect();
        set.push(format!("{number}"), &pixels, label).expect("fits");
    }
    set
}

fn config(epochs: usize) -> TrainConfig {
    TrainConfig {
        epochs,
        batch_size: 8,
        learning_rate: 0.05,
        schedule: Schedule::Constant,
        record_losses: 2,
        ..TrainConfig::default()
    }
}

fn train_on_halves(
    config: &TrainConfig,
    folder: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Trained, TrainError> {
    let model = ModelConfig::from_name("resnet10")?.with_width(4);
    let checkpoints = folder.map(Checkpoints::in_folder);
    let device = Device::flex();
    train(&model, &halves(24), config, checkpoints, &device, progress)
}

#[test]
fn a_small_network_learns_and_keeps_its_history() {
    let trained = train_on_halves(&config(4), None, &NoProgress).expect("trains");
    let history = &trained.history;
    let losses: Vec<f64> = history.epochs.iter().map(|e| e.train_loss).collect();
    assert!(losses[3] < 0.5 * losses[0], "{losses:?}");
    assert_eq!(history.losses.len(), 2);
    assert_eq!(history.losses[0].len(), 24);
    let mean = |row: &[f32]| row.iter().sum::<f32>() / row.len() as f32;
    assert!((mean(&history.losses[0]) - 2.0_f32.ln()).abs() < 0.3);
}

#[test]
fn every_optimiser_learns() {
    for (optimizer, learning_rate) in [
        (Optimizer::Adam(Moments::default()), 0.01),
        (Optimizer::AdamW(Moments::default()), 0.01),
    ] {
        let options = TrainConfig {
            optimizer,
            learning_rate,
            clip_norm: Some(5.0),
            ..config(4)
        };
        let trained = train_on_halves(&options, None, &NoProgress).expect("trains");
        let losses: Vec<f64> = trained
            .history
            .epochs
            .iter()
            .map(|e| e.train_loss)
            .collect();
        assert!(losses[3] < 0.5 * losses[0], "{optimizer:?}: {losses:?}");
    }
}

#[test]
fn wrong_settings_and_empty_sets_are_named() {
    let mut wrong = config(1);
    wrong.learning_rate = f64::NAN;
    let model = ModelConfig::from_name("resnet10").expect("registered");
    let set = halves(4);
    let error = train(&model, &set, &wrong, None, &Device::flex(), &NoProgress);
    assert!(
        error
            .expect_err("NaN")
            .to_string()
            .contains("`learning_rate` is NaN")
    );
    let empty = set.subset(&[]);
    let error = train(
        &model,
        &empty,
        &config(1),
        None,
        &Device::flex(),
        &NoProgress,
    );
    assert!(matches!(error, Err(TrainError::TooSmall { images: 0, .. })));
}

#[test]
fn a_share_that_leaves_too_few_images_is_named() {
    let most = TrainConfig {
        validation: 0.95,
        ..config(1)
    };
    let error = train_on_halves(&most, None, &NoProgress).expect_err("one image left");
    assert!(
        error.to_string().contains("leaves at least 2 images"),
        "{error}"
    );
}
