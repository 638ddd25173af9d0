//! Where the encoded bytes of a picture lie: in a file of their own, or in one with many.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cd_core::read_at;

use super::index::Stamp;
use super::{MAX_DECODED_BYTES, PictureError, Region, read_bytes};
use crate::zipped;

/// A file that holds many pictures.
#[derive(Debug)]
pub(crate) struct Container {
    /// The file of the user, which errors name.
    path: PathBuf,
    /// What is read: that file, or a temporary one with its unpacked content.
    file: File,
    /// How the file of the user looked before it was read.
    stamp: Option<Stamp>,
}

impl Container {
    /// `file` holds what the file at `path` did when it looked like `stamp`.
    pub(crate) fn unpacked(path: &Path, stamp: Option<Stamp>, file: File) -> Arc<Self> {
        let path = path.to_owned();
        Arc::new(Self { path, file, stamp })
    }

    /// What is read.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

/// Where the encoded bytes of a picture lie.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In a file of their own.
    File(PathBuf),
    /// In a file of their own, of whose pixels only a region counts.
    Region { path: PathBuf, region: Region },
    /// In a file with many.
    Part {
        container: Arc<Container>,
        /// Which of its pictures this is, for people.
        name: Box<str>,
        start: u64,
        len: u64,
    },
}

impl Place {
    /// The encoded bytes, not none and not too many.
    pub(super) fn bytes(&self) -> Result<Arc<[u8]>, PictureError> {
        match self {
            Self::File(path) | Self::Region { path, .. } => Ok(read_bytes(path)?.into()),
            Self::Part { len: 0, .. } => Err(PictureError::Empty),
            Self::Part { len, .. } if *len > MAX_DECODED_BYTES => Err(PictureError::TooLarge),
            Self::Part {
                container,
                start,
                len,
                ..
            } => Ok(read_at(&container.file, *start, *len as usize)?),
        }
    }

    /// The first bytes, at most `most`.
    pub(super) fn beginning(&self, most: u64) -> io::Result<Vec<u8>> {
        match self {
            Self::File(path) | Self::Region { path, .. } => {
                let mut bytes = Vec::new();
                zipped::open(path)?.take(most).read_to_end(&mut bytes)?;
                Ok(bytes)
            }
            Self::Part {
                container,
                start,
                len,
                ..
            } => Ok(read_at(&container.file, *start, most.min(*len) as usize)?.to_vec()),
        }
    }

    /// The region of its pixels that counts, where not all do.
    pub(super) fn region(&self) -> Option<Region> {
        match self {
            Self::Region { region, .. } => Some(*region),
            Self::File(_) | Self::Part { .. } => None,
        }
    }

    /// The file that it lies in.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Region { path, .. } => path,
            Self::Part { container, .. } => &container.path,
        }
    }

    /// How errors call it.
    pub(crate) fn shown(&self) -> PathBuf {
        match self {
            Self::File(path) | Self::Region { path, .. } => path.clone(),
            Self::Part {
                container, name, ..
            } => format!("{}:{name}", container.path.display()).into(),
        }
    }

    /// How the file looks from outside; none when that cannot be told.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        match self {
            Self::File(path) | Self::Region { path, .. } => Stamp::of(path),
            Self::Part { container, .. } => container.stamp,
        }
    }
}
