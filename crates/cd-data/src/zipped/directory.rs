//! The directory at the end of a zip archive, with 64-bit records where there are any.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};

use super::bytes::{Bytes, Span, exact};

/// Most members of an archive.
const MOST_MEMBERS: usize = 4_000_000;
/// Most folders around a member.
const MOST_FOLDERS: usize = 64;
/// Most bytes that one packed byte can become (a property of the format).
const MOST_GROWTH: u64 = 1032;

const END: &[u8; 4] = b"PK\x05\x06";
const END_64: &[u8; 4] = b"PK\x06\x06";
const LOCATOR_64: &[u8; 4] = b"PK\x06\x07";
const ENTRY: &[u8; 4] = b"PK\x01\x02";
/// What stands for a number that does not fit 32 bits.
const SATURATED: u64 = 0xffff_ffff;

/// Letters of names without a note of their encoding, from 128 on (code page 437).
const HIGH_LETTERS: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// A file inside an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    /// Where its local header begins.
    pub(super) header: u64,
    /// Bytes that it takes in the archive.
    pub(super) packed: u64,
    /// Bytes that it unpacks to.
    pub(super) size: u64,
    /// Their checksum.
    pub(super) sum: u32,
    pub(super) is_deflated: bool,
}

/// What is wrong with an archive.
pub(super) fn damaged(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("damaged zip archive: {what}"),
    )
}

/// The unsigned number of `N` bytes at `at`, little-endian.
pub(super) fn number<const N: usize>(bytes: &[u8], at: usize) -> io::Result<u64> {
    let part = at.checked_add(N).and_then(|end| bytes.get(at..end));
    let part = part.ok_or_else(|| damaged("a record is cut off"))?;
    Ok(part
        .iter()
        .rev()
        .fold(0, |sum, &byte| (sum << 8) | u64::from(byte)))
}

/// The files of an archive by name, `/` between folders. Sizes are checked against the archive's before anything is kept.
pub(super) fn read(bytes: &impl Bytes) -> io::Result<BTreeMap<String, Member>> {
    let (at, size) = place(bytes)?;
    let mut directory = BufReader::new(Span::new(bytes, at, size));
    let mut left = size;
    let mut members = BTreeMap::new();
    while left > 0 {
        let entry = Entry::read(&mut directory)?;
        left = left
            .checked_sub(entry.length())
            .ok_or_else(|| damaged("its directory is cut off"))?;
        let Some(name) = entry.name()? else {
            continue;
        };
        let member = entry.member(&name, bytes.length()?)?;
        if members.len() == MOST_MEMBERS {
            return Err(damaged(&format!("it has more than {MOST_MEMBERS} files")));
        }
        if members.insert(name.clone(), member).is_some() {
            return Err(damaged(&format!("`{name}` is there twice")));
        }
    }
    Ok(members)
}

/// One entry of the directory.
struct Entry {
    fixed: [u8; 46],
    name: Vec<u8>,
    extra: Vec<u8>,
    comment: u64,
}

impl Entry {
    fn read(directory: &mut impl Read) -> io::Result<Self> {
        let mut fixed = [0; 46];
        directory.read_exact(&mut fixed)?;
        if !fixed.starts_with(ENTRY) {
            return Err(damaged("its directory holds something else"));
        }
        let mut variable = |at: usize| -> io::Result<Vec<u8>> {
            let mut part = vec![0; number::<2>(&fixed, at)? as usize];
            directory.read_exact(&mut part)?;
            Ok(part)
        };
        let (name, extra, comment) = (variable(28)?, variable(30)?, variable(32)?);
        Ok(Self {
            fixed,
            name,
            extra,
            comment: comment.len() as u64,
        })
    }

    fn length(&self) -> u64 {
        (self.fixed.len() + self.name.len() + self.extra.len()) as u64 + self.comment
    }

    /// The name of a file; none for a folder.
    fn name(&self) -> io::Result<Option<String>> {
        let name = match str::from_utf8(&self.name) {
            Ok(name) => name.to_owned(),
            Err(_) => self.name.iter().copied().map(letter).collect(),
        };
        // Some programs on Windows separate folders in their own way.
        let name = name.replace('\\', "/");
        if name.ends_with('/') {
            return Ok(None);
        }
        let parts = || name.split('/').filter(|part| *part != ".");
        let plain = |part: &str| !part.is_empty() && part != ".." && !part.contains('\0');
        if !parts().all(plain) {
            return Err(damaged(&format!(
                "the name {name:?} does not lie below its folder"
            )));
        }
        if parts().count() > MOST_FOLDERS {
            return Err(damaged(&format!(
                "a name has more than {MOST_FOLDERS} folders"
            )));
        }
        Ok(Some(parts().collect::<Vec<_>>().join("/")))
    }

    fn member(&self, name: &str, archive: u64) -> io::Result<Member> {
        let fixed = |at| number::<4>(&self.fixed, at);
        let (mut packed, mut size, mut header) = (fixed(20)?, fixed(24)?, fixed(42)?);
        self.widen([&mut size, &mut packed, &mut header])?;
        let is_deflated = match number::<2>(&self.fixed, 10)? {
            0 => false,
            8 => true,
            method => {
                return Err(io::Error::other(format!(
                    "`{name}` is packed by method {method}, which is not read here; unpack the archive"
                )));
            }
        };
        if number::<2>(&self.fixed, 8)? & 1 == 1 {
            return Err(io::Error::other(format!(
                "`{name}` is encrypted; unpack the archive"
            )));
        }
        let growth = if is_deflated { MOST_GROWTH } else { 1 };
        let fits = header.checked_add(packed).is_some_and(|end| end <= archive)
            && size <= packed.saturating_mul(growth);
        if !fits || (!is_deflated && size != packed) {
            return Err(damaged(&format!(
                "`{name}` claims {size} bytes from {packed} of {archive}"
            )));
        }
        Ok(Member {
            header,
            packed,
            size,
            sum: fixed(16)? as u32,
            is_deflated,
        })
    }

    /// Puts the numbers in that stand among the extra fields because they do not fit 32 bits.
    fn widen(&self, values: [&mut u64; 3]) -> io::Result<()> {
        let mut at = 0;
        while at + 4 <= self.extra.len() {
            if number::<2>(&self.extra, at)? == 1 {
                let mut next = at + 4;
                for value in values {
                    if *value == SATURATED {
                        *value = number::<8>(&self.extra, next)?;
                        next += 8;
                    }
                }
                return Ok(());
            }
            at += 4 + number::<2>(&self.extra, at + 2)? as usize;
        }
        Ok(())
    }
}

fn letter(byte: u8) -> char {
    let high = byte.checked_sub(128).map(usize::from);
    high.and_then(|at| HIGH_LETTERS.chars().nth(at))
        .unwrap_or_else(|| char::from(byte))
}

/// Where the directory lies, and its length.
fn place(bytes: &impl Bytes) -> io::Result<(u64, u64)> {
    /// The end record and the longest comment behind it.
    const REACH: u64 = 22 + 0xffff;
    let length = bytes.length()?;
    let tail_at = length.saturating_sub(REACH);
    let tail = exact(bytes, tail_at, (length - tail_at) as usize)?;
    let is_end = |at: &usize| {
        let comment = number::<2>(&tail, at + 20);
        tail[*at..].starts_with(END) && comment.is_ok_and(|n| at + 22 + n as usize == tail.len())
    };
    let end = (0..tail.len().saturating_sub(21)).rev().find(is_end);
    let end = end.ok_or_else(|| damaged("its end is missing; was it downloaded whole?"))?;
    let disk = number::<2>(&tail, end + 4)?;
    let (mut size, mut at) = (number::<4>(&tail, end + 12)?, number::<4>(&tail, end + 16)?);
    let end_at = tail_at + end as u64;
    let mut is_wide = false;
    if let Some(locator_at) = end_at.checked_sub(20) {
        let locator = exact(bytes, locator_at, 20)?;
        if locator.starts_with(LOCATOR_64) {
            let record = exact(bytes, number::<8>(&locator, 8)?, 56)?;
            if !record.starts_with(END_64) {
                return Err(damaged("its 64-bit end record is missing"));
            }
            (size, at) = (number::<8>(&record, 40)?, number::<8>(&record, 48)?);
            is_wide = true;
        }
    }
    if disk != 0 && !is_wide {
        return Err(io::Error::other(
            "it is one of several parts of a zip archive; unpack it",
        ));
    }
    if at.checked_add(size).is_none_or(|end| end > end_at) {
        return Err(damaged("its directory lies outside"));
    }
    Ok((at, size))
}
