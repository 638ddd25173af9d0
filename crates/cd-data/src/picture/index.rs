//! What an earlier start has learned about picture files, so that unchanged ones need not be decoded to be known.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cd_core::{Key, atomic};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Decoding;
use crate::zipped;

/// Version of the form of the file and of the pixels that decoding gives.
const VERSION: u32 = 2;
/// Longest file that is read.
const MOST_BYTES: u64 = 1 << 30;
/// A file that was written more recently may be written again without a new time of change: clocks of file systems are
/// that coarse.
const SETTLED: Duration = Duration::from_secs(2);

/// How a file looks from outside; another look means that its content may be another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Size in bytes.
    bytes: u64,
    /// Time of the last change, in nanoseconds since 1970.
    modified: u64,
    /// Time of the last change of content or of what is known of the file, likewise: programs that copy set the other time
    /// back, but not this one. 0 where the system has none.
    changed: i64,
}

impl Stamp {
    /// The stamp of the file at `path`; none when it cannot be had or does not tell changes yet.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = zipped::metadata(path).ok()?;
        let modified = metadata.modified().ok()?;
        if SystemTime::now().duration_since(modified).ok()? < SETTLED {
            return None;
        }
        let since = modified.duration_since(UNIX_EPOCH).ok()?;
        Some(Self {
            bytes: metadata.len(),
            modified: u64::try_from(since.as_nanos()).ok()?,
            changed: changed(&metadata),
        })
    }
}

/// Time of the last change of content or of what is known of a file, in nanoseconds since 1970; 0 where the system has none.
#[cfg(unix)]
pub(crate) fn changed(metadata: &Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt;
    let seconds = metadata.ctime().saturating_mul(1_000_000_000);
    seconds.saturating_add(metadata.ctime_nsec())
}

/// This system has no such time.
#[cfg(not(unix))]
pub(crate) fn changed(_: &Metadata) -> i64 {
    0
}

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    name: String,
    bytes: u64,
    modified: u64,
    changed: i64,
    digest: String,
}

/// Digests of decoded pictures by name and stamp, for one folder and one way of decoding.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    base: PathBuf,
    /// How the pictures are decoded, in words.
    decoding: String,
    entries: BTreeMap<String, (Stamp, [u8; 32])>,
    changed: bool,
}

impl Index {
    /// What the file in `folder` remembers about the pictures below `base`, or about `regions` of them; nothing when there is none or
    /// it is damaged.
    pub(super) fn open(folder: &Path, base: &Path, decoding: Decoding, regions: &str) -> Self {
        let decoding = decoding.words() + regions;
        let base = fs::canonicalize(base).unwrap_or_else(|_| base.into());
        let key = Key::of("picture index")
            .text("decoding", &decoding)
            .bytes("base", base.as_os_str().as_encoded_bytes())
            .finish();
        let path = folder.join(format!("pictures-{}.csv", &key[..16]));
        let entries = match read(&path, &decoding) {
            Ok(entries) => entries,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(file = %path.display(), %error, "cannot use this index of pictures; they are checked again");
                }
                BTreeMap::new()
            }
        };
        Self {
            path,
            base,
            decoding,
            entries,
            changed: false,
        }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The digest of the pixels of picture `name`, when it looked like this.
    pub(super) fn digest(&self, name: &str, stamp: Stamp) -> Option<[u8; 32]> {
        let (seen, digest) = self.entries.get(name)?;
        (*seen == stamp).then_some(*digest)
    }

    /// Remembers the digest of a picture that looked like this before it was decoded.
    pub(super) fn remember(&mut self, name: &str, stamp: Stamp, digest: [u8; 32]) {
        self.entries.insert(name.into(), (stamp, digest));
        self.changed = true;
    }

    /// Writes what is new, without the pictures that are gone: those that are not listed and lie in no file of their own. A failure
    /// costs time at the next start and nothing else.
    pub(super) fn save(mut self, is_listed: impl Fn(&str) -> bool) {
        if !self.changed {
            return;
        }
        let base = &self.base;
        self.entries
            .retain(|name, _| is_listed(name) || zipped::is_file(&base.join(name)));
        if let Err(error) = write(&self.path, &self.decoding, &self.entries) {
            tracing::warn!(file = %self.path.display(), %error, "cannot remember the pictures that were checked");
        }
    }
}

/// The first line: all that rows depend on, and their checksum.
fn header(decoding: &str, rows: &[u8]) -> String {
    // Decoders compute differently on different processors.
    let processor = std::env::consts::ARCH;
    format!(
        "pictures {VERSION}, {processor}, {decoding}, sha256 {:x}\n",
        Sha256::digest(rows)
    )
}

fn write(
    path: &Path,
    decoding: &str,
    entries: &BTreeMap<String, (Stamp, [u8; 32])>,
) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    for (name, (stamp, digest)) in entries {
        rows.serialize(Row {
            name: name.clone(),
            bytes: stamp.bytes,
            modified: stamp.modified,
            changed: stamp.changed,
            digest: digits(digest),
        })?;
    }
    let rows = rows.into_inner().map_err(csv::IntoInnerError::into_error)?;
    atomic::write_with(path, |file| {
        file.write_all(header(decoding, &rows).as_bytes())?;
        file.write_all(&rows)
    })
}

fn read(path: &Path, decoding: &str) -> io::Result<BTreeMap<String, (Stamp, [u8; 32])>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    let start = bytes.iter().position(|&byte| byte == b'\n');
    let (first, rows) = bytes.split_at(start.map_or(0, |end| end + 1));
    if first != header(decoding, rows).as_bytes() {
        return Err(io::Error::other("it is damaged or of another version"));
    }
    let mut entries = BTreeMap::new();
    for row in csv::Reader::from_reader(rows).deserialize() {
        let row: Row = row?;
        let digest = parse(&row.digest).ok_or_else(|| io::Error::other("a digest is none"))?;
        let stamp = Stamp {
            bytes: row.bytes,
            modified: row.modified,
            changed: row.changed,
        };
        entries.insert(row.name, (stamp, digest));
    }
    Ok(entries)
}

/// Two hexadecimal digits for each byte.
fn digits(digest: &[u8; 32]) -> String {
    let halves = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves
        .filter_map(|half| char::from_digit(half.into(), 16))
        .collect()
}

/// The bytes that 64 hexadecimal digits stand for.
fn parse(digits: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if digits.len() != 2 * digest.len() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
