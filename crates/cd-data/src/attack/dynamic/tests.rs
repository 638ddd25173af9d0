//! The networks are trained, and what they paint depends on the image.

use tempfile::tempdir;

use super::*;
use crate::testing::{crafted, on_threads, stamped_as, striped_set};

fn trained(options: &DynamicConfig, seed: u64) -> Painting {
    crafted(&striped_set(60, 16, 4), 2, seed, |context| {
        train::train(options, context)
    })
}

fn small() -> DynamicConfig {
    let mut options = DynamicConfig::example(Path::new("unused"));
    options.width = 4;
    options.mask_epochs = 6;
    options.surrogate.epochs = 4;
    options.surrogate.model.width = Some(4);
    options
}

#[test]
fn losses_fall_and_other_images_get_other_patches() {
    let painting = trained(&small(), 3);
    for curve in &painting.record.curves[..2] {
        let (first, last) = (curve.values[0], curve.values[curve.values.len() - 1]);
        assert!(last < first, "{}: {:?}", curve.name, curve.values);
    }
    let image = |step: usize| (0..16 * 16 * 3).map(move |at| (at * step) as u8);
    let images: Vec<u8> = image(3).chain(image(7)).collect();
    let got = stamped_as(&painting, &images, 16, Role::Train);
    let changes = |half: usize| -> Vec<i16> {
        let pairs = images.iter().zip(&got).skip(half * 768).take(768);
        pairs
            .map(|(old, new)| i16::from(*new) - i16::from(*old))
            .collect()
    };
    assert!(changes(0) != changes(1));
}

#[test]
fn threads_do_not_matter() {
    let images: Vec<u8> = (0..16 * 16 * 3).map(|at| (at % 239) as u8).collect();
    let stamp = |threads| {
        on_threads(threads, || {
            stamped_as(&trained(&small(), 1), &images, 16, Role::Cover)
        })
    };
    assert!(stamp(1) == stamp(3));
}

#[test]
fn covers_carry_the_patch_of_another_image() {
    let painting = trained(&small(), 3);
    let images: Vec<u8> = (0..16 * 16 * 3).map(|at| (at % 200) as u8).collect();
    let own = stamped_as(&painting, &images, 16, Role::Train);
    let other = stamped_as(&painting, &images, 16, Role::Cover);
    assert!(own != other && other != images);
    let mut batch = Batch::new(16, 16);
    for index in painting.partners.indices.iter().copied() {
        let random = cd_core::random::stream(1, index as u64);
        batch.push(&images, index, 0, random).expect("fits");
    }
    let drawn = painting.partners.drawn(&mut batch);
    let indices = &painting.partners.indices;
    assert!(
        drawn
            .iter()
            .zip(indices)
            .all(|(&at, own)| indices[at] != *own)
    );
}

#[test]
fn damaged_and_foreign_files_are_refused() {
    let (options, folder) = (small(), tempdir().expect("scratch"));
    let painting = trained(&options, 3);
    painting.save(folder.path()).expect("saves");
    options.load(folder.path()).expect("loads");
    let wider = DynamicConfig {
        width: 5,
        ..options.clone()
    };
    let error = wider.load(folder.path()).expect_err("another network");
    assert!(
        error.to_string().contains("generator.safetensors"),
        "{error}"
    );
    for name in ["generator.safetensors", "partners.npy", "craft.json"] {
        let path = folder.path().join(name);
        let whole = std::fs::read(&path).expect("is there");
        std::fs::write(&path, &whole[..whole.len() / 2]).expect("writes");
        let error = options.load(folder.path()).expect_err("cut short");
        assert!(error.to_string().contains(name), "{error}");
        std::fs::write(&path, whole).expect("writes");
    }
}

#[test]
fn large_images_are_painted_at_the_side_of_the_networks() {
    let painting = trained(&small(), 3);
    let images: Vec<u8> = (0..70 * 70 * 3).map(|at| (at % 200) as u8).collect();
    let got = stamped_as(&painting, &images, 70, Role::Test);
    assert!(got != images);
}
