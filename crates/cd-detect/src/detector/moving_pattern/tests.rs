use cd_core::ImageSet;
use cd_core::random::{named, stream};
use rand::Rng;

use super::*;
use crate::testing::{self, hills};

const SIDE: usize = 40;

fn flagged(set: &ImageSet) -> (Vec<usize>, usize) {
    testing::flagged(&MovingPattern::default(), set)
}

/// Pastes a square of random colours of so many pixels into a picture, at a place of its own unless one is given.
fn paste(image: usize, pixels: &mut [u8], side: usize, place: Option<[usize; 2]>) {
    let mut places = stream(image as u64, named("places"));
    let mut drawn = || places.random_range(0..SIDE - side);
    let [top, left] = place.unwrap_or_else(|| [drawn(), drawn()]);
    let mut colours = stream(9, named("colours"));
    for y in 0..side {
        for value in &mut pixels[((top + y) * SIDE + left) * 3..][..side * 3] {
            *value = colours.random();
        }
    }
}

#[test]
fn clean_classes_share_nothing() {
    assert_eq!(flagged(&hills(SIDE, 40, |_, _| ())), (vec![], 0));
}

#[test]
fn a_sticker_is_found_wherever_it_was_pasted() {
    let set = hills(SIDE, 40, |image, pixels| {
        if image < 12 {
            paste(image, pixels, 8, None);
        }
    });
    assert_eq!(flagged(&set), ((0..12).collect(), 0));
}

#[test]
fn all_images_of_a_large_class_are_held_against_a_few_that_were_found() {
    let set = hills(SIDE, 160, |image, pixels| {
        if image % 4 == 0 {
            paste(image, pixels, 8, None);
        }
    });
    assert_eq!(flagged(&set), ((0..160).step_by(4).collect(), 0));
}

#[test]
fn what_stays_in_its_place_is_left_to_another_detector() {
    let set = hills(SIDE, 40, |image, pixels| {
        if image < 12 {
            paste(image, pixels, 8, Some([20, 9]));
        }
    });
    assert_eq!(flagged(&set), (vec![], 0));
}

#[test]
fn many_classes_are_searched_in_fewer_images_each() {
    assert_eq!(most_of(10, 224 * 224 * 3), 100);
    assert_eq!(most_of(1000, 224 * 224 * 3), 28);
    assert_eq!(most_of(1000, 32 * 32 * 3), 100);
    assert_eq!(most_of(5000, 224 * 224 * 3), 24);
}
