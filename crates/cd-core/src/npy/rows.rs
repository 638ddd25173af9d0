//! Rows of an array in a file, read when they are asked for.

use std::fs::File;
use std::path::Path;

use super::{Header, NpyError};
use crate::source::read_at;

/// Bytes in which the longest header lies.
const HEAD: u64 = super::header::LONGEST + 12;

/// The rows of an array in a file: what lies under each index of the first axis. Threads may read side by side.
#[derive(Debug)]
pub struct Rows {
    file: File,
    start: u64,
    header: Header,
}

impl Rows {
    /// The array in the file at `path`; its numbers are not read yet.
    ///
    /// # Errors
    ///
    /// Those of [`Header::read`], and when the file has more or fewer numbers than its header says, its rows are not contiguous, or it
    /// has no axis.
    pub fn open(path: &Path) -> Result<Self, NpyError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Self::within(file, 0, length)
    }

    /// As [`open`](Self::open) for an array that takes `length` bytes of `file` from byte `start`, such as a stored part of an archive.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn within(file: File, start: u64, length: u64) -> Result<Self, NpyError> {
        let head = read_at(&file, start, length.min(HEAD) as usize)?;
        let header = Header::read(&mut &head[..])?;
        let got = length - header.len;
        let expected = header.bytes();
        if header.shape.is_empty() {
            return Err(NpyError::Scalar);
        }
        if got != expected {
            let shape = header.shape;
            return Err(NpyError::Length {
                shape,
                got,
                expected,
            });
        }
        if header.is_fortran && header.shape.len() > 1 {
            return Err(NpyError::Fortran);
        }
        let start = start + header.len;
        Ok(Self {
            file,
            start,
            header,
        })
    }

    /// What the header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.header.shape[0]
    }

    /// Shape of a row.
    pub fn shape(&self) -> &[usize] {
        &self.header.shape[1..]
    }

    /// Bytes of row `index` as they lie in the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    ///
    /// # Panics
    ///
    /// When `index` is out of range, like slice indexing.
    pub fn bytes(&self, index: usize) -> Result<Vec<u8>, NpyError> {
        assert!(index < self.count(), "row {index} of {}", self.count());
        let len = self.shape().iter().product::<usize>() * self.header.kind.size();
        let at = self.start + (index * len) as u64;
        Ok(read_at(&self.file, at, len)?.to_vec())
    }

    /// Numbers of row `index`; whole numbers beyond 2^53 are rounded.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    ///
    /// # Panics
    ///
    /// When `index` is out of range, like slice indexing.
    pub fn numbers(&self, index: usize) -> Result<Vec<f64>, NpyError> {
        let bytes = self.bytes(index)?;
        Ok(self.header.numbers(&bytes).collect())
    }
}
