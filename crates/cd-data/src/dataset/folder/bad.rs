//! The list of pictures that cannot be used, as a table.

use std::io;
use std::path::Path;

use cd_core::atomic;

use super::error::FolderError;
use super::pictures::Item;
use crate::picture::PictureError;
use crate::table::TableError;

/// Why a picture is not read.
pub(super) const SKIPPED: &str =
    "pictures that cannot be decoded (bad-pictures.csv says why), left out as `skip_bad` allows";

/// Writes the names of `bad` pictures and what is wrong with them to the file at `path`; without any, an older list goes.
pub(super) fn write(path: &Path, bad: &[(Item, PictureError)]) -> Result<(), FolderError> {
    let failed = |source: io::Error| {
        FolderError::List(TableError::Io {
            path: path.to_owned(),
            source,
        })
    };
    if bad.is_empty() {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        };
    }
    let bytes = table(bad).map_err(failed)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    atomic::write(path, &bytes).map_err(failed)
}

fn table(bad: &[(Item, PictureError)]) -> io::Result<Vec<u8>> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record(["file", "reason"])?;
    for (picture, reason) in bad {
        rows.write_record([picture.name.as_str(), &reason.to_string()])?;
    }
    rows.into_inner().map_err(csv::IntoInnerError::into_error)
}
