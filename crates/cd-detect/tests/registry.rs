//! Every registered detector, on a small set that satisfies whatever it needs.

use std::collections::BTreeMap;
use std::path::Path;

use cd_core::{Matrix, random};
use cd_detect::{
    Clean, Compute, DETECTORS, DetectError, Detection, DetectorConfig, Evidence, Extracted,
    LossesOffer, Needs, Offer, Shard, Store, ThresholdRule, detectors_markdown, extract,
};
use cd_models::{Classifier, Device, ImageSet, Model, ModelConfig, Tap};
use rand::Rng;

const CLASSES: usize = 3;

/// Detectors whose numbers may all be equal: those that count labels that change, where an untrained network says one class of everything, and
/// those that find no group in noise.
const COUNTING: [&str; 7] = [
    "scale-up",
    "teco",
    "shared-pattern",
    "shared-levels",
    "shared-warp",
    "shared-shift",
    "moving-pattern",
];

/// Settings that make any detector quick.
const QUICK: [(&str, usize); 6] = [
    ("steps", 2),
    ("overlays", 3),
    ("hosts", 2),
    ("trees", 5),
    ("rounds", 1),
    ("passes", 1),
];

/// All that a detector may ask for, of real computations on random pictures.
struct World {
    device: Device,
    model: Model,
    images: ImageSet,
    clean: ImageSet,
    of_images: Extracted,
    of_clean: Extracted,
    losses: Matrix,
    reference: Matrix,
}

impl World {
    /// Pictures of `labels`; `pixel(image, at)` is their bytes.
    fn new(
        labels: &[u32],
        pixel: impl Fn(usize, usize) -> u8,
        name: impl Fn(usize) -> String,
    ) -> Self {
        let device = Device::flex();
        let config = ModelConfig::from_name("resnet18").expect("registered");
        let model = config
            .with_width(2)
            .init(CLASSES, 0, &device)
            .expect("small");
        let picture = |image| {
            (0..16 * 16 * 3)
                .map(|at| pixel(image, at))
                .collect::<Vec<_>>()
        };
        let mut images = ImageSet::new(16, 16, vec!["a".into(), "b".into(), "c".into()]);
        let mut clean = images.clone();
        for (image, &label) in labels.iter().enumerate() {
            let pushed = images.push(name(image), &picture(image), label);
            pushed.expect("fits");
        }
        for image in 0..clean_images() * CLASSES {
            let label = (image % CLASSES) as u32;
            let pushed = clean.push(name(image), &picture(1000 + image), label);
            pushed.expect("fits");
        }
        let taps = model.taps();
        let read = |set: &ImageSet| {
            let compute = Compute::new(&device);
            let read = extract(&model, set.into(), &taps, true, &compute);
            read.expect("finite").expect("there are no shards")
        };
        let mut drawn = random::stream(3, 0);
        let losses = (0..epochs() * labels.len()).map(|_| drawn.random::<f32>() * 3.0);
        let of_images = read(&images);
        Self {
            reference: of_images.features[&Tap::Penultimate].clone(),
            of_images,
            of_clean: read(&clean),
            losses: Matrix::new(labels.len(), losses.collect()),
            device,
            model,
            images,
            clean,
        }
    }

    /// Two parts of random pictures.
    fn usual() -> Self {
        Self::new(&usual_labels(), noise, |image| format!("{image}.png"))
    }

    fn compute(&self) -> Compute<'_> {
        Compute::new(&self.device)
    }

    fn evidence<'a>(&'a self, compute: Compute<'a>) -> Evidence<'a> {
        let clean = Clean {
            labels: Some(self.clean.labels()),
            predictions: self.of_clean.predictions.as_ref(),
            features: &self.of_clean.features,
            ..Clean::new(&self.clean)
        };
        Evidence {
            labels: Some(self.images.labels()),
            class_count: CLASSES,
            predictions: self.of_images.predictions.as_ref(),
            features: &self.of_images.features,
            losses: Some(&self.losses),
            clean: Some(clean),
            trainable: Some(&self.model),
            reference: Some(&self.reference),
            ..Evidence::new(&self.model, &self.images, compute)
        }
    }
}

fn usual_labels() -> Vec<u32> {
    (0..70).map(|image| (image % CLASSES) as u32).collect()
}

fn noise(image: usize, at: usize) -> u8 {
    let mut drawn = random::stream(image as u64, at as u64);
    drawn.random()
}

/// Every registered detector with its default settings, but quick.
fn detectors() -> impl Iterator<Item = (&'static str, DetectorConfig)> {
    DETECTORS.iter().map(|info| {
        let mut config = DetectorConfig::from_name(info.name).expect("registered");
        for (key, value) in QUICK {
            if config.has(key) {
                config.set(key, value).expect("a number");
            }
        }
        (info.name, config)
    })
}

/// Epochs of recorded losses: as many as the default settings need.
fn epochs() -> usize {
    let needed = detectors().map(|(_, config)| config.detector().needs().losses);
    needed.max().unwrap_or(0).max(4)
}

/// Trusted images of each class, likewise.
fn clean_images() -> usize {
    let needed = detectors().map(|(_, config)| config.detector().needs().clean);
    needed.max().unwrap_or(0).max(4)
}

fn found(config: &DetectorConfig, evidence: &Evidence<'_>) -> Detection {
    let found = config.detector().detect(evidence);
    found
        .expect("its needs are met")
        .expect("there are no shards")
}

/// Bits of every number and mask.
fn bits(detection: &Detection) -> Vec<u64> {
    let clean = detection.clean.iter().flatten();
    let numbers = detection.raw.iter().chain(clean).map(|v| v.to_bits());
    let mut bits: Vec<u64> = numbers.collect();
    if let Some(masks) = &detection.masks {
        for index in 0..masks.count() {
            let mask = masks.get(index).expect("readable");
            bits.extend(mask.iter().map(|&byte| u64::from(byte)));
        }
    }
    bits
}

fn store(folder: &Path) -> Store<'_> {
    Store {
        folder,
        fingerprint: "this world",
    }
}

#[test]
fn every_image_gets_a_finite_number() {
    let world = World::usual();
    for (name, config) in detectors() {
        let found = found(&config, &world.evidence(world.compute()));
        assert_eq!(found.raw.len(), 70, "{name}");
        assert!(found.raw.iter().all(|value| value.is_finite()), "{name}");
        let scores = found.scores();
        assert!(
            scores.iter().all(|score| (0.0..=1.0).contains(score)),
            "{name}"
        );
        let spread = scores.iter().any(|&score| score != scores[0]);
        assert!(
            spread || COUNTING.contains(&name),
            "{name} tells no image from another"
        );
        if let Some(masks) = &found.masks {
            let searched = masks.images().map_or(70, <[usize]>::len);
            assert_eq!(masks.count(), searched, "{name}");
        }
    }
}

#[test]
fn those_that_judge_clean_images_do_and_the_others_are_refused_by_the_rule_that_needs_it() {
    let world = World::usual();
    let rule = ThresholdRule::Calibrated { t: 1.0 };
    for (name, config) in detectors() {
        let info = config.detector().info();
        let found = found(&config, &world.evidence(world.compute()));
        let numbers = found.clean.as_ref().map(Vec::len);
        let expected = info.judges_clean.then_some(clean_images() * CLASSES);
        assert_eq!(numbers, expected, "{name}");
        assert_eq!(rule.check_with(info).is_ok(), info.judges_clean, "{name}");
        assert_eq!(rule.apply(&found).is_ok(), info.judges_clean, "{name}");
    }
}

#[test]
fn rules_of_their_own_are_stated_and_applied() {
    let world = World::usual();
    let rule = ThresholdRule::Own;
    for (name, config) in detectors() {
        let info = config.detector().info();
        let found = found(&config, &world.evidence(world.compute()));
        assert_eq!(found.own.is_some(), info.rule.is_some(), "{name}");
        assert_eq!(rule.check_with(info).is_ok(), info.rule.is_some(), "{name}");
        if let Ok(decision) = rule.apply(&found) {
            assert_eq!(decision.flagged.len(), 70, "{name}");
            assert!(!decision.explanation.is_empty(), "{name}");
        }
    }
}

/// Says how many differ: the bits themselves help nobody.
#[track_caller]
fn assert_same(one: &[u64], other: &[u64], what: &str) {
    let differing = one.iter().zip(other).filter(|(a, b)| a != b).count();
    assert_eq!((one.len(), differing), (other.len(), 0), "{what}");
}

#[test]
fn workers_stores_and_shards_change_nothing() {
    let world = World::usual();
    for (name, config) in detectors() {
        let expected = bits(&found(&config, &world.evidence(world.compute())));
        let folder = tempfile::tempdir().expect("temporary folder");
        for store in [None, Some(store(folder.path()))] {
            let compute = Compute {
                workers: 3,
                store,
                ..world.compute()
            };
            let other = bits(&found(&config, &world.evidence(compute)));
            assert_same(&other, &expected, name);
        }
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut last = None;
        for index in [1, 0] {
            let compute = Compute {
                shard: Shard { index, count: 2 },
                store: Some(store(folder.path())),
                ..world.compute()
            };
            let evidence = world.evidence(compute);
            last = config
                .detector()
                .detect(&evidence)
                .expect("its needs are met");
        }
        let last = last.expect("the other shard was there");
        assert_same(&bits(&last), &expected, name);
    }
}

/// The network's matrix products add in an order that depends on the number of rows, so the last bits may.
#[test]
fn batches_change_no_more_than_rounding() {
    let world = World::usual();
    for (name, config) in detectors() {
        let of_size = |batch_size| {
            let compute = Compute {
                batch_size,
                ..world.compute()
            };
            found(&config, &world.evidence(compute)).raw
        };
        let expected = of_size(32);
        let largest = expected.iter().fold(1e-9_f64, |most, v| most.max(v.abs()));
        for batch_size in [1, 7, 100] {
            for (one, other) in of_size(batch_size).iter().zip(&expected) {
                let apart = (one - other).abs() / largest;
                assert!(apart < 1e-5, "{name}, {batch_size} at a time: {apart:e}");
            }
        }
    }
}

#[test]
fn names_of_images_do_not_reach_detectors() {
    let world = World::usual();
    let shuffled = World::new(&usual_labels(), noise, |image| {
        format!("{}/{}", (image + 1) % CLASSES, 999 - image)
    });
    for (name, config) in detectors() {
        let one = bits(&found(&config, &world.evidence(world.compute())));
        let other = bits(&found(&config, &shuffled.evidence(shuffled.compute())));
        assert_same(&one, &other, name);
    }
}

/// Detectors whose numbers depend on what they draw for an image by its position.
const DRAWN: [&str; 12] = [
    "moving-pattern",
    "cascade",
    "joint",
    "cd-l",
    "cd-f",
    "cd-transplant",
    "psbd",
    "isolation-forest",
    "fct",
    "frequency",
    "teco",
    "probe-label",
];

#[test]
fn the_order_of_images_changes_no_more_than_rounding() {
    let turned = |image: usize| (image + 30) % 70;
    let world = World::usual();
    let labels = usual_labels();
    let labels: Vec<u32> = (0..70).map(|image| labels[turned(image)]).collect();
    // Clean images have numbers from 1000 on and stay where they are.
    let pixel = |image: usize, at: usize| noise(if image < 70 { turned(image) } else { image }, at);
    let mut other = World::new(&labels, pixel, |image| format!("{image}.png"));
    let order: Vec<usize> = (0..70).map(turned).collect();
    other.losses = world.losses.select_columns(&order);
    for (name, config) in detectors().filter(|(name, _)| !DRAWN.contains(name)) {
        let expected = found(&config, &world.evidence(world.compute())).raw;
        let raw = found(&config, &other.evidence(other.compute())).raw;
        let largest = expected.iter().fold(1e-9_f64, |most, v| most.max(v.abs()));
        for (image, one) in raw.iter().enumerate() {
            let apart = (one - expected[turned(image)]).abs() / largest;
            assert!(apart < 1e-4, "{name}, image {image}: {apart:e}");
        }
    }
}

#[test]
fn a_seed_decides() {
    let world = World::usual();
    for (name, mut config) in detectors() {
        let detect =
            |config: &DetectorConfig| bits(&found(config, &world.evidence(world.compute())));
        let expected = detect(&config);
        assert_same(&detect(&config), &expected, name);
        if config.has("seed") {
            config.set("seed", 1).expect("a number");
            let ignored = detect(&config) == expected && !COUNTING.contains(&name);
            assert!(!ignored, "{name} ignores its seed");
        }
    }
}

#[test]
fn degenerate_sets_give_finite_numbers() {
    let one_class = vec![1; 9];
    let mut lonely = vec![0; 9];
    lonely[4] = 2;
    let constant = |_: usize, _: usize| 7;
    let name = |image: usize| image.to_string();
    let worlds = [
        ("one class", World::new(&one_class, noise, name)),
        ("a class of one image", World::new(&lonely, noise, name)),
        ("one image", World::new(&[0], noise, name)),
        ("equal images", World::new(&usual_labels(), constant, name)),
    ];
    for (what, world) in worlds {
        for (name, config) in detectors() {
            let found = found(&config, &world.evidence(world.compute()));
            assert_eq!(found.raw.len(), world.images.len(), "{name}, {what}");
            let all = found.raw.iter().chain(found.clean.iter().flatten());
            assert!(
                all.into_iter().all(|value| value.is_finite()),
                "{name}, {what}"
            );
            let scores = found.scores();
            assert!(
                scores.iter().all(|score| score.is_finite()),
                "{name}, {what}"
            );
        }
    }
    let world = World::usual();
    let flat = world.of_images.features.iter().map(|(&tap, features)| {
        let values = vec![0.5; features.values().len()];
        (tap, Matrix::new(features.columns(), values))
    });
    let flat: BTreeMap<Tap, Matrix> = flat.collect();
    for (name, config) in detectors() {
        let evidence = Evidence {
            features: &flat,
            reference: flat.get(&Tap::Penultimate),
            ..world.evidence(world.compute())
        };
        let found = found(&config, &evidence);
        assert!(found.raw.iter().all(|value| value.is_finite()), "{name}");
    }
}

#[test]
fn what_is_needed_is_asked_for() {
    let world = World::usual();
    let offer = Offer {
        taps: Vec::new(),
        labels: false,
        losses: LossesOffer::Recorded(0),
        clean: 0,
        trainable: false,
        reference: false,
    };
    for (name, config) in detectors() {
        let needs = config.detector().needs();
        let tapless = Needs {
            taps: Vec::new(),
            ..needs.clone()
        };
        let bare = Evidence::new(&world.model, &world.images, world.compute());
        let found = config.detector().detect(&bare);
        if tapless == Needs::default() {
            assert!(found.is_ok(), "{name} needs what it does not ask for");
        } else {
            let absent = matches!(found, Err(DetectError::Absent(_)));
            assert!(absent, "{name} asks for what it does not need");
        }
        // Whatever runs detectors has a classifier, so predictions are there.
        let refusable = Needs {
            predictions: false,
            ..needs.clone()
        };
        if refusable != Needs::default() {
            let refusal = needs.check(name, &offer).expect_err(name).to_string();
            assert!(refusal.starts_with(&format!("`{name}` needs")), "{refusal}");
        }
    }
}

#[test]
fn an_empty_set_is_refused_or_gives_nothing() {
    let world = World::usual();
    let none = world.images.subset(&[]);
    let features: BTreeMap<Tap, Matrix> = BTreeMap::new();
    for (name, config) in detectors() {
        let evidence = Evidence {
            labels: Some(&[]),
            features: &features,
            losses: None,
            ..Evidence {
                images: (&none).into(),
                ..world.evidence(world.compute())
            }
        };
        let found = config.detector().detect(&evidence);
        let nothing =
            found.is_err() || found.is_ok_and(|found| found.is_some_and(|f| f.raw.is_empty()));
        assert!(nothing, "{name}");
    }
}

#[test]
fn the_page_on_detectors_is_that_of_the_registry() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/detectors.md");
    let page = detectors_markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("writable");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/detectors.md is stale; run UPDATE_DOCS=1 cargo test --workspace --test registry"
    );
}
