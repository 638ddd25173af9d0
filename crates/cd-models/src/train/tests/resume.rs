//! Runs that are stopped and continued end as runs that are not.

use std::sync::Mutex;

use cd_core::{NoProgress, Progress};

use super::{config, train_on_halves};
use crate::model::Model;
use crate::train::augment::Augmentation;
use crate::train::augment::step::Step;
use crate::train::config::{Keep, TrainConfig};
use crate::train::optimizer::{Moments, Optimizer};
use crate::train::run::Trained;
use crate::train::schedule::Schedule;
use crate::weights::state::StateDict;

/// Trains at one go, and again with a stop once `stop_after` images were seen; demands the same
/// weights, losses and history.
fn resumes_exactly(config: &TrainConfig, stop_after: i64) -> Trained {
    let folder = tempfile::tempdir().expect("temporary folder");
    let folder = Some(folder.path());
    let whole = train_on_halves(config, None, &NoProgress).expect("trains");
    let stopper = Stopper::after(stop_after);
    let interrupted =
        std::panic::catch_unwind(|| train_on_halves(config, folder, &stopper).map(|_| ()));
    assert!(interrupted.is_err(), "the run was stopped: {config:?}");
    let resumed = train_on_halves(config, folder, &NoProgress).expect("resumes");
    assert_eq!(resumed.history.losses, whole.history.losses);
    let untimed = |trained: &Trained| {
        let mut epochs = trained.history.epochs.clone();
        for epoch in &mut epochs {
            epoch.seconds = 0.0;
        }
        epochs
    };
    assert_eq!(untimed(&resumed), untimed(&whole));
    let values = |model: &Model| StateDict::of(model.net());
    assert!(values(&resumed.model) == values(&whole.model), "{config:?}");
    match (&resumed.snapshots, &whole.snapshots) {
        (None, None) => {}
        (Some(resumed), Some(whole)) => {
            assert!(values(&resumed.best) == values(&whole.best), "{config:?}");
            assert!(values(&resumed.last) == values(&whole.last), "{config:?}");
        }
        _ => panic!("snapshots of one run only: {config:?}"),
    }
    whole
}

#[test]
fn resuming_changes_nothing() {
    resumes_exactly(&config(3), 24 * 2);
}

#[test]
fn resuming_changes_nothing_whatever_the_options() {
    let steps = vec![
        Step::RandomResizedCrop {
            smallest: 0.5,
            elongation: 1.2,
        },
        Step::Flip {},
        Step::ColourJitter {
            brightness: 0.1,
            contrast: 0.1,
            saturation: 0.1,
        },
        Step::Cutout { pixels: 2 },
    ];
    let adam = |optimizer| TrainConfig {
        optimizer,
        learning_rate: 0.005,
        ..config(3)
    };
    let plain = StateDict::of(
        train_on_halves(&config(3), None, &NoProgress)
            .expect("trains")
            .model
            .net(),
    );
    for options in [
        adam(Optimizer::Adam(Moments::default())),
        adam(Optimizer::AdamW(Moments::default())),
        TrainConfig {
            clip_norm: Some(0.1),
            nesterov: true,
            ..config(3)
        },
        TrainConfig {
            label_smoothing: 0.2,
            augmentation: Augmentation::Steps(steps),
            ..config(3)
        },
        TrainConfig {
            schedule: Schedule::MultiStep {
                milestones: vec![2],
                gamma: 0.1,
                warmup: 1.5,
            },
            ..config(3)
        },
        TrainConfig {
            schedule: Schedule::Cosine {
                warmup: 0.5,
                floor: 0.1,
            },
            ..config(3)
        },
    ] {
        let trained = resumes_exactly(&options, 24 * 2);
        let changed = StateDict::of(trained.model.net()) != plain;
        assert!(changed, "nothing came of {options:?}");
    }
}

/// Held-out images, with a rate so high that accuracy jumps about.
fn validated(keep: Keep, early_stop: Option<usize>) -> TrainConfig {
    TrainConfig {
        validation: 0.25,
        keep,
        early_stop,
        learning_rate: 0.3,
        ..config(6)
    }
}

#[test]
fn the_best_and_the_last_weights_survive_a_stop() {
    let per_epoch = 24 - 6;
    for keep in [Keep::Last, Keep::Best] {
        for epochs in [1, 4] {
            let trained = resumes_exactly(&validated(keep, None), per_epoch * epochs);
            let history = &trained.history;
            let reports = history.epochs.iter();
            let accuracies: Vec<f64> = reports.filter_map(|e| e.validation_accuracy).collect();
            assert_eq!(accuracies.len(), 6);
            let best = history.best_epoch().expect("validated");
            assert!(best < 5, "the best is not the last: {accuracies:?}");
            let values = |model: &Model| StateDict::of(model.net());
            let both = trained.snapshots.as_ref().expect("validated");
            assert!(values(&both.best) != values(&both.last));
            let kept = match keep {
                Keep::Best => &both.best,
                Keep::Last => &both.last,
            };
            assert!(values(&trained.model) == values(kept));
            let all = TrainConfig {
                epochs: best + 1,
                ..validated(Keep::Last, None)
            };
            let until = train_on_halves(&all, None, &NoProgress).expect("trains");
            assert!(values(&until.model) == values(&both.best), "{accuracies:?}");
        }
    }
}

#[test]
fn a_run_without_progress_ends_early() {
    let endless = TrainConfig {
        epochs: 60,
        ..validated(Keep::Best, Some(2))
    };
    let trained = resumes_exactly(&endless, 18 * 2);
    let history = &trained.history;
    let best = history.best_epoch().expect("validated");
    assert_eq!(history.epochs.len(), best + 3);
}

/// Panics once so many images have been seen, like a process that is killed.
pub(super) struct Stopper {
    left: Mutex<i64>,
}

impl Stopper {
    pub(super) fn after(images: i64) -> Self {
        let left = Mutex::new(images);
        Self { left }
    }
}

impl Progress for Stopper {
    fn start(&self, _what: &str, _total: Option<u64>) {}
    fn finish(&self) {}
    fn advance(&self, by: u64) {
        let mut left = self.left.lock().expect("one thread");
        *left -= by as i64;
        assert!(*left >= 0, "stopped");
    }
}
