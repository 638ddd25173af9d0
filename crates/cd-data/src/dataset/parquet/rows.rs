//! The values of a column, one row after the other, a page at a time.

use std::sync::Arc;

use parquet::basic::{Compression, Type};
use parquet::column::page::PageReader;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, SerializedPageReader};

use super::pages;
use crate::dataset::classes::Label;

/// Rows that are read at once.
const AT_ONCE: usize = 256;

/// A parquet file whose footer has been read.
pub(super) struct Table<R: ChunkReader> {
    file: Arc<R>,
    metadata: ParquetMetaData,
}

impl<R: ChunkReader + 'static> Table<R> {
    /// Reads the footer of a file.
    pub(super) fn open(file: R) -> Result<Self, String> {
        let length = file.len();
        let metadata = ParquetMetaDataReader::new()
            .parse_and_finish(&file)
            .map_err(|error| format!("its footer cannot be read: {error}"))?;
        let table = Self {
            file: Arc::new(file),
            metadata,
        };
        let counts: Option<Vec<u64>> = table
            .groups()
            .map(|group| table.rows(group).try_into().ok())
            .collect();
        let rows = counts.and_then(|counts| {
            counts
                .iter()
                .try_fold(0_u64, |sum, &rows| sum.checked_add(rows))
        });
        // Every row has a picture, which is longer than that.
        match rows {
            Some(rows) if rows <= length => Ok(table),
            _ => Err(format!(
                "its footer claims more rows than its {length} bytes can hold"
            )),
        }
    }

    pub(super) fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }

    /// Numbers of the groups of rows.
    pub(super) fn groups(&self) -> std::ops::Range<usize> {
        0..self.metadata.num_row_groups()
    }

    /// Rows of a group.
    pub(super) fn rows(&self, group: usize) -> i64 {
        self.metadata.row_group(group).num_rows()
    }

    /// Calls `each` with what column `leaf` says of the class of every row of `group`.
    pub(super) fn labels(
        &self,
        group: usize,
        leaf: usize,
        mut each: impl FnMut(Option<Label>) -> Result<(), String>,
    ) -> Result<(), String> {
        let column = self.metadata.file_metadata().schema_descr().column(leaf);
        match column.physical_type() {
            Type::INT32 => self.values::<Int32Type>(group, leaf, |value| {
                each(value.map(|&value| Label::Number(value.into())))
            }),
            Type::INT64 => self.values::<Int64Type>(group, leaf, |value| {
                each(value.map(|&value| Label::Number(value)))
            }),
            _ => self.bytes(group, leaf, |value| {
                let text = value.map(str::from_utf8).transpose();
                let text = text.map_err(|_| "its label is no text".to_owned())?;
                each(
                    text.filter(|text| !text.is_empty())
                        .map(|text| Label::Name(text.into())),
                )
            }),
        }
    }

    /// Calls `each` with the bytes in column `leaf` of every row of `group`.
    pub(super) fn bytes(
        &self,
        group: usize,
        leaf: usize,
        mut each: impl FnMut(Option<&[u8]>) -> Result<(), String>,
    ) -> Result<(), String> {
        self.values::<ByteArrayType>(group, leaf, |value| each(value.map(ByteArray::data)))
    }

    fn values<T: DataType>(
        &self,
        group: usize,
        leaf: usize,
        mut each: impl FnMut(Option<&T::T>) -> Result<(), String>,
    ) -> Result<(), String> {
        let column = self.metadata.file_metadata().schema_descr().column(leaf);
        let mut reader = ColumnReaderImpl::<T>::new(Arc::clone(&column), self.pages(group, leaf)?);
        let named = |error: parquet::errors::ParquetError| {
            format!("row group {group}, column `{}`: {error}", column.path())
        };
        let rows = self.rows(group) as usize;
        let (mut present, mut nested, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let mut done = 0;
        while done < rows {
            present.clear();
            nested.clear();
            values.clear();
            let wanted = AT_ONCE.min(rows - done);
            let (records, _, levels) = reader
                .read_records(wanted, Some(&mut present), Some(&mut nested), &mut values)
                .map_err(named)?;
            if nested.contains(&1) || levels > records {
                let from = done;
                return Err(format!(
                    "row group {group}: one of the {records} rows from row {from} has several pictures in `{}`",
                    column.path()
                ));
            }
            if records == 0 {
                return Err(format!(
                    "row group {group}: `{}` ends at row {done} of {rows}",
                    column.path()
                ));
            }
            let mut read = values.iter();
            for record in 0..records {
                let is_there = column.max_def_level() == 0
                    || present.get(record) == Some(&column.max_def_level());
                let value = if is_there { read.next() } else { None };
                each(value).map_err(|reason| {
                    format!("row {} of row group {group}: {reason}", done + record)
                })?;
            }
            done += records;
        }
        Ok(())
    }

    /// The pages of a column, whose sizes have been looked at.
    fn pages(&self, group: usize, leaf: usize) -> Result<Box<dyn PageReader>, String> {
        let group_metadata = self.metadata.row_group(group);
        let chunk = group_metadata.column(leaf);
        match chunk.compression() {
            Compression::UNCOMPRESSED
            | Compression::SNAPPY
            | Compression::GZIP(_)
            | Compression::LZ4_RAW
            | Compression::ZSTD(_) => {}
            other => {
                let name = format!("{other:?}");
                let name = name.split('(').next().unwrap_or_default();
                return Err(format!(
                    "column `{}` is compressed with {name}, expected snappy, gzip, zstd, LZ4 (raw) or nothing; write the file again with compression=\"snappy\"",
                    chunk.column_path()
                ));
            }
        }
        pages::check(&*self.file, chunk)
            .map_err(|reason| format!("column `{}`: {reason}", chunk.column_path()))?;
        let rows = group_metadata.num_rows() as usize;
        let reader = SerializedPageReader::new(Arc::clone(&self.file), chunk, rows, None);
        Ok(Box::new(reader.map_err(|error| error.to_string())?))
    }
}
