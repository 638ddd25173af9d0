//! Downloads CIFAR-10: resumable, and checked before it gets its final name.

mod download;

pub(crate) use download::hex;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::download::Download;
use cd_models::Progress;

/// File name of the official archive.
pub const CIFAR10_FILE: &str = "cifar-10-binary.tar.gz";
/// Where the official archive lies.
pub const CIFAR10_URL: &str = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";
/// Its size in bytes.
const CIFAR10_BYTES: u64 = 170_052_171;
/// Its MD5 checksum, as published beside it.
const CIFAR10_MD5: &str = "c32a1d4ab5d03f1284b67883e8d87530";

/// Why a download failed.
#[derive(Debug, Error)]
pub enum FetchError {
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
        /// Bytes of the whole file.
        expected: u64,
        /// What went wrong.
        reason: String,
    },
    /// The server sent another file.
    #[error(
        "`{url}` sent more than the {expected} bytes expected: it is another file; it was discarded"
    )]
    TooLong {
        /// The address.
        url: String,
        /// Bytes of the whole file.
        expected: u64,
    },
    /// The bytes are not the expected ones.
    #[error(
        "what `{url}` sent has MD5 {got}, expected {expected}; it was discarded, run it again or try another mirror"
    )]
    Checksum {
        /// The address.
        url: String,
        /// Checksum that the file should have.
        expected: String,
        /// Checksum of what came.
        got: String,
    },
    /// Another file has the name.
    #[error("`{}` exists, but it is not the expected file ({expected} bytes, MD5 {md5}); move it away and run again", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
        /// Bytes that it should have.
        expected: u64,
        /// Checksum that it should have.
        md5: String,
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

/// Downloads the official CIFAR-10 archive into the folder `target` and returns its path.
///
/// `source` is another address of the same file. An archive that is there already is checked and
/// kept. A download that was interrupted is continued where the server allows it.
///
/// # Errors
///
/// When the server cannot be reached or sends something else, or the file cannot be written; the
/// message says how to place the file by hand.
pub fn fetch_cifar10(
    target: &Path,
    source: Option<&str>,
    progress: &dyn Progress,
) -> Result<PathBuf, FetchError> {
    let download = Download {
        url: source.unwrap_or(CIFAR10_URL).into(),
        file_name: CIFAR10_FILE,
        bytes: CIFAR10_BYTES,
        md5: CIFAR10_MD5.into(),
    };
    download.run(target, progress)
}

#[cfg(test)]
mod tests;
