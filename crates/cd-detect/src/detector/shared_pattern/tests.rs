use cd_core::ImageSet;
use cd_core::random::{named, stream};
use cd_models::Device;
use rand::Rng;

use super::*;
use crate::compute::Compute;
use crate::testing::black;

const SIDE: usize = 24;
const CLASSES: usize = 4;

/// Pictures of smooth random hills with some noise, `count` of each class; `change` puts something into a picture of class 0.
fn set(count: usize, change: impl Fn(usize, &mut [u8])) -> ImageSet {
    let names = (0..CLASSES).map(|class| class.to_string()).collect();
    let mut set = ImageSet::new(SIDE, SIDE, names);
    for image in 0..count * CLASSES {
        let mut random = stream(image as u64, named("hills"));
        let hills: Vec<[f64; 4]> = (0..5)
            .map(|_| {
                [
                    random.random_range(0.0..SIDE as f64),
                    random.random_range(0.0..SIDE as f64),
                    random.random_range(2.0..9.0),
                    random.random_range(-90.0..90.0),
                ]
            })
            .collect();
        let mut pixels = vec![0; SIDE * SIDE * 3];
        for (at, value) in pixels.iter_mut().enumerate() {
            let (y, x) = ((at / 3 / SIDE) as f64, (at / 3 % SIDE) as f64);
            let height: f64 = hills
                .iter()
                .map(|[top, left, wide, tall]| {
                    let square = (y - top).powi(2) + (x - left).powi(2);
                    tall * (-square / (2.0 * wide * wide)).exp()
                })
                .sum();
            *value = (128.0 + height + random.random_range(-8.0..8.0)).clamp(0.0, 255.0) as u8;
        }
        if image % CLASSES == 0 {
            change(image / CLASSES, &mut pixels);
        }
        set.push(image.to_string(), &pixels, (image % CLASSES) as u32)
            .expect("fits");
    }
    set
}

/// Which images of class 0 are flagged, by their number in the class, and how many of all others.
fn flagged(set: &ImageSet) -> (Vec<usize>, usize) {
    let device = Device::flex();
    let evidence = Evidence {
        labels: Some(set.labels()),
        class_count: CLASSES,
        ..Evidence::new(&black, set, Compute::new(&device))
    };
    let found = SharedPattern::default().detect(&evidence);
    let found = found.expect("has labels").expect("there are no shards");
    let own = found.own.expect("it has a rule").flagged;
    let flags: Vec<usize> = (0..set.len()).filter(|&image| own[image]).collect();
    let (first, others): (Vec<usize>, Vec<usize>) =
        flags.into_iter().partition(|image| image % CLASSES == 0);
    let first = first.into_iter().map(|image| image / CLASSES).collect();
    (first, others.len())
}

fn at(row: usize, column: usize) -> usize {
    (row * SIDE + column) * 3
}

#[test]
fn clean_classes_share_nothing() {
    assert_eq!(flagged(&set(60, |_, _| ())), (vec![], 0));
}

#[test]
fn a_small_patch_in_a_few_images_is_found_without_a_classifier() {
    let set = set(60, |image, pixels| {
        if image < 10 {
            for row in 0..3 {
                for column in 0..3 {
                    let grey = if (row + column) % 2 == 0 { 255 } else { 0 };
                    pixels[at(19 + row, 4 + column)..][..3].fill(grey);
                }
            }
        }
    });
    assert_eq!(flagged(&set), ((0..10).collect(), 0));
}

#[test]
fn blended_noise_in_half_of_a_class_and_a_wave_in_most_of_it_are_found() {
    let noise: Vec<f64> = (0..SIDE * SIDE * 3)
        .map(|at| f64::from(stream(5, at as u64).random::<u8>()))
        .collect();
    let blended = set(60, |image, pixels| {
        if image % 2 == 0 {
            for (value, noise) in pixels.iter_mut().zip(&noise) {
                *value = (0.85 * f64::from(*value) + 0.15 * noise) as u8;
            }
        }
    });
    assert_eq!(flagged(&blended), ((0..60).step_by(2).collect(), 0));
    let waved = set(60, |image, pixels| {
        if image < 48 {
            for (at, value) in pixels.iter_mut().enumerate() {
                let wave = (at / 3 % SIDE) as f64 * std::f64::consts::PI / 2.0;
                *value = (f64::from(*value) + 12.0 * wave.sin()).clamp(0.0, 255.0) as u8;
            }
        }
    });
    assert_eq!(flagged(&waved), ((0..48).collect(), 0));
}

#[test]
fn bars_around_photographs_are_no_pattern() {
    let set = set(60, |image, pixels| {
        if image < 12 {
            pixels[..at(4, 0)].fill(255);
            pixels[at(20, 0)..].fill(255);
        }
    });
    assert_eq!(flagged(&set), (vec![], 0));
}

#[test]
fn settings_out_of_range_are_refused() {
    for (border, rise) in [(0.0, 0.5), (f64::NAN, 0.5), (2.0, -1.0)] {
        let settings = SharedPattern {
            border,
            rise,
            ..SharedPattern::default()
        };
        assert!(settings.check().is_err());
    }
}
