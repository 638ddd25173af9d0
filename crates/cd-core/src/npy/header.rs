//! The header of an array.

use std::io::{self, Read};

use super::literal::{Literal, Parser};
use super::{Kind, MAGIC, NpyError};

/// Longest header that is read; that of a thousand axes fits.
pub(super) const LONGEST: u64 = 1 << 16;
/// Most axes of an array.
const MOST_AXES: usize = 64;

/// What is known of an array before its numbers are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Type of the elements.
    pub kind: Kind,
    /// Whether the highest byte of an element comes first.
    pub is_big_endian: bool,
    /// Whether the first axis is the fastest.
    pub is_fortran: bool,
    /// Length along each axis; their product in bytes can be counted.
    pub shape: Vec<usize>,
    /// Bytes in front of the numbers.
    pub len: u64,
}

impl Header {
    /// Reads what is in front of the numbers, at most 64 KiB.
    ///
    /// # Errors
    ///
    /// When it is damaged, or the elements are Python objects or of a type that is not read. Nothing is allocated for the numbers.
    pub fn read(input: &mut dyn Read) -> Result<Self, NpyError> {
        let mut start = [0; 8];
        read(input, &mut start, NpyError::Magic)?;
        let [magic @ .., version, _] = &start;
        if magic != MAGIC {
            return Err(NpyError::Magic);
        }
        let mut length = [0; 4];
        let bytes = match version {
            1 => 2,
            2 | 3 => 4,
            _ => return Err(NpyError::Version(*version)),
        };
        read(input, &mut length[..bytes], damaged(8, "it ends early"))?;
        let length = u64::from(u32::from_le_bytes(length));
        if length > LONGEST {
            return Err(NpyError::HeaderLength(length));
        }
        let before = (start.len() + bytes) as u64;
        let mut text = vec![0; length as usize];
        read(input, &mut text, damaged(before, "it ends early"))?;
        parse(&text, before)
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of the numbers.
    pub fn bytes(&self) -> u64 {
        (self.count() * self.kind.size()) as u64
    }

    /// The numbers that `bytes`, whole elements, stand for; whole numbers beyond 2^53 are rounded.
    pub fn numbers<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = f64> + 'a {
        let (kind, is_big_endian) = (self.kind, self.is_big_endian);
        bytes.chunks_exact(kind.size()).map(move |element| {
            let mut lowest_first = [0; 8];
            lowest_first[..element.len()].copy_from_slice(element);
            if is_big_endian {
                lowest_first[..element.len()].reverse();
            }
            kind.number(lowest_first)
        })
    }
}

/// Fills `into`; `short` where the input ends before.
fn read(input: &mut dyn Read, into: &mut [u8], short: NpyError) -> Result<(), NpyError> {
    input.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => short,
        _ => error.into(),
    })
}

fn damaged(at: u64, reason: impl Into<String>) -> NpyError {
    let reason = reason.into();
    NpyError::Header { at, reason }
}

/// Reads the dictionary, which begins at byte `before` of the file.
fn parse(text: &[u8], before: u64) -> Result<Header, NpyError> {
    let mut parser = Parser::new(text);
    let entries = parser.dictionary();
    let entries = entries.map_err(|reason| damaged(before + parser.at() as u64, reason))?;
    let value = |name: &str| {
        let found = entries.iter().find(|(key, _)| key == name);
        let missing = || damaged(before, format!("`{name}` is missing"));
        found.map(|(_, value)| value).ok_or_else(missing)
    };
    let Literal::Truth(is_fortran) = *value("fortran_order")? else {
        return Err(damaged(before, "`fortran_order` is neither True nor False"));
    };
    let (kind, is_big_endian) = match value("descr")? {
        Literal::Text(description) => kind(description)?,
        _ => return Err(NpyError::Kind("several fields".into())),
    };
    let shape = match value("shape")? {
        Literal::Members(lengths) if lengths.len() <= MOST_AXES => shape(lengths),
        _ => None,
    };
    let shape = shape.ok_or_else(|| damaged(before, "`shape` is no list of lengths"))?;
    let bytes = shape
        .iter()
        .try_fold(kind.size(), |bytes, &length| bytes.checked_mul(length));
    if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
        return Err(NpyError::Shape(shape));
    }
    Ok(Header {
        kind,
        is_big_endian,
        is_fortran,
        shape,
        len: before + text.len() as u64,
    })
}

fn kind(description: &str) -> Result<(Kind, bool), NpyError> {
    let letters = description.trim_start_matches(['<', '>', '|', '=']);
    if letters.starts_with('O') {
        return Err(NpyError::Objects);
    }
    let kind = Kind::of_letters(letters);
    let kind = kind.ok_or_else(|| NpyError::Kind(description.into()))?;
    Ok((kind, description.starts_with('>')))
}

fn shape(lengths: &[Literal]) -> Option<Vec<usize>> {
    let length = |length: &Literal| match length {
        Literal::Number(length) => usize::try_from(*length).ok(),
        _ => None,
    };
    lengths.iter().map(length).collect()
}
