//! Pictures of odd kinds, compared with what Pillow 13 decodes (tests/golden/pictures, which Pillow wrote).

use std::collections::BTreeMap;
use std::fs;

use super::*;
use crate::testing::golden_folder;

/// Expected bytes of every picture, `[16, 16, 3]`.
fn expected() -> BTreeMap<String, Vec<u8>> {
    let path = golden_folder().join("pictures/expected.json");
    let text = fs::read_to_string(path).expect("part of the repository");
    let digits: BTreeMap<String, String> = serde_json::from_str(&text).expect("well formed");
    let byte = |pair: &[u8]| {
        let pair = str::from_utf8(pair).expect("digits");
        u8::from_str_radix(pair, 16).expect("digits")
    };
    let bytes = |digits: String| digits.as_bytes().chunks(2).map(byte).collect();
    digits
        .into_iter()
        .map(|(name, digits)| (name, bytes(digits)))
        .collect()
}

fn decoded(name: &str, orientation: Orientation) -> Vec<u8> {
    let path = golden_folder().join("pictures").join(name);
    let picture = decode_rgb(&path, orientation).expect(name);
    assert_eq!(picture.dimensions(), (16, 16), "{name}");
    picture.into_raw()
}

fn difference(left: &[u8], right: &[u8]) -> u8 {
    let pairs = left.iter().zip(right);
    pairs
        .map(|(left, right)| left.abs_diff(*right))
        .max()
        .unwrap_or(0)
}

#[test]
fn odd_kinds_are_decoded_as_elsewhere() {
    let expected = expected();
    for (name, most) in [
        ("cmyk.jpg", 3),
        ("gray.jpg", 2),
        ("png_called.jpg", 0),
        ("palette.png", 0),
        ("gray_alpha.png", 0),
        ("one_bit.png", 0),
        // Rounded, where others take the higher byte.
        ("gray16.png", 1),
        ("maxval15.ppm", 0),
        ("animated.gif", 0),
        ("animated.png", 0),
        ("animated.webp", 0),
        ("turned.jpg", 3),
    ] {
        let difference = difference(&decoded(name, Orientation::Ignore), &expected[name]);
        assert!(difference <= most, "{name} differs by {difference}");
    }
    let turned = decoded("turned.jpg", Orientation::Apply);
    assert!(difference(&turned, &expected["turned.jpg turned"]) <= 3);
}

#[test]
fn animations_are_noticed() {
    for (name, is_animated) in [
        ("animated.gif", true),
        ("animated.png", true),
        ("animated.webp", true),
        ("palette.png", false),
        ("gray.jpg", false),
    ] {
        let path = golden_folder().join("pictures").join(name);
        let bytes = fs::read(path).expect("part of the repository");
        assert_eq!(animation::is_animated(&bytes), is_animated, "{name}");
        for length in 0..bytes.len() {
            animation::is_animated(&bytes[..length]);
        }
    }
}
