//! Many byte strings of one length: in memory as far as they fit, beyond that in a temporary file, or left where they are.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sha2::{Digest, Sha256};

use crate::source::{PixelSource, StorageError, read_at};

/// Byte strings of one length, numbered from 0. Copies and selections share what is stored.
///
/// The first ones are kept in memory, up to a number of bytes; the others go to a temporary file, which has no name
/// and disappears with its last user, whatever ends the program. Those of a [`PixelSource`] are read from it each time.
#[derive(Debug, Clone)]
pub struct Records {
    len: usize,
    /// Bytes that may still be kept in memory.
    room: usize,
    places: Vec<Place>,
    file: Option<Arc<Overflow>>,
}

/// SHA-256 of a record, once it was asked for; shared like the record itself.
type Known = Arc<OnceLock<[u8; 32]>>;

#[derive(Debug, Clone)]
enum Place {
    Memory {
        bytes: Arc<[u8]>,
        digest: Known,
    },
    File {
        file: Arc<Overflow>,
        start: u64,
        digest: Known,
    },
    Source {
        source: Arc<dyn PixelSource>,
        index: usize,
    },
}

impl Records {
    /// No records yet, of `len` bytes each, of which at most `in_memory` bytes are kept in memory.
    pub fn new(len: usize, in_memory: usize) -> Self {
        Self {
            len,
            room: in_memory,
            places: Vec::new(),
            file: None,
        }
    }

    /// Number of records.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// Bytes of one record.
    pub fn record_len(&self) -> usize {
        self.len
    }

    /// Appends a record.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be made or written.
    ///
    /// # Panics
    ///
    /// When `bytes` is not one record long, like `copy_from_slice`.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let place = self.stored(bytes)?;
        self.places.push(place);
        Ok(())
    }

    /// Appends record `index` of `source`, which stays where it is.
    pub fn push_from(&mut self, source: &Arc<dyn PixelSource>, index: usize) {
        self.places.push(Place::from(source, index));
    }

    /// Puts record `from` of `source` at `index`; copies and selections keep the former one.
    ///
    /// # Panics
    ///
    /// When `index` is out of range.
    pub fn replace_from(&mut self, index: usize, source: &Arc<dyn PixelSource>, from: usize) {
        self.places[index] = Place::from(source, from);
    }

    /// SHA-256 of record `index`; for records that were pushed it is computed once.
    ///
    /// # Errors
    ///
    /// When it has to be read and cannot.
    ///
    /// # Panics
    ///
    /// When `index` is out of range, like slice indexing.
    pub fn digest(&self, index: usize) -> Result<[u8; 32], StorageError> {
        let known = match &self.places[index] {
            Place::Memory { digest, .. } | Place::File { digest, .. } => digest.get().copied(),
            Place::Source { source, index } => source.digest(*index),
        };
        if let Some(digest) = known {
            return Ok(digest);
        }
        let computed = Sha256::digest(self.get(index)?).into();
        if let Place::Memory { digest, .. } | Place::File { digest, .. } = &self.places[index] {
            digest.get_or_init(|| computed);
        }
        Ok(computed)
    }

    /// Puts another record at `index`; copies and selections keep the former one.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be made or written.
    ///
    /// # Panics
    ///
    /// When `index` is out of range or `bytes` is not one record long.
    pub fn replace(&mut self, index: usize, bytes: &[u8]) -> Result<(), StorageError> {
        self.places[index] = self.stored(bytes)?;
        Ok(())
    }

    /// Record `index`.
    ///
    /// # Errors
    ///
    /// When the temporary file or the source cannot be read.
    ///
    /// # Panics
    ///
    /// When `index` is out of range, like slice indexing.
    pub fn get(&self, index: usize) -> Result<Arc<[u8]>, StorageError> {
        match &self.places[index] {
            Place::Memory { bytes, .. } => Ok(Arc::clone(bytes)),
            Place::File { file, start, .. } => file
                .read(*start, self.len)
                .map_err(StorageError::temporary("read")),
            Place::Source { source, index } => source.read(*index),
        }
    }

    /// The records at `indices`, in that order.
    ///
    /// # Panics
    ///
    /// When an index is out of range.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            places: indices
                .iter()
                .map(|&index| self.places[index].clone())
                .collect(),
            ..Self::new(self.len, self.room)
        }
    }

    fn stored(&mut self, bytes: &[u8]) -> Result<Place, StorageError> {
        assert_eq!(bytes.len(), self.len, "bytes of a record");
        let digest = Known::default();
        if self.len <= self.room {
            self.room -= self.len;
            let bytes = bytes.into();
            return Ok(Place::Memory { bytes, digest });
        }
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::new(Overflow::new().map_err(StorageError::temporary("make"))?),
        };
        self.file = Some(Arc::clone(&file));
        let start = file
            .append(bytes)
            .map_err(StorageError::temporary("write"))?;
        Ok(Place::File {
            file,
            start,
            digest,
        })
    }
}

/// Equal when all records are; a record that cannot be read equals none.
impl PartialEq for Records {
    fn eq(&self, other: &Self) -> bool {
        let same = |index| matches!((self.get(index), other.get(index)), (Ok(a), Ok(b)) if a == b);
        self.len == other.len && self.count() == other.count() && (0..self.count()).all(same)
    }
}

impl Place {
    fn from(source: &Arc<dyn PixelSource>, index: usize) -> Self {
        Self::Source {
            source: Arc::clone(source),
            index,
        }
    }
}

/// A temporary file that only grows. Readers do not wait for each other.
#[derive(Debug)]
struct Overflow {
    file: File,
    /// Where the next record begins; held while one is written.
    end: Mutex<u64>,
}

impl Overflow {
    fn new() -> io::Result<Self> {
        tempfile::tempfile().map(|file| Self {
            file,
            end: Mutex::new(0),
        })
    }

    fn append(&self, bytes: &[u8]) -> io::Result<u64> {
        // A writer that died half-way has not moved the end.
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let start = *end;
        let mut file = &self.file;
        file.seek(SeekFrom::Start(start))?;
        file.write_all(bytes)?;
        *end += bytes.len() as u64;
        Ok(start)
    }

    fn read(&self, start: u64, len: usize) -> io::Result<Arc<[u8]>> {
        read_at(&self.file, start, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten records of two bytes, of which `in_memory` bytes stay in memory.
    fn ten(in_memory: usize) -> Records {
        let mut records = Records::new(2, in_memory);
        for number in 0..10 {
            records.push(&[number, 100 + number]).expect("room");
        }
        records
    }

    fn in_file(records: &Records) -> usize {
        let file = |place: &&Place| matches!(place, Place::File { .. });
        records.places.iter().filter(file).count()
    }

    #[test]
    fn what_does_not_fit_goes_to_the_file_and_reads_the_same() {
        for (in_memory, expected) in [(0, 10), (5, 8), (20, 0)] {
            let records = ten(in_memory);
            assert_eq!(in_file(&records), expected);
            assert_eq!(records, ten(20));
            assert_eq!(*records.get(7).expect("readable"), [7, 107]);
        }
    }

    #[test]
    fn selections_share_and_replacing_changes_one_of_them() {
        for in_memory in [0, 1000] {
            let records = ten(in_memory);
            let mut some = records.select(&[9, 0]);
            some.replace(0, &[1, 1]).expect("room");
            some.push(&[2, 2]).expect("room");
            let read = |index| some.get(index).expect("readable").to_vec();
            assert_eq!([read(0), read(1), read(2)], [[1, 1], [0, 100], [2, 2]]);
            assert_eq!(*records.get(9).expect("readable"), [9, 109]);
            assert_ne!(some, records);
        }
    }

    #[test]
    fn digests_are_computed_once_and_follow_the_record() {
        for in_memory in [0, 1000] {
            let mut records = ten(in_memory);
            let of = |bytes: [u8; 2]| -> [u8; 32] { Sha256::digest(bytes).into() };
            assert_eq!(records.digest(3).expect("readable"), of([3, 103]));
            let copy = records.select(&[3]);
            let (Place::Memory { digest, .. } | Place::File { digest, .. }) = &copy.places[0]
            else {
                panic!("pushed records have no source");
            };
            assert_eq!(digest.get(), Some(&of([3, 103])), "shared with the copy");
            records.replace(3, &[9, 9]).expect("room");
            assert_eq!(records.digest(3).expect("readable"), of([9, 9]));
            assert_eq!(copy.digest(0).expect("readable"), of([3, 103]));
        }
    }

    #[test]
    fn a_file_that_lost_its_end_is_an_error() {
        let mut records = ten(0);
        if let Place::File { start, .. } = &mut records.places[3] {
            *start = 1000;
        }
        let message = records.get(3).expect_err("beyond the end").to_string();
        assert!(
            message.contains("cannot read") && message.contains("TMPDIR"),
            "{message}"
        );
        assert_ne!(records, records.clone());
    }

    #[test]
    fn threads_read_what_they_ask_for() {
        let records = ten(0);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let records = &records;
                scope.spawn(move || {
                    for turn in 0..1000 {
                        let index = (turn * 7 + thread) % 10;
                        let read = records.get(index).expect("readable");
                        assert_eq!(read[0] as usize, index);
                    }
                });
            }
        });
    }
}
