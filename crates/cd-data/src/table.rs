//! Tables as people have them: commas, semicolons or tabs, any order of columns, written by scripts or by spreadsheets.

mod text;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};
use thiserror::Error;

use crate::zipped;

/// Largest table that is read.
const MOST_BYTES: u64 = 1 << 30;

/// Why a table could not be read.
#[derive(Debug, Error)]
pub enum TableError {
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are no text of a known encoding.
    #[error(
        "{}: neither UTF-8 nor UTF-16, first at byte {at}; save it as CSV UTF-8",
        path.display()
    )]
    Encoding {
        /// The file.
        path: PathBuf,
        /// Where the first wrong byte is.
        at: usize,
    },
    /// The file is larger than any table of images.
    #[error("{}: larger than {} MiB", path.display(), MOST_BYTES >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A column is missing, or is there twice.
    #[error("{}: the first line is `{found}`, expected {wanted}", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// The first line.
        found: String,
        /// The columns that are needed.
        wanted: String,
    },
    /// A line is not as expected.
    #[error("{}: line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// The wanted columns of a table.
///
/// UTF-8 with or without a byte order mark, and UTF-16 with one; the separator is the one of comma, semicolon and tab with which
/// the first line has the wanted columns. Their names count in any case, other columns are passed over.
#[derive(Debug)]
pub struct Table<const N: usize> {
    path: PathBuf,
    separator: u8,
    rows: Vec<Row<N>>,
}

/// A line below the first one.
#[derive(Debug, PartialEq, Eq)]
pub struct Row<const N: usize> {
    /// Where it begins, from 1.
    pub line: u64,
    /// The wanted fields, with the blanks around them.
    pub fields: [String; N],
}

impl<const N: usize> Table<N> {
    /// Reads the `columns` of the table at `path`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, a column is missing or twice there, or a line has another number of fields than the first.
    pub fn read(path: &Path, columns: [&str; N]) -> Result<Self, TableError> {
        Self::parse(path, bytes(path)?, columns)
    }

    /// As [`read`](Self::read), from the bytes of the table that errors call `path`.
    pub(crate) fn parse(
        path: &Path,
        bytes: Vec<u8>,
        columns: [&str; N],
    ) -> Result<Self, TableError> {
        let text = text::decoded(path, bytes)?;
        let (text, skipped) = text::without_separator_line(&text);
        let (separator, places) =
            text::separator(text, columns).ok_or_else(|| TableError::Columns {
                path: path.to_owned(),
                found: text.lines().next().unwrap_or_default().trim().to_owned(),
                wanted: wanted(columns),
            })?;
        let mut reader = ReaderBuilder::new()
            .delimiter(separator)
            .from_reader(text.as_bytes());
        let mut lines = text::Lines::new(text, skipped);
        let mut rows = Vec::new();
        let mut record = StringRecord::new();
        loop {
            let start = reader.position().byte() as usize;
            match reader.read_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    let line =
                        lines.at(start.max(error.position().map_or(0, |at| at.byte() as usize)));
                    return Err(line_error(path, line, ragged(&error)));
                }
            }
            let start = record.position().map_or(start, |at| at.byte() as usize);
            rows.push(Row {
                line: lines.at(start),
                fields: places.map(|place| record[place].to_owned()),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            separator,
            rows,
        })
    }

    /// The lines below the first one.
    pub fn rows(&self) -> &[Row<N>] {
        &self.rows
    }

    /// The error of a line that cannot be used.
    pub fn error(&self, row: &Row<N>, reason: String) -> TableError {
        line_error(&self.path, row.line, reason)
    }

    /// Field `column` of `row`, which is called `name`, as a finite number; with semicolons between fields a comma may stand for
    /// the point.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn number(&self, row: &Row<N>, column: usize, name: &str) -> Result<f64, TableError> {
        let text = row.fields[column].trim();
        let pointed = match self.separator {
            b',' => text.to_owned(),
            _ => text.replace(',', "."),
        };
        match pointed.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(self.error(
                row,
                format!("`{name}` is `{text}`, expected a finite number"),
            )),
        }
    }

    /// Field `column` of `row`, which is called `name`, as a truth value: what Python, R and spreadsheets write for one.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn truth(&self, row: &Row<N>, column: usize, name: &str) -> Result<bool, TableError> {
        let text = row.fields[column].trim();
        match text.to_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" | "1,0" | "wahr" | "vrai" | "verdadero"
            | "vero" => Ok(true),
            "false" | "f" | "no" | "n" | "0" | "0.0" | "0,0" | "falsch" | "faux" | "falso" => {
                Ok(false)
            }
            _ => Err(self.error(
                row,
                format!("`{name}` is `{text}`, expected true or false (also 1 or 0, yes or no)"),
            )),
        }
    }
}

fn wanted<const N: usize>(columns: [&str; N]) -> String {
    match columns {
        _ if N == 1 => format!("a column `{}`", columns[0]),
        _ => format!(
            "the columns `{}` in any order, others beside them",
            columns.join("`, `")
        ),
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, TableError> {
    let io = |source| TableError::Io {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = zipped::open(path).map_err(io)?;
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(TableError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(bytes)
}

fn ragged(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("{len} fields, but the first line has {expected_len}"),
        _ => error.to_string(),
    }
}

fn line_error(path: &Path, line: u64, reason: String) -> TableError {
    TableError::Line {
        path: path.to_owned(),
        line,
        reason,
    }
}

#[cfg(test)]
mod tests;
