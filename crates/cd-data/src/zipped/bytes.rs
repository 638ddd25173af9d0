//! Bytes that are read at any place, by several threads at once.

use std::fs::File;
use std::io::{self, Read};

/// Most bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// Bytes with a length.
pub(super) trait Bytes {
    /// How many there are.
    fn length(&self) -> io::Result<u64>;

    /// The `len` bytes from `at` on.
    fn exact(&self, at: u64, len: usize) -> io::Result<Vec<u8>>;
}

impl Bytes for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn exact(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        Ok(cd_core::read_at(self, at, len)?.to_vec())
    }
}

impl Bytes for Vec<u8> {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn exact(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let part = at.checked_add(len).and_then(|end| self.get(at..end));
        part.map(<[u8]>::to_vec)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// The `len` bytes from `at` on, which must be there before room is made for them.
pub(super) fn exact(bytes: &impl Bytes, at: u64, len: usize) -> io::Result<Vec<u8>> {
    let end = at.checked_add(len as u64);
    if end.is_none_or(|end| bytes.length().is_ok_and(|length| end > length)) {
        return Err(super::directory::damaged("a record lies beyond its end"));
    }
    bytes.exact(at, len)
}

/// A part of some bytes, read from its beginning.
pub(super) struct Span<B> {
    bytes: B,
    at: u64,
    left: u64,
}

impl<B> Span<B> {
    /// `length` bytes from `at` on.
    pub(super) fn new(bytes: B, at: u64, length: u64) -> Self {
        Self {
            bytes,
            at,
            left: length,
        }
    }
}

impl<B: Bytes> Read for Span<B> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = (into.len().min(CHUNK) as u64).min(self.left) as usize;
        into[..count].copy_from_slice(&self.bytes.exact(self.at, count)?);
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

impl<B: Bytes> Bytes for &B {
    fn length(&self) -> io::Result<u64> {
        (*self).length()
    }

    fn exact(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        (*self).exact(at, len)
    }
}

impl<B: Bytes> Bytes for std::sync::Arc<B> {
    fn length(&self) -> io::Result<u64> {
        self.as_ref().length()
    }

    fn exact(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        self.as_ref().exact(at, len)
    }
}
