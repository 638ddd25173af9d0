//! Small `idx` files, plain, packed and broken.

use std::fs;
use std::io::Write;

use cd_core::NoProgress;
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::{TempDir, tempdir};

use super::*;

fn idx(magic: u32, lengths: &[u32], bytes: &[u8]) -> Vec<u8> {
    let numbers = std::iter::once(&magic).chain(lengths);
    let mut file: Vec<u8> = numbers.flat_map(|number| number.to_be_bytes()).collect();
    file.extend(bytes);
    file
}

fn files() -> TempDir {
    let folder = tempdir().expect("scratch");
    let images = idx(0x803, &[3, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    fs::write(folder.path().join("train-images-idx3-ubyte"), images).expect("writes");
    fs::write(
        folder.path().join("train-labels-idx1-ubyte"),
        idx(0x801, &[3], &[7, 0, 9]),
    )
    .expect("writes");
    folder
}

fn config(folder: &TempDir) -> MnistConfig {
    MnistConfig {
        path: folder.path().into(),
        ..MnistConfig::default()
    }
}

fn load(config: &MnistConfig) -> Result<Split, DataError> {
    config.load(&LoadContext::new(&NoProgress))
}

#[test]
fn plain_and_packed_files_are_read() {
    let folder = files();
    let split = load(&config(&folder)).expect("loads");
    assert_eq!((split.train.labels(), &split.test), (&[7, 0, 9][..], &None));
    assert_eq!(
        split.train.pixels(1).expect("readable")[..],
        [5, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 8]
    );
    for (name, bytes) in [
        ("t10k-images.idx3-ubyte.gz", idx(0x803, &[1, 2, 2], &[9; 4])),
        ("t10k-labels.idx1-ubyte.gz", idx(0x801, &[1], &[3])),
    ] {
        let file = fs::File::create(folder.path().join(name)).expect("creates");
        let mut packed = GzEncoder::new(file, Compression::fast());
        packed
            .write_all(&bytes)
            .and_then(|()| packed.finish())
            .expect("writes");
    }
    let fashion = MnistConfig {
        kind: Some(MnistKind::Fashion),
        pad: true,
        train_limit: Some(2),
        ..config(&folder)
    };
    let split = load(&fashion).expect("loads");
    let test = split.test.expect("packed");
    assert_eq!(
        (
            split.train.len(),
            test.class_names()[3].as_str(),
            test.width()
        ),
        (2, "dress", 6)
    );
    let pixels = test.pixels(0).expect("readable");
    let lit: Vec<usize> = (0..36).filter(|&pixel| pixels[pixel * 3] == 9).collect();
    assert_eq!(lit, [14, 15, 20, 21]);
}

#[test]
fn damaged_files_are_named() {
    let images = |lengths: &[u32], bytes: &[u8]| idx(0x803, lengths, bytes);
    for (name, bytes, part) in [
        (
            "train-images-idx3-ubyte",
            images(&[3, 2, 2], &[0; 11]),
            "cut short: 2 images of 3",
        ),
        (
            "train-images-idx3-ubyte",
            images(&[3, 2, 2], &[0; 13]),
            "longer than its header",
        ),
        (
            "train-images-idx3-ubyte",
            images(&[4, 2, 2], &[0; 16]),
            "4 images, and there are 3 labels",
        ),
        (
            "train-images-idx3-ubyte",
            images(&[3, u32::MAX, 2], &[]),
            "number of rows is 4294967295",
        ),
        (
            "train-images-idx3-ubyte",
            idx(0x801, &[3], &[0; 3]),
            "0x00000801, expected 0x00000803",
        ),
        (
            "train-labels-idx1-ubyte",
            idx(0x801, &[3], &[0, 10, 0]),
            "label 1 is 10",
        ),
        (
            "train-labels-idx1-ubyte",
            idx(0x801, &[3], &[0]),
            "1 labels of 3",
        ),
        (
            "train-labels-idx1-ubyte",
            idx(0x801, &[u32::MAX], &[]),
            "number of labels",
        ),
        ("train-labels-idx1-ubyte", b"<h".to_vec(), "cannot read"),
    ] {
        let folder = files();
        fs::write(folder.path().join(name), bytes).expect("writes");
        let message = load(&config(&folder)).expect_err("damaged").to_string();
        assert!(
            message.contains(part) && message.contains(name),
            "{message}"
        );
    }
    let folder = files();
    fs::remove_file(folder.path().join("train-labels-idx1-ubyte")).expect("removes");
    let message = load(&config(&folder)).expect_err("missing").to_string();
    assert!(
        message.contains("lacks `train-labels-idx1-ubyte`"),
        "{message}"
    );
    let message = load(&config(&tempdir().expect("scratch")))
        .expect_err("nothing")
        .to_string();
    assert!(message.contains("no MNIST"), "{message}");
}
