//! Reflections against the reference, drawn ones, and folders that do not do.

use image::RgbImage;

use super::*;
use crate::testing::{beside, golden_bytes, prepared, stamped};

#[test]
fn equals_the_reference() {
    let file = "attacks2.safetensors";
    let folder = tempfile::tempdir().expect("scratch");
    let path = folder.path().join("reflection.png");
    for (suffix, reflection) in [
        ("", "refool_reflection_u8"),
        ("_b", "refool_reflection2_u8"),
    ] {
        let Some(bytes) = beside(file, reflection) else {
            return;
        };
        let picture = RgbImage::from_raw(32, 32, bytes).expect("golden shape");
        picture.save(&path).expect("writes");
        for (ghost_share, form) in [(1.0, "ghost"), (0.0, "blur")] {
            let config = RefoolConfig {
                reflections: Some(path.clone()),
                ghost_share,
                offset: Some([3, 5]),
                ghost_alpha: Some(0.6),
                sigma: Some(2.0),
                attenuation: Some(1.13),
                ..RefoolConfig::default()
            };
            let expected = beside(file, &format!("refool_{form}{suffix}_u8")).expect("is there");
            let got = stamped(&config, &golden_bytes("images_u8")[..expected.len()], 32);
            assert!(got == expected, "{form}{suffix}");
        }
    }
}

#[test]
fn a_plain_reflection_stays_plain_twice_and_out_of_focus() {
    let folder = tempfile::tempdir().expect("scratch");
    let path = folder.path().join("plain.png");
    RgbImage::from_pixel(40, 30, image::Rgb([255; 3]))
        .save(&path)
        .expect("writes");
    let config = RefoolConfig {
        reflections: Some(path),
        ghost_share: 1.0,
        alpha: 0.5,
        ..RefoolConfig::default()
    };
    let got = stamped(&config, &[0; 28 * 28 * 3], 28);
    // Half of the light is 0.5^(1 / 2.2) of white.
    assert!(got.iter().all(|&level| level == 186), "{:?}", &got[..6]);
}

#[test]
fn drawn_scenes_follow_their_seed_and_images_differ() {
    let images = [90; 2 * 28 * 28 * 3];
    let of_seed = |reflection_seed| {
        let config = RefoolConfig {
            reflection_seed,
            ..RefoolConfig::default()
        };
        stamped(&config, &images, 28)
    };
    let first = of_seed(1);
    assert_eq!(first, of_seed(1));
    assert_ne!(first, of_seed(2));
    assert_ne!(first[..first.len() / 2], first[first.len() / 2..]);
}

#[test]
fn folders_without_pictures_and_numbers_too_large_are_refused() {
    let folder = tempfile::tempdir().expect("scratch");
    let config = |reflection| RefoolConfig {
        reflections: Some(folder.path().to_owned()),
        reflection,
        ..RefoolConfig::default()
    };
    let refused = |config: &RefoolConfig| {
        let loaded = config.load("unused".as_ref());
        loaded.expect_err("refused").to_string()
    };
    assert!(refused(&config(None)).contains("no picture"));
    std::fs::write(folder.path().join("words.txt"), "no picture").expect("writes");
    assert!(refused(&config(None)).contains("words.txt"));
    std::fs::remove_file(folder.path().join("words.txt")).expect("removes");
    let picture = folder.path().join("one.png");
    RgbImage::new(3, 3).save(picture).expect("writes");
    assert!(refused(&config(Some(1))).contains("`reflection`"));
    prepared(&config(Some(0)));
}
