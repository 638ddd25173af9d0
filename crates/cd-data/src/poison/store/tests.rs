//! What is written reads back as what is made in memory, and damage is named.

use std::io::{Seek, SeekFrom, Write};

use cd_core::NoProgress;
use cd_models::Device;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::poison::{CraftTools, LabelMap, Selection, craft_split, poison};
use crate::testing::striped_set;
use crate::{ATTACKS, AttackConfig};

fn split() -> Split {
    Split {
        name: "stripes".into(),
        train: striped_set(120, 12, 4),
        test: Some(striped_set(50, 12, 4)),
        not_read: crate::NotRead::default(),
    }
}

fn config(attack: &str) -> PoisonConfig {
    PoisonConfig {
        attack: AttackConfig::example(attack, "unused".as_ref()).expect("registered"),
        rate: 0.1,
        target: 2,
        labels: LabelMap::default(),
        seed: 5,
        select: Selection::default(),
    }
}

fn written(split: &Split, config: &PoisonConfig) -> TempDir {
    let (scratch, folder) = (tempdir().expect("scratch"), tempdir().expect("scratch"));
    let tools = CraftTools {
        device: &Device::default(),
        batch_size: 4,
        folder: scratch.path(),
        progress: &NoProgress,
    };
    let trigger = craft_split(split, config, &tools).expect("prepares");
    write(split, config, trigger.as_ref(), folder.path(), &NoProgress).expect("writes");
    folder
}

fn expect_equal(split: &Split, config: &PoisonConfig) {
    let folder = written(split, config);
    let stored = read(split, config, folder.path()).expect("reads");
    let direct = poison(split, config).expect("poisons");
    let name = config.attack.name();
    assert!(stored == direct, "{name} with {}", config.labels);
}

#[test]
fn stored_data_equal_those_made_in_memory_for_every_attack() {
    for info in ATTACKS {
        expect_equal(&split(), &config(info.name));
    }
    let all = LabelMap::AllToAll { shift: 1 };
    for attack in ["badnets", "badnets-appended"] {
        let config = PoisonConfig {
            labels: all,
            ..config(attack)
        };
        expect_equal(&split(), &config);
    }
}

#[test]
fn sets_larger_than_a_chunk_and_without_tests_come_back_too() {
    let split = Split {
        test: None,
        train: striped_set(crate::IMAGES_AT_ONCE + 200, 3, 4),
        ..split()
    };
    let whole = PoisonConfig {
        rate: 1.0,
        ..config("badnets")
    };
    expect_equal(&split, &whole);
    let folder = written(&split, &whole);
    assert!(!folder.path().join("test.pixels").exists());
}

#[test]
fn stored_pixels_know_their_digests() {
    let (split, config) = (split(), config("badnets-appended"));
    let folder = written(&split, &config);
    let (stored, _) = read(&split, &config, folder.path()).expect("reads");
    let (direct, _) = poison(&split, &config).expect("poisons");
    for index in 0..stored.train().len() {
        let digest = |set: &cd_core::ImageSet| set.digest(index).expect("readable");
        assert_eq!(digest(stored.train()), digest(direct.train()));
    }
}

#[test]
fn cut_and_missing_files_are_named() {
    let (split, config) = (split(), config("badnets"));
    for name in ["train.json", "train.pixels", "test.json", "test.pixels"] {
        let folder = written(&split, &config);
        let path = folder.path().join(name);
        let error = || {
            let error = read(&split, &config, folder.path()).expect_err("damaged");
            let error = error.to_string();
            assert!(error.contains(name), "{error}");
            error
        };
        let file = fs::OpenOptions::new().write(true).open(&path);
        let len = fs::metadata(&path).expect("written").len();
        file.and_then(|file| file.set_len(len - 5)).expect("cut");
        error();
        fs::remove_file(&path).expect("removes");
        error();
    }
}

#[test]
fn a_changed_byte_is_reported_when_its_image_is_read() {
    let (split, config) = (split(), config("badnets"));
    let folder = written(&split, &config);
    let path = folder.path().join("train.pixels");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("opens");
    let start = split.train.image_len() as u64 + 3;
    file.seek(SeekFrom::Start(start)).expect("seeks");
    file.write_all(&[211]).expect("writes");
    let (data, truth) = read(&split, &config, folder.path()).expect("sizes fit");
    let [first, second, ..] = truth.train().entries() else {
        panic!("there are two");
    };
    data.train().pixels(first.index).expect("unchanged");
    let error = data.train().pixels(second.index).expect_err("changed");
    let error = error.to_string();
    assert!(
        error.contains("train.pixels") && error.contains("damaged"),
        "{error}"
    );
}

#[test]
fn folders_of_other_data_or_settings_are_refused() {
    let (split, config) = (split(), config("badnets"));
    let folder = written(&split, &config);
    let refused = |split: &Split, config: &PoisonConfig| {
        let error = read(split, config, folder.path()).expect_err("other data");
        assert!(
            error.to_string().contains("other images or settings"),
            "{error}"
        );
    };
    let other = PoisonConfig {
        seed: 6,
        ..config.clone()
    };
    refused(&split, &other);
    let other = Split {
        train: striped_set(121, 12, 4),
        ..split
    };
    refused(&other, &config);
}
