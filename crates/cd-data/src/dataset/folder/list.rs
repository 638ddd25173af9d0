//! Finds the pictures of a folder and their classes without opening them.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::error::FolderError;
use super::labels::{LABELS_FILE, read_labels};

/// Extensions of files that are taken for pictures; what they hold is told from their content.
const EXTENSIONS: [&str; 12] = [
    "png", "jpg", "jpeg", "ppm", "pgm", "pbm", "pnm", "bmp", "gif", "webp", "tif", "tiff",
];
/// Folders of test pictures beside `train`, the first that exists counts.
const TEST_FOLDERS: [&str; 2] = ["test", "val"];

/// One picture to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// Path relative to the root of the data set, `/` between folders.
    pub(super) name: String,
    /// Name of its class; empty when nothing tells it.
    pub(super) class: String,
}

/// Pictures below one folder, sorted by path.
#[derive(Debug)]
pub(super) struct Listing {
    /// The folder.
    pub(super) root: PathBuf,
    /// Root of the data set, which names are relative to.
    pub(super) base: PathBuf,
    pub(super) pictures: Vec<Listed>,
    /// Classes by label; none when nothing tells them.
    pub(super) class_names: Vec<String>,
}

/// What a root folder holds.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) train: Listing,
    pub(super) test: Option<Listing>,
}

/// Lists the pictures of a data set in any of the known layouts.
pub(super) fn list_root(root: &Path) -> Result<Root, FolderError> {
    if !root.is_dir() {
        return Err(FolderError::NotAFolder { path: root.into() });
    }
    let train = root.join("train");
    // A class may be called `train`; then pictures lie directly in it.
    let is_split = !root.join(LABELS_FILE).is_file()
        && train.is_dir()
        && (train.join(LABELS_FILE).is_file() || !children(&train)?.folders.is_empty());
    if !is_split {
        return Ok(Root {
            train: list_pictures(root, root)?,
            test: None,
        });
    }
    let test = TEST_FOLDERS
        .iter()
        .map(|name| root.join(name))
        .find(|folder| folder.is_dir());
    Ok(Root {
        train: list_pictures(root, &train)?,
        test: test
            .map(|folder| list_pictures(root, &folder))
            .transpose()?,
    })
}

/// Lists every picture below `root`; nothing tells their classes.
pub(super) fn list_unlabelled(root: &Path) -> Result<Listing, FolderError> {
    if !root.is_dir() {
        return Err(FolderError::NotAFolder { path: root.into() });
    }
    let mut pictures = Vec::new();
    let skipped = list_class(root, "", root, &mut pictures)?;
    if pictures.is_empty() {
        return Err(FolderError::Nothing { path: root.into() });
    }
    warn_of_skipped(root, skipped);
    pictures.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(Listing {
        root: root.into(),
        base: root.into(),
        pictures,
        class_names: Vec::new(),
    })
}

/// Lists `folder` by its `labels.csv` or its class folders; names are relative to `root`.
fn list_pictures(root: &Path, folder: &Path) -> Result<Listing, FolderError> {
    let labels = folder.join(LABELS_FILE);
    let (mut pictures, class_names) = if labels.is_file() {
        read_labels(root, &labels)?
    } else {
        list_class_folders(root, folder)?
    };
    pictures.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(Listing {
        root: folder.into(),
        base: root.into(),
        pictures,
        class_names,
    })
}

fn list_class_folders(
    root: &Path,
    folder: &Path,
) -> Result<(Vec<Listed>, Vec<String>), FolderError> {
    let children = children(folder)?;
    if children.folders.is_empty() {
        return Err(if children.pictures == 0 {
            FolderError::Nothing {
                path: folder.into(),
            }
        } else {
            FolderError::Flat {
                path: folder.into(),
                count: children.pictures,
            }
        });
    }
    let mut skipped = children.pictures + children.others;
    let mut pictures = Vec::new();
    for (class, class_folder) in &children.folders {
        let before = pictures.len();
        skipped += list_class(root, class, class_folder, &mut pictures)?;
        if pictures.len() == before {
            return Err(FolderError::EmptyClass {
                path: class_folder.clone(),
            });
        }
    }
    warn_of_skipped(folder, skipped);
    Ok((
        pictures,
        children
            .folders
            .into_iter()
            .map(|(class, _)| class)
            .collect(),
    ))
}

fn warn_of_skipped(folder: &Path, skipped: usize) {
    if skipped > 0 {
        tracing::warn!(
            folder = %folder.display(),
            skipped,
            "skipped files that are hidden, no pictures by their extension, or in no class folder"
        );
    }
}

/// What lies directly in a folder. Hidden folders are left out, hidden files are `others`.
struct Children {
    /// Name and path of each folder, sorted by name.
    folders: Vec<(String, PathBuf)>,
    pictures: usize,
    others: usize,
}

fn children(folder: &Path) -> Result<Children, FolderError> {
    let unreadable = |source| FolderError::Io {
        path: folder.into(),
        source,
    };
    let mut found = Children {
        folders: Vec::new(),
        pictures: 0,
        others: 0,
    };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let hidden = is_hidden(&path);
        if path.is_dir() {
            if !hidden {
                found.folders.push((unicode_name(&path)?, path));
            }
        } else if !hidden && is_picture(&path) {
            found.pictures += 1;
        } else {
            found.others += 1;
        }
    }
    found.folders.sort();
    Ok(found)
}

/// Appends the pictures of one class folder; returns how many files were skipped.
fn list_class(
    root: &Path,
    class: &str,
    folder: &Path,
    pictures: &mut Vec<Listed>,
) -> Result<usize, FolderError> {
    let mut skipped = 0;
    let visible = |entry: &DirEntry| {
        entry.depth() == 0 || !entry.file_type().is_dir() || !is_hidden(entry.path())
    };
    for entry in WalkDir::new(folder)
        .follow_links(true)
        .into_iter()
        .filter_entry(visible)
    {
        let entry = entry.map_err(|error| walk_error(folder, error))?;
        if entry.file_type().is_dir() {
            continue;
        }
        let path = entry.path();
        if !entry.file_type().is_file() || is_hidden(path) || !is_picture(path) {
            skipped += 1;
            continue;
        }
        pictures.push(Listed {
            name: relative_name(root, path)?,
            path: path.into(),
            class: class.into(),
        });
    }
    Ok(skipped)
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

fn relative_name(root: &Path, path: &Path) -> Result<String, FolderError> {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
    let parts = parts.ok_or_else(|| FolderError::NotUnicode { path: path.into() })?;
    Ok(parts.join("/"))
}

fn unicode_name(path: &Path) -> Result<String, FolderError> {
    path.file_name()
        .and_then(|name| name.to_str())
        .map(String::from)
        .ok_or_else(|| FolderError::NotUnicode { path: path.into() })
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_picture(path: &Path) -> bool {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    let extension = extension.to_ascii_lowercase();
    EXTENSIONS.contains(&extension.as_str())
}
