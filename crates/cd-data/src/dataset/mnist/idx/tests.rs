//! Damaged files by the thousand, in memory.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::testing::mutations;

fn idx(magic: u32, lengths: &[u32], bytes: &[u8]) -> Vec<u8> {
    let numbers = std::iter::once(&magic).chain(lengths);
    let mut file: Vec<u8> = numbers.flat_map(|number| number.to_be_bytes()).collect();
    file.extend(bytes);
    file
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

fn opened(bytes: &[u8]) -> Idx {
    let is_packed = bytes.starts_with(&[0x1f]);
    Idx::new(Path::new("x"), Cursor::new(bytes.to_vec()), is_packed)
}

#[test]
fn damage_never_panics() {
    let labels = idx(LABELS, &[5], &[0, 1, 2, 9, 4]);
    let images = idx(IMAGES, &[3, 2, 2], &[7; 12]);
    let bases = [packed(&labels), labels, packed(&images), images];
    let survivors = mutations(&bases, |bytes| {
        let read = |mut images: Images| {
            let mut gray = Vec::new();
            let claimed = (images.count * images.height * images.width) as u64;
            let taken = (&mut images.file.reader)
                .take(claimed)
                .read_to_end(&mut gray);
            taken.is_ok_and(|taken| taken as u64 == claimed)
        };
        labels_of(opened(bytes)).is_ok() || Images::of(opened(bytes)).is_ok_and(read)
    });
    assert!(survivors > 0.01, "{survivors}");
}

#[test]
fn the_checksum_is_that_of_the_unpacked_file() {
    let labels = idx(LABELS, &[3], &[7, 0, 9]);
    let expected = crate::fetch::hex(&Md5::digest(&labels));
    for bytes in [packed(&labels), labels] {
        assert_eq!(labels_of(opened(&bytes)).expect("good").md5, expected);
    }
}
