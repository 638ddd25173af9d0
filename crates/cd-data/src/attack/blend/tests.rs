//! Blend against the reference, and its patterns.

use std::path::Path;

use cd_core::CHANNELS;
use image::RgbImage;
use tempfile::tempdir;

use super::*;
use crate::attack::AttackConfig;
use crate::testing::{beside, golden_bytes, prepared, stamped, stamped_by, write_npy};

fn saved_pattern(folder: &Path) -> PathBuf {
    let path = folder.join("pattern.png");
    RgbImage::from_raw(32, 32, golden_bytes("blend_pattern_u8"))
        .expect("golden shape")
        .save(&path)
        .expect("writes");
    path
}

#[test]
fn equals_the_reference_at_every_opacity() {
    let folder = tempdir().expect("scratch");
    let pattern = Some(saved_pattern(folder.path()));
    let images = golden_bytes("images_u8");
    for alpha in [0.05, 0.1, 0.2] {
        let config = BlendConfig {
            alpha,
            pattern: pattern.clone(),
            pattern_seed: 0,
            ..BlendConfig::default()
        };
        let got = stamped(&config, &images, 32);
        assert!(
            got == golden_bytes(&format!("blend_u8_a{alpha}")),
            "alpha {alpha}"
        );
    }
}

#[test]
fn equals_the_reference_with_a_fractional_pattern() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("pattern.npy");
    let config = BlendConfig {
        pattern: Some(path.clone()),
        ..BlendConfig::default()
    };
    let images = golden_bytes("images_u8");
    let pattern = golden_bytes("blend_pattern_f64");
    write_npy(&path, "<f8", "(32, 32, 3)", &pattern);
    assert!(stamped(&config, &images, 32) == golden_bytes("blend_f64_a0.2"));
    if let Some(pattern) = beside("attacks.safetensors", "blend_pattern_f32") {
        write_npy(&path, "<f4", "(32, 32, 3)", &pattern);
        let expected = beside("attacks.safetensors", "blend_f32_a0.2").expect("beside it");
        assert!(stamped(&config, &images, 32) == expected);
    }
}

#[test]
fn noise_follows_its_seed_and_other_sizes_are_served_too() {
    let noise = |pattern_seed| {
        let config = BlendConfig {
            alpha: 1.0,
            pattern: None,
            pattern_seed,
            ..BlendConfig::default()
        };
        prepared(&config)
    };
    let image = vec![0; 8 * 8 * CHANNELS];
    let attack = noise(1);
    let first = stamped_by(attack.as_ref(), &image, 8);
    assert_ne!(first, stamped_by(noise(2).as_ref(), &image, 8));
    let small = stamped_by(attack.as_ref(), &image[..4 * 4 * CHANNELS], 4);
    assert_eq!(
        small,
        stamped_by(noise(1).as_ref(), &image[..4 * 4 * CHANNELS], 4)
    );
    assert_eq!(first, stamped_by(attack.as_ref(), &image, 8));
}

#[test]
fn a_pattern_is_resized_to_the_image() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("plain.png");
    RgbImage::from_pixel(5, 9, image::Rgb([200, 100, 50]))
        .save(&path)
        .expect("writes");
    let config = BlendConfig {
        alpha: 0.5,
        pattern: Some(path),
        pattern_seed: 0,
        ..BlendConfig::default()
    };
    let got = stamped(&config, &[0; 4 * 4 * CHANNELS], 4);
    assert_eq!(got, [100, 50, 25].repeat(16));
}

#[test]
fn a_pattern_counts_by_what_it_shows() {
    let folder = tempdir().expect("scratch");
    let path = saved_pattern(folder.path());
    let named = |path: &Path| {
        let config = BlendConfig {
            pattern: Some(path.into()),
            ..BlendConfig::default()
        };
        AttackConfig::Blend(config).fingerprint()
    };
    let first = named(&path).expect("readable");
    assert_eq!(first, named(&path).expect("readable"));
    RgbImage::new(2, 2).save(&path).expect("writes");
    assert_ne!(first, named(&path).expect("readable"));
    let error = named(Path::new("no/such.png")).expect_err("missing");
    assert!(error.to_string().contains("no/such.png"), "{error}");
}

#[test]
fn bad_options_are_named() {
    for alpha in [0.0, -0.1, 1.5, f64::NAN, f64::INFINITY] {
        let config = BlendConfig {
            alpha,
            ..BlendConfig::default()
        };
        let error = config.check().expect_err("out of range");
        assert!(error.to_string().contains("`alpha`"), "{error}");
    }
    let config = BlendConfig {
        pattern: Some("no/such/picture.png".into()),
        ..BlendConfig::default()
    };
    config.check().expect("needs no file");
    let error = config
        .load(Path::new("unused"))
        .expect_err("the picture is missing");
    assert!(error.to_string().contains("no/such/picture.png"), "{error}");
}
