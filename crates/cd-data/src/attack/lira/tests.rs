//! The pattern stays within its bound, and the classifier learns to follow it.

use super::*;
use crate::testing::{crafted, stamped_as, striped_set};

fn trained(options: &LiraConfig, seed: u64) -> Drawing {
    crafted(&striped_set(60, 16, 4), 2, seed, |context| {
        train::train(options, context)
    })
}

#[test]
fn triggered_images_are_learnt_and_changes_bounded() {
    let mut options = LiraConfig::example(Path::new("unused"));
    options.surrogate.model.width = Some(4);
    options.surrogate.epochs = 5;
    let drawing = trained(&options, 1);
    let curve = &drawing.record.curves[1];
    assert_eq!(
        (curve.name.as_str(), curve.values.len()),
        ("loss of triggered images", 6)
    );
    assert!(curve.values[5] < 0.7 * curve.values[0], "{curve:?}");
    let images: Vec<u8> = (0..2 * 16 * 16 * 3)
        .map(|at| (at * 5 % 251) as u8)
        .collect();
    let got = stamped_as(&drawing, &images, 16, Role::Train);
    let largest = got
        .iter()
        .zip(&images)
        .map(|(new, old)| new.abs_diff(*old))
        .max();
    // 0.03 x 255 is 7.65.
    assert!((1..=8).contains(&largest.expect("values")), "{largest:?}");
    let changes = |half: &[u8], old: &[u8]| -> Vec<i16> {
        let pairs = half.iter().zip(old);
        pairs
            .map(|(new, old)| i16::from(*new) - i16::from(*old))
            .collect()
    };
    assert!(changes(&got[..768], &images[..768]) != changes(&got[768..], &images[768..]));
}

#[test]
fn another_seed_draws_another_pattern() {
    let options = LiraConfig::example(Path::new("unused"));
    let images: Vec<u8> = (0..16 * 16 * 3).map(|at| (at % 251) as u8).collect();
    let stamp = |seed| stamped_as(&trained(&options, seed), &images, 16, Role::Test);
    assert!(stamp(1) == stamp(1) && stamp(1) != stamp(2));
}
