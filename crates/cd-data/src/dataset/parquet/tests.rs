//! Shards in every form, as the crate `parquet` and other libraries write them.

use std::fs;
use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding, GzipLevel, ZstdLevel};
use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::file::properties::{WriterProperties, WriterVersion};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::ColumnPath;
use cd_core::NoProgress;
use tempfile::{TempDir, tempdir};

use super::made::{Leaf, STRUCTURES, file, named, picture};
use super::*;

fn bytes(values: &[Option<&[u8]>]) -> Leaf {
    Leaf::Bytes(
        values
            .iter()
            .map(|value| value.map(<[u8]>::to_vec))
            .collect(),
    )
}

fn texts(values: &[&str]) -> Leaf {
    Leaf::Bytes(
        values
            .iter()
            .map(|value| Some(value.as_bytes().to_vec()))
            .collect(),
    )
}

fn numbers(values: &[i64]) -> Leaf {
    Leaf::Numbers(values.iter().map(|&value| Some(value)).collect())
}

fn pictures(count: u8) -> Leaf {
    Leaf::Bytes((0..count).map(|red| Some(picture(red))).collect())
}

fn plain() -> WriterProperties {
    WriterProperties::builder().build()
}

fn structures(labels: &[i64], properties: WriterProperties) -> Vec<u8> {
    let count = labels.len() as u8;
    let paths = texts(&vec!["x.png"; labels.len()]);
    file(
        STRUCTURES,
        &[pictures(count), paths, numbers(labels)],
        properties,
    )
}

fn scene(shards: &[(&str, Vec<u8>)]) -> (TempDir, ParquetConfig) {
    let folder = tempdir().expect("scratch");
    for (name, bytes) in shards {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("inside")).expect("makes");
        fs::write(path, bytes).expect("writes");
    }
    let config = ParquetConfig {
        path: folder.path().into(),
        ..ParquetConfig::default()
    };
    (folder, config)
}

fn load(config: &ParquetConfig) -> Result<Split, DataError> {
    config.load(&LoadContext::new(&NoProgress))
}

fn refused(config: &ParquetConfig, part: &str) {
    let message = load(config).expect_err(part).to_string();
    assert!(message.contains(part), "{message}");
}

fn reds(split: &Split) -> Vec<u8> {
    (0..split.train.len())
        .map(|index| split.train.pixels(index).expect("reads")[0])
        .collect()
}

#[test]
fn shards_of_a_hub_are_read() {
    let names = ["cat", "dog", "owl"];
    let (_folder, config) = scene(&[
        (
            "data/train-00001-of-00002.parquet",
            structures(&[2, 0], named(&names)),
        ),
        (
            "data/train-00000-of-00002.parquet",
            structures(&[1, 2, 0], named(&names)),
        ),
        (
            "data/test-00000-of-00001.parquet",
            structures(&[-1, -1], named(&names)),
        ),
        (
            "data/validation-00000-of-00001.parquet",
            structures(&[1, -1], named(&names)),
        ),
        ("README.md", b"words".to_vec()),
    ]);
    let split = load(&config).expect("reads");
    assert_eq!(split.train.class_names(), names);
    assert_eq!(split.train.labels(), [1, 2, 0, 2, 0]);
    assert_eq!(reds(&split), [0, 1, 2, 0, 1]);
    assert_eq!(
        split.train.name(2),
        "data/train-00000-of-00002.parquet/001-00000"
    );
    assert_eq!(split.test.expect("validation").labels(), [1]);
    let counts: Vec<usize> = split
        .not_read
        .groups()
        .iter()
        .map(|group| group.files.len())
        .collect();
    assert_eq!(counts, [1, 3]);
    let some = ParquetConfig {
        train_limit: Some(3),
        ..config
    };
    let some = load(&some).expect("reads");
    assert_eq!(some.train.class_counts(), [1, 1, 1]);
    for index in 0..3 {
        let of_all = split
            .train
            .names()
            .iter()
            .position(|name| name == some.train.name(index));
        let all = split
            .train
            .pixels(of_all.expect("one of all"))
            .expect("reads");
        assert_eq!(some.train.pixels(index).expect("reads"), all);
    }
}

#[test]
fn every_codec_encoding_and_version_gives_the_same_pictures() {
    let plain = WriterProperties::builder;
    for properties in [
        plain().set_compression(Compression::SNAPPY),
        plain().set_compression(Compression::GZIP(GzipLevel::default())),
        plain().set_compression(Compression::ZSTD(ZstdLevel::default())),
        plain().set_compression(Compression::LZ4_RAW),
        plain().set_dictionary_enabled(false),
        plain()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_compression(Compression::GZIP(GzipLevel::default()))
            .set_dictionary_enabled(true),
        plain()
            .set_data_page_row_count_limit(1)
            .set_write_batch_size(1),
    ] {
        let (_folder, config) = scene(&[("a.parquet", structures(&[5, 7, 5], properties.build()))]);
        let split = load(&config).expect("reads");
        assert_eq!(split.train.class_names(), ["5", "7"]);
        assert_eq!(
            (split.train.labels(), reds(&split)),
            (&[0, 1, 0][..], vec![0, 1, 2])
        );
    }
    let deltas = plain()
        .set_column_encoding("label".into(), Encoding::DELTA_BINARY_PACKED)
        .set_dictionary_enabled(false);
    let (_folder, config) = scene(&[("a.parquet", structures(&[5, 7, 5], deltas.build()))]);
    assert_eq!(load(&config).expect("reads").train.labels(), [0, 1, 0]);
    let column = |parts: &[&str]| ColumnPath::new(parts.iter().map(ToString::to_string).collect());
    let lengths = plain()
        .set_column_encoding(
            column(&["image", "bytes"]),
            Encoding::DELTA_LENGTH_BYTE_ARRAY,
        )
        .set_dictionary_enabled(false);
    let (_folder, config) = scene(&[("a.parquet", structures(&[5, 7, 5], lengths.build()))]);
    assert_eq!(reds(&load(&config).expect("reads")), [0, 1, 2]);
    let prefixes = plain()
        .set_column_encoding(column(&["image", "bytes"]), Encoding::DELTA_BYTE_ARRAY)
        .set_dictionary_enabled(false);
    let (_folder, config) = scene(&[("a.parquet", structures(&[5, 7, 5], prefixes.build()))]);
    refused(&config, "has encoding 7, which is not read");
    let hadoop = plain().set_compression(Compression::LZ4);
    let (_folder, config) = scene(&[("a.parquet", structures(&[5, 7, 5], hadoop.build()))]);
    refused(&config, "compressed with LZ4, expected snappy");
}

#[test]
fn columns_come_in_every_form() {
    let list = "message schema {
        optional int64 label;
        optional group images (LIST) { repeated group list { optional group element {
            optional binary path (UTF8); optional binary bytes; } } }
    }";
    let forms = [
        (
            "message m { optional binary jpeg; optional binary class (UTF8); }",
            vec![pictures(3), texts(&["b", "a", "b"])],
        ),
        (
            "message m { optional binary kind (UTF8); optional binary x; }",
            vec![texts(&["b", "a", "b"]), pictures(3)],
        ),
        (
            list,
            vec![numbers(&[8, 3, 8]), texts(&["x", "y", "z"]), pictures(3)],
        ),
    ];
    for (schema, leaves) in forms {
        let (_folder, config) = scene(&[("a.parquet", file(schema, &leaves, plain()))]);
        let split = load(&config).expect(schema);
        assert_eq!(
            (split.train.labels(), reds(&split)),
            (&[1, 0, 1][..], vec![0, 1, 2]),
            "{schema}"
        );
    }
}

#[test]
fn of_several_columns_the_user_chooses() {
    let schema = "message m { optional binary left; optional binary right; optional int64 fine; optional int64 coarse; }";
    let leaves = [
        pictures(2),
        bytes(&[Some(&picture(8)), Some(&picture(9))]),
        numbers(&[3, 4]),
        numbers(&[1, 1]),
    ];
    let (_folder, mut config) = scene(&[("a.parquet", file(schema, &leaves, plain()))]);
    refused(
        &config,
        "several columns can hold pictures: `left`, `right`; choose one with `image_column`",
    );
    config.image_column = Some("right".into());
    refused(
        &config,
        "several columns can hold labels: `fine`, `coarse`; choose one with `label_column`",
    );
    config.label_column = Some("corse".into());
    refused(&config, "`label_column` is `corse`");
    config.label_column = Some("coarse".into());
    let split = load(&config).expect("reads");
    assert_eq!(
        (split.train.class_names(), reds(&split)),
        (&["1".to_owned()][..], vec![8, 9])
    );
    config.unlabelled = true;
    assert!(load(&config).expect("reads").train.class_names().is_empty());
    let (_folder, config) = scene(&[(
        "a.parquet",
        file(
            "message m { optional int64 x; }",
            &[numbers(&[1, 2])],
            plain(),
        ),
    )]);
    refused(&config, "no column can hold pictures; its columns are: `x`");
}

#[test]
fn pictures_may_lie_beside_the_shard() {
    let leaves = |path: Option<&str>| {
        let paths = [Some(&b"unused"[..]), path.map(str::as_bytes)];
        [
            bytes(&[Some(&picture(3)), None]),
            bytes(&paths),
            numbers(&[0, 1]),
        ]
    };
    let (folder, config) = scene(&[(
        "a.parquet",
        file(STRUCTURES, &leaves(Some("in/b.png")), plain()),
    )]);
    refused(
        &config,
        "row 0 of row group 1: it has no picture but the path `in/b.png`",
    );
    fs::create_dir(folder.path().join("in")).expect("makes");
    fs::write(folder.path().join("in/b.png"), picture(77)).expect("writes");
    assert_eq!(reds(&load(&config).expect("reads")), [3, 77]);
    for (path, part) in [
        (None, "neither"),
        (Some("../x.png"), "no file below"),
        (Some("/etc/passwd"), "no file below"),
    ] {
        let (_folder, config) = scene(&[("a.parquet", file(STRUCTURES, &leaves(path), plain()))]);
        refused(&config, part);
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let good = structures(&[0, 1], named(&["a", "b"]));
    let empty = bytes(&[None, None]);
    let nothing = file(
        "message m { optional binary x; optional int64 y; }",
        &[empty, numbers(&[0, 1])],
        plain(),
    );
    for (shard, part) in [
        (good[..good.len() - 9].to_vec(), "its footer cannot be read"),
        (
            b"<html><body>quota</body></html>".to_vec(),
            "but a web page",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0".to_vec(),
            "git lfs pull",
        ),
        (Vec::new(), "but an empty file"),
        (
            structures(&[0, 2], named(&["a", "b"])),
            "a label 2, but 2 class names",
        ),
        (
            structures(&[-1, -1], named(&["a", "b"])),
            "none of the pictures can be used",
        ),
        (nothing, "row 0 of row group 0 has no picture"),
    ] {
        let (_folder, config) = scene(&[("a.parquet", shard)]);
        refused(&config, part);
    }
    let other = structures(&[0, 1], named(&["b", "a"]));
    let (_folder, config) = scene(&[("a.parquet", good), ("b.parquet", other)]);
    refused(&config, "its class names are not those of `a.parquet`");
    let bad = file(
        "message m { optional binary x; optional int64 y; }",
        &[bytes(&[Some(b"no picture")]), numbers(&[0])],
        plain(),
    );
    let (_folder, config) = scene(&[("a.parquet", bad)]);
    refused(&config, "a.parquet:row 0 of row group 1: not a picture");
}

#[test]
fn rows_with_several_pictures_are_refused() {
    let schema =
        "message m { repeated group images { optional binary bytes; } optional int64 label; }";
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(plain())).expect("memory");
    let mut group = writer.next_row_group().expect("memory");
    let two = [picture(1), picture(2)].map(ByteArray::from);
    let mut column = group.next_column().expect("memory").expect("two columns");
    column
        .typed::<ByteArrayType>()
        .write_batch(&two, Some(&[2, 2]), Some(&[0, 1]))
        .expect("memory");
    column.close().expect("memory");
    let mut column = group.next_column().expect("memory").expect("two columns");
    column
        .typed::<Int64Type>()
        .write_batch(&[0], Some(&[1]), None)
        .expect("memory");
    column.close().expect("memory");
    group.close().expect("memory");
    let (_folder, config) = scene(&[("a.parquet", writer.into_inner().expect("memory"))]);
    refused(
        &config,
        "column `images.bytes`, from row 0: a page has 2 values for 1 rows: a row has several pictures",
    );
}
