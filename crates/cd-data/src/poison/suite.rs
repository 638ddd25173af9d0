//! What holds for every registered attack, from the plan to the manifest.

use std::collections::BTreeMap;

use super::*;
use crate::attack::{AttackConfig, LabelMode, Role};
use crate::testing::{pixels, stamped_as, striped_set};
use crate::{ATTACKS, NotRead};

const CLASSES: u32 = 4;
const SIDE: usize = 28;

fn split(side: usize) -> Split {
    Split {
        name: "stripes".into(),
        train: striped_set(80, side, CLASSES),
        test: Some(striped_set(40, side, CLASSES)),
        not_read: NotRead::default(),
    }
}

fn config(name: &str, seed: u64) -> PoisonConfig {
    let folder = tempfile::tempdir().expect("scratch");
    let attack = AttackConfig::example(name, folder.path()).expect("registered");
    PoisonConfig {
        target: 2,
        seed,
        ..PoisonConfig::of(attack)
    }
}

/// Every attack with its poisoned data; those that train are small.
fn poisoned(seed: u64) -> impl Iterator<Item = (PoisonConfig, Poisoned, Truth)> {
    ATTACKS.iter().map(move |info| {
        let config = config(info.name, seed);
        let (data, truth) = poison(&split(SIDE), &config).expect(info.name);
        (config, data, truth)
    })
}

#[test]
fn counts_are_exact_and_labels_keep_their_contract() {
    for (config, data, truth) in poisoned(5) {
        let name = config.attack.name();
        let entries = truth.train().entries();
        let teaching = entries.iter().filter(|entry| !entry.cover);
        assert_eq!(teaching.clone().count(), 8, "{name}: floor(0.1 x 80)");
        let counts = counts(&split(SIDE), &config).expect(name);
        assert_eq!((counts.poisoned, counts.covers), (8, entries.len() - 8));
        let clean = config.attack.info().label_mode == LabelMode::Clean;
        for entry in entries {
            assert_eq!(
                data.train().labels()[entry.index],
                entry.new_label,
                "{name}"
            );
            if clean || entry.cover {
                assert_eq!(entry.new_label, entry.original_label, "{name}");
            }
        }
        if clean {
            assert!(teaching.clone().all(|entry| entry.original_label == 2));
        }
        let (triggered, originals) = (
            truth.triggered_test().expect("has tests").labels(),
            truth.triggered_original_labels().expect("has tests"),
        );
        assert!(!triggered.is_empty(), "{name}");
        assert!(
            triggered.iter().zip(originals).all(|(new, own)| new != own),
            "{name}"
        );
    }
}

#[test]
fn images_that_the_manifest_does_not_list_stay_bit_equal() {
    let clean = split(SIDE);
    for (config, data, truth) in poisoned(6) {
        let name = config.attack.name();
        let manifest = truth.train();
        assert_eq!(manifest.image_count(), data.train().len(), "{name}");
        let listed: BTreeMap<usize, _> = manifest.entries().iter().map(|e| (e.index, e)).collect();
        for index in 0..data.train().len() {
            let source = listed
                .get(&index)
                .and_then(|entry| entry.source)
                .unwrap_or(index);
            if !listed.contains_key(&index) {
                assert_eq!(
                    pixels(data.train(), index),
                    pixels(&clean.train, source),
                    "{name}"
                );
                assert_eq!(
                    data.train().labels()[index],
                    clean.train.labels()[source],
                    "{name}"
                );
            }
        }
        let changed = manifest
            .entries()
            .iter()
            .filter(|entry| {
                let source = entry.source.unwrap_or(entry.index);
                pixels(data.train(), entry.index) != pixels(&clean.train, source)
            })
            .count();
        assert!(
            changed * 10 >= manifest.entries().len() * 9,
            "{name}: {changed} changed"
        );
        let written = manifest.to_json();
        assert_eq!(
            Manifest::from_json(&written).as_ref(),
            Ok(manifest),
            "{name}"
        );
    }
}

#[test]
fn the_seed_gives_the_same_bytes_again_and_another_one_others() {
    let same = poisoned(7).zip(poisoned(7));
    for ((config, data, truth), (_, again, true_again)) in same {
        assert!(
            data == again && truth == true_again,
            "{}",
            config.attack.name()
        );
    }
    for ((config, data, _), (_, other, _)) in poisoned(7).zip(poisoned(8)) {
        assert!(data != other, "{}", config.attack.name());
    }
}

#[test]
fn configurations_survive_being_written() {
    for info in ATTACKS {
        let mut config = config(info.name, 3);
        config.select.indices = Some(vec![3, 1]);
        let text = toml::to_string(&config).expect("writes");
        let read: PoisonConfig = toml::from_str(&text).expect("reads");
        assert_eq!(read, config, "{}", info.name);
    }
}

#[test]
fn stamps_fit_images_of_every_size_and_batches_do_not_matter() {
    for info in ATTACKS {
        let attack = config(info.name, 1).attack;
        let stored = attack.attack().needs().stored;
        for side in [28, 32, 64, 224] {
            if stored && side > 28 {
                continue;
            }
            let config = PoisonConfig {
                target: 2,
                ..PoisonConfig::of(attack.clone())
            };
            let split = Split {
                train: striped_set(20, side, CLASSES),
                ..split(side)
            };
            let set = &split.train;
            let device = Device::default();
            let trigger = craft::in_memory(&split, &config, &device, &NoProgress).expect(info.name);
            let images: Vec<u8> = (0..2)
                .flat_map(|index| pixels(set, index).to_vec())
                .collect();
            for role in [Role::Train, Role::Test] {
                let both = stamped_as(trigger.as_ref(), &images, side, role);
                let marked = role == Role::Train || attack.attack().marks_tests();
                assert_eq!(both != images, marked, "{} at {side}", info.name);
                let one = stamped_as(trigger.as_ref(), &images[..images.len() / 2], side, role);
                assert_eq!(both[..both.len() / 2], one, "{} at {side}", info.name);
            }
        }
    }
}

#[test]
fn what_cannot_be_applied_is_refused_with_its_name() {
    let tiny = Split {
        name: "tiny".into(),
        train: striped_set(80, 1, CLASSES),
        test: None,
        not_read: NotRead::default(),
    };
    let mut refused = 0;
    for info in ATTACKS {
        match poison(&tiny, &config(info.name, 1)) {
            Ok(_) => {}
            Err(error) => {
                let error = error.to_string();
                assert!(
                    error.contains(info.name) || error.contains("at least"),
                    "{error}"
                );
                refused += 1;
            }
        }
        let nothing = PoisonConfig {
            rate: 0.001,
            ..config(info.name, 1)
        };
        let error = poison(&split(SIDE), &nothing).expect_err("less than one image");
        assert!(
            error.to_string().contains("raise `rate`"),
            "{}: {error}",
            info.name
        );
    }
    assert!(refused >= 4, "patches and warps do not fit into one pixel");
}

#[test]
fn every_attack_can_add_its_images_or_be_given_a_list() {
    for info in ATTACKS {
        let mut config = config(info.name, 4);
        config.select.append = true;
        let (data, truth) = poison(&split(SIDE), &config).expect(info.name);
        let clean = split(SIDE).train;
        let kept = data.train().subset(&(0..80).collect::<Vec<_>>());
        assert!(kept == clean, "{}: the clean images stay", info.name);
        assert_eq!(data.train().len(), 80 + truth.train().entries().len());
        let own: Vec<usize> = truth
            .train()
            .entries()
            .iter()
            .filter_map(|e| e.source)
            .collect();
        let listed = own
            .iter()
            .copied()
            .zip(truth.train().is_cover().split_off(80));
        let (covers, poisoned): (Vec<_>, Vec<_>) = listed.partition(|(_, cover)| *cover);
        config.select.append = false;
        config.select.indices = Some(poisoned.iter().map(|(source, _)| *source).collect());
        config.select.cover_indices = Some(covers.iter().map(|(source, _)| *source).collect());
        let (_, truth) = poison(&split(SIDE), &config).expect(info.name);
        let mut indices: Vec<usize> = truth
            .train()
            .entries()
            .iter()
            .map(|e| e.source.unwrap_or(e.index))
            .collect();
        let mut own = own;
        own.sort_unstable();
        indices.sort_unstable();
        assert_eq!(indices, own, "{}", info.name);
    }
}
