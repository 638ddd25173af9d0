//! Shards in every form, and damaged ones.

use std::env;
use std::fs;
use std::io::{Cursor, Write};

use cd_core::NoProgress;
use flate2::Compression;
use flate2::write::GzEncoder;
use image::{ImageFormat, Rgb, RgbImage};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tar::{Builder, Header};
use tempfile::{TempDir, tempdir};

use super::*;
use crate::dataset::classes::Labels;

fn picture(red: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_pixel(4, 4, Rgb([red, 0, 0]))
        .write_to(&mut bytes, ImageFormat::Png)
        .expect("encodes");
    bytes.into_inner()
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, path, *content)
            .expect("memory");
    }
    builder.into_inner().expect("memory")
}

/// Samples `a/0`, `a/1` and so on with these labels under this ending.
fn shard(labels: &[&str], ending: &str) -> Vec<u8> {
    let mut files = Vec::new();
    for (number, label) in labels.iter().enumerate() {
        files.push((format!("a/{number}.png"), picture(number as u8 * 10)));
        files.push((format!("a/{number}.{ending}"), label.as_bytes().to_vec()));
    }
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(path, content)| (path.as_str(), &content[..]))
        .collect();
    tar(&files)
}

fn scene(shards: &[(&str, Vec<u8>)]) -> (TempDir, WebDatasetConfig) {
    let folder = tempdir().expect("scratch");
    for (name, bytes) in shards {
        fs::write(folder.path().join(name), bytes).expect("writes");
    }
    let config = WebDatasetConfig {
        path: folder.path().into(),
        ..WebDatasetConfig::default()
    };
    (folder, config)
}

fn load(config: &WebDatasetConfig) -> Result<Split, DataError> {
    config.load(&LoadContext::new(&NoProgress))
}

fn refused(config: &WebDatasetConfig, part: &str) {
    let message = load(config).expect_err(part).to_string();
    assert!(message.contains(part), "{message}");
}

#[test]
fn shards_of_every_form_are_read() {
    let packed = {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed
            .write_all(&shard(&["1", "0"], "cls"))
            .expect("memory");
        packed.finish().expect("memory")
    };
    let (folder, config) = scene(&[
        ("train-0.tar", shard(&["0", "1", "2"], "cls")),
        ("train-1.tar.gz", packed),
        ("val-0.tar", shard(&["2"], "cls")),
        ("README.md", b"words".to_vec()),
    ]);
    let split = load(&config).expect("reads");
    assert_eq!(split.train.class_names(), ["0", "1", "2"]);
    assert_eq!(split.train.labels(), [0, 1, 2, 1, 0]);
    assert_eq!(split.train.name(1), "train-0.tar/a/1.png");
    assert_eq!(split.train.name(3), "train-1.tar.gz/a/0.png");
    assert_eq!((split.train.height(), split.train.width()), (4, 4));
    let test = split.test.expect("val");
    assert_eq!(test.labels(), [2]);
    assert_eq!(split.not_read.lines().len(), 1);
    for (index, red) in [0, 10, 20, 0, 10].into_iter().enumerate() {
        assert_eq!(split.train.pixels(index).expect("reads")[..3], [red, 0, 0]);
    }
    fs::write(folder.path().join("classnames.txt"), "cat\ndog\nowl\n").expect("writes");
    let named = load(&config).expect("reads");
    assert_eq!(named.train.class_names(), ["cat", "dog", "owl"]);
    assert_eq!(named.not_read, split.not_read);
    let one = WebDatasetConfig {
        path: folder.path().join("train-{0..0}.tar"),
        test_fraction: None,
        train_limit: Some(2),
        ..config
    };
    assert_eq!(load(&one).expect("reads").train.len(), 2);
}

#[test]
fn labels_are_told_by_json_and_text_too() {
    for (ending, labels) in [
        (
            "json",
            [r#"{"label": 1}"#, r#"{"label": 0, "caption": "x"}"#],
        ),
        ("txt", ["owl", "cat\n"]),
        ("CLS", ["owl", "cat"]),
    ] {
        let (_folder, config) = scene(&[("a.tar", shard(&labels, ending))]);
        assert_eq!(load(&config).expect(ending).train.labels(), [1, 0]);
    }
    let (_folder, mut config) = scene(&[("a.tar", shard(&[r#"{"kind": "x"}"#], "json"))]);
    refused(&config, "endings png, json; choose one with `label`");
    config.label = Some("json".into());
    config.label_key = Some("kind".into());
    assert_eq!(load(&config).expect("reads").train.class_names(), ["x"]);
    config.label_key = None;
    config.label = None;
    config.unlabelled = true;
    let split = load(&config).expect("reads");
    assert!(split.train.class_names().is_empty());
    assert_eq!(split.train.len(), 1);
}

#[test]
fn what_is_not_read_is_counted_by_reason() {
    let (one, two) = (picture(1), picture(2));
    let long = format!("{}/9.png", "long".repeat(60));
    let bytes = tar(&[
        ("./0.png", &one[..]),
        ("./0.cls", b"0"),
        ("1.png", &one),
        ("2.cls", b"1"),
        ("3.cls", b""),
        ("3.png", &two),
        (".DS_Store", b"x"),
        ("._0.png", b"x"),
        (&long, &two),
        (&long.replace("png", "cls"), b"1"),
    ]);
    let (_folder, config) = scene(&[("a.tar", bytes)]);
    let split = load(&config).expect("reads");
    assert_eq!(
        split.train.names(),
        ["a.tar/0.png".to_owned(), format!("a.tar/{long}")]
    );
    let reasons: Vec<(usize, &str)> = split
        .not_read
        .groups()
        .iter()
        .map(|group| {
            (
                group.files.len(),
                group.reason.split(',').next().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        reasons,
        [
            (2, "hidden"),
            (2, "samples without a label"),
            (1, "samples without a picture")
        ]
    );
}

#[test]
fn what_cannot_be_read_says_why() {
    let whole = shard(&["0", "1"], "cls");
    let pictures = picture(1);
    for (bytes, part) in [
        (whole[..550].to_vec(), "byte 512: it is cut short"),
        (whole[..700].to_vec(), "byte 1024: it is cut short"),
        (whole[..4096].to_vec(), "byte 4096: it is cut short"),
        (b"<!DOCTYPE html><html>".repeat(60), "but a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid".repeat(20),
            "Git LFS",
        ),
        ([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0].repeat(90), "zstd"),
        ([0x1f, 0x8b, 8].repeat(300), "gzip layer is damaged"),
        (tar(&[]), "holds no samples"),
        (
            tar(&[("0.png", &pictures), ("0.jpg", &pictures), ("0.cls", b"0")]),
            "two pictures, `png` and `jpg`; choose one with `image = \"png\"`",
        ),
        (
            tar(&[("0.png", &pictures), ("0.cls", b"0"), ("0.png", &pictures)]),
            "`0.png` is there twice",
        ),
        (
            tar(&[("0.png", &pictures), ("0.cls", b"0"), ("0.cls", b"0")]),
            "`0.cls` is there twice",
        ),
        (tar(&[("0.png", &pictures), ("0.cls", b"\xff")]), "no text"),
    ] {
        let (_folder, config) = scene(&[("a.tar", bytes)]);
        refused(&config, part);
    }
    let (_folder, config) = scene(&[("a-00000-of-00002.tar", whole.clone())]);
    refused(&config, "1 of 2 shards");
    let (_folder, config) = scene(&[("a.tar", whole), ("test.tar", shard(&["7"], "cls"))]);
    refused(&config, "classes of no training picture: `7`");
    let bad = tar(&[("0.png", b"no picture"), ("0.cls", b"0")]);
    let (_folder, config) = scene(&[("a.tar", bad)]);
    refused(&config, "a.tar:0.png: not a picture");
}

/// `CD_MUTATIONS` sets how many inputs are tried.
#[test]
fn damage_never_panics() {
    const IN_TESTS: u64 = 20_000;
    let count =
        env::var("CD_MUTATIONS").map_or(IN_TESTS, |text| text.parse().expect("a whole number"));
    let long = format!("{}/9.png", "long".repeat(60));
    let base = tar(&[
        ("0.png", b"picture"),
        ("0.json", br#"{"label": 3, "x": [1]}"#),
        (&long, b"picture"),
        ("1.cls", b"7"),
    ]);
    let mut survivors = 0;
    for number in 0..count {
        let mut random = ChaCha8Rng::seed_from_u64(number);
        let mut bytes = base.clone();
        let mut at = 0;
        for _ in 0..=random.random::<u8>().trailing_ones() {
            at = random.random_range(0..bytes.len());
            match random.random_range(0..4) {
                0 => bytes[at] = random.random(),
                1 => bytes[at] = b"01789xgLKS\0./ "[random.random_range(0..14)],
                2 => bytes.truncate(at + 1),
                _ => {
                    let copy = bytes[at..(at + 512).min(bytes.len())].to_vec();
                    bytes.splice(at..at, copy);
                }
            }
        }
        if random.random() {
            mend(&mut bytes, at / 512 * 512);
        }
        let length = bytes.len() as u64;
        let wanted = Wanted::default();
        let Ok(telling) = samples::telling(Cursor::new(&bytes), length, wanted) else {
            continue;
        };
        let (mut labels, mut not_read) = (Labels::default(), NotRead::default());
        let read = samples::read(
            Cursor::new(&bytes),
            length,
            wanted,
            telling.ok().as_ref(),
            &mut labels,
            ("a", &mut not_read),
        );
        if let Ok(samples) = read {
            survivors += 1;
            for sample in samples {
                assert!(sample.picture.start + sample.picture.len <= length);
            }
        }
    }
    assert!(survivors > count / 100, "{survivors} of {count} survived");
}

/// Makes the checksum of the header at byte `at` fit again.
fn mend(bytes: &mut [u8], at: usize) {
    let Some(header) = bytes.get_mut(at..at + 512) else {
        return;
    };
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}
