use super::*;
use crate::augment::{Augmentation, Step};
use crate::schedule::Schedule;
use crate::state::StateDict;

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

fn run(epochs: usize, folder: Option<&Path>) -> Result<Trained, TrainError> {
    let model = ModelConfig::from_name("resnet10")?.with_width(4);
    let device = Device::flex();
    train(
        &model,
        &halves(24),
        &config(epochs),
        folder,
        &device,
        &NoProgress,
    )
}

#[test]
fn a_small_network_learns_and_keeps_its_history() {
    let trained = run(4, None).expect("trains");
    let history = &trained.history;
    let losses: Vec<f64> = history.epochs.iter().map(|e| e.train_loss).collect();
    assert!(losses[3] < 0.5 * losses[0], "{losses:?}");
    assert_eq!(history.losses.len(), 2);
    assert_eq!(history.losses[0].len(), 24);
    let mean = |row: &[f32]| row.iter().sum::<f32>() / row.len() as f32;
    assert!((mean(&history.losses[0]) - 2.0_f32.ln()).abs() < 0.3);
}

fn train_on_halves(
    config: &TrainConfig,
    folder: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Trained, TrainError> {
    let model = ModelConfig::from_name("resnet10")?.with_width(4);
    train(
        &model,
        &halves(24),
        config,
        folder,
        &Device::flex(),
        progress,
    )
}

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

#[test]
fn smoothed_targets_cost_what_the_formula_says() {
    let device = Device::flex();
    let logits = Tensor::<2>::from_floats([[2.0, 0.0, -1.0]], &device);
    let targets = Tensor::<1, Int>::from_ints([0], &device);
    let loss = |smoothing| {
        let loss = cross_entropy(logits.clone(), targets.clone(), smoothing);
        f64::from(loss.into_scalar::<f32>())
    };
    let sum = (2.0_f64.exp() + 1.0 + (-1.0_f64).exp()).ln();
    assert!((loss(0.0) - (sum - 2.0)).abs() < 1e-6);
    let even = sum - (2.0 - 1.0) / 3.0;
    assert!((loss(0.3) - (0.7 * (sum - 2.0) + 0.3 * even)).abs() < 1e-6);
}

#[test]
fn what_is_off_is_not_written_down() {
    // The text that fingerprints of experiments are made of.
    let expected = "{\"epochs\":60,\"batch_size\":100,\"learning_rate\":0.1,\"momentum\":0.9,\
        \"nesterov\":false,\"weight_decay\":0.0005,\
        \"schedule\":{\"name\":\"multi-step\",\"milestones\":[45,60],\"gamma\":0.1},\
        \"augmentation\":\"none\",\"seed\":0,\"record_losses\":20}";
    let written = serde_json::to_string(&TrainConfig::default()).expect("plain");
    assert_eq!(written, expected);
    let parsed: TrainConfig = serde_json::from_str("{}").expect("all defaults");
    assert_eq!(parsed, TrainConfig::default());
}

#[test]
fn options_come_back_as_they_were_written() {
    let text = r#"{"optimizer":{"name":"adamw","beta_1":0.8},"clip_norm":1.0,"label_smoothing":0.1,
        "schedule":{"name":"multi-step","milestones":[1],"gamma":0.5,"warmup":2.0},
        "augmentation":[{"name":"flip"}],"validation":0.1,"keep":"best","early_stop":3}"#;
    let config: TrainConfig = serde_json::from_str(text).expect("valid");
    config.check().expect("no contradiction");
    let Optimizer::AdamW(moments) = config.optimizer else {
        panic!("another optimiser");
    };
    assert_eq!((moments.beta_1, moments.beta_2), (0.8, 0.999));
    let written = serde_json::to_string(&config).expect("plain");
    assert_eq!(
        serde_json::from_str::<TrainConfig>(&written).expect("valid"),
        config
    );
    let message = |text: &str| {
        let error = serde_json::from_str::<TrainConfig>(text).expect_err("a slip");
        error.to_string()
    };
    assert!(message(r#"{"optimizer":{"name":"adm"}}"#).contains("unknown variant `adm`"));
    let key = r#"{"optimizer":{"name":"adam","beta":0.9}}"#;
    assert!(message(key).contains("unknown field `beta`"));
    let sgd = r#"{"optimizer":{"name":"sgd","beta_1":0.9}}"#;
    assert!(message(sgd).contains("unknown field `beta_1`"));
}

#[test]
fn contradictions_are_named() {
    let adam = Optimizer::Adam(Moments::default());
    let base = TrainConfig::default;
    let steps = Augmentation::Steps(vec![Step::Cutout { pixels: 0 }]);
    let cosine = |warmup, floor| Schedule::Cosine { warmup, floor };
    let cases = [
        (
            TrainConfig {
                early_stop: Some(3),
                ..base()
            },
            "`early_stop` is 3, expected a `validation`",
        ),
        (
            TrainConfig {
                early_stop: Some(0),
                validation: 0.1,
                ..base()
            },
            "`early_stop` is 0",
        ),
        (
            TrainConfig {
                keep: Keep::Best,
                ..base()
            },
            "`keep` is best, expected `last`, or",
        ),
        (
            TrainConfig {
                validation: 1.0,
                ..base()
            },
            "`validation` is 1",
        ),
        (
            TrainConfig {
                clip_norm: Some(0.0),
                ..base()
            },
            "`clip_norm` is 0",
        ),
        (
            TrainConfig {
                label_smoothing: -0.1,
                ..base()
            },
            "`label_smoothing` is -0.1",
        ),
        (
            TrainConfig {
                optimizer: adam,
                nesterov: true,
                ..base()
            },
            "`nesterov` is true",
        ),
        (
            TrainConfig {
                optimizer: adam,
                momentum: 0.5,
                ..base()
            },
            "`momentum` is 0.5",
        ),
        (
            TrainConfig {
                schedule: cosine(f64::NAN, 0.0),
                ..base()
            },
            "`schedule.warmup` is NaN",
        ),
        (
            TrainConfig {
                schedule: cosine(0.0, 2.0),
                ..base()
            },
            "`schedule.floor` is 2",
        ),
        (
            TrainConfig {
                augmentation: steps,
                ..base()
            },
            "`augmentation.pixels` is 0",
        ),
    ];
    for (config, part) in cases {
        let text = config.check().expect_err(part).to_string();
        assert!(text.contains(part), "{text}");
    }
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

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    run(1, Some(folder.path())).expect("trains");
    let error = run(2, Some(folder.path())).expect_err("other settings");
    assert!(error.to_string().contains("training settings"), "{error}");
    let wider = ModelConfig::from_name("resnet10")
        .expect("registered")
        .with_width(8);
    let set = halves(24);
    let folder = Some(folder.path());
    let error = train(
        &wider,
        &set,
        &config(1),
        folder,
        &Device::flex(),
        &NoProgress,
    );
    let error = error.expect_err("other architecture").to_string();
    assert!(error.contains("architecture was"), "{error}");
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

/// Panics once so many images have been seen, like a process that is killed.
struct Stopper {
    left: std::sync::Mutex<i64>,
}

impl Stopper {
    fn after(images: i64) -> Self {
        let left = std::sync::Mutex::new(images);
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
