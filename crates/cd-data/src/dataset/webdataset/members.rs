//! The files of a tar archive with their places, without unpacking it.

use std::io::{self, Read, Seek};

use tar::{Archive, EntryType};

/// Longest name, and longest record of extended names.
const LONGEST_NAME: u64 = 1 << 16;
/// Bytes that everything in an archive is a multiple of.
const BLOCK: u64 = 512;

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) path: String,
    /// Offset of its first byte.
    pub(super) start: u64,
    pub(super) len: u64,
}

/// What is wrong with an archive, and where.
#[derive(Debug)]
pub(super) struct TarError {
    pub(super) at: u64,
    pub(super) reason: String,
}

/// Calls `each` with every file of an archive of `length` bytes, and a reader of its content. Links, devices and folders are passed over.
pub(super) fn each(
    input: impl Read + Seek,
    length: u64,
    mut each: impl FnMut(Member, &mut dyn Read) -> Result<(), String>,
) -> Result<(), TarError> {
    let mut archive = Archive::new(input);
    let mut at = 0;
    let failed = |at, error: io::Error| TarError {
        at,
        reason: error.to_string(),
    };
    // The long names are read here, where their length is bounded.
    let entries = archive
        .entries_with_seek()
        .map_err(|error| failed(0, error))?;
    let mut long_name = None;
    for entry in entries.raw(true) {
        let mut entry = entry.map_err(|error| failed(at, error))?;
        let (start, len) = (entry.raw_file_position(), entry.size());
        let wrong = |reason: String| TarError { at: start, reason };
        if start.checked_add(len).is_none_or(|end| end > length) {
            let reason = format!(
                "it is cut short: a file of {len} bytes begins at byte {start}, the archive ends at byte {length}"
            );
            return Err(wrong(reason));
        }
        at = start + len.next_multiple_of(BLOCK);
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {
                let path = match long_name.take() {
                    Some(path) => path,
                    None => text(&entry.header().path_bytes()),
                };
                let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
                each(Member { path, start, len }, &mut entry).map_err(wrong)?;
            }
            EntryType::GNULongName => {
                let bytes = name(&mut entry, len).map_err(wrong)?;
                let end = bytes.iter().position(|&byte| byte == 0);
                long_name = Some(text(&bytes[..end.unwrap_or(bytes.len())]));
            }
            EntryType::XHeader => {
                let bytes = name(&mut entry, len).map_err(wrong)?;
                if let Some(path) = extended(&bytes).map_err(wrong)? {
                    long_name = Some(path);
                }
            }
            EntryType::GNUSparse => {
                return Err(wrong("it holds a sparse file, which is not read".into()));
            }
            EntryType::XGlobalHeader | EntryType::GNULongLink => {}
            _ => long_name = None,
        }
    }
    check_end(at, length)
}

/// Fails when an archive ends where another file might begin.
fn check_end(at: u64, length: u64) -> Result<(), TarError> {
    if at + BLOCK <= length {
        return Ok(());
    }
    let reason =
        format!("it is cut short: it ends at byte {length} without the mark of an archive's end");
    Err(TarError { at, reason })
}

fn name(entry: &mut impl Read, len: u64) -> Result<Vec<u8>, String> {
    if len > LONGEST_NAME {
        return Err(format!(
            "it has a name of {len} bytes, expected at most {LONGEST_NAME}"
        ));
    }
    let mut bytes = Vec::new();
    entry
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// The `path` among records of the form `LENGTH key=value`, each with a line break (POSIX.1-2001, pax).
fn extended(mut bytes: &[u8]) -> Result<Option<String>, String> {
    let mut path = None;
    while !bytes.is_empty() {
        let record = record(bytes).ok_or("its extended header is damaged")?;
        bytes = &bytes[record.len()..];
        let space = record.iter().position(|&byte| byte == b' ').unwrap_or(0);
        let inner = &record[space + 1..record.len() - 1];
        if let Some(value) = inner.strip_prefix(b"path=") {
            path = Some(text(value));
        } else if inner.starts_with(b"size=") || inner.starts_with(b"GNU.sparse") {
            return Err("it holds a file above 8 GiB or a sparse one, which is not read".into());
        }
    }
    Ok(path)
}

fn record(bytes: &[u8]) -> Option<&[u8]> {
    let space = bytes.iter().position(|&byte| byte == b' ')?;
    let length: usize = str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    bytes
        .get(..length)
        .filter(|record| record.len() > space + 1)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
