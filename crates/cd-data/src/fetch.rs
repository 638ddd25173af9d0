//! Downloads data sets that have a public address: resumable, and compared with the published checksums.

mod download;
mod published;

use std::io;
use std::path::{Path, PathBuf};

use cd_core::Progress;
use cd_core::names::did_you_mean;
use thiserror::Error;

use self::download::Download;
pub(crate) use self::download::hex;
pub use self::published::{CIFAR10_FILE, PUBLISHED, Published, PublishedFile};

/// Why a download failed.
#[derive(Debug, Error)]
pub enum FetchError {
    /// No such data set can be downloaded.
    #[error("`{name}` is no data set with a public address; {hint}")]
    Unknown {
        /// The name that came.
        name: String,
        /// The nearest known name and all of them.
        hint: String,
    },
    /// The address is not one that can be fetched.
    #[error("`{url}` is not an http:// or https:// address")]
    Address {
        /// The address that came.
        url: String,
    },
    /// The server could not be reached.
    #[error(
        "cannot reach `{url}`: {reason}\nwithout a network, download the file elsewhere and place it \
         at `{}`", by_hand.display()
    )]
    Unreachable {
        /// The address.
        url: String,
        /// What went wrong.
        reason: String,
        /// Where the file belongs.
        by_hand: PathBuf,
    },
    /// The server answered with something else.
    #[error(
        "`{url}` answered with status {status}; try another mirror, or download the file elsewhere \
         and place it at `{}`", by_hand.display()
    )]
    Status {
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
        /// Where the file belongs.
        by_hand: PathBuf,
    },
    /// The connection broke.
    #[error(
        "the download of `{url}` stopped after {got} of {expected} bytes ({reason}); run it again to continue from there"
    )]
    Interrupted {
        /// The address.
        url: String,
        /// Bytes that are on disk.
        got: u64,
        /// Bytes of the whole file, as the server says, or `?`.
        expected: String,
        /// What went wrong.
        reason: String,
    },
    /// The server sent something else.
    #[error("what `{url}` sent is {what}; it was discarded, try another mirror")]
    Foreign {
        /// The address.
        url: String,
        /// What it is.
        what: &'static str,
    },
    /// Parts of several files were put together, or the end is missing.
    #[error(
        "what `{url}` sent has MD5 {got}, expected {expected}, and {reason}; it was discarded, run it again or try another mirror"
    )]
    Checksum {
        /// The address.
        url: String,
        /// Checksum that the file should have.
        expected: String,
        /// Checksum of what came.
        got: String,
        /// Why it cannot be a copy of its own.
        reason: &'static str,
    },
    /// A file could not be read or written.
    #[error("cannot use `{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A file that is there after a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it lies.
    pub path: PathBuf,
    /// Its MD5 in hexadecimal digits.
    pub md5: String,
    /// That of the published file.
    pub official: &'static str,
}

impl Fetched {
    /// Whether it is the published file; another copy may be as good.
    pub fn is_official(&self) -> bool {
        self.md5 == self.official
    }
}

/// The data set called `name` among those with a public address.
///
/// # Errors
///
/// When there is none, with the nearest name.
pub fn published(name: &str) -> Result<&'static Published, FetchError> {
    let found = PUBLISHED.iter().find(|set| set.name == name);
    found.ok_or_else(|| FetchError::Unknown {
        name: name.to_owned(),
        hint: did_you_mean(name, PUBLISHED.iter().map(|set| set.name)),
    })
}

/// Downloads the files of `set` into the folder `target`.
///
/// `source` is another address: that of the folder of the files, or of the file itself where there is only one and the address does
/// not end with `/`. Files that are there already are kept, whatever they are, and a download that was interrupted is continued
/// where the server allows it. A file that is not the published one is kept as well: [`Fetched::is_official`] says so.
///
/// # Errors
///
/// When a server cannot be reached or sends something else, or a file cannot be written; the message says how to place the file
/// by hand.
pub fn fetch(
    set: &Published,
    target: &Path,
    source: Option<&str>,
    progress: &dyn Progress,
) -> Result<Vec<Fetched>, FetchError> {
    let address = |file: &PublishedFile| match source {
        None => file.url.to_owned(),
        Some(source) if set.files.len() == 1 && !source.ends_with('/') => source.to_owned(),
        Some(source) => format!("{}/{}", source.trim_end_matches('/'), file.name),
    };
    let download = |file: &PublishedFile| {
        let download = Download {
            url: address(file),
            file_name: file.name,
            md5: file.md5,
        };
        download.run(target, progress)
    };
    set.files.iter().map(download).collect()
}

#[cfg(test)]
mod tests;
