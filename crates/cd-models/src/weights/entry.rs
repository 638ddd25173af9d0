//! Tensors of a weights file: where their values lie, and the values once they are wanted.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use super::element::Element;
use super::state::NamedTensor;

/// What a file holds, by its full name in it.
pub(super) type Entries = BTreeMap<String, Entry>;

/// A tensor of a file; its values are not read yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// Extents, outermost first.
    pub(super) shape: Vec<usize>,
    pub(super) element: Element,
    pub(super) origin: Origin,
    /// The name of what it stands in: a state dict, or a whole network. Two of one group were saved as one thing.
    pub(super) group: String,
    pub(super) place: Place,
}

/// What it is in the program that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Tensor,
    NumpyArray,
    /// Numbers, or an attribute of a module that is no part of its state: looked at for an input normalisation only.
    Aside,
}

/// Where values lie.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// Here: bytes in row-major order.
    Memory(Vec<u8>),
    /// In the file.
    File(Stored),
    /// Nowhere that can be read; the reason.
    Nowhere(String),
}

/// Values in the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    /// Offset of the first value in the file.
    pub(super) at: u64,
    /// Bytes from there to the end of what holds them.
    pub(super) available: u64,
    /// Values between neighbours along each axis; `None` where they lie in row-major order.
    pub(super) strides: Option<Vec<usize>>,
    pub(super) big_endian: bool,
    /// Whether the bytes stand there as the first 256 characters of Unicode, in UTF-8.
    pub(super) as_text: bool,
    /// A part of the file with a checksum that covers the values.
    pub(super) checked: Option<Checked>,
}

/// A part of a file and its CRC-32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) at: u64,
    pub(super) length: u64,
    pub(super) sum: u32,
}

impl Entry {
    /// Number of values; `None` where that many cannot be.
    pub(super) fn count(&self) -> Option<usize> {
        let extents = self.shape.iter();
        extents.copied().try_fold(1_usize, usize::checked_mul)
    }

    /// Bytes that the values take as they are in the file.
    pub(super) fn claimed(&self) -> u64 {
        let bytes = self
            .count()
            .and_then(|n| n.checked_mul(self.element.size()));
        bytes.map_or(u64::MAX, |bytes| bytes as u64)
    }

    /// The values as f32. `None` for types that are no floating-point numbers.
    pub(super) fn read<R: Read + Seek>(&self, file: &mut R) -> io::Result<Option<NamedTensor>> {
        let mut bytes = match &self.place {
            Place::Memory(bytes) => bytes.clone(),
            Place::File(stored) => stored.read(&self.shape, self.element.size(), file)?,
            Place::Nowhere(reason) => return Err(io::Error::other(reason.clone())),
        };
        if bytes.len() as u64 != self.claimed() {
            return Err(io::Error::other("fewer bytes than its shape says"));
        }
        if matches!(&self.place, Place::File(stored) if stored.big_endian) {
            for value in bytes.chunks_exact_mut(self.element.size().max(1)) {
                value.reverse();
            }
        }
        let values = self.element.floats(&bytes);
        Ok(values.map(|values| NamedTensor {
            shape: self.shape.clone(),
            values,
        }))
    }
}

impl Stored {
    fn read<R: Read + Seek>(
        &self,
        shape: &[usize],
        size: usize,
        file: &mut R,
    ) -> io::Result<Vec<u8>> {
        if shape.contains(&0) {
            return Ok(Vec::new());
        }
        let outside = || io::Error::other("its values reach beyond what holds them");
        let length = if self.as_text {
            Some(self.available)
        } else {
            self.extent(shape).and_then(|n| n.checked_mul(size as u64))
        };
        let length = length
            .filter(|&length| length <= self.available)
            .ok_or_else(outside)?;
        file.seek(SeekFrom::Start(self.at))?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(outside());
        }
        if self.as_text {
            bytes = latin_1(&bytes).ok_or_else(|| io::Error::other("no bytes written as text"))?;
        }
        Ok(match &self.strides {
            Some(strides) => gathered(&bytes, shape, strides, size).ok_or_else(outside)?,
            None => bytes,
        })
    }

    /// Values from the first to the last one.
    fn extent(&self, shape: &[usize]) -> Option<u64> {
        let Some(strides) = &self.strides else {
            return shape
                .iter()
                .try_fold(1_u64, |n, &extent| n.checked_mul(extent as u64));
        };
        let mut last = 0_u64;
        for (&extent, &stride) in shape.iter().zip(strides) {
            last = last.checked_add((extent as u64 - 1).checked_mul(stride as u64)?)?;
        }
        last.checked_add(1)
    }
}

/// Bytes that were written as the characters of the same numbers.
pub(super) fn latin_1(text: &[u8]) -> Option<Vec<u8>> {
    let characters = str::from_utf8(text).ok()?.chars();
    characters
        .map(|c| u8::try_from(u32::from(c)).ok())
        .collect()
}

/// Values in row-major order out of a view.
fn gathered(bytes: &[u8], shape: &[usize], strides: &[usize], size: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut index = vec![0; shape.len()];
    loop {
        let places = index.iter().zip(strides);
        let at: usize = places.map(|(index, stride)| index * stride).sum();
        out.extend_from_slice(bytes.get(at * size..(at + 1) * size)?);
        // The next index, the last axis first.
        let Some(axis) = (0..shape.len())
            .rev()
            .find(|&axis| index[axis] + 1 < shape[axis])
        else {
            return Some(out);
        };
        index[axis] += 1;
        index[axis + 1..].fill(0);
    }
}

/// Values between neighbours along each axis, rows last.
pub(super) fn row_major(shape: &[usize]) -> Option<Vec<usize>> {
    let mut strides = vec![1_usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].checked_mul(shape[axis])?;
    }
    Some(strides)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn stored(strides: Option<Vec<usize>>, available: u64) -> Entry {
        Entry {
            shape: vec![2, 3],
            element: Element::F32,
            origin: Origin::Tensor,
            group: String::new(),
            place: Place::File(Stored {
                at: 4,
                available,
                strides,
                big_endian: false,
                as_text: false,
                checked: None,
            }),
        }
    }

    fn file() -> Cursor<Vec<u8>> {
        let values = (0..7_u8).map(|value| f32::from(value).to_le_bytes());
        Cursor::new(values.flatten().collect())
    }

    #[test]
    fn views_are_gathered_and_stay_inside() {
        let read = |entry: Entry| {
            entry
                .read(&mut file())
                .map(|tensor| tensor.expect("f32").values)
        };
        let rows = read(stored(None, 24)).expect("inside");
        assert_eq!(rows, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let columns = read(stored(Some(vec![1, 2]), 24)).expect("inside");
        assert_eq!(columns, [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
        let repeated = read(stored(Some(vec![0, 1]), 24)).expect("inside");
        assert_eq!(repeated, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
        assert!(read(stored(None, 20)).is_err());
        assert!(read(stored(Some(vec![4, 1]), 24)).is_err());
        assert!(read(stored(Some(vec![usize::MAX, 1]), 24)).is_err());
    }

    #[test]
    fn bytes_written_as_text_come_back() {
        let text: String = [0_u8, 128, 255]
            .iter()
            .map(|&byte| char::from(byte))
            .collect();
        assert_eq!(latin_1(text.as_bytes()), Some(vec![0, 128, 255]));
        assert_eq!(latin_1("\u{100}".as_bytes()), None);
    }
}
