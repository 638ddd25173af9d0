//! Vectors as a Parquet table.
//!
//! Columns: `path`, `label` (null where there is none), `predicted` (the number of a class of the weights), `confidence`, `features`
//! and, where asked for, `logits`: lists of `float`, all of one length and without nulls.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::row::rows;
use super::tensors::{FEATURES, LOGITS, Part, Seen};
use super::{Vectors, VectorsError};

/// Values of a group of rows: 16 MiB of vectors.
const GROUP: usize = 1 << 22;

/// Writes everything to the file at `path`.
pub(super) fn write(
    path: &Path,
    vectors: &Vectors<'_>,
    seen: &Seen<'_>,
) -> Result<(), VectorsError> {
    let failed = |error: ParquetError| VectorsError::io(path)(io::Error::other(error));
    let file = File::create(path).map_err(VectorsError::io(path))?;
    let schema = parse_message_type(&schema(vectors.logits)).map_err(failed)?;
    let mut writer =
        SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties(vectors)))
            .map_err(failed)?;
    let mut group = Vec::new();
    let mut values = 0;
    for part in seen.parts() {
        let part = part?;
        values += part
            .columns
            .iter()
            .map(|table| table.values.len())
            .sum::<usize>();
        group.push(part);
        if values >= GROUP {
            write_group(&mut writer, vectors, &group).map_err(failed)?;
            (group, values) = (Vec::new(), 0);
        }
    }
    if !group.is_empty() {
        write_group(&mut writer, vectors, &group).map_err(failed)?;
    }
    let file = writer.into_inner().map_err(failed)?;
    file.sync_data().map_err(VectorsError::io(path))
}

fn schema(logits: bool) -> String {
    let list = |name: &str| {
        format!(
            "required group {name} (LIST) {{ repeated group list {{ required float element; }} }}"
        )
    };
    let logits = if logits {
        list("logits")
    } else {
        String::new()
    };
    format!(
        "message rows {{ required binary path (UTF8); optional binary label (UTF8); required int32 predicted; \
         required float confidence; {} {logits} }}",
        list("features")
    )
}

fn properties(vectors: &Vectors<'_>) -> WriterProperties {
    let about = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_key_value_metadata(Some(vec![
            about("architecture", vectors.model.config().name.clone()),
            about("weights", vectors.model.fingerprint()),
            about("tap", vectors.tap.to_string()),
        ]))
        .build()
}

fn write_group(
    writer: &mut SerializedFileWriter<File>,
    vectors: &Vectors<'_>,
    parts: &[Part],
) -> Result<(), ParquetError> {
    let rows: Vec<_> = parts
        .iter()
        .flat_map(|part| rows(vectors.images, part))
        .collect();
    let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
    let mut group = writer.next_row_group()?;
    let paths: Vec<ByteArray> = rows.iter().map(|row| text(row.path)).collect();
    column::<ByteArrayType>(&mut group, &paths, None, None)?;
    let labels = rows.iter().filter_map(|row| row.label);
    let labels: Vec<ByteArray> = labels.map(|(_, name)| text(name)).collect();
    let known: Vec<i16> = rows
        .iter()
        .map(|row| i16::from(row.label.is_some()))
        .collect();
    column::<ByteArrayType>(&mut group, &labels, Some(&known), None)?;
    let predicted: Vec<i32> = rows.iter().map(|row| row.predicted as i32).collect();
    column::<Int32Type>(&mut group, &predicted, None, None)?;
    let confidence: Vec<f32> = rows.iter().map(|row| row.confidence).collect();
    column::<FloatType>(&mut group, &confidence, None, None)?;
    lists(&mut group, parts, FEATURES)?;
    if vectors.logits {
        lists(&mut group, parts, LOGITS)?;
    }
    group.close()?;
    Ok(())
}

/// Writes a column of lists.
fn lists(
    group: &mut SerializedRowGroupWriter<'_, File>,
    parts: &[Part],
    number: usize,
) -> Result<(), ParquetError> {
    let tables = || parts.iter().map(|part| &part.columns[number]);
    let values: Vec<f32> = tables().flat_map(|table| &table.values).copied().collect();
    let defined = vec![1; values.len()];
    let begins = |table: &super::tensors::Table| {
        let width = table.width;
        // 0 begins a row, 1 continues it.
        (0..table.values.len()).map(move |at| i16::from(at % width != 0))
    };
    let repeated: Vec<i16> = tables().flat_map(begins).collect();
    column::<FloatType>(group, &values, Some(&defined), Some(&repeated))
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
    defined: Option<&[i16]>,
    repeated: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let next = group.next_column()?;
    let mut column = next.ok_or_else(|| ParquetError::General("a column too many".into()))?;
    column.typed::<T>().write_batch(values, defined, repeated)?;
    column.close()
}
