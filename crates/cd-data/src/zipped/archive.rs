//! An open zip archive: its folders and its files, unpacked while they are read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::bytes::{Bytes, Span, exact};
use super::directory::{self, Member, damaged, number};
use crate::picture::kind;

const HEADER: &[u8; 4] = b"PK\x03\x04";

/// A zip archive; nothing of it but its directory is in memory.
#[derive(Debug)]
pub(super) struct Archive<B> {
    bytes: Arc<B>,
    members: BTreeMap<String, Member>,
}

impl Archive<File> {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut start = Vec::new();
        File::open(path)?
            .take(kind::LOOKED_AT)
            .read_to_end(&mut start)?;
        if !start.starts_with(b"PK") {
            let what = kind::foreign(&start).unwrap_or("something else");
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it is no zip archive but {what}"),
            ));
        }
        Self::new(File::open(path)?)
    }
}

impl<B: Bytes + Send + Sync + 'static> Archive<B> {
    pub(super) fn new(bytes: B) -> io::Result<Self> {
        Ok(Self {
            members: directory::read(&bytes)?,
            bytes: Arc::new(bytes),
        })
    }

    pub(super) fn has_file(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Whether there is a file below the folder `name`; the archive itself is called by the empty name.
    pub(super) fn has_folder(&self, name: &str) -> bool {
        self.below(&prefix(name)).next().is_some()
    }

    /// What lies directly in the folder `name`, in order, and whether it is a folder.
    pub(super) fn children(&self, name: &str) -> Vec<(String, bool)> {
        let prefix = prefix(name);
        let mut children: Vec<(String, bool)> = Vec::new();
        let mut from = prefix.clone();
        while let Some(found) = self.members.range(from.clone()..).next() {
            let Some(rest) = found.0.strip_prefix(&prefix) else {
                break;
            };
            let (child, is_folder) = match rest.split_once('/') {
                Some((folder, _)) => (folder, true),
                None => (rest, false),
            };
            children.push((child.to_owned(), is_folder));
            // Behind the file, or behind all that begins with the folder and a slash.
            from = format!("{prefix}{child}{}", if is_folder { '0' } else { '\0' });
        }
        children
    }

    /// The file `name`, unpacked while it is read; a wrong checksum is an error of the last byte.
    pub(super) fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let member = self.members.get(name).copied();
        let member = member.ok_or(io::ErrorKind::NotFound)?;
        let header = exact(self.bytes.as_ref(), member.header, 30)?;
        if !header.starts_with(HEADER) {
            return Err(damaged("a file does not lie where its directory says"));
        }
        let (name, extra) = (number::<2>(&header, 26)?, number::<2>(&header, 28)?);
        let at = member.header + 30 + name + extra;
        let end = at.checked_add(member.packed);
        if end.is_none_or(|end| self.bytes.length().is_ok_and(|length| end > length)) {
            return Err(damaged("a file reaches beyond its end"));
        }
        let packed = BufReader::new(Span::new(Arc::clone(&self.bytes), at, member.packed));
        Ok(if member.is_deflated {
            Box::new(Checked::new(DeflateDecoder::new(packed), member))
        } else {
            Box::new(Checked::new(packed, member))
        })
    }

    /// Names of files, for tests that read them all.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, u64)> {
        let members = self.members.iter();
        members.map(|(name, member)| (name.as_str(), member.size))
    }

    fn below(&self, prefix: &str) -> impl Iterator<Item = &String> {
        let from = self.members.range(prefix.to_owned()..);
        from.map(|(name, _)| name)
            .take_while(move |name| name.starts_with(prefix))
    }
}

fn prefix(folder: &str) -> String {
    match folder {
        "" => String::new(),
        folder => format!("{folder}/"),
    }
}

/// Exactly the bytes that the directory promised.
struct Checked<R> {
    inner: R,
    left: u64,
    sum: Crc,
    expected: u32,
}

impl<R> Checked<R> {
    fn new(inner: R, member: Member) -> Self {
        Self {
            inner,
            left: member.size,
            sum: Crc::new(),
            expected: member.sum,
        }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = (into.len() as u64).min(self.left) as usize;
        if most == 0 {
            return Ok(0);
        }
        let count = self.inner.read(&mut into[..most])?;
        if count == 0 {
            return Err(damaged("a file is shorter than its directory says"));
        }
        self.sum.update(&into[..count]);
        self.left -= count as u64;
        if self.left == 0 && self.sum.sum() != self.expected {
            return Err(damaged("the checksum of a file does not match"));
        }
        Ok(count)
    }
}
