//! Bits are recovered after some training, and published outputs are put in as they are.

use std::fs;

use cd_core::{ImageSet, NoProgress};
use tempfile::tempdir;

use super::*;
use crate::testing::{crafted, on_threads, prepared, stamped, stamped_as, striped_set, write_npy};

fn trained(options: &IssbaConfig, images: &ImageSet, seed: u64) -> Hiding {
    crafted(images, 0, seed, |context| train::train(options, context))
}

#[test]
fn a_little_training_recovers_bits_far_above_chance() {
    let options = IssbaConfig {
        bits: 4,
        width: 4,
        steps: 300,
        batch_size: 16,
        ..IssbaConfig::default()
    };
    let hiding = trained(&options, &striped_set(60, 16, 4), 1);
    let bits = &hiding.record.figures[0];
    assert!(
        bits.name.starts_with("bits") && bits.value > 80.0,
        "{:?}",
        hiding.record
    );
    let loss = &hiding.record.curves[0].values;
    assert!(loss[loss.len() - 1] < loss[0], "{loss:?}");
}

#[test]
fn the_secret_and_the_seed_make_the_pattern() {
    let options = IssbaConfig::example(Path::new("unused"));
    let images: Vec<u8> = (0..2 * 16 * 16 * 3).map(|at| (at % 239) as u8).collect();
    let set = striped_set(20, 16, 4);
    let stamp = |options: &IssbaConfig, seed| {
        stamped_as(&trained(options, &set, seed), &images, 16, Role::Train)
    };
    let first = stamp(&options, 1);
    assert!(first == stamp(&options, 1) && first != stamp(&options, 2));
    let other = IssbaConfig {
        secret_seed: 1,
        ..options
    };
    assert!(other.secret() != options_secret() && first != stamp(&other, 1));
}

#[test]
fn threads_do_not_matter() {
    let options = IssbaConfig::example(Path::new("unused"));
    let images: Vec<u8> = (0..16 * 16 * 3).map(|at| (at % 239) as u8).collect();
    let set = striped_set(40, 16, 4);
    let stamp = |threads| {
        on_threads(threads, || {
            stamped_as(&trained(&options, &set, 1), &images, 16, Role::Train)
        })
    };
    assert!(stamp(1) == stamp(3));
}

fn options_secret() -> Vec<f32> {
    IssbaConfig::example(Path::new("unused")).secret()
}

#[test]
fn published_outputs_are_taken_by_their_number() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("train.npy");
    let stored: Vec<u8> = (0..3 * 12).map(|at| 100 + at as u8).collect();
    write_npy(&path, "|u1", "(3, 2, 2, 3)", &stored);
    let options = IssbaConfig {
        train_images: Some(path.clone()),
        ..IssbaConfig::default()
    };
    assert!(stamped(&options, &[100; 24], 2) == stored[..24]);
    assert_eq!(options.files(), [path]);
    let trigger = prepared(&options);
    let mut batch = Batch::new(2, 2);
    let random = || stream(0, 0);
    batch.push(&[0; 12], 7, 0, random()).expect("fits");
    for (role, part) in [
        (Role::Train, "it has 3 images"),
        (Role::Test, "`test_images`"),
    ] {
        let error = trigger.apply(&mut batch, role).expect_err("not there");
        assert!(error.to_string().contains(part), "{error}");
    }
    let set = striped_set(4, 2, 2);
    let context = CraftContext {
        images: &set,
        ..CraftContext::without_images(folder.path())
    };
    let error = options.prepare(&context).expect_err("one image too few");
    assert!(error.to_string().contains("4 training images"), "{error}");
    let mut dark = Batch::new(2, 2);
    dark.push(&[0; 12], 1, 0, random()).expect("fits");
    let error = trigger
        .apply(&mut dark, Role::Train)
        .expect_err("another image");
    assert!(error.to_string().contains("another order"), "{error}");
    let mut wide = Batch::new(2, 3);
    wide.push(&[0; 18], 0, 0, random()).expect("fits");
    let error = trigger
        .apply(&mut wide, Role::Train)
        .expect_err("another size");
    assert!(error.to_string().contains("[2, 3, 3]"), "{error}");
}

#[test]
fn folders_of_pictures_are_taken_in_the_order_of_their_paths() {
    let folder = tempdir().expect("scratch");
    let inner = folder.path().join("b");
    fs::create_dir(&inner).expect("creates");
    for (path, level) in [(inner.join("0.png"), 9), (folder.path().join("a.png"), 8)] {
        let picture = image::RgbImage::from_pixel(2, 2, image::Rgb([level; 3]));
        picture.save(path).expect("writes");
    }
    let options = IssbaConfig {
        train_images: Some(folder.path().into()),
        ..IssbaConfig::default()
    };
    let expected: Vec<u8> = [[8; 12], [9; 12]].concat();
    assert_eq!(stamped(&options, &[0; 24], 2), expected);
    assert_eq!(options.files().len(), 2);
    let empty = tempdir().expect("scratch");
    let options = IssbaConfig {
        train_images: Some(empty.path().into()),
        ..IssbaConfig::default()
    };
    let error = options.load(Path::new("unused")).expect_err("empty");
    assert!(error.to_string().contains("no picture"), "{error}");
}

/// On CIFAR-10 this is docs/generators.md; here the drawn signs of the demo, for five minutes on two cores.
#[test]
#[ignore = "trains for minutes"]
fn the_defaults_recover_the_secret_on_drawn_signs() {
    use crate::dataset::{Dataset, DemoConfig};
    let demo = DemoConfig {
        train: 2000,
        test: 1,
        seed: 0,
    };
    let split = demo
        .load(&crate::LoadContext::new(&NoProgress))
        .expect("draws");
    let hiding = trained(&IssbaConfig::default(), &split.train, 0);
    let figure = |at: usize| hiding.record.figures[at].value;
    assert!(
        figure(0) > 99.0 && figure(1) > 29.0,
        "{}",
        hiding.record.line()
    );
}
