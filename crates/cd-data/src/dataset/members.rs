//! Files of known names, from a folder or from a `.tar.gz`, of which each goes to a temporary file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use tar::Archive;

use super::files::FilesError;
use super::stored::Stored;

/// A file with the name that errors give it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) shown: String,
    pub(super) stored: Stored,
}

impl Member {
    /// All of it.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, FilesError> {
        let bytes = self.stored.bytes();
        bytes.map_err(FilesError::io(Path::new(&self.shown)))
    }
}

/// The files of `path`, a folder or an archive, that `most` knows, by name; it says how many bytes a file may have.
pub(super) fn read(
    path: &Path,
    most: impl Fn(&str) -> Option<u64>,
    budget: u64,
) -> Result<BTreeMap<String, Member>, FilesError> {
    if path.is_dir() {
        return from_folder(path, most);
    }
    from_archive(path, most, budget).map_err(|error| match error {
        Problem::Io(source) => FilesError::io(path)(source),
        Problem::Content(reason) => FilesError::content(path, reason),
    })
}

fn from_folder(
    folder: &Path,
    most: impl Fn(&str) -> Option<u64>,
) -> Result<BTreeMap<String, Member>, FilesError> {
    let mut members = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(FilesError::io(folder))? {
        let path = entry.map_err(FilesError::io(folder))?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let Some(most) = most(&name).filter(|_| path.is_file()) else {
            continue;
        };
        let stored = Stored::open(&path, 0).map_err(FilesError::io(&path))?;
        if stored.length().map_err(FilesError::io(&path))? > most {
            return Err(FilesError::content(
                &path,
                format!("it has more than {most} bytes: it is another file"),
            ));
        }
        let shown = path.display().to_string();
        members.insert(name, Member { shown, stored });
    }
    Ok(members)
}

enum Problem {
    Io(io::Error),
    Content(String),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn from_archive(
    path: &Path,
    most: impl Fn(&str) -> Option<u64>,
    budget: u64,
) -> Result<BTreeMap<String, Member>, Problem> {
    // However well a hostile archive is packed, this is all that is ever unpacked.
    let unpacked = GzDecoder::new(BufReader::new(File::open(path)?)).take(budget);
    let mut archive = Archive::new(unpacked);
    let mut members = BTreeMap::new();
    for entry in archive.entries()? {
        let entry = entry?;
        let inner = entry.path()?.into_owned();
        let name = inner
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let Some(most) = most(&name).filter(|_| entry.header().entry_type().is_file()) else {
            continue;
        };
        let size = entry.size();
        if size > most {
            return Err(Problem::Content(format!(
                "`{name}` has {size} bytes, expected at most {most}: it is another file"
            )));
        }
        let shown = format!("{}:{}", path.display(), inner.display());
        let stored = Stored::copied(Path::new(&shown), &mut entry.take(most))?;
        if members
            .insert(name.clone(), Member { shown, stored })
            .is_some()
        {
            return Err(Problem::Content(format!("`{name}` is there twice")));
        }
    }
    // The checksum stands behind the last byte, and is compared when that has been read.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(members)
}
