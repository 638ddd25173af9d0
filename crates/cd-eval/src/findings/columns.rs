//! The table of pictures as Parquet.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::table::{filepath, tags};
use super::{Findings, ImageFinding};

const SCHEMA: &str = "message findings { required binary filepath (UTF8); required binary label (UTF8); required double score; \
    required group tags (LIST) { repeated group list { required binary element (UTF8); } } }";

/// Writes the table.
pub(super) fn write(file: &mut dyn Write, findings: &Findings) -> io::Result<()> {
    let bytes = bytes(&findings.images).map_err(io::Error::other)?;
    file.write_all(&bytes)
}

fn bytes(images: &[ImageFinding]) -> Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    if !images.is_empty() {
        rows(&mut writer, images)?;
    }
    writer.into_inner()
}

fn rows(
    writer: &mut SerializedFileWriter<Vec<u8>>,
    images: &[ImageFinding],
) -> Result<(), ParquetError> {
    let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
    let mut group = writer.next_row_group()?;
    let paths: Vec<ByteArray> = images.iter().map(|image| text(&filepath(image))).collect();
    column::<ByteArrayType>(&mut group, &paths, None)?;
    let labels: Vec<ByteArray> = images.iter().map(|image| text(&image.label)).collect();
    column::<ByteArrayType>(&mut group, &labels, None)?;
    let scores: Vec<f64> = images.iter().map(|image| image.score).collect();
    column::<DoubleType>(&mut group, &scores, None)?;
    let (mut values, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for image in images {
        let tags = tags(image);
        // An empty list is one place without a value.
        defined.extend(std::iter::repeat_n(
            i16::from(!tags.is_empty()),
            tags.len().max(1),
        ));
        // 0 begins a row, 1 continues it.
        repeated.extend((0..tags.len().max(1)).map(|at| i16::from(at > 0)));
        values.extend(tags.iter().map(|tag| text(tag)));
    }
    column::<ByteArrayType>(&mut group, &values, Some((&defined, &repeated)))?;
    group.close()?;
    Ok(())
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    levels: Option<(&[i16], &[i16])>,
) -> Result<(), ParquetError> {
    let next = group.next_column()?;
    let mut column = next.ok_or_else(|| ParquetError::General("a column too many".into()))?;
    let (defined, repeated) = levels.unzip();
    column.typed::<T>().write_batch(values, defined, repeated)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    use super::super::testing::findings;
    use super::*;

    #[test]
    fn the_table_comes_back() {
        let scratch = tempfile::NamedTempFile::new().expect("temporary file");
        let mut file = scratch.reopen().expect("open");
        write(&mut file, &findings(None)).expect("written");
        let reader = SerializedFileReader::new(scratch.reopen().expect("open")).expect("parquet");
        let rows: Vec<_> = reader
            .get_row_iter(None)
            .expect("rows")
            .map(|row| row.expect("a row"))
            .collect();
        assert_eq!(rows.len(), 4);
        assert_eq!(rows[1].get_string(1).expect("text"), "cat");
        assert_eq!(rows[1].get_double(2).expect("a number"), 0.9);
        assert_eq!(rows[1].get_list(3).expect("a list").len(), 2);
        assert_eq!(rows[3].get_list(3).expect("a list").len(), 0);
        assert!(!bytes(&[]).expect("an empty table").is_empty());
    }
}
