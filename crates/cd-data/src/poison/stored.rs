//! Stamped images in a file: their pixels one after the other, then the SHA-256 of each.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cd_core::{PixelSource, Progress, RecordFile, StorageError, atomic};
use sha2::{Digest, Sha256};

use super::PoisonError;
use super::stamp::Stamping;
use crate::attack::Trigger;

const DIGEST_LEN: usize = 32;

/// Writes the stamped images to `path`; they are never in memory together.
pub(super) fn write(
    path: &Path,
    stamping: &Stamping<'_>,
    trigger: &dyn Trigger,
    progress: &dyn Progress,
) -> Result<(), PoisonError> {
    let failed = |source| PoisonError::Stored {
        path: path.to_owned(),
        source,
    };
    let mut stopped = None;
    let written = atomic::write_with(path, |file| {
        let outcome = fill(file, stamping, trigger, progress, &failed);
        outcome.map_err(|error| {
            stopped = Some(error);
            io::Error::other("stamping stopped")
        })
    });
    match (stopped, written) {
        (Some(error), _) => Err(error),
        (None, written) => written.map_err(failed),
    }
}

fn fill(
    file: &mut dyn Write,
    stamping: &Stamping<'_>,
    trigger: &dyn Trigger,
    progress: &dyn Progress,
    failed: &impl Fn(io::Error) -> PoisonError,
) -> Result<(), PoisonError> {
    let mut digests = Vec::with_capacity(stamping.len() * DIGEST_LEN);
    stamping.run(trigger, progress, |_, pixels| {
        digests.extend_from_slice(&Sha256::digest(pixels));
        file.write_all(pixels).map_err(failed)
    })?;
    file.write_all(&digests).map_err(failed)
}

/// Stored images, each compared with its digest when it is read.
#[derive(Debug)]
struct StoredImages {
    path: PathBuf,
    pixels: RecordFile,
    digests: Vec<[u8; DIGEST_LEN]>,
}

/// The `count` images of `image_len` bytes each in the file at `path`.
pub(super) fn open(
    path: &Path,
    count: usize,
    image_len: usize,
) -> Result<Arc<dyn PixelSource>, PoisonError> {
    let failed = |source| PoisonError::Stored {
        path: path.to_owned(),
        source,
    };
    let pixel_bytes = (count * image_len) as u64;
    let expected = pixel_bytes + (count * DIGEST_LEN) as u64;
    let len = fs::metadata(path).map_err(failed)?.len();
    if len != expected {
        let problem = format!("the file has {len} bytes, its {count} images need {expected}");
        return Err(failed(io::Error::other(problem)));
    }
    let table = RecordFile::open(path, pixel_bytes, DIGEST_LEN)?;
    let digest = |index| {
        let bytes = table.read(index)?;
        Ok(<[u8; DIGEST_LEN]>::try_from(&*bytes).expect("records have this length"))
    };
    let digests: Result<Vec<_>, StorageError> = (0..count).map(digest).collect();
    Ok(Arc::new(StoredImages {
        path: path.to_owned(),
        pixels: RecordFile::open(path, 0, image_len)?,
        digests: digests?,
    }))
}

impl PixelSource for StoredImages {
    fn read(&self, index: usize) -> Result<Arc<[u8]>, StorageError> {
        let pixels = self.pixels.read(index)?;
        if Sha256::digest(&pixels)[..] == self.digests[index] {
            return Ok(pixels);
        }
        Err(StorageError::Source {
            path: self.path.clone(),
            reason: format!(
                "stamped image {index} is damaged; remove the folder to have the images stamped again"
            ),
        })
    }

    fn digest(&self, index: usize) -> Option<[u8; DIGEST_LEN]> {
        Some(self.digests[index])
    }
}
