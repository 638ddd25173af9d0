//! The variables of a MATLAB file of level 5, one after the other without unpacking more than is asked for.
//!
//! After a header of 128 bytes follow elements: a kind and a length of four bytes each, then the data. A variable is an element of kind 14
//! or, deflated, 15, and consists of elements itself: flags, dimensions, name and numbers (*MAT-File Format*, manual of
//! MATLAB, 2023).

use std::io::{self, Read, Seek, SeekFrom};

use flate2::read::ZlibDecoder;

/// Bytes in front of the first element.
const HEADER: u64 = 128;
/// Kinds of elements.
const INT8: u32 = 1;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const MATRIX: u32 = 14;
const PACKED: u32 = 15;
/// Most dimensions and longest name of a variable in bytes.
const MOST_BYTES: u32 = 256;

/// What is known of a variable before its numbers are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) shape: Vec<u64>,
    /// Kind of its numbers as stored.
    kind: u32,
    /// Bytes of its numbers as stored.
    pub(super) bytes: u64,
    is_big_endian: bool,
}

/// What is wrong with a file, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MatError {
    pub(super) at: u64,
    pub(super) reason: String,
}

/// Calls `each` with every variable of a file of `length` bytes and a reader of its numbers, first dimension fastest.
pub(super) fn each(
    mut input: impl Read + Seek,
    length: u64,
    mut each: impl FnMut(&Variable, &mut dyn Read) -> Result<(), String>,
) -> Result<(), MatError> {
    let is_big_endian = header(&mut input)?;
    let mut at = HEADER;
    while at < length {
        let wrong = |reason: String| MatError { at, reason };
        input
            .seek(SeekFrom::Start(at))
            .map_err(|error| wrong(error.to_string()))?;
        let [kind, bytes] = pair(&mut input, is_big_endian).map_err(wrong)?;
        let end = at + 8 + u64::from(bytes);
        if end > length {
            return Err(wrong(format!(
                "it is cut short: an element of {bytes} bytes begins here, and the file ends at byte {length}"
            )));
        }
        let mut content = (&mut input).take(bytes.into());
        match kind {
            PACKED => {
                let mut unpacked = ZlibDecoder::new(io::BufReader::new(content));
                let [kind, _] = pair(&mut unpacked, is_big_endian).map_err(wrong)?;
                if kind == MATRIX {
                    variable(&mut unpacked, is_big_endian, &mut each).map_err(wrong)?;
                }
            }
            MATRIX => variable(&mut content, is_big_endian, &mut each).map_err(wrong)?,
            _ => {}
        }
        at = end;
    }
    Ok(())
}

/// Reads the header; whether numbers have their highest byte first.
fn header(input: &mut impl Read) -> Result<bool, MatError> {
    let wrong = |reason: &str| MatError {
        at: 0,
        reason: reason.into(),
    };
    let mut header = [0; HEADER as usize];
    let is_long = input.read_exact(&mut header).is_ok();
    if header.starts_with(b"\x89HDF") || header.starts_with(b"MATLAB 7.3") {
        return Err(wrong(
            "it is a MATLAB file of version 7.3, which is HDF5, such as `digitStruct.mat` of the full numbers; the cropped digits are `train_32x32.mat` and `test_32x32.mat`",
        ));
    }
    if !is_long {
        return Err(wrong(
            "it is no MATLAB file: it is shorter than the header of one",
        ));
    }
    match &header[124..] {
        [_, 1, b'I', b'M'] => Ok(false),
        [1, _, b'M', b'I'] => Ok(true),
        _ => Err(wrong("it is no MATLAB file of level 5")),
    }
}

fn variable(
    input: &mut impl Read,
    is_big_endian: bool,
    each: &mut impl FnMut(&Variable, &mut dyn Read) -> Result<(), String>,
) -> Result<(), String> {
    small(input, is_big_endian, UINT32, "flags")?;
    let shape = small(input, is_big_endian, INT32, "dimensions")?;
    let shape: Option<Vec<u64>> = shape
        .chunks_exact(4)
        .map(|length| {
            let length = length.try_into().ok()?;
            let length = if is_big_endian {
                i32::from_be_bytes(length)
            } else {
                i32::from_le_bytes(length)
            };
            u64::try_from(length).ok()
        })
        .collect();
    let shape = shape.ok_or("a variable has a dimension below 0")?;
    let name = small(input, is_big_endian, INT8, "name")?;
    let (kind, bytes, held) = tag(input, is_big_endian)?;
    let variable = Variable {
        name: String::from_utf8_lossy(&name).into_owned(),
        shape,
        kind,
        bytes: bytes.into(),
        is_big_endian,
    };
    match held {
        Some(held) => each(&variable, &mut &held[..]),
        None => each(&variable, &mut input.take(bytes.into())),
    }
}

/// The content of a short element that must be of this kind.
fn small(
    input: &mut impl Read,
    is_big_endian: bool,
    expected: u32,
    what: &str,
) -> Result<Vec<u8>, String> {
    let (kind, bytes, held) = tag(input, is_big_endian)?;
    if kind != expected || bytes > MOST_BYTES {
        return Err(format!(
            "a variable's {what} are an element of kind {kind} and {bytes} bytes, expected kind {expected}"
        ));
    }
    if let Some(held) = held {
        return Ok(held);
    }
    let mut content = vec![0; bytes.next_multiple_of(8) as usize];
    input
        .read_exact(&mut content)
        .map_err(|error| error.to_string())?;
    content.truncate(bytes as usize);
    Ok(content)
}

/// Kind and length of an element, and its content where it is so short that it stands in the place of the length.
fn tag(input: &mut impl Read, is_big_endian: bool) -> Result<(u32, u32, Option<Vec<u8>>), String> {
    const SHORTEST: u32 = 4;
    let [kind, bytes] = pair(input, is_big_endian)?;
    let length = kind >> 16;
    if length == 0 {
        return Ok((kind, bytes, None));
    }
    if length > SHORTEST {
        return Err(format!(
            "an element of {length} bytes stands where 4 have room"
        ));
    }
    let mut held = if is_big_endian {
        bytes.to_be_bytes()
    } else {
        bytes.to_le_bytes()
    }
    .to_vec();
    held.truncate(length as usize);
    Ok((kind & 0xffff, length, Some(held)))
}

fn pair(input: &mut impl Read, is_big_endian: bool) -> Result<[u32; 2], String> {
    let mut bytes = [0; 8];
    input
        .read_exact(&mut bytes)
        .map_err(|error| error.to_string())?;
    let [a, b, c, d, e, f, g, h] = bytes;
    Ok([[a, b, c, d], [e, f, g, h]].map(|four| {
        if is_big_endian {
            u32::from_be_bytes(four)
        } else {
            u32::from_le_bytes(four)
        }
    }))
}

impl Variable {
    /// Number of elements, where it can be counted.
    pub(super) fn count(&self) -> Option<u64> {
        self.shape
            .iter()
            .try_fold(1_u64, |count, &length| count.checked_mul(length))
    }

    /// Whether its numbers are stored as bytes, 0 to 255.
    pub(super) fn is_bytes(&self) -> bool {
        const UINT8: u32 = 2;
        self.kind == UINT8
    }

    /// Calls `each` with every number.
    pub(super) fn numbers(
        &self,
        input: &mut dyn Read,
        mut each: impl FnMut(f64) -> Result<(), String>,
    ) -> Result<(), String> {
        let size = match self.kind {
            1 | 2 => 1,
            3 | 4 => 2,
            5..=7 => 4,
            9 | 12 | 13 => 8,
            other => return Err(format!("`{}` has numbers of kind {other}", self.name)),
        };
        let count = self.bytes / size as u64;
        if self.count() != Some(count) {
            return Err(format!(
                "`{}` has {count} numbers, expected {:?}",
                self.name, self.shape
            ));
        }
        let mut input = io::BufReader::new(input);
        for number in 0..count {
            let mut bytes = [0; 8];
            let (low, _) = bytes.split_at_mut(size);
            input.read_exact(low).map_err(|error| {
                format!(
                    "`{}` ends at number {number} of {count}: {error}",
                    self.name
                )
            })?;
            if self.is_big_endian {
                low.reverse();
            }
            each(number_of(self.kind, bytes))?;
        }
        Ok(())
    }
}

fn number_of(kind: u32, bytes: [u8; 8]) -> f64 {
    let [a, b, c, d, ..] = bytes;
    match kind {
        1 => f64::from(a as i8),
        2 => f64::from(a),
        3 => f64::from(i16::from_le_bytes([a, b])),
        4 => f64::from(u16::from_le_bytes([a, b])),
        5 => f64::from(i32::from_le_bytes([a, b, c, d])),
        6 => f64::from(u32::from_le_bytes([a, b, c, d])),
        7 => f64::from(f32::from_le_bytes([a, b, c, d])),
        12 => i64::from_le_bytes(bytes) as f64,
        13 => u64::from_le_bytes(bytes) as f64,
        _ => f64::from_le_bytes(bytes),
    }
}
