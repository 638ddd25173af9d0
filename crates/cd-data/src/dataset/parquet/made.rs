//! Files that tests read.

use std::io::Cursor;
use std::sync::Arc;

use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use image::{ImageFormat, Rgb, RgbImage};

pub(super) fn picture(red: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_pixel(4, 4, Rgb([red, 0, 0]))
        .write_to(&mut bytes, ImageFormat::Png)
        .expect("encodes");
    bytes.into_inner()
}

/// The values of a leaf, a null where there is none.
pub(super) enum Leaf {
    Bytes(Vec<Option<Vec<u8>>>),
    Numbers(Vec<Option<i64>>),
}

/// A file with these leaves in two groups of rows, the second with the last row.
pub(super) fn file(schema: &str, leaves: &[Leaf], properties: WriterProperties) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).expect("memory");
    let count = match &leaves[0] {
        Leaf::Bytes(values) => values.len(),
        Leaf::Numbers(values) => values.len(),
    };
    for rows in [0..count - 1, count - 1..count] {
        let mut group = writer.next_row_group().expect("memory");
        let mut leaves = leaves.iter();
        while let Some(mut column) = group.next_column().expect("memory") {
            let leaf = leaves.next().expect("a leaf for each column");
            match leaf {
                Leaf::Bytes(values) => {
                    let values = &values[rows.clone()];
                    let there: Vec<ByteArray> = values
                        .iter()
                        .flatten()
                        .cloned()
                        .map(ByteArray::from)
                        .collect();
                    let typed = column.typed::<ByteArrayType>();
                    let levels = levels(values, typed.get_descriptor().max_def_level());
                    let first = vec![0; levels.len()];
                    typed
                        .write_batch(&there, Some(&levels), Some(&first))
                        .expect("memory");
                }
                Leaf::Numbers(values) => {
                    let values = &values[rows.clone()];
                    let there: Vec<i64> = values.iter().flatten().copied().collect();
                    let typed = column.typed::<Int64Type>();
                    let levels = levels(values, typed.get_descriptor().max_def_level());
                    typed
                        .write_batch(&there, Some(&levels), None)
                        .expect("memory");
                }
            }
            column.close().expect("memory");
        }
        group.close().expect("memory");
    }
    writer.into_inner().expect("memory")
}

/// How deep each value is there.
fn levels<T>(values: &[Option<T>], most: i16) -> Vec<i16> {
    let level = |value: &Option<T>| if value.is_some() { most } else { 0 };
    values.iter().map(level).collect()
}

pub(super) const STRUCTURES: &str = "message schema {
    optional group image { optional binary bytes; optional binary path (UTF8); }
    optional int64 label;
}";

pub(super) fn named(names: &[&str]) -> WriterProperties {
    let names = serde_json::to_string(names).expect("texts");
    let noted = format!(
        r#"{{"info": {{"features": {{"label": {{"names": {names}, "_type": "ClassLabel"}}, "image": {{"_type": "Image"}}}}}}}}"#
    );
    WriterProperties::builder()
        .set_key_value_metadata(Some(vec![KeyValue::new("huggingface".into(), noted)]))
        .build()
}
