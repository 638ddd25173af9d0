//! The bytes of a pickle, read as they are needed.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use super::error::PickleError;

/// A part of a file, read forwards.
pub(in crate::weights::read) struct Input<R> {
    reader: BufReader<R>,
    at: u64,
    end: u64,
}

impl<R: Read + Seek> Input<R> {
    /// What lies from `at` to `end`.
    pub(in crate::weights::read) fn new(file: R, at: u64, end: u64) -> Result<Self, PickleError> {
        let mut reader = BufReader::new(file);
        reader.seek(SeekFrom::Start(at))?;
        Ok(Self { reader, at, end })
    }

    /// Offset in the file.
    pub(in crate::weights::read) fn at(&self) -> u64 {
        self.at
    }

    fn reserve(&mut self, length: u64) -> Result<(), PickleError> {
        let next = self.at.checked_add(length).filter(|&next| next <= self.end);
        self.at = next.ok_or(PickleError::End)?;
        Ok(())
    }

    pub(in crate::weights::read) fn array<const N: usize>(
        &mut self,
    ) -> Result<[u8; N], PickleError> {
        self.reserve(N as u64)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, PickleError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// `length` bytes, of which the caller has seen that they are few.
    pub(super) fn bytes(&mut self, length: u64) -> Result<Vec<u8>, PickleError> {
        self.reserve(length)?;
        let mut bytes = vec![0; length as usize];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(in crate::weights::read) fn skip(&mut self, length: u64) -> Result<(), PickleError> {
        self.reserve(length)?;
        let distance = i64::try_from(length).map_err(|_| PickleError::End)?;
        Ok(self.reader.seek_relative(distance)?)
    }

    /// The text up to the end of the line, which is at most `longest` bytes away.
    pub(super) fn line(&mut self, longest: u64) -> Result<String, PickleError> {
        let mut line = Vec::new();
        (&mut self.reader)
            .take(longest)
            .read_until(b'\n', &mut line)?;
        self.reserve(line.len() as u64)?;
        if line.pop() != Some(b'\n') {
            return Err(PickleError::End);
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).map_err(|_| PickleError::Text)
    }
}
