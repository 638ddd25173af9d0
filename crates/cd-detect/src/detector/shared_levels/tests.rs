use cd_core::ImageSet;

use super::*;
use crate::testing::{self, hills};

const SIDE: usize = 32;

fn flagged(set: &ImageSet) -> (Vec<usize>, usize) {
    testing::flagged(&SharedLevels::default(), set)
}

/// Hills with some noise, so that every level is used.
fn set(count: usize, change: impl Fn(usize, &mut u8)) -> ImageSet {
    hills(SIDE, count, |image, pixels| {
        for (at, value) in pixels.iter_mut().enumerate() {
            let noise = (at * 7919 + image * 104_729) % 23;
            *value = value.saturating_add(noise as u8);
            change(image, value);
        }
    })
}

#[test]
fn clean_classes_share_no_levels() {
    assert_eq!(flagged(&set(80, |_, _| ())), (vec![], 0));
}

#[test]
fn a_curve_and_coarser_levels_are_found_without_a_classifier() {
    let curve = |value: u8| (f64::from(value) * 0.8 + 25.0) as u8;
    let filtered = set(80, |image, value| {
        if image < 24 {
            *value = curve(*value);
        }
    });
    assert_eq!(flagged(&filtered), ((0..24).collect(), 0));
    let coarse = set(80, |image, value| {
        if image % 3 == 0 {
            *value = *value / 8 * 8 + 4;
        }
    });
    assert_eq!(flagged(&coarse), ((0..80).step_by(3).collect(), 0));
}

#[test]
fn what_all_classes_have_gone_through_is_usual() {
    let all = set(80, |_, value| *value = *value / 4 * 4);
    assert_eq!(flagged(&all), (vec![], 0));
}

#[test]
fn settings_out_of_range_are_refused() {
    let settings = SharedLevels {
        border: 0.0,
        ..SharedLevels::default()
    };
    assert!(settings.check().is_err());
}
