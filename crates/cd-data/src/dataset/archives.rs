//! Zip archives of data sets that lie where their folders could lie.

use std::path::{Path, PathBuf};

use super::files::FilesError;
use crate::zipped;

/// `path` itself when it is an archive, else the zip archives directly in `folders`, sorted; one that cannot be used is an error.
pub(super) fn in_folders(path: &Path, folders: &[PathBuf]) -> Result<Vec<PathBuf>, FilesError> {
    let mut archives = Vec::new();
    if path.is_file() {
        archives.push(path.to_path_buf());
    }
    for folder in folders {
        for child in zipped::children(folder).map_err(FilesError::io(folder))? {
            let ending = child.path.extension();
            if !child.is_dir && ending.is_some_and(|ending| ending.eq_ignore_ascii_case("zip")) {
                archives.push(child.path);
            }
        }
    }
    archives.sort();
    for archive in &archives {
        if !zipped::folder(archive).map_err(FilesError::io(archive))? {
            return Err(FilesError::content(
                archive,
                "it is no zip archive, or an empty one",
            ));
        }
    }
    Ok(archives)
}
