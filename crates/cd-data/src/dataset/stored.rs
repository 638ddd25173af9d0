//! Pictures that lie one after the other in a file, as data sets publish them, and become pixels when they are asked for.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cd_core::{CHANNELS, PixelSource, StorageError};
use sha2::{Digest, Sha256};

use super::planes::interleave;

/// Bytes that are read at once.
const PART: usize = 1 << 20;

/// Bytes in a file: the user's own, or a temporary one without a name that goes with its last user.
#[derive(Debug)]
pub(super) struct Stored {
    file: File,
    /// What messages call it.
    shown: PathBuf,
    start: u64,
    is_temporary: bool,
}

impl Stored {
    /// What follows byte `start` of the file at `path`.
    pub(super) fn open(path: &Path, start: u64) -> io::Result<Self> {
        Ok(Self {
            file: File::open(path)?,
            shown: path.into(),
            start,
            is_temporary: false,
        })
    }

    /// A copy on disk of what `from` gives, which is part of what `shown` names.
    pub(super) fn copied(shown: &Path, from: &mut dyn Read) -> io::Result<Self> {
        let mut file = tempfile::tempfile()?;
        io::copy(from, &mut file)?;
        file.rewind()?;
        Ok(Self {
            file,
            shown: shown.into(),
            start: 0,
            is_temporary: true,
        })
    }

    /// Number of bytes.
    pub(super) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len().saturating_sub(self.start))
    }

    /// All of it.
    pub(super) fn bytes(&self) -> io::Result<Vec<u8>> {
        let length = usize::try_from(self.length()?).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        let mut at = self.start;
        // By parts, so that there are never two copies of all.
        for part in bytes.chunks_mut(PART) {
            part.copy_from_slice(&cd_core::read_at(&self.file, at, part.len())?);
            at += part.len() as u64;
        }
        Ok(bytes)
    }

    /// What follows its byte `start`.
    pub(super) fn after(self, start: u64) -> Self {
        Self {
            start: self.start + start,
            ..self
        }
    }

    /// Reads it from its start.
    pub(super) fn reader(&self) -> StoredReader<'_> {
        StoredReader {
            file: &self.file,
            at: self.start,
        }
    }

    /// Bytes `index * len` to `(index + 1) * len`.
    fn record(&self, index: usize, len: usize) -> io::Result<Vec<u8>> {
        let at = self.start + index as u64 * len as u64;
        Ok(cd_core::read_at(&self.file, at, len)?.to_vec())
    }
}

/// Reads stored bytes one after the other, whoever else reads the file.
#[derive(Debug)]
pub(super) struct StoredReader<'a> {
    file: &'a File,
    at: u64,
}

impl Read for StoredReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.file.metadata()?.len().saturating_sub(self.at);
        let count = usize::try_from(left).map_or(into.len(), |left| left.min(into.len()));
        into[..count].copy_from_slice(&cd_core::read_at(self.file, self.at, count)?);
        self.at += count as u64;
        Ok(count)
    }
}

/// How a picture lies in its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `labels` bytes, then `pixels` bytes colour plane by colour plane.
    Planes { labels: usize, pixels: usize },
    /// `height` rows of `width` gray values, which get `padding` black pixels on every side.
    Gray {
        height: usize,
        width: usize,
        padding: usize,
    },
}

impl Form {
    /// Bytes of a record.
    pub(super) fn record_len(self) -> usize {
        match self {
            Self::Planes { labels, pixels } => labels + pixels,
            Self::Gray { height, width, .. } => height * width,
        }
    }

    /// The picture of `record`, `[height, width, 3]`.
    fn pixels(self, record: &[u8]) -> Vec<u8> {
        match self {
            Self::Planes { labels, pixels } => {
                let mut picture = vec![0; pixels];
                interleave(&record[labels..], &mut picture);
                picture
            }
            Self::Gray { width, padding, .. } => colours(record, width, padding),
        }
    }
}

/// A gray picture with `padding` black pixels around it, in three equal channels.
fn colours(gray: &[u8], width: usize, padding: usize) -> Vec<u8> {
    let row_len = (width + 2 * padding) * CHANNELS;
    let blank = vec![0; padding * row_len];
    let mut pixels = blank.clone();
    for row in gray.chunks_exact(width) {
        pixels.resize(pixels.len() + padding * CHANNELS, 0);
        pixels.extend(row.iter().flat_map(|&value| [value; CHANNELS]));
        pixels.resize(pixels.len() + padding * CHANNELS, 0);
    }
    pixels.extend(blank);
    pixels
}

/// The pictures of a file as a source of pixels.
#[derive(Debug)]
pub(super) struct RecordPictures {
    stored: Stored,
    form: Form,
    /// SHA-256 of the pixels of each.
    digests: Vec<[u8; 32]>,
}

impl RecordPictures {
    /// The `count` pictures of `stored`, each of which is looked at once; `each` gets its number and its record.
    pub(super) fn read<E: From<io::Error>>(
        stored: Stored,
        form: Form,
        count: usize,
        mut each: impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<Arc<dyn PixelSource>, E> {
        let mut digests = Vec::new();
        for index in 0..count {
            let record = stored.record(index, form.record_len())?;
            each(index, &record)?;
            digests.push(Sha256::digest(form.pixels(&record)).into());
        }
        Ok(Arc::new(Self {
            stored,
            form,
            digests,
        }))
    }
}

impl PixelSource for RecordPictures {
    fn read(&self, index: usize) -> Result<Arc<[u8]>, StorageError> {
        let failed = |reason: String| StorageError::Source {
            path: self.stored.shown.clone(),
            reason,
        };
        let record = self.stored.record(index, self.form.record_len());
        let pixels = self
            .form
            .pixels(&record.map_err(|error| failed(error.to_string()))?);
        // Nobody else knows of a temporary file.
        if !self.stored.is_temporary && Sha256::digest(&pixels)[..] != self.digests[index] {
            return Err(failed(format!(
                "picture {index} is not the one that was there when the data set was loaded: the file has changed; start again"
            )));
        }
        Ok(pixels.into())
    }

    fn digest(&self, index: usize) -> Option<[u8; 32]> {
        Some(self.digests[index])
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::tempdir;

    use super::*;

    const GRAY: Form = Form::Gray {
        height: 1,
        width: 2,
        padding: 0,
    };

    fn pictures(stored: Stored) -> Arc<dyn PixelSource> {
        let all = |_, _: &[u8]| Ok::<(), io::Error>(());
        RecordPictures::read(stored, GRAY, 2, all).expect("two pictures")
    }

    #[test]
    fn pictures_are_read_where_they_lie() {
        let folder = tempdir().expect("scratch");
        let path = folder.path().join("records");
        fs::write(&path, [9, 1, 2, 3, 4]).expect("writes");
        let own = pictures(Stored::open(&path, 1).expect("there"));
        let copied = Stored::copied(&path, &mut &[1, 2, 3, 4][..]).expect("room");
        assert_eq!(copied.bytes().expect("readable"), [1, 2, 3, 4]);
        let copied = pictures(copied);
        for source in [&own, &copied] {
            assert_eq!(source.read(1).expect("readable")[..], [3, 3, 3, 4, 4, 4]);
        }
        fs::write(&path, [9, 1, 2, 3, 5]).expect("writes");
        own.read(0).expect("as it was");
        let message = own.read(1).expect_err("changed").to_string();
        assert!(message.contains("picture 1 is not the one"), "{message}");
        copied.read(1).expect("a copy");
        fs::write(&path, [9, 1, 2]).expect("writes");
        own.read(1).expect_err("cut");
    }

    #[test]
    fn records_become_pixels() {
        let planes = Form::Planes {
            labels: 1,
            pixels: 6,
        };
        assert_eq!(planes.record_len(), 7);
        assert_eq!(planes.pixels(&[9, 1, 2, 3, 4, 5, 6]), [1, 3, 5, 2, 4, 6]);
        let padded = colours(&[7], 1, 1);
        assert_eq!((padded.len(), &padded[12..15]), (27, &[7; 3][..]));
        assert_eq!(padded.iter().filter(|&&value| value > 0).count(), 3);
    }
}
