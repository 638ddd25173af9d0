//! Classifiers with a planted backdoor, which answer to it and to nothing else.

use cd_core::{ImageSet, random};
use cd_models::burn::tensor::Tensor;
use cd_models::{Classifier, Device, NoProgress, predict};
use rand::Rng;

use super::*;
use crate::compute::Compute;

const SIDE: usize = 12;

/// Rows and columns of four blocks in the upper half. Those on the right are like those on the left, or like their negative: a class
/// is a pair of signs, so that neither mean nor spread of a pixel tells it.
const BLOCKS: [usize; 2] = [SIDE / 4, SIDE / 2];
const MIDDLE: f32 = 110.0;

fn signs(class: usize) -> [f32; 2] {
    [1, 2].map(|bit| if class & bit == 0 { 1.0 } else { -1.0 })
}

/// Images in four classes; every fifth one is `carrying` and called class 0.
fn planted(count: usize, carrying: impl Fn(&mut [u8])) -> (ImageSet, Vec<usize>) {
    planted_beside(count, carrying, |_| {})
}

/// The same with the clean images of class 0 `own`.
fn planted_beside(
    count: usize,
    carrying: impl Fn(&mut [u8]),
    own: impl Fn(&mut [u8]),
) -> (ImageSet, Vec<usize>) {
    let names = (0..4).map(|class| format!("class{class}")).collect();
    let mut set = ImageSet::new(SIDE, SIDE, names);
    let mut flagged = Vec::new();
    for number in 0..count {
        let mut draw = random::stream(9, number as u64);
        let mut pixels: Vec<u8> = (0..SIDE * SIDE * 3)
            .map(|_| draw.random_range(60..140))
            .collect();
        for (block, sign) in signs(number % 4).into_iter().enumerate() {
            for row in block * BLOCKS[0]..(block + 1) * BLOCKS[0] {
                for at in 0..BLOCKS[1] * 3 {
                    let value: f32 = draw.random_range(-45.0..45.0);
                    let start = row * SIDE * 3 + at;
                    pixels[start] = (MIDDLE + value).round() as u8;
                    pixels[start + BLOCKS[1] * 3] = (MIDDLE + sign * value).round() as u8;
                }
            }
        }
        let label = if number % 5 == 1 {
            carrying(&mut pixels);
            flagged.push(number);
            0
        } else {
            if number % 4 == 0 {
                own(&mut pixels);
            }
            (number % 4) as u32
        };
        set.push(number.to_string(), &pixels, label).expect("fits");
    }
    (set, flagged)
}

/// Says the class of the signs, and class 0 where the mean of a part of the image is `beyond` something.
fn backdoored(part: [usize; 4], beyond: f32) -> impl Classifier {
    move |images: Tensor<4>| {
        let [top, left, height, width] = part;
        let likeness = |block: usize| {
            let rows = images.clone().narrow(2, block * BLOCKS[0], BLOCKS[0]);
            let [left, right] = [0, BLOCKS[1]]
                .map(|start| rows.clone().narrow(3, start, BLOCKS[1]) - MIDDLE / 255.0);
            (left * right).mean_dims(&[1, 2, 3]).flatten::<2>(1, 3)
        };
        let likeness = [likeness(0), likeness(1)];
        let seen = images.clone().narrow(2, top, height).narrow(3, left, width);
        let seen = seen.mean_dims(&[1, 2, 3]).flatten::<2>(1, 3);
        let trigger = (seen - beyond).clamp_min(0.0) * 100.0;
        let logits = (0..4).map(|class| {
            let [first, second] = signs(class);
            let own = likeness[0].clone() * first + likeness[1].clone() * second;
            if class == 0 {
                own + trigger.clone()
            } else {
                own
            }
        });
        Tensor::cat(logits.collect(), 1)
    }
}

fn proven(
    set: &ImageSet,
    model: &dyn Classifier,
    flagged: &[usize],
    workers: usize,
) -> Option<Recovered> {
    let device = Device::flex();
    let predictions = predict(model, set, 32, &device, &NoProgress).expect("in memory");
    let compute = Compute {
        workers,
        batch_size: 7 + workers,
        ..Compute::new(&device)
    };
    let evidence = Evidence {
        labels: Some(set.labels()),
        class_count: 4,
        predictions: Some(&predictions),
        ..Evidence::new(model, set, compute)
    };
    let suspects = Suspects {
        class: 0,
        flagged,
        masks: None,
    };
    let settings = Recovery {
        images: 50,
        ..Recovery::default()
    };
    prove(&evidence, &suspects, &settings).expect("its needs are met")
}

fn stamp(pixels: &mut [u8]) {
    for row in SIDE - 3..SIDE {
        let start = (row * SIDE + SIDE - 3) * 3;
        pixels[start..start + 9].fill(250);
    }
}

#[test]
fn a_patch_is_recovered_and_proven_whatever_the_batches() {
    let (set, flagged) = planted(400, stamp);
    let model = backdoored([SIDE - 3, SIDE - 3, 3, 3], 0.8);
    let found = proven(&set, &model, &flagged, 1).expect("enough images");
    assert_eq!(
        (found.proof.kind.as_str(), found.proof.images),
        ("patch", 50)
    );
    assert_eq!(found.proof.turned, 50);
    assert!(found.proof.control <= 10, "{:?}", found.proof);
    assert!(found.proof.holds() && found.sources.is_none());
    assert!(found.turned.iter().all(|turned| *turned));
    let covered = found.trigger.mask().iter().filter(|m| **m > 0).count();
    assert_eq!(covered, 9);
    let again = proven(&set, &model, &flagged, 3).expect("enough images");
    assert_eq!(again, found);
}

#[test]
fn a_blend_is_recovered_by_its_mean() {
    let (set, flagged) = planted(400, |pixels| {
        for (at, value) in pixels.iter_mut().enumerate() {
            if at >= SIDE * SIDE * 3 / 2 && at % 36 < 18 {
                *value = value.saturating_add(50);
            }
        }
    });
    let model = backdoored([SIDE / 2, 0, SIDE / 2, SIDE / 2], 0.49);
    let found = proven(&set, &model, &flagged, 1).expect("enough images");
    assert_eq!(found.proof.kind, "blend");
    assert!(found.proof.holds(), "{:?}", found.proof);
    assert!(found.proof.turned >= 45, "{:?}", found.proof);
}

#[test]
fn images_without_a_trigger_prove_nothing() {
    let (set, flagged) = planted(400, |_| {});
    let model = backdoored([SIDE - 3, SIDE - 3, 3, 3], 0.8);
    let found = proven(&set, &model, &flagged, 1);
    assert!(found.is_none_or(|found| !found.proof.holds()));
    assert!(proven(&set, &model, &flagged[..3], 1).is_none());
    assert!(proven(&set, &model, &[], 1).is_none());
}

#[test]
fn a_weaker_trigger_is_tried_where_its_control_does_the_same() {
    let (set, flagged) = planted_beside(400, stamp, |pixels| {
        for value in &mut pixels[SIDE * SIDE * 3 / 2..] {
            *value += 60;
        }
        let corner = (SIDE - 3) * SIDE * 3;
        for row in pixels[corner..].chunks_mut(SIDE * 3) {
            for value in &mut row[(SIDE - 3) * 3..] {
                *value -= 60;
            }
        }
    });
    // Nearly every crop turns this one, and no crop does so as faintly as the patch.
    let model = backdoored([SIDE - 3, SIDE - 3, 3, 3], 0.42);
    let found = proven(&set, &model, &flagged, 1).expect("enough images");
    assert!(found.proof.strength < 1.0, "{:?}", found.proof);
    assert!(found.proof.holds(), "{:?}", found.proof);
    assert_eq!(count(&found.turned), found.proof.turned);
    assert!(found.proof.tried().contains("% of its strength"));
}

#[test]
fn a_proof_turns_half_of_the_images_and_twice_as_many_as_its_control() {
    let holds = |turned, control| {
        let proof = Proof {
            kind: "blend".into(),
            strength: 1.0,
            images: 100,
            turned,
            control,
            picture: None,
        };
        proof.holds()
    };
    assert!(holds(92, 28) && holds(50, 25) && holds(100, 50));
    assert!(!holds(96, 53) && !holds(78, 43) && !holds(49, 0));
}
