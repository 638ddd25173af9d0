//! Arrays in NumPy's `npy` format: headers and rows to read, whole arrays or one row after the other to write.
//!
//! A file is the magic number, the version of the format, the length of the header, a header that is a dictionary in Python's
//! notation (`descr`, `fortran_order`, `shape`) and the numbers (NumPy enhancement proposal 1). Nothing is ever unpickled.
//!
//! ```
//! use cd_core::npy;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("features.npy");
//! npy::save(&path, &[2, 3], &[0.5_f32, 1.0, 1.5, 2.0, 2.5, 3.0])?;
//! let rows = npy::Rows::open(&path)?;
//! assert_eq!((rows.count(), rows.shape()), (2, &[3][..]));
//! assert_eq!(rows.numbers(1)?, [2.0, 2.5, 3.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod header;
mod kind;
mod literal;
mod rows;
mod write;

use std::io;

use thiserror::Error;

pub use header::Header;
pub use kind::Kind;
pub use rows::Rows;
pub use write::{Element, save, write_header, write_values};

/// What every file begins with.
pub const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Why an array cannot be read.
#[derive(Debug, Error)]
pub enum NpyError {
    /// The system cannot read the file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The content is something else.
    #[error("it is no npy file: it does not begin with \\x93NUMPY")]
    Magic,
    /// The format is newer than this reader.
    #[error("its npy format is version {0}, expected 1 to 3")]
    Version(u8),
    /// The header claims to be longer than any.
    #[error("its header claims {0} bytes, expected at most {most}", most = header::LONGEST)]
    HeaderLength(u64),
    /// The header is no dictionary of an array.
    #[error("byte {at}: its header is damaged: {reason}")]
    Header {
        /// Offset in the file.
        at: u64,
        /// What is wrong.
        reason: String,
    },
    /// The array holds pickled Python objects.
    #[error(
        "it holds Python objects, a pickle that is not opened; where they are pictures of one size, \
         np.save(\"new.npy\", np.stack(list(np.load(\"old.npy\", allow_pickle=True))).astype(\"uint8\")) writes their numbers"
    )]
    Objects,
    /// The elements are of no type that is read.
    #[error(
        "its elements are of type `{0}`, expected bool, int8 to int64, uint8 to uint64 or float16 to float64"
    )]
    Kind(String),
    /// The shape has more elements than can be counted.
    #[error("its shape {0:?} is larger than any file")]
    Shape(Vec<usize>),
    /// The numbers end early or something follows them.
    #[error("it has {got} bytes of numbers, expected {expected} for shape {shape:?}: {}", if got < expected { "it is cut short" } else { "more follows" })]
    Length {
        /// The shape that the header states.
        shape: Vec<usize>,
        /// Bytes that are there.
        got: u64,
        /// Bytes that the shape needs.
        expected: u64,
    },
    /// The rows do not lie one after the other.
    #[error(
        "its numbers lie in Fortran order, column after column; np.save(\"new.npy\", np.ascontiguousarray(np.load(\"old.npy\"))) turns them"
    )]
    Fortran,
    /// A single number, which has no rows.
    #[error("it holds a single number, expected an array")]
    Scalar,
}

#[cfg(test)]
mod tests;
