//! The story from a clean split to poisoned data and its truth.

use super::*;
use crate::testing::{on_threads, pixels, striped_set};

fn split() -> Split {
    Split {
        name: "stripes".into(),
        train: striped_set(200, 8, 4),
        test: Some(striped_set(60, 8, 4)),
    }
}

fn config(attack: &str) -> PoisonConfig {
    PoisonConfig {
        attack: AttackConfig::from_name(attack).expect("registered"),
        rate: 0.1,
        target: 2,
        seed: 11,
    }
}

#[test]
fn exactly_the_listed_training_images_change() {
    let split = split();
    let (data, truth) = poison(&split, &config("badnets")).expect("poisons");
    let poisoned = truth.train().is_poisoned();
    assert_eq!(poisoned.iter().filter(|&&poisoned| poisoned).count(), 20);
    for (index, &poisoned) in poisoned.iter().enumerate() {
        assert_eq!(
            pixels(data.train(), index) != pixels(&split.train, index),
            poisoned,
            "{index}"
        );
        if poisoned {
            assert_eq!(data.train().labels()[index], 2);
        } else {
            assert_eq!(data.train().labels()[index], split.train.labels()[index]);
        }
    }
    for entry in truth.train().entries() {
        assert_eq!(entry.original_label, split.train.labels()[entry.index]);
        assert_eq!(entry.name, split.train.name(entry.index));
    }
}

#[test]
fn the_mixed_test_set_agrees_with_its_manifest_and_the_triggered_set() {
    let split = split();
    let clean = split.test.as_ref().expect("has a test set");
    let (data, truth) = poison(&split, &config("blend")).expect("poisons");
    let mixed = data.test().expect("mixed");
    let manifest = truth.test().expect("manifest");
    assert_eq!((manifest.entries().len(), manifest.image_count()), (6, 60));
    let triggered = truth.triggered_test().expect("triggered");
    for entry in manifest.entries() {
        assert_ne!(entry.original_label, 2);
        let place = triggered
            .names()
            .iter()
            .position(|name| *name == entry.name);
        assert_eq!(
            pixels(mixed, entry.index),
            pixels(triggered, place.expect("is in both"))
        );
    }
    for (index, poisoned) in manifest.is_poisoned().into_iter().enumerate() {
        assert_eq!(pixels(mixed, index) != pixels(clean, index), poisoned);
        assert_eq!(mixed.labels()[index] != clean.labels()[index], poisoned);
    }
}

#[test]
fn evaluation_sets_are_all_clean_or_all_triggered() {
    let split = split();
    let (_, truth) = poison(&split, &config("badnets")).expect("poisons");
    assert_eq!(truth.clean_test(), split.test.as_ref());
    let triggered = truth.triggered_test().expect("triggered");
    assert_eq!(triggered.class_counts(), [0, 0, 45, 0]);
    let originals = truth.triggered_original_labels().expect("labels");
    assert_eq!(originals.len(), 45);
    assert!(!originals.contains(&2));
}

#[test]
fn without_test_images_there_is_only_the_training_truth() {
    let split = Split {
        test: None,
        ..split()
    };
    let (data, truth) = poison(&split, &config("badnets")).expect("poisons");
    assert_eq!(data.test(), None);
    assert!(truth.test().is_none() && truth.clean_test().is_none());
    assert!(truth.triggered_test().is_none() && truth.triggered_original_labels().is_none());
}

#[test]
fn a_test_set_too_small_for_the_rate_stays_clean() {
    let small = Split {
        test: Some(striped_set(5, 8, 4)),
        ..split()
    };
    let (data, truth) = poison(&small, &config("badnets")).expect("poisons");
    assert_eq!(data.test(), small.test.as_ref());
    assert!(truth.test().expect("manifest").entries().is_empty());
}

#[test]
fn clean_label_keeps_labels_and_stays_within_the_target_class() {
    #[derive(Debug)]
    struct Darken;
    impl Attack for Darken {
        fn info(&self) -> &'static crate::AttackInfo {
            const INFO: crate::AttackInfo = crate::AttackInfo {
                name: "badnets",
                title: "",
                summary: "",
                threat_model: "",
                paper: "",
                label_mode: LabelMode::Clean,
            };
            &INFO
        }
        fn stamp(
            &self,
            pixels: &mut [u8],
            _height: usize,
            _width: usize,
            _rng: &mut ChaCha8Rng,
        ) -> Result<(), AttackError> {
            pixels.fill(0);
            Ok(())
        }
    }
    let split = split();
    let many = PoisonConfig {
        rate: 0.5,
        ..config("badnets")
    };
    let (train, manifest) = poison_train(&split.train, &many, &Darken).expect("poisons");
    assert_eq!(train.labels(), split.train.labels());
    assert_eq!(manifest.entries().len(), 40);
    assert!(
        manifest
            .entries()
            .iter()
            .all(|entry| entry.original_label == 2)
    );
    assert!((manifest.rate() - 0.2).abs() < 1e-12);
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    for attack in crate::ATTACKS {
        let run = |threads, seed| {
            let config = PoisonConfig {
                seed,
                ..config(attack.name)
            };
            on_threads(threads, || poison(&split(), &config).expect("poisons"))
        };
        let one = run(1, 5);
        assert!(one == run(4, 5), "{}", attack.name);
        assert!(one.0 != run(1, 6).0, "{}", attack.name);
    }
}

#[test]
fn options_out_of_range_are_named() {
    let attempt = |change: &dyn Fn(&mut PoisonConfig)| {
        let mut config = config("badnets");
        change(&mut config);
        poison(&split(), &config)
            .expect_err("out of range")
            .to_string()
    };
    for rate in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert!(attempt(&|config| config.rate = rate).contains("`rate`"));
    }
    let target = attempt(&|config| config.target = 4);
    assert!(
        target.contains("`target` is 4") && target.contains("0 to 3"),
        "{target}"
    );
    assert!(attempt(&|config| config.rate = 0.004).contains("raise `rate`"));
}

#[test]
fn images_too_small_for_the_trigger_are_refused() {
    let tiny = Split {
        name: "tiny".into(),
        train: striped_set(20, 2, 2),
        test: None,
    };
    let config = PoisonConfig {
        target: 0,
        ..config("badnets")
    };
    let error = poison(&tiny, &config).expect_err("too small");
    assert!(error.to_string().contains("at least 3 x 3"), "{error}");
}

#[test]
fn a_configuration_has_defaults_and_no_unknown_keys() {
    let config: PoisonConfig = toml::from_str("attack = { name = \"badnets\" }").expect("reads");
    assert_eq!(config.rate.to_bits(), 0.1f64.to_bits());
    assert_eq!((config.target, config.seed), (0, 0));
    let error = toml::from_str::<PoisonConfig>("attack = { name = \"badnets\" }\nrates = 0.1")
        .expect_err("unknown key");
    assert!(error.to_string().contains("rates"), "{error}");
}
