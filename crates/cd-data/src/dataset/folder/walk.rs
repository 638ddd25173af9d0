//! What lies in a folder, on disk or in an archive, and which of it is meant.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::error::FolderError;
use super::kinds::{file_left_out, folder_left_out, has_picture_ending};
use super::labels::LABELS_FILE;
use super::list::{Listed, Listing};
use crate::dataset::NotRead;
use crate::zipped::{self, Child};

/// What lies directly in a folder.
pub(super) struct Children {
    /// Name and path of each folder that may be a class, sorted by name.
    pub(super) folders: Vec<(String, PathBuf)>,
    /// Names of the pictures.
    pub(super) pictures: Vec<String>,
    /// Everything else.
    pub(super) not_read: NotRead,
}

/// What lies directly in `folder`; names are relative to `root`.
pub(super) fn children(root: &Path, folder: &Path) -> Result<Children, FolderError> {
    let unreadable = |source| FolderError::Io {
        path: folder.into(),
        source,
    };
    let mut found = Children {
        folders: Vec::new(),
        pictures: Vec::new(),
        not_read: NotRead::default(),
    };
    for Child { path, is_dir } in zipped::children(folder).map_err(unreadable)? {
        if is_dir {
            match folder_left_out(&path) {
                Some(reason) => leave_out(root, &path, reason, &mut found.not_read),
                None => found.folders.push((unicode_name(&path)?, path)),
            }
            continue;
        }
        match file_left_out(&path) {
            Some(reason) => found.not_read.add(reason, lossy_name(root, &path)),
            None => found.pictures.push(lossy_name(root, &path)),
        }
    }
    found.folders.sort();
    found.pictures.sort();
    Ok(found)
}

/// Appends the pictures below `folder` to `listing`, as of `class`, and what is no picture to what is not read.
pub(super) fn walk(
    root: &Path,
    class: &str,
    folder: &Path,
    listing: &mut Listing,
) -> Result<(), FolderError> {
    if zipped::is_inside(folder) {
        return walk_archive(root, class, folder, listing);
    }
    let mut entries = WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            // A link that leads nowhere is a picture that cannot be read.
            Err(error) => match dangling(&error) {
                Some(link) => {
                    file(root, class, link, listing);
                    continue;
                }
                None => return Err(walk_error(folder, error)),
            },
        };
        let path = entry.path();
        if entry.file_type().is_dir() {
            let left_out = folder_left_out(path).filter(|_| entry.depth() > 0);
            if let Some(reason) = left_out {
                leave_out(root, path, reason, &mut listing.not_read);
                entries.skip_current_dir();
            }
            continue;
        }
        file(root, class, path, listing);
    }
    Ok(())
}

/// The link that could not be followed, where it leads to nothing.
fn dangling(error: &walkdir::Error) -> Option<&Path> {
    let path = error.path()?;
    let is_link = path.is_symlink() && error.loop_ancestor().is_none();
    (is_link && !path.exists()).then_some(path)
}

/// As [`walk`], for a folder in an archive.
fn walk_archive(
    root: &Path,
    class: &str,
    folder: &Path,
    listing: &mut Listing,
) -> Result<(), FolderError> {
    let children = zipped::children(folder).map_err(|source| FolderError::Io {
        path: folder.into(),
        source,
    })?;
    for Child { path, is_dir } in children {
        match folder_left_out(&path).filter(|_| is_dir) {
            Some(reason) => leave_out(root, &path, reason, &mut listing.not_read),
            None if is_dir => walk_archive(root, class, &path, listing)?,
            None => file(root, class, &path, listing),
        }
    }
    Ok(())
}

/// Appends a picture to `listing`, as of `class`, and what is no picture to what is not read.
fn file(root: &Path, class: &str, path: &Path, listing: &mut Listing) {
    if path.file_name().is_some_and(|name| name == LABELS_FILE) {
        return;
    }
    let name = lossy_name(root, path);
    match file_left_out(path) {
        Some(reason) => listing.not_read.add(reason, name),
        None => listing.pictures.push(Listed::new(name, path.into(), class)),
    }
}

/// Notes the pictures of a folder that is not entered.
pub(super) fn leave_out(root: &Path, folder: &Path, reason: &'static str, not_read: &mut NotRead) {
    if zipped::is_inside(folder) {
        for Child { path, is_dir } in zipped::children(folder).unwrap_or_default() {
            if is_dir {
                leave_out(root, &path, reason, not_read);
            } else if has_picture_ending(&path) {
                not_read.add(reason, lossy_name(root, &path));
            }
        }
        return;
    }
    // Links may lead anywhere, and what cannot be looked at was no picture of the data set either.
    let files = WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .flatten();
    for file in files.filter(|entry| entry.file_type().is_file()) {
        if has_picture_ending(file.path()) {
            not_read.add(reason, lossy_name(root, file.path()));
        }
    }
}

fn walk_error(folder: &Path, error: walkdir::Error) -> FolderError {
    let path = error.path().unwrap_or(folder).to_path_buf();
    if let Some(ancestor) = error.loop_ancestor() {
        return FolderError::LinkLoop {
            ancestor: ancestor.into(),
            path,
        };
    }
    FolderError::Io {
        path,
        source: error.into(),
    }
}

fn lossy_name(root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

fn unicode_name(path: &Path) -> Result<String, FolderError> {
    path.file_name()
        .and_then(|name| name.to_str())
        .map(String::from)
        .ok_or_else(|| FolderError::NotUnicode { path: path.into() })
}
