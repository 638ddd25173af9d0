//! The directory of a zip archive as PyTorch writes it: any alignment, any number of bytes in front of the data, 64-bit
//! records with or without need. Members are stored, not compressed.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

/// Members of an archive by name.
pub(super) struct Archive {
    members: BTreeMap<String, Member>,
}

/// A file inside an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    /// Where its local header begins.
    header: u64,
    pub(super) size: u64,
    pub(super) sum: u32,
    stored: bool,
}

const END: &[u8; 4] = b"PK\x05\x06";
const END_64: &[u8; 4] = b"PK\x06\x06";
const LOCATOR_64: &[u8; 4] = b"PK\x06\x07";
const ENTRY: &[u8; 4] = b"PK\x01\x02";
const HEADER: &[u8; 4] = b"PK\x03\x04";

fn damaged(what: &str) -> io::Error {
    io::Error::other(format!("damaged zip archive: {what}"))
}

/// The unsigned number of `N` bytes at `at`, little-endian.
fn number<const N: usize>(bytes: &[u8], at: usize) -> io::Result<u64> {
    let part = at.checked_add(N).and_then(|end| bytes.get(at..end));
    let part = part.ok_or_else(|| damaged("a record is cut off"))?;
    Ok(part
        .iter()
        .rev()
        .fold(0, |sum, &byte| (sum << 8) | u64::from(byte)))
}

fn read_at<R: Read + Seek>(file: &mut R, at: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length {
        return Ok(bytes);
    }
    Err(damaged("it ends too early"))
}

impl Archive {
    pub(super) fn open<R: Read + Seek>(file: &mut R) -> io::Result<Self> {
        let (at, length) = directory(file)?;
        let bytes = read_at(file, at, length)?;
        let mut members = BTreeMap::new();
        let mut at = 0;
        while at < bytes.len() {
            if bytes.get(at..at + 4) != Some(ENTRY) {
                return Err(damaged("its directory holds something else"));
            }
            let lengths = [28, 30, 32].map(|field| number::<2>(&bytes, at + field));
            let [name, extra, comment] = lengths;
            let (name, extra, comment) = (name? as usize, extra? as usize, comment? as usize);
            let text = bytes.get(at + 46..at + 46 + name + extra);
            let text = text.ok_or_else(|| damaged("its directory is cut off"))?;
            let (text, extra) = text.split_at(name);
            let member = member(&bytes, at, extra)?;
            members.insert(String::from_utf8_lossy(text).into_owned(), member);
            at += 46 + name + extra.len() + comment;
        }
        Ok(Self { members })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    pub(super) fn get(&self, name: &str) -> Option<Member> {
        self.members.get(name).copied()
    }
}

/// One entry of the directory. A number that does not fit 32 bits stands among the extra fields.
fn member(bytes: &[u8], at: usize, extra: &[u8]) -> io::Result<Member> {
    const SATURATED: u64 = 0xffff_ffff;
    let mut size = number::<4>(bytes, at + 24)?;
    let mut header = number::<4>(bytes, at + 42)?;
    let packed = number::<4>(bytes, at + 20)?;
    let mut field = 0;
    while field + 4 <= extra.len() {
        let length = number::<2>(extra, field + 2)? as usize;
        if number::<2>(extra, field)? == 1 {
            let mut next = field + 4;
            let mut wide = |value: &mut u64, narrow: u64| -> io::Result<()> {
                if narrow == SATURATED {
                    *value = number::<8>(extra, next)?;
                    next += 8;
                }
                Ok(())
            };
            let narrow = size;
            wide(&mut size, narrow)?;
            wide(&mut { packed }, packed)?;
            let narrow = header;
            wide(&mut header, narrow)?;
        }
        field += 4 + length;
    }
    Ok(Member {
        header,
        size,
        sum: number::<4>(bytes, at + 16)? as u32,
        stored: number::<2>(bytes, at + 10)? == 0,
    })
}

/// Where the directory lies, and its length.
fn directory<R: Read + Seek>(file: &mut R) -> io::Result<(u64, u64)> {
    /// The end record and the longest comment behind it.
    const REACH: u64 = 22 + 0xffff;
    let length = file.seek(SeekFrom::End(0))?;
    let tail_at = length.saturating_sub(REACH);
    let tail = read_at(file, tail_at, length - tail_at)?;
    let is_end = |at: &usize| {
        let comment = number::<2>(&tail, at + 20);
        tail[*at..].starts_with(END) && comment.is_ok_and(|n| at + 22 + n as usize == tail.len())
    };
    let end = (0..tail.len().saturating_sub(21)).rev().find(is_end);
    let end = end.ok_or_else(|| damaged("its end is missing; was it downloaded whole?"))?;
    let (mut size, mut at) = (number::<4>(&tail, end + 12)?, number::<4>(&tail, end + 16)?);
    let end_at = tail_at + end as u64;
    let locator = end_at
        .checked_sub(20)
        .map(|at| read_at(file, at, 20))
        .transpose()?;
    if let Some(locator) = locator.filter(|locator| locator.starts_with(LOCATOR_64)) {
        let record = read_at(file, number::<8>(&locator, 8)?, 56)?;
        if !record.starts_with(END_64) {
            return Err(damaged("its 64-bit end record is missing"));
        }
        (size, at) = (number::<8>(&record, 40)?, number::<8>(&record, 48)?);
    }
    if at.checked_add(size).is_none_or(|end| end > end_at) {
        return Err(damaged("its directory lies outside"));
    }
    Ok((at, size))
}

impl Member {
    /// Where its bytes begin.
    pub(super) fn data<R: Read + Seek>(&self, name: &str, file: &mut R) -> io::Result<u64> {
        if !self.stored {
            return Err(io::Error::other(format!(
                "`{name}` is compressed, which PyTorch never does; unpack the archive and pack it with `zip -0`"
            )));
        }
        let header = read_at(file, self.header, 30)?;
        if !header.starts_with(HEADER) {
            return Err(damaged("a member does not lie where the directory says"));
        }
        let at = self.header + 30 + number::<2>(&header, 26)? + number::<2>(&header, 28)?;
        let length = file.seek(SeekFrom::End(0))?;
        if at.checked_add(self.size).is_none_or(|end| end > length) {
            return Err(damaged("a member reaches beyond its end"));
        }
        Ok(at)
    }
}
