use cd_core::ImageSet;
use cd_core::random::stream;
use rand::Rng;

use super::*;
use crate::testing::{self, hills};

const SIDE: usize = 24;

fn set(count: usize, change: impl Fn(usize, &mut [u8])) -> ImageSet {
    hills(SIDE, count, change)
}

fn flagged(set: &ImageSet) -> (Vec<usize>, usize) {
    testing::flagged(&SharedPattern::default(), set)
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
        if image < 16 {
            for row in 0..3 {
                for column in 0..3 {
                    let grey = if (row + column) % 2 == 0 { 255 } else { 0 };
                    pixels[at(19 + row, 4 + column)..][..3].fill(grey);
                }
            }
        }
    });
    assert_eq!(flagged(&set), ((0..16).collect(), 0));
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
