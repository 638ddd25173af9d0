//! Encoded pictures as a source of pixels: decoded when they are asked for, kept while there is room.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use cd_core::{PixelSource, StorageError};
use sha2::{Digest, Sha256};

use super::animation::is_animated;
use super::{Decoding, PictureError, Place};

/// Bytes of memory that decoded pictures may still take; shared by the sets of a data set.
#[derive(Debug)]
pub(crate) struct Room(AtomicUsize);

impl Room {
    /// Room for `bytes` bytes.
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(bytes)))
    }

    /// Whether there was room for `bytes` bytes, which is then gone.
    fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes);
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A picture and what is known of its pixels.
#[derive(Debug)]
pub(super) struct Picture {
    place: Place,
    /// SHA-256 of the decoded pixels.
    digest: [u8; 32],
    /// Whether it was just seen to be an animation, of which the first picture counts.
    pub(super) is_animated: bool,
    kept: OnceLock<Arc<[u8]>>,
}

impl Picture {
    /// A picture whose pixels are known to have this digest; it is not opened.
    pub(super) fn known(place: Place, digest: [u8; 32]) -> Self {
        let kept = OnceLock::new();
        Self {
            place,
            digest,
            is_animated: false,
            kept,
        }
    }

    /// Decodes a picture to learn its digest, and keeps it where there is room.
    pub(super) fn decoded(
        place: Place,
        decoding: Decoding,
        room: &Room,
    ) -> Result<Self, PictureError> {
        let bytes = place.bytes()?;
        let pixels: Arc<[u8]> = decoding.pixels(&bytes, place.region())?.into();
        let picture = Self {
            is_animated: is_animated(&bytes),
            ..Self::known(place, Sha256::digest(&pixels).into())
        };
        picture.keep(&pixels, room);
        Ok(picture)
    }

    /// SHA-256 of its pixels.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Keeps its pixels where there is room.
    fn keep(&self, pixels: &Arc<[u8]>, room: &Room) {
        if room.take(pixels.len()) && self.kept.set(Arc::clone(pixels)).is_err() {
            // Another thread has decoded and kept it meanwhile.
            room.give_back(pixels.len());
        }
    }
}

/// Pictures of a data set at one size, `[side, side, 3]` bytes each.
///
/// A picture stays in memory once it is decoded as long as there is room, and is never dropped for another; the others
/// are decoded at every read. Threads decode side by side and wait for nothing.
#[derive(Debug)]
pub(crate) struct PictureSource {
    pictures: Vec<Picture>,
    decoding: Decoding,
    room: Arc<Room>,
    /// The file that remembers digests from one start to the next.
    index: Option<PathBuf>,
}

impl PictureSource {
    pub(super) fn new(
        pictures: Vec<Picture>,
        decoding: Decoding,
        room: Arc<Room>,
        index: Option<PathBuf>,
    ) -> Self {
        Self {
            pictures,
            decoding,
            room,
            index,
        }
    }

    /// Pictures that are kept in memory.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        let kept = |picture: &&Picture| picture.kept.get().is_some();
        self.pictures.iter().filter(kept).count()
    }

    fn changed(&self) -> String {
        if let Some(index) = &self.index {
            // It took the file for unchanged and would do so at the next start; whether it can be removed changes
            // nothing about the answer here.
            let _ = fs::remove_file(index);
        }
        "its pixels are not those that were checked when the data set was loaded: the file has changed; start again"
            .into()
    }
}

impl PixelSource for PictureSource {
    fn read(&self, index: usize) -> Result<Arc<[u8]>, StorageError> {
        let picture = &self.pictures[index];
        if let Some(pixels) = picture.kept.get() {
            return Ok(Arc::clone(pixels));
        }
        let failed = |reason| StorageError::Source {
            path: picture.place.shown(),
            reason,
        };
        let pixels = self
            .decoding
            .read(&picture.place)
            .map_err(|error| failed(error.to_string()))?;
        if Sha256::digest(&pixels)[..] != picture.digest {
            return Err(failed(self.changed()));
        }
        let pixels = pixels.into();
        picture.keep(&pixels, &self.room);
        Ok(pixels)
    }

    fn digest(&self, index: usize) -> Option<[u8; 32]> {
        Some(self.pictures[index].digest)
    }
}
