use cd_core::ImageSet;
use cd_core::random::{named, stream};
use rand::Rng;

use super::*;
use crate::testing::{self, hills};

const SIDE: usize = 96;

fn flagged(set: &ImageSet) -> (Vec<usize>, usize) {
    testing::flagged(&SharedWarp::default(), set)
}

/// Every pixel from up to half a pixel further to the right, by a field of twelve by twelve cells.
fn moved(pixels: &mut [u8], side: usize) {
    let field: Vec<f64> = (0..144)
        .map(|cell| stream(cell, named("field")).random_range(0.0..0.5))
        .collect();
    let source = pixels.to_vec();
    for (at, value) in pixels.iter_mut().enumerate() {
        let (y, x) = (at / 3 / side, at / 3 % side);
        if x + 1 < side {
            let share = field[y * 12 / side * 12 + x * 12 / side];
            let mixed = (1.0 - share) * f64::from(source[at]) + share * f64::from(source[at + 3]);
            *value = mixed as u8;
        }
    }
}

#[test]
fn clean_classes_share_no_warp() {
    assert_eq!(flagged(&hills(SIDE, 40, |_, _| ())), (vec![], 0));
}

#[test]
fn one_field_in_half_of_a_class_is_found_without_a_classifier_in_pictures_that_are_large_enough() {
    let set = |side| {
        hills(side, 60, move |image, pixels| {
            if image % 2 == 0 {
                moved(pixels, side);
            }
        })
    };
    assert_eq!(flagged(&set(SIDE)), ((0..60).step_by(2).collect(), 0));
    assert_eq!(flagged(&set(SMALLEST_SIDE - 1)), (vec![], 0));
}

#[test]
fn what_all_classes_have_gone_through_is_usual() {
    let mut set = ImageSet::new(SIDE, SIDE, vec!["one".into(), "other".into()]);
    let plain = hills(SIDE, 20, |_, _| ());
    for image in 0..plain.len() {
        let mut pixels = plain.pixels(image).expect("in memory").to_vec();
        moved(&mut pixels, SIDE);
        set.push(image.to_string(), &pixels, (image % 2) as u32)
            .expect("fits");
    }
    assert_eq!(flagged(&set), (vec![], 0));
}

#[test]
fn settings_out_of_range_are_refused() {
    let settings = SharedWarp {
        rise: -1.0,
        ..SharedWarp::default()
    };
    assert!(settings.check().is_err());
}
