//! What a network sees in every image of a set, as a table in a file: one row an image.
//!
//! Everything is computed part by part into a folder beside the file, so an interrupted start is continued and no more than a part
//! is in memory. The file appears whole at the end, and the folder goes.

mod numpy;
mod row;
mod table;
mod tensors;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cd_core::{ImageSet, Key, content_key};
use cd_detect::{Compute, DetectError, Store};
use cd_models::{InputSizeError, Model, StorageError, Tap};
use thiserror::Error;

use tensors::Seen;

/// The endings of the formats that can be written.
pub const FORMATS: [&str; 3] = ["parquet", "npy", "npz"];

/// What to write of a set.
#[derive(Debug, Clone, Copy)]
pub struct Vectors<'a> {
    /// The network.
    pub model: &'a Model,
    /// The images.
    pub images: &'a ImageSet,
    /// Where in the network the vectors are read; feature maps are laid out as `[F * h * w]`.
    pub tap: Tap,
    /// Whether class scores are written, too.
    pub logits: bool,
}

/// Why the table could not be written.
#[derive(Debug, Error)]
pub enum VectorsError {
    /// The ending names no format.
    #[error("{}: the ending decides the format: {}", path.display(), FORMATS.map(|ending| format!(".{ending}")).join(", "))]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// There is a file already.
    #[error("{}: this file exists; choose another name, or replace it with --force", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The network cannot take images of this size.
    #[error(transparent)]
    InputSize(#[from] InputSizeError),
    /// The network failed.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// The images could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl VectorsError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    Npy,
    Npz,
}

/// A file of vectors.
#[derive(Debug, Clone)]
pub struct VectorsFile {
    path: PathBuf,
    format: Format,
}

impl VectorsFile {
    /// The file at `path`; its ending decides the format.
    ///
    /// # Errors
    ///
    /// When the ending names no format, or a file of the table is there and must not be replaced.
    pub fn new(path: &Path, replace: bool) -> Result<Self, VectorsError> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        let format = match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("parquet") => Format::Parquet,
            Some("npy") => Format::Npy,
            Some("npz") => Format::Npz,
            _ => {
                let path = path.to_owned();
                return Err(VectorsError::Format { path });
            }
        };
        let file = Self {
            path: path.to_owned(),
            format,
        };
        let mut present = file.files().into_iter().filter(|file| file.exists());
        match present.next().filter(|_| !replace) {
            Some(path) => Err(VectorsError::Exists { path }),
            None => Ok(file),
        }
    }

    /// The folder of what is computed already, which is gone when the file is there.
    pub fn work(&self) -> PathBuf {
        self.beside("parts")
    }

    /// All files that may be written: tables of NumPy have names and labels beside them, and `npy` has one file an array.
    fn files(&self) -> Vec<PathBuf> {
        match self.format {
            Format::Parquet => vec![self.path.clone()],
            Format::Npz => vec![self.beside("csv"), self.path.clone()],
            Format::Npy => vec![
                self.beside("csv"),
                self.beside("logits.npy"),
                self.path.clone(),
            ],
        }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        match self.format {
            // `x.parquet` and `x.npy` may be made side by side.
            _ if ending == "parts" => {
                let mut name = self.path.clone().into_os_string();
                name.push(".parts");
                name.into()
            }
            _ => self.path.with_extension(ending),
        }
    }

    /// Computes what is missing and writes the table; gives the length of a vector.
    ///
    /// # Errors
    ///
    /// See [`VectorsError`]. What was computed stays in [`work`](Self::work).
    pub fn write(
        &self,
        vectors: &Vectors<'_>,
        device: &str,
        compute: &Compute<'_>,
    ) -> Result<usize, VectorsError> {
        let (height, width) = (vectors.images.height(), vectors.images.width());
        vectors.model.architecture().check_size(height, width)?;
        let work = self.work();
        fs::create_dir_all(&work).map_err(VectorsError::io(&work))?;
        let key = Key::of("vectors 1")
            .text("classifier", &vectors.model.fingerprint())
            .text("images", &content_key(vectors.images)?)
            .text("tap", &vectors.tap.to_string())
            .text("device", device)
            .finish();
        let store = Store {
            folder: &work,
            fingerprint: &key,
        };
        let compute = compute.with_batches_for(height, width);
        let seen = Seen::compute(vectors, store, &compute)?;
        let width = seen.width()?;
        for (name, to) in self.made(vectors, &seen, &work)? {
            let from = work.join(name);
            fs::rename(&from, &to).map_err(VectorsError::io(&to))?;
        }
        fs::remove_dir_all(&work).map_err(VectorsError::io(&work))?;
        Ok(width)
    }

    /// Writes all files into `work`: their names there, and where they belong; the table itself comes last.
    fn made(
        &self,
        vectors: &Vectors<'_>,
        seen: &Seen<'_>,
        work: &Path,
    ) -> Result<Vec<(&'static str, PathBuf)>, VectorsError> {
        const TABLE: &str = "table";
        const ROWS: &str = "rows.csv";
        const LOGITS: &str = "logits.npy";
        let table = work.join(TABLE);
        let mut made = Vec::new();
        match self.format {
            Format::Parquet => table::write(&table, vectors, seen)?,
            Format::Npz => numpy::write_npz(&table, vectors, seen)?,
            Format::Npy => {
                numpy::write_npy(&table, vectors, seen, tensors::FEATURES)?;
                if vectors.logits {
                    numpy::write_npy(&work.join(LOGITS), vectors, seen, tensors::LOGITS)?;
                    made.push((LOGITS, self.beside(LOGITS)));
                }
            }
        }
        if self.format != Format::Parquet {
            row::write_csv(&work.join(ROWS), vectors, seen)?;
            made.push((ROWS, self.beside("csv")));
        }
        made.push((TABLE, self.path.clone()));
        Ok(made)
    }
}

#[cfg(test)]
mod tests;
