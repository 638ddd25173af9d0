use std::collections::BTreeMap;

use cd_core::{Matrix, random};
use cd_models::burn::tensor::Tensor;
use cd_models::{Device, ImageSet, Predictions};
use rand::Rng;

use super::*;
use crate::compute::Compute;
use crate::evidence::Clean;

const CLASSES: usize = 4;
const COLUMNS: usize = 12;

/// A bell-shaped number.
fn bell(drawn: &mut impl Rng) -> f32 {
    (0..12).map(|_| drawn.random::<f32>()).sum::<f32>() - 6.0
}

/// `count` images of each class, of which those from `poisoned(class)` on lie away by `apart` along a direction of their own.
fn features(
    count: usize,
    seed: u64,
    apart: f32,
    poisoned: impl Fn(usize) -> usize,
) -> (Matrix, Vec<u32>) {
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    let mut drawn = random::stream(seed, 1);
    for class in 0..CLASSES {
        for image in 0..count {
            for column in 0..COLUMNS {
                let own = if column == class { 6.0 } else { 0.0 };
                let away = if column == 8 + class && image >= poisoned(class) {
                    apart
                } else {
                    0.0
                };
                // Features vary by different amounts.
                values.push((bell(&mut drawn) + own + away) * (1 + column) as f32);
            }
            labels.push(class as u32);
        }
    }
    (Matrix::new(COLUMNS, values), labels)
}

fn blank(labels: &[u32]) -> ImageSet {
    let mut set = ImageSet::new(1, 1, (0..CLASSES).map(|class| class.to_string()).collect());
    for (image, &label) in labels.iter().enumerate() {
        set.push(image.to_string(), &[0; 3], label).expect("fits");
    }
    set
}

fn black(images: Tensor<4>) -> Tensor<2> {
    images.mean_dims(&[2, 3]).flatten(1, 3)
}

/// What the fusion without members finds, and the labels; with `trusted` images of each class where there are some.
fn found(features: Matrix, labels: &[u32], trusted: usize) -> Detection {
    let images = blank(labels);
    let device = Device::flex();
    let features = BTreeMap::from([(Tap::Penultimate, features)]);
    let (clean, clean_labels) = self::features(trusted, 77, 0.0, |_| usize::MAX);
    let clean_set = blank(&clean_labels);
    let clean = BTreeMap::from([(Tap::Penultimate, clean)]);
    let logits = labels.iter().flat_map(|&label| {
        (0..CLASSES as u32).map(move |class| if class == label { 1.0 } else { 0.0 })
    });
    let predictions = Predictions::new(CLASSES, logits.collect());
    let evidence = Evidence {
        labels: Some(labels),
        predictions: Some(&predictions),
        class_count: CLASSES,
        features: &features,
        clean: (trusted > 0).then_some(Clean {
            labels: Some(&clean_labels),
            features: &clean,
            ..Clean::new(&clean_set)
        }),
        ..Evidence::new(&black, &images, Compute::new(&device))
    };
    let fusion = Fusion {
        members: Vec::new(),
        densities: false,
        ..Fusion::default()
    };
    fusion
        .detect(&evidence)
        .expect("needs are met")
        .expect("no shards")
}

/// Flags, and the words of the decision.
fn own(found: &Detection) -> (Vec<usize>, String) {
    let own = found.own.clone().expect("it has a rule");
    let flagged = own.flagged.iter().enumerate().filter(|(_, flag)| **flag);
    (flagged.map(|(image, _)| image).collect(), own.explanation)
}

#[test]
fn poison_of_one_class_is_flagged_and_scores_above_the_rest() {
    let (features, labels) = features(300, 0, 9.0, |class| if class == 2 { 250 } else { 300 });
    let found = found(features, &labels, 0);
    let (flagged, words) = own(&found);
    assert_eq!(flagged, (850..900).collect::<Vec<usize>>(), "{words}");
    assert!(words.contains("class 2 (50 of 300 images"), "{words}");
    let ranking = found.ranking();
    assert!(ranking[..50].iter().all(|image| (850..900).contains(image)));
}

#[test]
fn poison_that_is_most_of_its_class_is_the_far_group_with_and_without_trusted_images() {
    for trusted in [0, 20] {
        let (features, labels) = features(300, 1, 12.0, |class| if class == 0 { 100 } else { 300 });
        let (flagged, words) = own(&found(features, &labels, trusted));
        assert_eq!(flagged, (100..300).collect::<Vec<usize>>(), "{words}");
    }
}

#[test]
fn a_half_that_lies_too_near_for_the_border_is_found_along_the_widest_direction() {
    for trusted in [0, 20] {
        let poisoned = |class| if class == 3 { 300 } else { 600 };
        let (features, labels) = features(600, 4, 3.6, poisoned);
        let found = found(features, &labels, trusted);
        let (flagged, words) = own(&found);
        let right = flagged.iter().filter(|&&image| image >= 2100).count();
        assert!(right >= 270 && flagged.len() <= right + 30, "{words}");
        assert!(words.contains("along the direction"), "{words}");
        let class = &found.classes[3];
        assert!(class.is_target && class.gap < 5.0 && class.gap >= class.border);
        assert!(class.usual.is_some_and(|usual| usual < 2.5), "{class:?}");
    }
}

#[test]
fn every_class_may_be_a_target() {
    let (features, labels) = features(300, 2, 12.0, |_| 260);
    let (flagged, words) = own(&found(features, &labels, 20));
    assert_eq!(flagged.len(), 4 * 40, "{words}");
    assert!(flagged.iter().all(|image| image % 300 >= 260));
}

#[test]
fn clean_and_small_classes_are_left_alone_and_the_words_say_so() {
    for seed in 3..8 {
        let (features, labels) = features(300, seed, 0.0, |_| 300);
        let (flagged, words) = own(&found(features, &labels, 0));
        assert!(flagged.is_empty(), "{words}");
        assert!(words.starts_with("no class falls apart"), "{words}");
    }
    let (features, labels) = features(30, 9, 20.0, |_| 20);
    let (flagged, words) = own(&found(features, &labels, 0));
    assert!(
        flagged.is_empty() && words.starts_with("no class has the 40 images"),
        "{words}"
    );
}

#[test]
fn a_group_that_trusted_images_share_is_natural() {
    let split = Split {
        view: "in the features",
        gap: 9.0,
        own: None,
        odds: vec![1.0; 300],
        trusted: [[1.0; 4], [-1.0; 4]].concat(),
        learned: vec![true; 300],
    };
    let fusion = Fusion::default();
    assert!(!fusion.is_target(&split));
    let alone = Split {
        trusted: vec![-1.0; 8],
        ..split
    };
    assert!(fusion.is_target(&alone));
    // A natural tenth of the class would hold five of fifty trusted images.
    let small = |inside: usize| Split {
        odds: (0..300)
            .map(|image| if image < 30 { 1.0 } else { -1.0 })
            .collect(),
        trusted: (0..50)
            .map(|image| if image < inside { 1.0 } else { -1.0 })
            .collect(),
        ..alone.clone()
    };
    assert!(fusion.is_target(&small(2)) && !fusion.is_target(&small(3)));
}

#[test]
fn the_same_groups_in_more_directions_are_taken_and_others_are_not() {
    let split = |group: std::ops::Range<usize>, odds: f64| Split {
        view: "in the features",
        gap: 3.0,
        own: None,
        odds: (0..100)
            .map(|image| if group.contains(&image) { odds } else { -odds })
            .collect(),
        trusted: vec![odds],
        learned: vec![true; 100],
    };
    let refined = |other: Split| split(50..100, 1.0).refined_by(Some(other));
    let same = refined(split(40..100, 2.0));
    assert_eq!((same.group(), same.trusted), (60, vec![2.0]));
    let turned = refined(split(0..40, 2.0));
    assert_eq!((turned.group(), turned.trusted), (60, vec![-2.0]));
    let other = refined(split(75..100, 2.0));
    assert_eq!((other.group(), other.trusted), (50, vec![1.0]));
    assert_eq!(split(50..100, 1.0).refined_by(None).group(), 50);
}

#[test]
fn a_group_that_was_not_learned_is_natural_and_a_small_one_has_to_lie_further_away() {
    let split = |group: usize, gap: f64, learned: bool| Split {
        view: "in the features",
        gap,
        own: None,
        odds: (0..300)
            .map(|image| if image < group { 1.0 } else { -1.0 })
            .collect(),
        trusted: Vec::new(),
        learned: vec![learned; 300],
    };
    let fusion = Fusion {
        border: 5.0,
        rise: 1.0,
        ..Fusion::default()
    };
    assert!(fusion.is_target(&split(128, 6.3, true)));
    assert!(!fusion.is_target(&split(128, 6.3, false)));
    assert!(!fusion.is_target(&split(128, 6.2, true)));
    assert!(!fusion.is_target(&split(8, 9.9, true)) && fusion.is_target(&split(8, 10.0, true)));
    // Fewer cannot be told from single odd images, whatever their border.
    assert!((fusion.border_of(&split(3, 1.0, true)) - 10.0).abs() < 1e-12);
}

#[test]
fn settings_out_of_range_are_refused() {
    for (halves, is_right) in [(0.0, true), (2.5, true), (2.0, false), (f64::NAN, false)] {
        let fusion = Fusion {
            halves,
            ..Fusion::default()
        };
        assert_eq!(fusion.check().is_ok(), is_right, "{halves}");
    }
    let fusion = Fusion {
        border: 0.0,
        ..Fusion::default()
    };
    assert!(
        fusion
            .check()
            .expect_err("no border")
            .to_string()
            .contains("`border`")
    );
    let text = "{\"members\": [{\"name\": \"cd-l\", \"steps\": 0}]}";
    let fusion: Fusion = serde_json::from_str(text).expect("names a detector");
    assert!(
        fusion
            .check()
            .expect_err("no steps")
            .to_string()
            .contains("`steps`")
    );
}
