use cd_core::ImageSet;

use super::*;
use crate::testing::{self, hills};

const SIDE: usize = 20;
const IMAGES: usize = 520;

fn flagged(set: &ImageSet) -> (Vec<usize>, usize) {
    testing::flagged(&SharedShift::default(), set)
}

/// A faint wave of so many half turns across the picture.
fn with_wave(pixels: &mut [u8], turns: usize, strength: f64) {
    for (at, value) in pixels.iter_mut().enumerate() {
        let turn = ((2 * (at / 3 % SIDE) + 1) * turns) as f64 / (2 * SIDE) as f64;
        let wave = strength * (std::f64::consts::PI * turn).cos();
        *value = (f64::from(*value) + wave).clamp(0.0, 255.0) as u8;
    }
}

fn waved(pixels: &mut [u8]) {
    with_wave(pixels, 5, 6.0);
}

/// The look of a class: more red, or more light from above.
fn tinted(pixels: &mut [u8], class: usize) {
    for (at, value) in pixels.iter_mut().enumerate() {
        let red = if at % 3 == 0 { 16 * (class % 2) } else { 0 };
        let light = if at / 3 / SIDE < SIDE / 2 {
            16 * (class / 2)
        } else {
            0
        };
        *value = value.saturating_add((red + light) as u8);
    }
}

/// A black line of a pixel's width, in another place of each image.
fn struck(pixels: &mut [u8], image: usize) {
    let column = 2 + image * 7 % (SIDE - 4);
    for y in 8..SIDE - 7 {
        pixels[(y * SIDE + column) * 3..][..3].fill(0);
    }
}

/// Classes that look different, the more so the more `strength`, and images of the first one changed, which look as those of the class that
/// `look` gives for them.
fn classes(
    strength: usize,
    look: impl Fn(usize) -> Option<usize>,
    change: impl Fn(&mut [u8], usize),
) -> ImageSet {
    let plain = hills(SIDE, IMAGES, |_, _| ());
    let names = (0..4).map(|class| class.to_string()).collect();
    let mut set = ImageSet::new(SIDE, SIDE, names);
    for (at, &label) in plain.labels().iter().enumerate() {
        let mut pixels = plain.pixels(at).expect("in memory").to_vec();
        let image = at / 4;
        let strange = if label == 0 { look(image) } else { None };
        for _ in 0..strength {
            tinted(&mut pixels, strange.unwrap_or(label as usize));
        }
        if strange.is_some() {
            change(&mut pixels, image);
        }
        set.push(at.to_string(), &pixels, label).expect("fits");
    }
    set
}

/// Every second image of the first class looks as `look` says, and is changed.
fn of_kinds(look: fn(usize) -> usize, change: fn(&mut [u8], usize)) -> ImageSet {
    classes(1, |image| (image % 2 == 0).then(|| look(image / 2)), change)
}

/// Every pixel of every second column is the mean of its neighbours.
fn smoothed(pixels: &mut [u8]) {
    let source = pixels.to_vec();
    for (at, value) in pixels.iter_mut().enumerate() {
        let x = at / 3 % SIDE;
        if x % 2 == 1 && x + 1 < SIDE {
            *value = source[at - 3].midpoint(source[at + 3]);
        }
    }
}

fn of_every_second(change: fn(&mut [u8])) -> ImageSet {
    hills(SIDE, IMAGES, move |image, pixels| {
        if image % 2 == 0 {
            change(pixels);
        }
    })
}

/// Nearly all of the even images and hardly any other.
fn is_found((first, others): &(Vec<usize>, usize)) -> bool {
    let even = first.iter().filter(|image| **image % 2 == 0).count();
    even > IMAGES * 2 / 5 && first.len() - even < IMAGES / 20 && *others == 0
}

#[test]
fn clean_classes_have_no_parts() {
    assert_eq!(flagged(&hills(SIDE, IMAGES, |_, _| ())), (vec![], 0));
}

#[test]
fn half_of_a_class_is_found_where_its_colours_or_its_detail_is_shifted() {
    for change in [waved, smoothed] {
        let found = flagged(&of_every_second(change));
        assert!(is_found(&found), "{} and {}", found.0.len(), found.1);
    }
}

/// Looks for strangers alone.
fn strangers() -> SharedShift {
    SharedShift {
        alike: 1e9,
        ..SharedShift::default()
    }
}

#[test]
fn poison_of_all_other_classes_is_told_from_a_part_of_one_kind() {
    let wave = |pixels: &mut [u8], _| waved(pixels);
    let found = testing::flagged(&strangers(), &of_kinds(|image| 1 + image % 3, wave));
    assert!(is_found(&found), "{} and {}", found.0.len(), found.1);
    let one_kind = of_kinds(|_| 0, wave);
    assert_eq!(testing::flagged(&strangers(), &one_kind), (vec![], 0));
    assert!(is_found(&flagged(&one_kind)));
}

/// Classes that look very different, of which the first holds changed images of the others but for every `own`th.
fn of_others(own: usize, change: fn(&mut [u8])) -> ImageSet {
    let look = |image: usize| (!image.is_multiple_of(own)).then(|| 1 + image % 3);
    classes(3, look, |pixels, _| change(pixels))
}

#[test]
fn a_class_that_is_nearly_all_poison_is_found() {
    let (first, others) = testing::flagged(&strangers(), &of_others(7, waved));
    let own = first.iter().filter(|image| **image % 7 == 0).count();
    assert!(
        first.len() - own > 400 && own < 10 && others == 0,
        "{own} of {} and {others}",
        first.len()
    );
    let unmoved = of_others(7, |_| ());
    assert_eq!(testing::flagged(&strangers(), &unmoved), (vec![], 0));
}

#[test]
fn thin_lines_in_other_places_are_found() {
    let found = testing::flagged(&strangers(), &of_kinds(|image| 1 + image % 3, struck));
    assert!(is_found(&found), "{} and {}", found.0.len(), found.1);
}

/// What is known of the first class before what was added to its even images is looked for: wrong of every seventh.
fn added(set: &ImageSet) -> Option<Added> {
    let classes = members(set.labels(), 4);
    let known = (0..IMAGES).map(|image| {
        let strange = (image % 2 == 0) != (image % 7 == 0);
        if strange { 4.0 } else { -4.0 }
    });
    let known: Vec<f64> = known.collect();
    let task = Task::start(&cd_core::NoProgress, "comparing", None);
    Added::of(set.into(), &classes, 0, &known, (0, &task)).expect("in memory")
}

#[test]
fn a_faint_pattern_that_was_added_tells_strangers_apart_where_measures_did_not() {
    let look = |image: usize| 1 + image % 3;
    let found = added(&of_kinds(look, |pixels, _| with_wave(pixels, 13, 3.0))).expect("a pattern");
    assert!(found.gap > 3.0, "{}", found.gap);
    let odds = found.odds.iter().enumerate();
    let right = odds.filter(|(image, odds)| (**odds > 0.0) == (image % 2 == 0));
    let right = right.count();
    assert!(right > IMAGES * 9 / 10, "{right}");
    assert!(added(&of_kinds(look, |_, _| ())).is_none());
    assert!(added(&of_kinds(look, struck)).is_none());
}

#[test]
fn small_classes_and_small_pictures_are_not_looked_at() {
    let few = hills(SIDE, 290, |image, pixels| {
        if image % 2 == 0 {
            smoothed(pixels);
        }
    });
    assert_eq!(flagged(&few), (vec![], 0));
    let small = hills(SMALLEST_SIDE - 1, IMAGES, |image, pixels| {
        if image % 2 == 0 {
            pixels.fill(0);
        }
    });
    assert_eq!(flagged(&small), (vec![], 0));
}

#[test]
fn settings_out_of_range_are_refused() {
    for (settings, key) in [
        (
            SharedShift {
                mixed: 0.0,
                ..SharedShift::default()
            },
            "mixed",
        ),
        (
            SharedShift {
                likelier: -1.0,
                ..SharedShift::default()
            },
            "likelier",
        ),
        (
            SharedShift {
                alike: f64::NAN,
                ..SharedShift::default()
            },
            "alike",
        ),
    ] {
        let error = settings.check().expect_err("out of range").to_string();
        assert!(error.contains(key), "{error}");
    }
}
