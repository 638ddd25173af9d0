//! The values of a column, one row after the other, a page at a time.

use std::sync::Arc;

use parquet::basic::{Compression, Type};
use parquet::column::page::PageReader;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, SerializedPageReader};
use parquet::schema::types::ColumnDescPtr;

use super::data::{Data, Dictionary};
use super::pages;
use crate::dataset::classes::Label;

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
        let kind = self.column(leaf).physical_type();
        if kind == Type::BYTE_ARRAY {
            return self.bytes(group, leaf, |value| {
                let text = value.map(str::from_utf8).transpose();
                let text = text.map_err(|_| "its label is no text".to_owned())?;
                let text = text.filter(|text| !text.is_empty());
                each(text.map(|text| Label::Name(text.into())))
            });
        }
        self.values(group, leaf, |first, data, dictionary| {
            let mut numbers = data.numbers(kind, dictionary)?.into_iter();
            for (at, &there) in data.present.iter().enumerate() {
                let number = if there { numbers.next() } else { None };
                each(number.map(Label::Number))
                    .map_err(|reason| in_row(first + at, group, &reason))?;
            }
            Ok(())
        })
    }

    /// Calls `each` with the bytes in column `leaf` of every row of `group`.
    pub(super) fn bytes(
        &self,
        group: usize,
        leaf: usize,
        mut each: impl FnMut(Option<&[u8]>) -> Result<(), String>,
    ) -> Result<(), String> {
        self.values(group, leaf, |first, data, dictionary| {
            let mut texts = data.texts(dictionary)?.into_iter();
            for (at, &there) in data.present.iter().enumerate() {
                let text = if there { texts.next() } else { None };
                each(text).map_err(|reason| in_row(first + at, group, &reason))?;
            }
            Ok(())
        })
    }

    /// Calls `each` with every page of a column, and the number of its first row.
    fn values(
        &self,
        group: usize,
        leaf: usize,
        mut each: impl FnMut(usize, &Data, &Dictionary) -> Result<(), String>,
    ) -> Result<(), String> {
        let rows = self.rows(group) as usize;
        if rows == 0 {
            return Ok(());
        }
        let column = self.column(leaf);
        let named = |done: usize, reason: String| {
            format!(
                "row group {group}, column `{}`, from row {done}: {reason}",
                column.path().string()
            )
        };
        let mut pages = self.pages(group, leaf)?;
        let mut dictionary = Dictionary::default();
        let mut done = 0;
        while done < rows {
            let page = pages.get_next_page();
            let page = page.map_err(|error| named(done, error.to_string()))?;
            let page = page.ok_or_else(|| named(done, format!("it ends, expected {rows} rows")))?;
            if page.is_dictionary_page() {
                let read = Dictionary::of(page, column.physical_type());
                dictionary = read.map_err(|reason| named(done, reason))?;
                continue;
            }
            let data =
                Data::of(page, &column, rows - done).map_err(|reason| named(done, reason))?;
            each(done, &data, &dictionary).map_err(|reason| named(done, reason))?;
            done += data.present.len();
        }
        Ok(())
    }

    fn column(&self, leaf: usize) -> ColumnDescPtr {
        self.metadata.file_metadata().schema_descr().column(leaf)
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
                    chunk.column_path().string()
                ));
            }
        }
        pages::check(&*self.file, chunk)
            .map_err(|reason| format!("column `{}`: {reason}", chunk.column_path().string()))?;
        let rows = group_metadata.num_rows() as usize;
        let reader = SerializedPageReader::new(Arc::clone(&self.file), chunk, rows, None);
        Ok(Box::new(reader.map_err(|error| error.to_string())?))
    }
}

fn in_row(row: usize, group: usize, reason: &str) -> String {
    format!("row {row} of row group {group}: {reason}")
}
