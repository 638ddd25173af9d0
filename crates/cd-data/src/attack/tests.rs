//! What holds for every registered attack.

use std::path::Path;

use cd_core::{CHANNELS, NoProgress};
use cd_models::Device;
use tempfile::tempdir;

use super::*;
use crate::poison::{CraftTools, PoisonConfig, craft, craft_split};
use crate::testing::{stamped_by, striped_set};
use crate::{LabelMap, NotRead, Selection, Split};

const SIDE: usize = 16;

/// The trigger of the example options of attack `name`.
fn crafted(name: &str, folder: &Path) -> Box<dyn Trigger> {
    let config = PoisonConfig {
        attack: AttackConfig::example(name, folder).expect("registered"),
        rate: 0.1,
        target: 2,
        labels: LabelMap::default(),
        seed: 1,
        select: Selection::default(),
    };
    let tools = CraftTools {
        device: &Device::default(),
        batch_size: 8,
        folder,
        progress: &NoProgress,
    };
    let split = Split {
        name: "stripes".into(),
        train: striped_set(40, SIDE, 4),
        test: Some(striped_set(20, SIDE, 4)),
        not_read: NotRead::default(),
    };
    craft_split(&split, &config, &tools).expect("examples work")
}

#[test]
fn the_registry_agrees_with_itself() {
    let folder = tempdir().expect("scratch");
    for info in ATTACKS {
        let config = AttackConfig::from_name(info.name).expect("registered");
        assert_eq!(config.name(), info.name);
        assert_eq!(config.info(), *info);
        let from_text: AttackConfig =
            toml::from_str(&format!("name = \"{}\"", info.name)).expect("reads");
        assert_eq!(from_text, config);
        let example = AttackConfig::example(info.name, folder.path()).expect("registered");
        example.attack().check().expect("examples are valid");
        for config in [config, example] {
            let written = toml::to_string(&config).expect("writes");
            assert_eq!(
                toml::from_str::<AttackConfig>(&written).expect("reads"),
                config
            );
        }
    }
}

#[test]
fn every_attack_changes_pixels_the_same_way_each_time_and_after_it_was_stored() {
    let image: Vec<u8> = (0..3 * SIDE * SIDE * CHANNELS)
        .map(|byte| (byte % 251) as u8)
        .collect();
    for info in ATTACKS {
        let (folder, stored) = (tempdir().expect("scratch"), tempdir().expect("scratch"));
        let trigger = crafted(info.name, folder.path());
        let once = stamped_by(trigger.as_ref(), &image, SIDE);
        assert_ne!(once, image, "{}", info.name);
        let again = crafted(info.name, tempdir().expect("scratch").path());
        assert_eq!(once, stamped_by(again.as_ref(), &image, SIDE));
        trigger.save(stored.path()).expect("saves");
        let config = AttackConfig::example(info.name, folder.path()).expect("registered");
        let loaded = config.attack().load(stored.path()).expect("loads");
        assert_eq!(once, stamped_by(loaded.as_ref(), &image, SIDE));
    }
}

#[test]
fn what_is_stored_says_so_and_is_missed_when_it_is_not_there() {
    let (folder, empty) = (tempdir().expect("scratch"), tempdir().expect("scratch"));
    for info in ATTACKS {
        let config = AttackConfig::example(info.name, folder.path()).expect("registered");
        let loaded = config.attack().load(empty.path());
        assert_eq!(
            loaded.is_err(),
            config.attack().needs().stored,
            "{}",
            info.name
        );
    }
}

#[test]
fn every_attack_refuses_too_few_images_for_what_it_prepares() {
    let folder = tempdir().expect("scratch");
    for info in ATTACKS {
        let attack = AttackConfig::example(info.name, folder.path()).expect("registered");
        let least = attack.attack().needs().images;
        let config = PoisonConfig {
            attack,
            rate: 0.1,
            target: 0,
            labels: LabelMap::default(),
            seed: 0,
            select: Selection::default(),
        };
        let tools = CraftTools {
            device: &Device::default(),
            batch_size: 8,
            folder: folder.path(),
            progress: &NoProgress,
        };
        let few = craft(
            &striped_set(least.saturating_sub(1), SIDE, 4),
            &config,
            &tools,
        );
        match few {
            Ok(_) => assert_eq!(least, 0, "{}", info.name),
            Err(error) => assert!(error.to_string().contains("at least"), "{error}"),
        }
    }
}

#[test]
fn mistakes_are_answered_with_the_valid_choices() {
    let error = AttackConfig::from_name("BadNet").expect_err("unknown");
    assert!(
        error.to_string().contains("did you mean `badnets`?"),
        "{error}"
    );
    let error = toml::from_str::<AttackConfig>("name = \"blend\"\nopacity = 1.0")
        .expect_err("unknown option");
    assert!(error.to_string().contains("`alpha`"), "{error}");
}

#[test]
fn whatever_blends_can_round_to_the_nearest_level() {
    let image: Vec<u8> = (0..4 * SIDE * SIDE * CHANNELS)
        .map(|byte| (byte * 7 % 251) as u8)
        .collect();
    let mut names = Vec::new();
    for info in ATTACKS {
        if info.options.iter().all(|option| option.name != "rounding") {
            continue;
        }
        // A patch that hides what is below it has nothing to round.
        let opacity = if info.name == "badnets" {
            "opacity = 0.3"
        } else {
            ""
        };
        let stamped = |rounding: &str| {
            let text = format!(
                "name = \"{}\"\nrounding = \"{rounding}\"\n{opacity}",
                info.name
            );
            let config: AttackConfig = toml::from_str(&text).expect(info.name);
            let trigger = config.attack().load(Path::new("unused")).expect(info.name);
            stamped_by(trigger.as_ref(), &image, SIDE)
        };
        let (cut, nearest) = (stamped("truncate"), stamped("nearest"));
        let raised = cut.iter().zip(&nearest);
        assert!(
            raised
                .clone()
                .all(|(cut, nearest)| (0..=1).contains(&(i16::from(*nearest) - i16::from(*cut)))),
            "{}",
            info.name
        );
        assert!(
            raised.clone().any(|(cut, nearest)| cut < nearest),
            "{}",
            info.name
        );
        names.push(info.name);
    }
    let blending = [
        "badnets",
        "blend",
        "sig",
        "lf",
        "smooth",
        "ctrl",
        "wanet",
        "refool",
        "adap-blend",
        "adap-patch",
    ];
    for name in blending {
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn images_stamped_together_equal_those_stamped_alone() {
    let mut set = striped_set(100, SIDE, 4);
    for level in 0..=u8::MAX {
        let image = vec![level; set.image_len()];
        set.push(format!("plain{level}"), &image, 0).expect("fits");
    }
    let place = |index| Place {
        index,
        label: 0,
        rank: index,
        count: set.len(),
    };
    for text in [
        "name = \"blend\"",
        "name = \"blend\"\nalpha = 0.15\nrounding = \"nearest\"",
        "name = \"lf\"",
        "name = \"lf\"\nrounding = \"nearest\"",
        "name = \"sig\"",
        "name = \"sig\"\nsignal = \"sine\"",
        "name = \"smooth\"",
        "name = \"refool\"",
    ] {
        let config: AttackConfig = toml::from_str(text).expect("reads");
        let trigger = config.attack().load(Path::new("unused")).expect("prepares");
        let batch = |indices: &[usize]| {
            let mut batch = Batch::new(SIDE, SIDE);
            for &index in indices {
                let pixels = set.pixels(index).expect("in memory");
                let random = cd_core::random::stream(3, index as u64);
                batch.push_at(&pixels, place(index), random).expect("fits");
            }
            trigger.apply(&mut batch, Role::Train).expect("stamps");
            batch.pixels().to_vec()
        };
        let together = batch(&(0..set.len()).collect::<Vec<_>>());
        for (index, image) in together.chunks_exact(set.image_len()).enumerate() {
            assert!(image == batch(&[index]), "{text}: image {index}");
        }
    }
}
