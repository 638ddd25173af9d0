//! Where bytes of one length come from: a file, or pictures that are decoded when they are asked for.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

/// Images or masks that could not be kept or read.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The temporary file behind them failed.
    #[error(
        "cannot {verb} the temporary file in `{}` for what does not fit in memory: {source}; the variable TMPDIR names another folder", folder.display()
    )]
    Temporary {
        /// What was attempted.
        verb: &'static str,
        /// The folder of temporary files.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file or picture that they come from failed.
    #[error("`{}`: {reason}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl StorageError {
    pub(crate) fn temporary(verb: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Temporary {
            verb,
            folder: std::env::temp_dir(),
            source,
        }
    }
}

/// Numbered byte strings of one length, read when they are asked for, by several threads at once.
pub trait PixelSource: Debug + Send + Sync {
    /// Byte string `index`.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn read(&self, index: usize) -> Result<Arc<[u8]>, StorageError>;

    /// SHA-256 of byte string `index`, where it is known without reading.
    fn digest(&self, _index: usize) -> Option<[u8; 32]> {
        None
    }
}

/// Byte strings of one length, one after the other in a file.
#[derive(Debug)]
pub struct RecordFile {
    path: PathBuf,
    file: File,
    start: u64,
    len: usize,
}

impl RecordFile {
    /// The strings of `len` bytes each that begin at byte `start` of the file at `path`.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(path: &Path, start: u64, len: usize) -> Result<Self, StorageError> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            start,
            len,
        })
    }
}

impl PixelSource for RecordFile {
    fn read(&self, index: usize) -> Result<Arc<[u8]>, StorageError> {
        let at = self.start + (index * self.len) as u64;
        let read = read_at(&self.file, at, self.len);
        read.map_err(|error| unreadable(&self.path, &error))
    }
}

fn unreadable(path: &Path, error: &io::Error) -> StorageError {
    StorageError::Source {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// The `len` bytes of `file` from byte `start`; threads do not disturb each other.
///
/// # Errors
///
/// When the file ends before, or cannot be read.
pub fn read_at(file: &File, start: u64, len: usize) -> io::Result<Arc<[u8]>> {
    let mut bytes = vec![0; len];
    #[cfg(unix)]
    std::os::unix::fs::FileExt::read_exact_at(file, &mut bytes, start)?;
    #[cfg(windows)]
    {
        let mut done = 0;
        while done < len {
            let read = std::os::windows::fs::FileExt::seek_read(
                file,
                &mut bytes[done..],
                start + done as u64,
            )?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            done += read;
        }
    }
    Ok(bytes.into())
}
