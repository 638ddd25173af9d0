//! Arrays that NumPy wrote, arrays that are written here, and damage.

use std::env;
use std::fs;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::tempdir;

use super::*;

/// A file of version 1 with this dictionary.
fn file(dictionary: &str, numbers: &[u8]) -> Vec<u8> {
    let length = dictionary.len() as u16;
    let parts = [
        MAGIC,
        &[1, 0][..],
        &length.to_le_bytes(),
        dictionary.as_bytes(),
        numbers,
    ];
    parts.concat()
}

fn header(dictionary: &str) -> Result<Header, NpyError> {
    Header::read(&mut &file(dictionary, &[])[..])
}

/// `np.save` of `np.arange(6, dtype=">i2").reshape(2, 3)`, NumPy 2.
const BY_NUMPY: &[u8] = b"\x93NUMPY\x01\x00v\x00{'descr': '>i2', 'fortran_order': False, 'shape': (2, 3), }                                                          \n\x00\x00\x00\x01\x00\x02\x00\x03\x00\x04\x00\x05";

#[test]
fn what_numpy_wrote_is_read() {
    let header = Header::read(&mut &BY_NUMPY[..]).expect("good");
    assert_eq!(header.len, 128);
    assert_eq!((header.kind, header.is_big_endian), (Kind::I16, true));
    let numbers: Vec<f64> = header.numbers(&BY_NUMPY[128..]).collect();
    assert_eq!(numbers, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn what_is_written_is_as_numpy_writes_it_and_reads_back() {
    let mut bytes = Vec::new();
    write_header::<i64>(&mut bytes, &[3]).expect("memory");
    assert!(bytes.len().is_multiple_of(64));
    let expected =
        b"\x93NUMPY\x01\x00v\x00{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }";
    assert!(bytes.starts_with(expected), "{}", bytes.escape_ascii());
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("a.npy");
    for shape in [&[6][..], &[2, 3], &[3, 1, 2], &[6, 1, 1, 1]] {
        save(&path, shape, &[-1.5_f32, 0.0, 1.0, f32::MAX, 7.0, 0.1]).expect("writes");
        let rows = Rows::open(&path).expect("reads");
        assert_eq!(rows.header().shape, shape);
        let all: Vec<f64> = (0..rows.count())
            .flat_map(|row| rows.numbers(row).expect("reads"))
            .collect();
        assert_eq!(all[0], -1.5);
        assert_eq!(all[5], f64::from(0.1_f32));
    }
    save(&path, &[2, 0], &[] as &[u8]).expect("writes");
    assert_eq!(Rows::open(&path).expect("reads").count(), 2);
    assert!(save(&path, &[2, 3], &[1_u8]).is_err());
}

#[test]
fn headers_of_every_spelling_are_read() {
    for text in [
        "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }",
        "{\"shape\": (2L, 3L), \"fortran_order\": True,\n \"descr\": \"<f8\"}   \n",
    ] {
        let header = header(text).expect(text);
        assert_eq!(header.shape, [2, 3]);
        assert_eq!((header.kind, header.is_fortran), (Kind::F64, true));
    }
    let one = header("{'descr': '|u1', 'fortran_order': False, 'shape': (5,), }").expect("good");
    assert_eq!((one.count(), one.bytes()), (5, 5));
}

#[test]
fn what_cannot_be_read_says_why() {
    let of = |descr: &str, shape: &str| {
        header(&format!(
            "{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
        ))
    };
    for (wrong, part) in [
        (of("'|O'", "(5,)"), "pickle"),
        (of("'<U5'", "(5,)"), "`<U5`"),
        (of("[('a', '<f4')]", "(5,)"), "several fields"),
        (of("'<f4'", "(4294967296, 4294967296)"), "larger than any"),
        (of("'<f4'", "(99999999999999999999,)"), "too large"),
        (of("'<f4'", "5"), "no list"),
        (of("'<f4'", "(5"), "where a value begins"),
        (header("{'descr': '<f4'}"), "`fortran_order` is missing"),
        (header(""), "`{` is missing"),
        (Header::read(&mut &b"PK\x03\x04...."[..]), "no npy file"),
        (Header::read(&mut &b"\x93NUMPY\x07\0"[..]), "version 7"),
        (
            Header::read(&mut &b"\x93NUMPY\x02\0\xff\xff\xff\xff"[..]),
            "4294967295 bytes",
        ),
    ] {
        let message = wrong.expect_err(part).to_string();
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn files_of_other_lengths_are_refused() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("a.npy");
    let open = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("writes");
        Rows::open(&path)
    };
    assert!(open(BY_NUMPY).is_ok());
    for (bytes, part) in [
        (&BY_NUMPY[..BY_NUMPY.len() - 1], "cut short"),
        (&[BY_NUMPY, b"x"].concat()[..], "more follows"),
        (&[][..], "no npy file"),
    ] {
        let message = open(bytes).expect_err(part).to_string();
        assert!(message.contains(part), "{message}");
    }
    let turned = file(
        "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2), }",
        &[0; 4],
    );
    let message = open(&turned).expect_err("Fortran").to_string();
    assert!(message.contains("ascontiguousarray"), "{message}");
}

/// `CD_MUTATIONS` sets how many inputs are tried.
#[test]
fn damage_never_panics() {
    const IN_TESTS: u64 = 20_000;
    let count =
        env::var("CD_MUTATIONS").map_or(IN_TESTS, |text| text.parse().expect("a whole number"));
    let mut survivors = 0;
    for number in 0..count {
        let mut random = ChaCha8Rng::seed_from_u64(number);
        let mut bytes = BY_NUMPY.to_vec();
        for _ in 0..=random.random::<u8>().trailing_ones() {
            let at = random.random_range(0..70.min(bytes.len()));
            match random.random_range(0..4) {
                0 => bytes[at] = random.random(),
                1 => {
                    let some = b"(){}[],:'\"0129LTFOU<>|";
                    bytes[at] = some[random.random_range(0..some.len())];
                }
                2 => bytes.truncate(at + 1),
                _ => {
                    let copy = bytes[at..(at + 9).min(bytes.len())].to_vec();
                    bytes.splice(at..at, copy);
                }
            }
        }
        if let Ok(header) = Header::read(&mut &bytes[..]) {
            survivors += 1;
            assert_eq!(header.bytes() as usize, header.count() * header.kind.size());
            let numbers = header.numbers(&bytes[header.len as usize..]).count();
            assert!(numbers <= bytes.len());
        }
    }
    assert!(survivors > count / 100, "{survivors} of {count} survived");
}
