//! Training that continues from given weights.

use std::path::Path;

use burn::tensor::Device;
use cd_core::{NoProgress, Progress};

use super::resume::Stopper;
use super::{config, halves};
use crate::model::Model;
use crate::model::config::ModelConfig;
use crate::model::normalization::Normalization;
use crate::train::checkpoint::Checkpoints;
use crate::train::config::TrainConfig;
use crate::train::error::TrainError;
use crate::train::finetune::Finetune;
use crate::train::run::{Trained, fine_tune, train};
use crate::weights::state::StateDict;

const NORMALIZATION: Normalization = Normalization {
    mean: [0.5; 3],
    std: [0.25; 3],
};

/// Weights of another task, of five classes.
fn start(seed: u64) -> Model {
    let config = ModelConfig::from_name("resnet10").expect("registered");
    let model = config.with_width(4).init(5, seed, &Device::flex());
    let model = model.expect("small");
    model.with_normalization(Some(NORMALIZATION))
}

fn tuned(start: &Model, config: &TrainConfig) -> Result<Trained, TrainError> {
    fine_tune(
        start,
        &halves(24),
        config,
        None,
        &Device::flex(),
        &NoProgress,
    )
}

/// How far the parameter `name` moved at most.
fn move_of(name: &str, before: &Model, after: &Model) -> f32 {
    let [before, after] = [before, after].map(|model| {
        let state = StateDict::of(model.net());
        state
            .get(name)
            .expect("of this architecture")
            .values
            .clone()
    });
    let pairs = before.iter().zip(&after);
    pairs
        .map(|(old, new)| (old - new).abs())
        .fold(0.0, f32::max)
}

#[test]
fn a_new_head_is_learned_and_the_trunk_moves_little() {
    let start = start(3);
    let rate = |trunk_rate| {
        let config = TrainConfig {
            finetune: Some(Finetune { trunk_rate }),
            ..config(1)
        };
        tuned(&start, &config).expect("trains").model
    };
    let (slow, fast) = (rate(1e-4), rate(1.0));
    assert_eq!(
        (slow.classes(), slow.normalization()),
        (2, Some(NORMALIZATION))
    );
    let fresh = start.config().init(2, config(1).seed, &Device::flex());
    let head = move_of("linear.weight", &fresh.expect("small"), &slow);
    assert!(head > 1e-3, "the head moved by {head}");
    let [little, much] = [&slow, &fast].map(|model| move_of("conv1.weight", &start, model));
    assert!(little > 0.0 && little < 1e-4, "{little}");
    assert!(much > 100.0 * little, "{much}");
}

#[test]
fn it_learns_and_the_same_rate_for_all_is_ordinary_training() {
    let tuned = tuned(&start(3), &config(4)).expect("trains");
    let losses: Vec<f64> = tuned.history.epochs.iter().map(|e| e.train_loss).collect();
    assert!(losses[3] < 0.5 * losses[0], "{losses:?}");
    // Fresh weights of the seed, continued at one rate, are what training from scratch comes to.
    let config = TrainConfig {
        finetune: Some(Finetune { trunk_rate: 1.0 }),
        ..config(2)
    };
    let model = ModelConfig::from_name("resnet10").expect("registered");
    let model = model.with_width(4);
    let device = Device::flex();
    let fresh = model.init(2, config.seed, &device).expect("small");
    let continued = fine_tune(&fresh, &halves(24), &config, None, &device, &NoProgress);
    let plain = TrainConfig {
        finetune: None,
        ..config
    };
    let trained = train(&model, &halves(24), &plain, None, &device, &NoProgress);
    let [continued, trained] = [continued, trained].map(|one| one.expect("trains").model);
    // Loaded weights lie otherwise in memory, so sums are rounded otherwise.
    for name in [
        "conv1.weight",
        "layer4.0.bn2.weight",
        "linear.weight",
        "linear.bias",
    ] {
        let apart = move_of(name, &continued, &trained);
        assert!(apart < 1e-4, "{name}: {apart}");
        assert!(move_of(name, &fresh, &trained) > 20.0 * apart, "{name}");
    }
}

#[test]
fn an_interrupted_one_ends_the_same_and_other_weights_are_refused() {
    let run = |folder: Option<&Path>, seed, progress: &dyn Progress| {
        let checkpoints = folder.map(Checkpoints::in_folder);
        let device = Device::flex();
        fine_tune(
            &start(seed),
            &halves(24),
            &config(3),
            checkpoints,
            &device,
            progress,
        )
    };
    let whole = run(None, 3, &NoProgress).expect("trains");
    let folder = tempfile::tempdir().expect("temporary folder");
    let folder = Some(folder.path());
    let stopper = Stopper::after(24 * 2);
    let interrupted = std::panic::catch_unwind(|| run(folder, 3, &stopper).map(drop));
    assert!(interrupted.is_err(), "the run was stopped");
    let error = run(folder, 4, &NoProgress).expect_err("other weights");
    assert!(
        error.to_string().contains("weights to continue from"),
        "{error}"
    );
    let resumed = run(folder, 3, &NoProgress).expect("resumes");
    assert!(StateDict::of(resumed.model.net()) == StateDict::of(whole.model.net()));
}

#[test]
fn without_weights_there_is_nothing_to_continue() {
    let config = TrainConfig {
        finetune: Some(Finetune::default()),
        ..config(1)
    };
    let error = super::train_on_halves(&config, None, &NoProgress).expect_err("no weights");
    assert!(error.to_string().contains("`finetune`"), "{error}");
}
