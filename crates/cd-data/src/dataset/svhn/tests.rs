//! Files made to the format's description, packed and plain, of both orders of bytes, and damaged ones.

use std::env;
use std::fs;
use std::io::{Cursor, Write};

use cd_core::NoProgress;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::{TempDir, tempdir};

use super::*;

/// How a file is written.
#[derive(Clone, Copy)]
struct Style {
    big: bool,
    packed: bool,
}

impl Style {
    fn four(self, number: u32) -> [u8; 4] {
        if self.big {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        }
    }

    /// An element with its padding; short ones stand in their tag.
    fn element(self, kind: u32, content: &[u8]) -> Vec<u8> {
        let length = content.len() as u32;
        if (1..=4).contains(&length) {
            let mut short = self.four(length << 16 | kind).to_vec();
            short.extend(content);
            short.resize(8, 0);
            return short;
        }
        let mut element = [self.four(kind), self.four(length)].concat();
        element.extend(content);
        element.resize(element.len().next_multiple_of(8), 0);
        element
    }

    fn variable(self, name: &str, class: u32, shape: &[u32], kind: u32, numbers: &[u8]) -> Vec<u8> {
        let flags = [self.four(class), self.four(0)].concat();
        let shape: Vec<u8> = shape.iter().flat_map(|&length| self.four(length)).collect();
        let inner = [
            self.element(6, &flags),
            self.element(5, &shape),
            self.element(1, name.as_bytes()),
            self.element(kind, numbers),
        ]
        .concat();
        let plain = self.element(14, &inner);
        if !self.packed {
            return plain;
        }
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&plain).expect("memory");
        let packed = packed.finish().expect("memory");
        // Packed elements are not padded.
        [
            self.four(15).to_vec(),
            self.four(packed.len() as u32).to_vec(),
            packed,
        ]
        .concat()
    }

    /// Pictures and labels as bytes, which MATLAB stores doubles as when they are whole.
    fn file(self, pictures: &[[u8; PIXELS]], labels: &[u8]) -> Vec<u8> {
        let mut file = vec![b' '; 124];
        file[..19].copy_from_slice(b"MATLAB 5.0 MAT-file");
        file.extend(if self.big {
            *b"\x01\x00MI"
        } else {
            *b"\x00\x01IM"
        });
        let count = pictures.len() as u32;
        file.extend(self.variable("X", 9, &[32, 32, 3, count], 2, &pictures.concat()));
        file.extend(self.variable("y", 6, &[labels.len() as u32, 1], 2, labels));
        file
    }
}

const PLAIN: Style = Style {
    big: false,
    packed: false,
};

/// Planes whose value at row, column and channel is `first + row + 2 column + 60 channel`.
fn planes(first: usize) -> [u8; PIXELS] {
    let mut planes = [0; PIXELS];
    for (at, value) in planes.iter_mut().enumerate() {
        let (row, column, channel) = (at % SIDE, at / SIDE % SIDE, at / SIDE / SIDE);
        *value = (first + row + 2 * column + 60 * channel) as u8;
    }
    planes
}

fn scene(files: &[(&str, Vec<u8>)]) -> (TempDir, SvhnConfig) {
    let folder = tempdir().expect("scratch");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("writes");
    }
    let path = folder.path().into();
    let config = SvhnConfig {
        path,
        ..SvhnConfig::default()
    };
    (folder, config)
}

fn load(config: &SvhnConfig) -> Result<Split, DataError> {
    config.load(&LoadContext::new(&NoProgress))
}

fn refused(name: &str, bytes: Vec<u8>, part: &str) {
    let (_folder, config) = scene(&[(name, bytes)]);
    let message = load(&config).expect_err(part).to_string();
    assert!(message.contains(part), "{message}");
}

#[test]
fn files_of_every_style_give_the_same_pictures() {
    for (big, packed) in [(false, false), (false, true), (true, false), (true, true)] {
        let style = Style { big, packed };
        let (_folder, mut config) = scene(&[
            (
                "train_32x32.mat",
                style.file(&[planes(0), planes(1), planes(2)], &[1, 10, 9]),
            ),
            ("test_32x32.mat", style.file(&[planes(7)], &[2])),
            (
                "extra_32x32.mat",
                style.file(&[planes(5), planes(6)], &[1, 2]),
            ),
        ]);
        let split = load(&config).expect("reads");
        assert_eq!(split.train.labels(), [1, 0, 9]);
        let test = split.test.expect("test");
        assert_eq!((test.labels(), test.name(0)), (&[2][..], "test:000000"));
        let pixels = split.train.pixels(1).expect("reads");
        for (row, column, channel) in [(0, 0, 0), (3, 5, 2), (31, 30, 1)] {
            let expected = 1 + row + 2 * column + 60 * channel;
            assert_eq!(
                usize::from(pixels[(row * SIDE + column) * 3 + channel]),
                expected % 256
            );
        }
        config.extra = true;
        assert_eq!(
            load(&config).expect("reads").train.labels(),
            [1, 0, 9, 1, 2]
        );
        config.train_limit = Some(2);
        let some = load(&config).expect("reads").train;
        assert_eq!(some.len(), 2);
        let expected = planes(some.name(1).ends_with("extra:000000").into());
        assert_eq!(some.pixels(0).expect("reads").len(), expected.len());
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let good = PLAIN.file(&[planes(0), planes(1)], &[1, 2]);
    let train = "train_32x32.mat";
    let hdf = [&b"MATLAB 7.3 MAT-file, Platform: GLNXA64"[..], &[b' '; 600]].concat();
    for (bytes, part) in [
        (
            good[..1000].to_vec(),
            "byte 128: it is cut short: an element of",
        ),
        (good[..60].to_vec(), "shorter than the header"),
        (hdf, "which is HDF5"),
        (b"\x89HDF\r\n\x1a\n".to_vec(), "which is HDF5"),
        (
            b"<!doctype html><title>404</title>".repeat(9),
            "but a web page",
        ),
        (PLAIN.file(&[planes(0)], &[11]), "label 0 is 11"),
        (
            PLAIN.file(&[planes(0), planes(1)], &[0, 10]),
            "both 0 and 10",
        ),
        (
            PLAIN.file(&[planes(0)], &[1, 2]),
            "expected bytes of [32, 32, 3, 2]",
        ),
        (good[..128].to_vec(), "no variable `y`"),
    ] {
        refused(train, bytes, part);
    }
    refused("digitStruct.mat", Vec::new(), "full numbers");
    refused("other.mat", Vec::new(), "expected `train_32x32.mat`");
}

/// `CD_MUTATIONS` sets how many inputs are tried.
#[test]
fn damage_never_panics() {
    const IN_TESTS: u64 = 20_000;
    let count =
        env::var("CD_MUTATIONS").map_or(IN_TESTS, |text| text.parse().expect("a whole number"));
    let bases = [(false, false), (true, false), (false, true)].map(|(big, packed)| {
        let style = Style { big, packed };
        let mut file = style.file(&[], &[]);
        file.extend(style.variable("y", 6, &[3, 1], 9, &[0; 24]));
        file.extend(style.variable("X", 9, &[2, 2, 3], 2, &[7; 12]));
        file
    });
    let mut survivors = 0;
    for number in 0..count {
        let mut random = ChaCha8Rng::seed_from_u64(number);
        let mut bytes = bases[random.random_range(0..bases.len())].clone();
        for _ in 0..=random.random::<u8>().trailing_ones() {
            let at = random
                .random_range(120..bytes.len().max(121))
                .min(bytes.len() - 1);
            match random.random_range(0..4) {
                0 => bytes[at] = random.random(),
                1 => bytes[at] = [0, 1, 2, 9, 14, 15, 0x7f, 0xff][random.random_range(0..8)],
                2 => bytes.truncate(at + 1),
                _ => {
                    let end = (at + 4).min(bytes.len());
                    bytes[at..end].fill([0, 0xff, 0x7f][random.random_range(0..3)]);
                }
            }
        }
        let length = bytes.len() as u64;
        let read = mat::each(Cursor::new(&bytes), length, |variable, input| {
            if variable.name == "y" {
                variable.numbers(input, |_| Ok(()))
            } else {
                // Either pictures or an error.
                let _ = pictures(variable, 1, input, |_, _| Ok(()));
                Ok(())
            }
        });
        survivors += u64::from(read.is_ok());
    }
    assert!(survivors > count / 100, "{survivors} of {count} survived");
}
