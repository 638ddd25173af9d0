//! Patches and noise against the reference, and perturbations.

use cd_core::NoProgress;
use cd_models::Classifier;

use super::*;
use crate::testing::{beside, golden_bytes, pixels, prepared, stamped_as, striped_set, write_npy};

/// The options with noise of nothing but zeros for images of this size.
fn quiet(folder: &Path, images: usize, side: usize) -> ClConfig {
    let path = folder.join("noise.npy");
    let shape = format!("({images}, {side}, {side}, 3)");
    let bytes = vec![0; images * side * side * CHANNELS * 4];
    write_npy(&path, "<f4", &shape, &bytes);
    ClConfig {
        noise: Some(path),
        ..ClConfig::default()
    }
}

#[test]
fn patches_equal_the_reference() {
    let folder = tempfile::tempdir().expect("scratch");
    for (stamp, word) in [(ClStamp::Corner, "br"), (ClStamp::Corners, "corners")] {
        for (amplitude, name) in [(255, "a1"), (32, "a32_255"), (16, "a16_255")] {
            let file = "attacks2.safetensors";
            let Some(expected) = beside(file, &format!("lc_{word}_{name}_u8")) else {
                return;
            };
            let config = ClConfig {
                stamp,
                amplitude,
                ..quiet(folder.path(), 8, 32)
            };
            let images = &golden_bytes("images_u8")[..expected.len()];
            for role in [Role::Train, Role::Test] {
                let got = stamped_as(prepared(&config).as_ref(), images, 32, role);
                assert!(got == expected, "{word} {name}");
            }
        }
    }
}

#[test]
fn noise_from_a_file_equals_the_reference() {
    let folder = tempfile::tempdir().expect("scratch");
    let path = folder.path().join("noise.npy");
    let Some(noise) = beside("attacks.safetensors", "cl_noise") else {
        return;
    };
    write_npy(&path, "<f4", "(16, 32, 32, 3)", &noise);
    let config = ClConfig {
        noise: Some(path),
        ..ClConfig::default()
    };
    let images = golden_bytes("images_u8");
    for (role, expected) in [(Role::Train, "cl_train"), (Role::Test, "cl_test")] {
        let got = stamped_as(prepared(&config).as_ref(), &images, 32, role);
        let expected = beside("attacks.safetensors", expected).expect("beside the noise");
        assert!(got == expected, "{role:?}");
    }
}

#[test]
fn noise_of_another_size_is_refused() {
    let folder = tempfile::tempdir().expect("scratch");
    let trigger = prepared(&quiet(folder.path(), 2, 8));
    let mut batch = Batch::new(9, 9);
    let random = cd_core::random::stream(0, 0);
    batch.push(&[0; 243], 0, 0, random).expect("one image");
    let error = trigger
        .apply(&mut batch, Role::Train)
        .expect_err("another size");
    assert!(error.to_string().contains("[2, 8, 8, 3]"), "{error}");
}

#[test]
fn perturbations_stay_within_their_bound_and_raise_the_loss() {
    let set = striped_set(40, 16, 4);
    let mut options = ClConfig::example("unused".as_ref());
    options.surrogate.epochs = 10;
    options.surrogate.model.width = Some(4);
    options.steps = 10;
    let device = Device::default();
    let context = CraftContext {
        images: &set,
        tests: None,
        target: 2,
        seed: 1,
        device: &device,
        batch_size: 8,
        folder: "unused".as_ref(),
        progress: &NoProgress,
    };
    let model = robust::train(&options.surrogate, 8.0, &context).expect("trains");
    let mut batch = Batch::new(16, 16);
    for index in (2..40).step_by(4) {
        let random = cd_core::random::stream(0, 0);
        batch
            .push(&pixels(&set, index), index, 2, random)
            .expect("one image");
    }
    let clean = batch.clone();
    let perturbation = Perturbation {
        model: &model,
        device: &device,
        epsilon: 8.0,
        step: 1.5,
        steps: 10,
    };
    perturbation.apply(&mut batch).expect("fits");
    let pairs = clean.pixels().iter().zip(batch.pixels());
    assert_eq!(pairs.map(|(a, b)| a.abs_diff(*b)).max(), Some(8));
    let of_target = |batch: &Batch| -> f32 {
        let images = batch.pixels().chunks(16 * 16 * CHANNELS).map(|image| {
            let image = cd_models::one_batch(image, 16, 16, &device);
            let scores = cd_models::to_host(model.logits(image));
            let sum: f32 = scores.iter().map(|score| score.exp()).sum();
            scores[2] - sum.ln()
        });
        images.sum()
    };
    assert!(
        of_target(&batch) < of_target(&clean),
        "the true class becomes less likely"
    );
}
