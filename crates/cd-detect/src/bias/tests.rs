//! A network of attributes that learned a shortcut.

use cd_core::{ImageSet, Labels, random};
use cd_models::{Device, ModelConfig, NoProgress, Schedule, TrainConfig, train};
use rand::Rng;

use super::*;

const SIDE: usize = 32;

/// Three attributes: a bright lower half that is hard to see, a small red mark that seven in ten bright images and one in ten others
/// have, and a left edge that has nothing to do with either.
fn drawn(count: usize) -> ImageSet {
    let names = ["bright", "mark", "edge"].map(String::from).to_vec();
    let mut set = ImageSet::with_attributes(SIDE, SIDE, names);
    for number in 0..count {
        let mut draw = random::stream(3, number as u64);
        let bright = number % 2 == 0;
        let mark = if bright {
            number % 20 >= 6
        } else {
            number % 20 == 1
        };
        let edge = number / 2 % 2 == 0;
        let mut pixels: Vec<u8> = (0..SIDE * SIDE * 3)
            .map(|at| {
                let lower = u8::from(bright && at / 3 / SIDE >= SIDE / 2);
                60 + 12 * lower + draw.random_range(0..90)
            })
            .collect();
        for row in 0..SIDE {
            if edge {
                pixels[row * SIDE * 3..row * SIDE * 3 + 3].fill(255);
            }
            if mark && (3..7).contains(&row) {
                for column in 24..28 {
                    let at = (row * SIDE + column) * 3;
                    pixels[at..at + 3].copy_from_slice(&[255, 0, 0]);
                }
            }
        }
        set.push_attributes(number.to_string(), &pixels, &[bright, mark, edge])
            .expect("three attributes");
    }
    set
}

#[test]
fn a_planted_shortcut_stands_out_among_small_masks() {
    let set = drawn(240);
    let config = TrainConfig {
        epochs: 12,
        batch_size: 20,
        learning_rate: 0.01,
        schedule: Schedule::Constant,
        record_losses: 0,
        ..TrainConfig::default()
    };
    let device = Device::flex();
    let model = ModelConfig::from_name("attribute_resnet18").expect("registered");
    let trained = train(
        &model.with_width(4),
        &set,
        &config,
        None,
        &device,
        &NoProgress,
    );
    let model = trained.expect("trains").model;
    let Labels::Attributes(attributes) = set.annotations() else {
        panic!("a set with attributes");
    };
    let head = model.attribute(0).expect("one of three");
    let method = CognitiveDistillation::logits().with_steps(30);
    let found = head_masks(&head, (&set).into(), &method, &Compute::new(&device));
    let found = found.expect("distils").expect("no shards");
    let sides = found.sides(attributes, 0.2).expect("a share");
    let present = sides
        .iter()
        .find(|side| side.present)
        .expect("some are bright");
    let first = &present.attributes[0];
    assert_eq!(first.attribute, 1, "{:?}", present.attributes);
    assert!(first.deviations > 2.0, "{:?}", present.attributes);
    let mean = found.mean(&present.small).expect("in memory");
    assert_eq!(mean.len(), SIDE * SIDE);
}

#[test]
fn frequencies_are_those_of_the_smallest_masks() {
    let mut attributes = Attributes::new(2);
    for number in 0..20 {
        attributes.push(&[number < 5, number % 2 == 0]);
    }
    let masks = HeadMasks {
        norms: (0..20).map(f64::from).collect(),
        present: (0..20).map(|number| number < 10).collect(),
        masks: Masks::new([1, 1, 1]),
    };
    let sides = masks.sides(&attributes, 0.4).expect("a share");
    assert_eq!(sides[0].small, [0, 1, 2, 3]);
    assert_eq!(
        (
            sides[0].attributes[0].attribute,
            sides[0].attributes[0].small
        ),
        (0, 1.0)
    );
    assert!((sides[0].attributes[0].deviations - 2.449).abs() < 1e-3);
    assert_eq!(sides[1].small, [10, 11, 12, 13]);
    assert!(sides[1].attributes.iter().all(|one| one.deviations == 0.0));
    let error = masks
        .sides(&attributes, 0.0)
        .expect_err("no share")
        .to_string();
    assert!(error.contains("`smallest` is 0"), "{error}");
}
