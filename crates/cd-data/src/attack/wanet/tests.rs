//! Warped images against the reference, and files that do not fit.

use std::path::Path;

use cd_core::random::stream;

use super::*;
use crate::testing::{
    assert_close, beside, golden_bytes, prepared, stamped, stamped_as, write_npy,
};

/// Writes a golden tensor as an array; nothing where the golden files are not there.
fn array(folder: &Path, file: &str, tensor: &str, shape: &str) -> Option<PathBuf> {
    let path = folder.join(format!("{tensor}.npy"));
    write_npy(&path, "<f4", shape, &beside(file, tensor)?);
    Some(path)
}

#[test]
fn published_form_equals_the_reference() {
    let folder = tempfile::tempdir().expect("scratch");
    let file = "attacks2.safetensors";
    let folder = folder.path();
    let Some(rand) = array(folder, file, "wanet4_rand", "(1, 2, 4, 4)") else {
        return;
    };
    let grid = array(folder, file, "wanet4_grid", "(1, 32, 32, 2)");
    let field = array(folder, file, "wanet4_noise_grid", "(1, 32, 32, 2)");
    let images = &golden_bytes("images_u8")[..8 * 32 * 32 * CHANNELS];
    for (rounding, expected) in [
        (Rounding::Truncate, "wanet4_trunc_u8"),
        (Rounding::Nearest, "wanet4_round_u8"),
    ] {
        let expected = beside(file, expected).expect("beside the others");
        for (field, grid) in [
            (Some(rand.clone()), None),
            (field.clone(), None),
            (None, grid.clone()),
        ] {
            let config = WaNetConfig {
                field,
                grid,
                rounding,
                ..WaNetConfig::default()
            };
            assert_close(&stamped(&config, images, 32), &expected, 1, 0.003);
        }
    }
}

#[test]
fn covers_equal_the_reference() {
    let folder = tempfile::tempdir().expect("scratch");
    let (folder, file) = (folder.path(), "attacks2.safetensors");
    let Some(grid) = array(folder, file, "wanet4_grid", "(1, 32, 32, 2)") else {
        return;
    };
    let config = WaNetConfig {
        grid: Some(grid),
        noise: array(folder, file, "wanet4_noise_rand", "(1, 32, 32, 2)"),
        ..WaNetConfig::default()
    };
    let images = &golden_bytes("images_u8")[..8 * 32 * 32 * CHANNELS];
    let got = stamped_as(prepared(&config).as_ref(), images, 32, Role::Cover);
    let expected = beside(file, "wanet4_noisemode_f32").expect("beside the others");
    let expected = expected
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes));
    let expected: Vec<u8> = expected.map(|value| (value * 255.0) as u8).collect();
    assert_close(&got, &expected, 1, 0.003);
}

#[test]
fn fine_form_of_the_reference_is_met() {
    let folder = tempfile::tempdir().expect("scratch");
    let file = "attacks.safetensors";
    let Some(field) = array(folder.path(), file, "wanet_rand", "(1, 2, 32, 32)") else {
        return;
    };
    let config = WaNetConfig {
        field: Some(field),
        ..WaNetConfig::default()
    };
    let got = stamped(&config, &golden_bytes("images_u8"), 32);
    let expected = beside(file, "wanet_s0.5_k32").expect("beside the others");
    assert_close(&got, &expected, 1, 0.003);
}

#[test]
fn the_field_follows_its_seed_and_covers_differ_from_each_other() {
    let image: Vec<u8> = (0..32 * 32 * CHANNELS)
        .map(|at| (at * 7 % 256) as u8)
        .collect();
    let two = [image.clone(), image].concat();
    let of_seed = |field_seed, role| {
        let config = WaNetConfig {
            field_seed,
            ..WaNetConfig::default()
        };
        stamped_as(prepared(&config).as_ref(), &two, 32, role)
    };
    assert_eq!(of_seed(1, Role::Train), of_seed(1, Role::Test));
    assert_ne!(of_seed(1, Role::Train), of_seed(2, Role::Train));
    let covers = of_seed(1, Role::Cover);
    assert_ne!(covers[..covers.len() / 2], covers[covers.len() / 2..]);
}

#[test]
fn grids_of_another_size_and_one_pixel_are_refused() {
    let folder = tempfile::tempdir().expect("scratch");
    let path = folder.path().join("grid.npy");
    write_npy(&path, "<f4", "(1, 2, 2, 2)", &[0; 32]);
    let config = WaNetConfig {
        grid: Some(path),
        ..WaNetConfig::default()
    };
    let refused = |config: &WaNetConfig, side: usize| {
        let mut batch = Batch::new(side, side);
        let image = vec![0; side * side * CHANNELS];
        batch.push(&image, 0, 0, stream(0, 0)).expect("one image");
        let error = prepared(config).apply(&mut batch, Role::Train);
        error.expect_err("refused").to_string()
    };
    let error = refused(&config, 3);
    assert!(
        error.contains("grid.npy") && error.contains("[1, 3, 3, 2]"),
        "{error}"
    );
    assert!(refused(&WaNetConfig::default(), 1).contains("at least 2 x 2"));
    let both = WaNetConfig {
        k: Some(4),
        ..config
    };
    assert!(both.check().is_err());
}
