//! Restyled images are learnt, and covers are other images than those.

use tempfile::tempdir;

use super::*;
use crate::testing::{crafted, stamped_as, striped_set};

fn trained(options: &DfstConfig) -> Restyling {
    crafted(&striped_set(60, 16, 4), 2, 1, |context| {
        train::train(options, context)
    })
}

#[test]
fn the_classifier_learns_the_style_and_units_are_excited() {
    let mut options = DfstConfig::example(Path::new("unused"));
    options.surrogate.model.width = Some(4);
    options.surrogate.epochs = 4;
    options.detox_epochs = 3;
    let restyling = trained(&options);
    for name in ["loss of the classifier", "loss of detoxification"] {
        let curve = restyling
            .record
            .curves
            .iter()
            .find(|curve| curve.name == name);
        let values = &curve.expect("recorded").values;
        assert!(values[values.len() - 1] < values[0], "{name}: {values:?}");
    }
    let images: Vec<u8> = (0..16 * 16 * 3).map(|at| (at % 251) as u8).collect();
    let [train, cover] =
        [Role::Train, Role::Cover].map(|role| stamped_as(&restyling, &images, 16, role));
    assert!(train != images && cover != images && train != cover);
}

#[test]
fn a_picture_gives_the_colours() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("blue.png");
    let picture =
        image::RgbImage::from_fn(4, 4, |x, y| image::Rgb([(x * 9) as u8, (y * 9) as u8, 250]));
    picture.save(&path).expect("writes");
    let options = DfstConfig {
        style: Some(path.clone()),
        strength: 1.0,
        ..DfstConfig::example(Path::new("unused"))
    };
    assert_eq!(options.files(), [path]);
    let images: Vec<u8> = (0..16 * 16 * 3).map(|at| (at % 251) as u8).collect();
    let got = stamped_as(&trained(&options), &images, 16, Role::Test);
    let mean = |channel: usize| {
        let values = got
            .iter()
            .skip(channel)
            .step_by(3)
            .map(|&value| u32::from(value));
        values.sum::<u32>() / 256
    };
    assert!(mean(2) > 200 && mean(0) < 80, "{} {}", mean(0), mean(2));
}
