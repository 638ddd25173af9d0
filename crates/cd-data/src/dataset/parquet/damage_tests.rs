//! Damaged shards by the thousand, in memory.

use std::env;

use ::parquet::basic::{Compression, GzipLevel, ZstdLevel};
use ::parquet::file::properties::{WriterProperties, WriterVersion};
use bytes::Bytes;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::columns::{Columns, Wanted};
use super::made::{Leaf, STRUCTURES, file, named};
use super::rows::Table;

/// Small files of several kinds.
fn bases() -> Vec<Vec<u8>> {
    let leaves = || {
        [
            Leaf::Bytes(vec![
                Some(b"picture one".to_vec()),
                None,
                Some(b"picture two".to_vec()),
            ]),
            Leaf::Bytes(vec![Some(b"a".to_vec()), Some(b"b".to_vec()), None]),
            Leaf::Numbers(vec![Some(1), Some(0), None]),
        ]
    };
    let plain = WriterProperties::builder;
    let properties = [
        named(&["cat", "dog"]),
        plain().set_dictionary_enabled(false).build(),
        plain().set_compression(Compression::SNAPPY).build(),
        plain()
            .set_compression(Compression::GZIP(GzipLevel::default()))
            .build(),
        plain()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build(),
        plain()
            .set_compression(Compression::LZ4_RAW)
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .build(),
    ];
    properties
        .map(|properties| file(STRUCTURES, &leaves(), properties))
        .into()
}

/// Reads everything; how many pictures there were.
fn read(bytes: Vec<u8>) -> Result<usize, String> {
    let table = Table::open(Bytes::from(bytes))?;
    let columns = Columns::of(table.metadata().file_metadata(), Wanted::default())?;
    let mut pictures = 0;
    for group in table.groups() {
        if let Some(leaf) = columns.label {
            table.labels(group, leaf, |_| Ok(()))?;
        }
        table.bytes(group, columns.image.bytes, |bytes| {
            pictures += usize::from(bytes.is_some());
            Ok(())
        })?;
    }
    Ok(pictures)
}

#[test]
fn good_files_are_read() {
    for base in bases() {
        assert_eq!(read(base), Ok(2));
    }
}

/// `CD_MUTATIONS` sets how many inputs are tried.
#[test]
fn damage_never_panics() {
    const IN_TESTS: u64 = 20_000;
    let count =
        env::var("CD_MUTATIONS").map_or(IN_TESTS, |text| text.parse().expect("a whole number"));
    let bases = bases();
    let mut survivors = 0;
    for number in 0..count {
        let mut random = ChaCha8Rng::seed_from_u64(number);
        let mut bytes = bases[random.random_range(0..bases.len())].clone();
        // The last bytes tell how long the footer is: without them there is nothing to see.
        let most = bytes.len() - 8;
        for _ in 0..=random.random::<u8>().trailing_ones() {
            let at = random.random_range(4..most);
            match random.random_range(0..4) {
                0 => bytes[at] = random.random(),
                1 => bytes[at] ^= 1 << random.random_range(0..8),
                2 => bytes[at] = [0, 0x15, 0x19, 0x1c, 0x7f, 0x80, 0xff][random.random_range(0..7)],
                _ => {
                    let end = (at + 5).min(most);
                    bytes[at..end].fill([0, 0xff, 0x7f][random.random_range(0..3)]);
                }
            }
        }
        survivors += u64::from(read(bytes).is_ok());
    }
    assert!(survivors > count / 100, "{survivors} of {count} survived");
}
