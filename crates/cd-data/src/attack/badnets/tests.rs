//! The patch against the reference, and what is refused.

use cd_core::random::stream;

use super::*;
use crate::testing::{beside, golden_bytes, prepared, stamped};

fn attack(position: PatchPosition) -> BadNetsConfig {
    BadNetsConfig {
        position,
        ..BadNetsConfig::default()
    }
}

#[test]
fn equals_the_reference_in_corner_and_centre() {
    let images = golden_bytes("images_u8");
    for (position, expected) in [
        (PatchPosition::BottomRight, "badnet"),
        (PatchPosition::Centre, "gtsrb_centre_32"),
    ] {
        let got = stamped(&attack(position), &images, 32);
        assert!(
            got == golden_bytes(expected),
            "{position:?} differs from {expected}"
        );
    }
}

#[test]
fn equals_the_reference_on_resized_photographs() {
    for source in ["raw0", "raw1"] {
        let clean = golden_bytes(&format!("{source}_gtsrb_clean_32"));
        let got = stamped(&attack(PatchPosition::Centre), &clean, 32);
        assert!(
            got == golden_bytes(&format!("{source}_gtsrb_poison_32")),
            "{source}"
        );
    }
}

#[test]
fn the_smallest_image_is_the_patch_itself() {
    let got = stamped(&attack(PatchPosition::BottomRight), &[9; 27], 3);
    let expected: Vec<u8> = PATCH
        .as_flattened()
        .iter()
        .flat_map(|&value| [value; 3])
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn images_smaller_than_the_patch_are_refused() {
    for (position, height, width, least) in [
        (PatchPosition::BottomRight, 2, 9, 3),
        (PatchPosition::Centre, 9, 5, 6),
    ] {
        let mut batch = Batch::new(height, width);
        batch
            .push(&vec![0; height * width * CHANNELS], 0, 0, stream(0, 0))
            .expect("one image");
        let error = prepared(&attack(position))
            .apply(&mut batch, Role::Train)
            .expect_err("too small");
        assert!(
            error
                .to_string()
                .contains(&format!("at least {least} x {least}")),
            "{error}"
        );
    }
}

#[test]
fn every_size_equals_the_reference() {
    for size in [1, 2, 3, 5, 6, 9] {
        let config = BadNetsConfig {
            size: Some(size),
            ..BadNetsConfig::default()
        };
        let name = format!("badnet_adaptive_size{size}");
        if let Some(expected) = beside("attacks.safetensors", &name) {
            let got = stamped(&config, &golden_bytes("images_u8"), 32);
            assert!(got == expected, "size {size}");
        }
    }
    let square = |size| {
        let config = BadNetsConfig {
            size: Some(size),
            ..BadNetsConfig::default()
        };
        config.square()
    };
    assert_eq!(square(1), [[0]]);
    assert_eq!(square(2), [[255, 0], [255, 0]]);
    assert_eq!(square(5)[4], [255, 255, 255, 0, 0]);
}

/// A picture of 32 pixels a side with `square` in its last three rows and columns.
fn pattern_file(folder: &Path, square: [[u8; SIDE]; SIDE]) -> PathBuf {
    let mut picture = image::RgbImage::new(32, 32);
    for (row, values) in (29..).zip(square) {
        for (column, value) in (29..).zip(values) {
            picture.put_pixel(column, row, image::Rgb([value; CHANNELS]));
        }
    }
    let path = folder.join("pattern.png");
    picture.save(&path).expect("writes");
    path
}

#[test]
fn pattern_files_equal_the_reference() {
    let folder = tempfile::tempdir().expect("scratch");
    let images = golden_bytes("images_u8");
    let images = &images[..8 * 32 * 32 * CHANNELS];
    for (square, expected) in [
        ([[255; SIDE]; SIDE], "bb_white_square_3x3_32"),
        (
            [[255, 1, 255], [1, 255, 1], [255, 1, 255]],
            "bb_grid_3x3_32",
        ),
    ] {
        let config = BadNetsConfig {
            pattern: Some(pattern_file(folder.path(), square)),
            ..BadNetsConfig::default()
        };
        if let Some(expected) = beside("attacks2.safetensors", expected) {
            assert!(stamped(&config, images, 32) == expected);
        }
        let got = stamped(&config, &[7; 32 * 32 * CHANNELS], 32);
        let changed = got.iter().filter(|&&value| value != 7).count();
        assert_eq!(changed, SIDE * SIDE * CHANNELS);
    }
}

#[test]
fn options_that_contradict_each_other_are_named() {
    let plain = BadNetsConfig::default;
    let mask = BadNetsConfig {
        mask: Some("mask.png".into()),
        ..plain()
    };
    let size = BadNetsConfig {
        size: Some(4),
        pattern: Some("pattern.png".into()),
        ..plain()
    };
    let opacity = BadNetsConfig {
        opacity: 0.0,
        ..plain()
    };
    for (option, config) in [("mask", mask), ("pattern", size), ("opacity", opacity)] {
        let error = config.check().expect_err("contradicts").to_string();
        assert!(error.contains(&format!("`{option}`")), "{error}");
    }
}
