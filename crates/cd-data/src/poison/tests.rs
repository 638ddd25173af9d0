//! The story from a clean split to poisoned data and its truth.

use cd_core::content_key;
use sha2::{Digest, Sha256};

use super::*;
use crate::testing::{on_threads, pixels, striped_set};
use crate::{ATTACKS, AttackConfig};

fn split() -> Split {
    split_of(8)
}

fn split_of(side: usize) -> Split {
    Split {
        name: "stripes".into(),
        train: striped_set(200, side, 4),
        test: Some(striped_set(60, side, 4)),
        not_read: crate::NotRead::default(),
    }
}

fn config(attack: &str) -> PoisonConfig {
    PoisonConfig {
        attack: AttackConfig::from_name(attack).expect("registered"),
        rate: 0.1,
        target: 2,
        labels: LabelMap::default(),
        seed: 11,
        select: Selection::default(),
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
    let split = split();
    let mut many = PoisonConfig {
        rate: 0.5,
        ..config("sig")
    };
    let error = poison(&split, &many).expect_err("half of four classes");
    assert!(error.to_string().contains("only 40"), "{error}");
    many.select.fewer = true;
    let (data, truth) = poison(&split, &many).expect("poisons");
    assert_eq!(data.train().labels(), split.train.labels());
    let entries = truth.train().entries();
    assert_eq!(entries.len(), 40);
    assert!(entries.iter().all(|entry| entry.original_label == 2));
    assert!((truth.train().rate() - 0.2).abs() < 1e-12);
}

#[test]
fn all_to_all_moves_every_class_and_triggers_every_test_image() {
    let split = split();
    let config = PoisonConfig {
        labels: LabelMap::AllToAll { shift: 3 },
        ..config("badnets")
    };
    let (data, truth) = poison(&split, &config).expect("poisons");
    assert_eq!(truth.train().entries().len(), 20);
    for entry in truth.train().entries() {
        assert_eq!(entry.new_label, (entry.original_label + 3) % 4);
        assert_eq!(data.train().labels()[entry.index], entry.new_label);
    }
    let triggered = truth.triggered_test().expect("has tests");
    let original = truth.triggered_original_labels().expect("has tests");
    assert_eq!(triggered.len(), 60);
    for (new, original) in triggered.labels().iter().zip(original) {
        assert_eq!(*new, (original + 3) % 4);
    }
}

#[test]
fn label_maps_that_the_attack_cannot_follow_are_refused() {
    let attempt = |attack, labels| {
        let attack = AttackConfig::example(attack, "unused".as_ref()).expect("registered");
        let config = PoisonConfig {
            attack,
            labels,
            ..config("badnets")
        };
        let error = poison(&split_of(12), &config).expect_err("refused");
        error.to_string()
    };
    let next = LabelMap::AllToAll { shift: 1 };
    assert!(attempt("sig", next).contains("changes no labels"));
    assert!(attempt("tact", next).contains("label map of its own"));
    assert!(attempt("badnets", LabelMap::AllToAll { shift: 4 }).contains("multiple"));
}

/// Keys of training, mixed and triggered images, and of both manifests, from the build before attacks had plans.
const BEFORE: [(&str, [&str; 5]); 3] = [
    (
        "badnets",
        [
            "aec9ad2bd9c12b8ec893b0c085653a2ce98d02fb20b0c49638fc21a6326374c6",
            "6c3c3665cac7abf045e7aeb8a09e3b8120ce4bb6850ce48e2923818f1a17b1a6",
            "9f168bf127e6be41d9bc805ce008c9d61120fed33db05d25b3b9507667019eff",
            "7968c88b7d85991330b0a47fa8e202d5b42a85ebd8909eb4a07b3d36c29d836f",
            "96bd933e9ca9dcebc3b08dd3dae3eeeac5c1877e5f87a808c192c08f2aa14da7",
        ],
    ),
    (
        "blend",
        [
            "fe99da2cd0953c151bb66741ebc32517833368500f2bb1c30478787417f695a4",
            "462a83b171ea501da2fbf80fa62784ce8f5dfe4060777a2b2c7c1aa0f3a41f9e",
            "ea2c96b5c2e9e0c7dfed4b8d4f2da2c1b7de7f5f5e3daa74d82c202a4a567168",
            "7ce6eac14cdf818035a0f82009d63a69f118b0e325c4862f4ca344710586b9cb",
            "d900b3400e659988846de548c1bc0d050466d3c935263dfeb3ff8e18d7c0e391",
        ],
    ),
    (
        "sig",
        [
            "8dec0f78618c6518931aa8abaadc221f7eb6040a9d96fd19b0b5211f16a955d6",
            "80ab07fc97309785088f89a21d938f6db762518d59dc94ac5f8350a5a6a54155",
            "6b379f1139e78d48f9a549fd633dfaa1d5dfd9434c3c097a9a4da7e17fbbf31e",
            "473f085132e04d6014020d9716a5232dca50a30daa739f48d7ee5eb804518d81",
            "9e80744a987dbfcffcbf4e7e9d331df085ca8c3ee1ac2041eaa27bf2b2986b36",
        ],
    ),
];

#[test]
fn images_and_manifests_stay_as_they_were() {
    for (attack, expected) in BEFORE {
        let (data, truth) = poison(&split(), &config(attack)).expect("poisons");
        let set = |set: &ImageSet| content_key(set).expect("in memory");
        let manifest = |manifest: &Manifest| format!("{:x}", Sha256::digest(manifest.to_json()));
        let got = [
            set(data.train()),
            set(data.test().expect("mixed")),
            set(truth.triggered_test().expect("triggered")),
            manifest(truth.train()),
            manifest(truth.test().expect("manifest")),
        ];
        assert_eq!(got, expected, "{attack}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    for attack in ATTACKS {
        let run = |threads, seed| {
            let config = PoisonConfig {
                attack: AttackConfig::example(attack.name, "unused".as_ref()).expect("registered"),
                seed,
                ..config("badnets")
            };
            on_threads(threads, || poison(&split_of(12), &config).expect("poisons"))
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
    let options = "name = \"blend\"\nalpha = 2.0";
    let alpha = attempt(&|config| config.attack = toml::from_str(options).expect("reads"));
    assert!(alpha.contains("`alpha` of attack `blend` is 2"), "{alpha}");
}

#[test]
fn images_too_small_for_the_trigger_are_refused() {
    let tiny = Split {
        name: "tiny".into(),
        train: striped_set(20, 2, 2),
        test: None,
        not_read: crate::NotRead::default(),
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
    let all = "attack = { name = \"badnets\" }\nlabels = \"all-to-all:2\"";
    let all: PoisonConfig = toml::from_str(all).expect("reads");
    assert_eq!(all.labels, LabelMap::AllToAll { shift: 2 });
    assert!(
        toml::to_string(&all)
            .expect("writes")
            .contains("all-to-all:2")
    );
    assert!(!toml::to_string(&config).expect("writes").contains("labels"));
}

#[test]
fn images_without_classes_are_refused() {
    let split = Split {
        test: Some(striped_set(20, 8, 3)),
        ..split()
    };
    let error = poison(&split, &config("badnets")).expect_err("other classes");
    assert!(error.to_string().contains("one class each"), "{error}");
}
