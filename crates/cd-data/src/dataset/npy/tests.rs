//! Arrays of every shape, type and name, and damaged archives.

use std::env;
use std::fs;
use std::io::{Cursor, Write};

use cd_core::NoProgress;
use cd_core::npy::{Element, write_header, write_values};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::{TempDir, tempdir};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::arrays::tests::read_archive;
use super::*;

fn array<T: Element>(shape: &[usize], values: &[T]) -> Vec<u8> {
    assert_eq!(shape.iter().product::<usize>(), values.len());
    let mut bytes = Vec::new();
    write_header::<T>(&mut bytes, shape).expect("memory");
    write_values(&mut bytes, values).expect("memory");
    bytes
}

/// An array whose header is written by hand.
fn by_hand(descr: &str, fortran: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [
        b"\x93NUMPY\x01\x00",
        &length[..],
        header.as_bytes(),
        numbers,
    ]
    .concat()
}

fn npz(members: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(format!("{name}.npy"), options)
            .expect("memory");
        zip.write_all(bytes).expect("memory");
    }
    zip.finish().expect("memory").into_inner()
}

fn scene(files: &[(&str, Vec<u8>)]) -> (TempDir, NpyConfig) {
    let folder = tempdir().expect("scratch");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("inside")).expect("makes");
        fs::write(path, bytes).expect("writes");
    }
    let path = folder.path().into();
    let config = NpyConfig {
        path,
        ..NpyConfig::default()
    };
    (folder, config)
}

fn load(config: &NpyConfig) -> Result<Split, DataError> {
    config.load(&LoadContext::new(&NoProgress))
}

fn refused(config: &NpyConfig, part: &str) {
    let message = load(config).expect_err(part).to_string();
    assert!(message.contains(part), "{message}");
}

/// Two pictures of 2 x 5 pixels, channel last: 0, 1, 2 and so on.
fn bytes() -> Vec<u8> {
    (0..60).collect()
}

/// The same, channel first.
fn planes() -> Vec<u8> {
    let of = |picture: usize, channel: usize, at: usize| (picture * 30 + at * 3 + channel) as u8;
    (0..2)
        .flat_map(|picture| {
            (0..3).flat_map(move |channel| (0..10).map(move |at| of(picture, channel, at)))
        })
        .collect()
}

fn pixels(split: &Split) -> Vec<u8> {
    (0..split.train.len())
        .flat_map(|index| split.train.pixels(index).expect("reads").to_vec())
        .collect()
}

#[test]
fn every_type_and_layout_gives_the_same_pixels() {
    let shape = &[2, 2, 5, 3];
    let numbers = bytes();
    let unit: Vec<f32> = numbers
        .iter()
        .map(|&value| f32::from(value) / 255.0)
        .collect();
    let double: Vec<f64> = numbers
        .iter()
        .map(|&value| f64::from(value) / 255.0)
        .collect();
    let floats: Vec<f32> = numbers.iter().map(|&value| f32::from(value)).collect();
    let whole: Vec<i64> = numbers.iter().map(|&value| value.into()).collect();
    let big: Vec<u8> = numbers
        .iter()
        .flat_map(|&value| u16::from(value).to_be_bytes())
        .collect();
    for pictures in [
        array(shape, &numbers),
        array(&[2, 3, 2, 5], &planes()),
        array(shape, &unit),
        array(shape, &double),
        array(shape, &floats),
        array(shape, &whole),
        by_hand(">u2", "False", "(2, 2, 5, 3)", &big),
    ] {
        let labels = array(&[2], &[3_i64, 1]);
        let files = [("x", pictures), ("y", labels)];
        let plain: Vec<(String, Vec<u8>)> = files
            .iter()
            .map(|(name, bytes)| (format!("{name}.npy"), bytes.clone()))
            .collect();
        let plain: Vec<(&str, Vec<u8>)> = plain
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.clone()))
            .collect();
        let scenes = [
            scene(&plain),
            scene(&[("a.npz", npz(&files, CompressionMethod::Stored))]),
            scene(&[("a.npz", npz(&files, CompressionMethod::Deflated))]),
        ];
        for (_folder, config) in &scenes {
            let split = load(config).expect("reads");
            assert_eq!((split.train.height(), split.train.width()), (2, 5));
            assert_eq!(pixels(&split), numbers);
            assert_eq!(split.train.class_names(), ["1", "3"]);
            assert_eq!(split.train.labels(), [1, 0]);
        }
        let limited = NpyConfig {
            train_limit: Some(1),
            size: Some(2),
            ..scenes[2].1.clone()
        };
        assert_eq!(load(&limited).expect("reads").train.len(), 1);
    }
}

#[test]
fn gray_and_alpha_become_colours() {
    for (shape, numbers, expected) in [
        (&[1, 1, 2][..], vec![5_u8, 6], [5, 5, 5, 6, 6, 6]),
        (&[1, 2, 1, 1], vec![5, 6], [5, 5, 5, 6, 6, 6]),
        (
            &[1, 2, 1, 4],
            vec![1, 2, 3, 9, 4, 5, 6, 9],
            [1, 2, 3, 4, 5, 6],
        ),
        (
            &[1, 4, 1, 2],
            vec![1, 4, 2, 5, 3, 6, 9, 9],
            [1, 2, 3, 4, 5, 6],
        ),
    ] {
        let (_folder, config) = scene(&[
            ("x.npy", array(shape, &numbers)),
            ("y.npy", array(&[1], &[0_u8])),
        ]);
        assert_eq!(pixels(&load(&config).expect("reads")), expected);
    }
}

#[test]
fn labels_come_in_every_form() {
    let pictures = || ("x.npy", array(&[3, 2, 2], &[0_u8; 12]));
    for (labels, expected) in [
        (array(&[3], &[2_u8, 0, 2]), vec!["0", "2"]),
        (array(&[3, 1], &[2_i64, 0, 2]), vec!["0", "2"]),
        (array(&[3], &[2.0_f32, 0.0, 2.0]), vec!["0", "2"]),
        (
            array(&[3, 3], &[0.0_f32, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]),
            vec!["0", "2"],
        ),
        (
            by_hand("|b1", "False", "(3, 2)", &[0, 1, 1, 0, 0, 1]),
            vec!["0", "1"],
        ),
    ] {
        let (_folder, config) = scene(&[pictures(), ("y.npy", labels)]);
        let split = load(&config).expect("reads");
        assert_eq!(split.train.class_names(), expected);
        assert_eq!(split.train.labels(), [1, 0, 1]);
    }
    for (labels, part) in [
        (array(&[2], &[0_u8; 2]), "2 labels for 3 pictures"),
        (
            array(&[3], &[0.5_f32; 3]),
            "row 0 is no label: expected a whole number",
        ),
        (
            array(&[3, 2], &[0_u8, 1, 1, 1, 0, 1]),
            "row 1 is no label: expected a single 1",
        ),
        (array(&[3, 1, 1], &[0_u8; 3]), "expected [N], [N, 1]"),
    ] {
        let (_folder, config) = scene(&[pictures(), ("y.npy", labels)]);
        refused(&config, part);
    }
}

#[test]
fn names_tell_the_parts() {
    let pictures = |count: usize| array(&[count, 2, 2], &vec![0_u8; count * 4]);
    let labels = |count: usize| array(&[count], &vec![0_u8; count]);
    let stored = CompressionMethod::Stored;
    for files in [
        vec![
            ("x_train.npy", pictures(3)),
            ("y_train.npy", labels(3)),
            ("x_test.npy", pictures(2)),
            ("y_test.npy", labels(2)),
        ],
        vec![
            ("train/images.npy", pictures(3)),
            ("train/labels.npy", labels(3)),
            ("val/images.npy", pictures(2)),
            ("val/labels.npy", labels(2)),
        ],
        vec![(
            "a.npz",
            npz(
                &[
                    ("arr_0", pictures(3)),
                    ("arr_1", labels(3)),
                    ("arr_2", pictures(2)),
                    ("arr_3", labels(2)),
                ],
                stored,
            ),
        )],
        vec![
            (
                "train.npz",
                npz(&[("data", pictures(3)), ("labels", labels(3))], stored),
            ),
            (
                "test.npz",
                npz(&[("data", pictures(2)), ("labels", labels(2))], stored),
            ),
        ],
    ] {
        let (_folder, config) = scene(&files);
        let split = load(&config).expect("reads");
        assert_eq!(
            (split.train.len(), split.test.expect("a test part").len()),
            (3, 2)
        );
    }
    let (_folder, config) = scene(&[
        ("x.npy", pictures(4)),
        ("y.npy", labels(4)),
        ("names.npy", labels(9)),
        ("words.txt", Vec::new()),
    ]);
    let fraction = NpyConfig {
        test_fraction: Some(0.5),
        ..config
    };
    let split = load(&fraction).expect("reads");
    assert_eq!(
        (split.train.len(), split.test.expect("set aside").len()),
        (2, 2)
    );
    assert_eq!(split.not_read.lines().len(), 2);
    let (_folder, mut config) = scene(&[
        ("a.npy", pictures(2)),
        ("b.npy", pictures(2)),
        ("c.npy", labels(2)),
    ]);
    refused(&config, "choose with `images` and `labels`");
    config.images = Some("b".into());
    refused(&config, "these pictures have no labels");
    config.labels = Some("c".into());
    assert_eq!(load(&config).expect("reads").train.name(1), "b:00001");
    config.unlabelled = true;
    config.labels = None;
    assert!(load(&config).expect("reads").train.class_names().is_empty());
}

#[test]
fn what_cannot_be_told_is_refused_with_the_option_that_tells() {
    let with = |pictures: Vec<u8>| scene(&[("x.npy", pictures), ("y.npy", array(&[1], &[0_u8]))]);
    let shape = &[1, 2, 2];
    for (pictures, part) in [
        (
            array(shape, &[0.0_f32, 0.5, 100.5, 255.0]),
            "set `range = \"bytes\"`",
        ),
        (
            array(shape, &[-1.0_f32, 0.5, 0.0, 1.0]),
            "set `range = \"symmetric\"`",
        ),
        (
            array(shape, &[-2.1_f32, 0.5, 0.0, 2.4]),
            "pictures that were normalised",
        ),
        (
            array(shape, &[0.0_f32, f32::NAN, 0.0, 0.0]),
            "row 0 holds NaN",
        ),
        (
            array(shape, &[0_i64, 256, 0, 0]),
            "whole numbers run from 0 to 256",
        ),
        (array(&[1, 3, 2, 3], &[0_u8; 18]), "choose `layout`"),
        (
            array(&[1, 2, 2, 2], &[0_u8; 8]),
            "expected 1, 3 or 4 channels",
        ),
        (array(&[1, 12], &[0_u8; 12]), "np.reshape"),
        (
            by_hand("|b1", "False", "(1, 2, 2)", &[0; 4]),
            "truth values",
        ),
        (
            by_hand("|O", "False", "(1, 2, 2)", b"\x80\x04"),
            "allow_pickle=True",
        ),
        (
            by_hand("|u1", "True", "(1, 2, 2)", &[0; 4]),
            "np.ascontiguousarray",
        ),
        (
            by_hand("|u1", "False", "(9, 2, 2)", &[0; 4]),
            "4 bytes of numbers, expected 36",
        ),
        (
            by_hand("|u1", "False", "(9, 99999, 99999, 3)", &[0; 4]),
            "4 bytes of numbers",
        ),
        (b"<html>".repeat(9), "but a web page"),
        (
            b"PK\x03\x04 and nothing else".to_vec(),
            "its zip directory is damaged",
        ),
    ] {
        let (_folder, config) = with(pictures);
        refused(&config, part);
    }
    let (_folder, mut config) = with(array(shape, &[-1.0_f32, 1.0, 0.0, 0.0]));
    config.range = Some(ArrayRange::Symmetric);
    let shown = pixels(&load(&config).expect("reads"));
    assert_eq!([shown[0], shown[3], shown[6]], [0, 255, 128]);
    config.range = Some(ArrayRange::Unit);
    refused(&config, "outside the chosen `range`");
    let (_folder, config) = scene(&[("x.npy", array(&[2, 4, 4], &[0_u8; 32]))]);
    refused(&config, "these pictures have no labels");
    let (_folder, config) = scene(&[]);
    refused(&config, "expected an .npz file");
}

/// `CD_MUTATIONS` sets how many inputs are tried.
#[test]
fn damage_never_panics() {
    const IN_TESTS: u64 = 20_000;
    let count =
        env::var("CD_MUTATIONS").map_or(IN_TESTS, |text| text.parse().expect("a whole number"));
    let files = [
        ("x", array(&[3, 2, 2], &[7_u8; 12])),
        ("y", array(&[3], &[1_i64, 2, 3])),
    ];
    let bases =
        [CompressionMethod::Stored, CompressionMethod::Deflated].map(|method| npz(&files, method));
    let mut survivors = 0;
    for number in 0..count {
        let mut random = ChaCha8Rng::seed_from_u64(number);
        let mut bytes = bases[random.random_range(0..bases.len())].clone();
        for _ in 0..=random.random::<u8>().trailing_ones() {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..5) {
                0 => bytes[at] = random.random(),
                1 => bytes[at] = b"PK\x01\x02\x05\x06\0\xff(,)19"[random.random_range(0..13)],
                2 => bytes.truncate(at + 1),
                3 => {
                    let copy = bytes[at..(at + 20).min(bytes.len())].to_vec();
                    bytes.splice(at..at, copy);
                }
                _ => {
                    let end = (at + 4).min(bytes.len());
                    bytes[at..end].fill([0, 0xff, 0x7f][random.random_range(0..3)]);
                }
            }
        }
        survivors += u64::from(read_archive(&bytes).is_ok());
    }
    assert!(survivors > count / 100, "{survivors} of {count} survived");
}
