//! Pieces against the reference, drawn ones, and lists that do not fit.

use cd_core::random::stream;
use image::RgbImage;

use super::*;
use crate::testing::{beside, golden_bytes, prepared, stamped, stamped_as, write_npy};

#[test]
fn equals_the_reference_with_its_pieces() {
    let file = "attacks2.safetensors";
    let Some(pattern) = beside(file, "adap_blend_trigger_u8") else {
        return;
    };
    let folder = tempfile::tempdir().expect("scratch");
    let picture = folder.path().join("pattern.png");
    let pattern = RgbImage::from_raw(32, 32, pattern).expect("golden shape");
    pattern.save(&picture).expect("writes");
    let pieces = folder.path().join("pieces.npy");
    let listed = beside(file, "adap_blend_masked_pieces_i64").expect("beside the pattern");
    write_npy(&pieces, "<i8", "(8, 8)", &listed);
    let config = AdapBlendConfig {
        pattern: Some(picture),
        pieces: Some(pieces),
        ..AdapBlendConfig::default()
    };
    let images = &golden_bytes("images_u8")[..8 * 32 * 32 * CHANNELS];
    let trigger = prepared(&config);
    for (role, expected) in [
        (Role::Train, "adap_blend_train_a0.15_u8"),
        (Role::Test, "adap_blend_test_a0.2_u8"),
    ] {
        let got = stamped_as(trigger.as_ref(), images, 32, role);
        assert!(
            got == beside(file, expected).expect("beside the pattern"),
            "{expected}"
        );
    }
}

#[test]
fn half_of_the_pieces_show_and_test_images_show_all() {
    let config = AdapBlendConfig {
        alpha: 1.0,
        test_alpha: 1.0,
        ..AdapBlendConfig::default()
    };
    let image = [0; 32 * 32 * CHANNELS];
    let changed = |role| {
        let got = stamped_as(prepared(&config).as_ref(), &image, 32, role);
        got.chunks(CHANNELS)
            .filter(|pixel| **pixel != [0; CHANNELS])
            .count()
    };
    assert!((490..=512).contains(&changed(Role::Train)));
    assert!(changed(Role::Test) > 1000);
    let other = AdapBlendConfig {
        pattern_seed: 1,
        ..config.clone()
    };
    assert_ne!(stamped(&config, &image, 32), stamped(&other, &image, 32));
}

#[test]
fn lists_that_are_too_short_or_name_other_pieces_are_refused() {
    let folder = tempfile::tempdir().expect("scratch");
    let path = folder.path().join("pieces.npy");
    let config = AdapBlendConfig {
        pieces: Some(path.clone()),
        ..AdapBlendConfig::default()
    };
    write_npy(&path, "|u1", "(1, 2)", &[3, 16]);
    let error = config.load("unused".as_ref()).expect_err("no such piece");
    assert!(error.to_string().contains("piece 16"), "{error}");
    write_npy(&path, "|u1", "(2,)", &[3, 1]);
    let error = config
        .load("unused".as_ref())
        .expect_err("no list per image");
    assert!(error.to_string().contains("[images, pieces]"), "{error}");
    write_npy(&path, "|u1", "(1, 2)", &[3, 1]);
    let trigger = prepared(&config);
    let mut batch = Batch::new(4, 4);
    for rank in 0..2 {
        let place = crate::attack::Place {
            index: rank,
            label: 0,
            rank,
            count: 2,
        };
        let random = stream(0, rank as u64);
        batch.push_at(&[0; 48], place, random).expect("one image");
    }
    let error = trigger
        .apply(&mut batch, Role::Train)
        .expect_err("too short");
    assert!(error.to_string().contains("lists 1 images"), "{error}");
}
