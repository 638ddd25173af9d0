//! Paths that lead into zip archives: below `photos.zip` lie `photos.zip/cat/1.png` and the other files of the archive.
//!
//! Nothing is unpacked to disk: the directory of an archive is read once, and its files when they are asked for. Paths of files
//! that lie on disk are theirs as always.

mod archive;
mod bytes;
mod directory;

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use self::archive::Archive;
use crate::picture::changed;

/// Archives whose directories are kept.
const KEPT: usize = 8;

/// A file or folder in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) path: PathBuf,
    pub(crate) is_dir: bool,
}

/// The file at `path`, on disk or in an archive.
///
/// # Errors
///
/// When it cannot be opened.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let failed = match File::open(path) {
        Ok(file) => return Ok(Box::new(file)),
        Err(error) => error,
    };
    match place(path)? {
        Some(place) if !place.inner.is_empty() => place.archive.read(&place.inner),
        _ => Err(failed),
    }
}

/// Whether there is a file at `path`, on disk or in an archive; an archive is a file as well.
pub(crate) fn is_file(path: &Path) -> bool {
    path.is_file()
        || place(path)
            .ok()
            .flatten()
            .is_some_and(|place| place.archive.has_file(&place.inner))
}

/// Whether there is a folder at `path`: on disk, in an archive, or an archive.
pub(crate) fn is_dir(path: &Path) -> bool {
    folder(path).unwrap_or(false)
}

/// As [`is_dir`], and says what is wrong with an archive.
///
/// # Errors
///
/// When the file at `path`, or above it, is called a zip archive and cannot be used as one.
pub(crate) fn folder(path: &Path) -> io::Result<bool> {
    if path.is_dir() {
        return Ok(true);
    }
    let place = place(path)?;
    Ok(place.is_some_and(|place| place.archive.has_folder(&place.inner)))
}

/// What lies directly in the folder at `path`, in the order of names.
///
/// # Errors
///
/// When it cannot be listed.
pub(crate) fn children(path: &Path) -> io::Result<Vec<Child>> {
    let place = if path.is_dir() { None } else { place(path)? };
    let Some(place) = place else {
        let child = |entry: io::Result<fs::DirEntry>| {
            let path = entry?.path();
            Ok(Child {
                is_dir: path.is_dir(),
                path,
            })
        };
        let mut children: Vec<Child> = fs::read_dir(path)?.map(child).collect::<io::Result<_>>()?;
        children.sort_by(|one, other| one.path.cmp(&other.path));
        return Ok(children);
    };
    let children = place.archive.children(&place.inner).into_iter();
    let child = |(name, is_dir): (String, bool)| Child {
        path: path.join(name),
        is_dir,
    };
    Ok(children.map(child).collect())
}

/// Whether `path` leads into an archive, or to one.
pub(crate) fn is_inside(path: &Path) -> bool {
    !path.is_dir() && place(path).ok().flatten().is_some()
}

/// What the system says of the file at `path`, or of the archive that holds it.
pub(crate) fn metadata(path: &Path) -> io::Result<Metadata> {
    fs::metadata(path).or_else(|failed| match outside(path) {
        Some((_, metadata)) => Ok(metadata),
        None => Err(failed),
    })
}

/// A place in an archive.
struct Place {
    archive: Arc<Archive<File>>,
    /// Name of a file or folder; empty for the whole archive.
    inner: String,
}

/// Where `path` leads in an archive; none when no file lies above it, or one that is not called a zip archive.
fn place(path: &Path) -> io::Result<Option<Place>> {
    let Some((outer, metadata)) = outside(path) else {
        return Ok(None);
    };
    let is_called_zip = outer
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("zip"));
    if !is_called_zip {
        return Ok(None);
    }
    let inner = path.strip_prefix(outer).unwrap_or(Path::new(""));
    let parts: Option<Vec<&str>> = inner.iter().map(|part| part.to_str()).collect();
    let Some(parts) = parts else {
        return Ok(None);
    };
    Ok(Some(Place {
        archive: opened(outer, &metadata)?,
        inner: parts.join("/"),
    }))
}

/// The file that `path` is or that lies above it.
fn outside(path: &Path) -> Option<(&Path, Metadata)> {
    // Without a slash at the end.
    let path = path.components().as_path();
    let found = path
        .ancestors()
        .find_map(|above| Some((above, fs::metadata(above).ok()?)))?;
    found.1.is_file().then_some(found)
}

/// An archive that was read, and how its file looked then.
struct Known {
    path: PathBuf,
    stamp: (u64, Option<SystemTime>, i64),
    archive: Arc<Archive<File>>,
}

/// Directories of the archives that were asked for last.
static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());

fn opened(path: &Path, metadata: &Metadata) -> io::Result<Arc<Archive<File>>> {
    let stamp = (metadata.len(), metadata.modified().ok(), changed(metadata));
    // A thread that died meanwhile has changed nothing or all.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let found = known.iter().position(|one| one.path == path);
    if let Some(at) = found {
        if known[at].stamp == stamp {
            return Ok(Arc::clone(&known[at].archive));
        }
        known.remove(at);
    }
    let archive = Arc::new(Archive::open(path)?);
    if known.len() == KEPT {
        known.remove(0);
    }
    known.push(Known {
        path: path.to_owned(),
        stamp,
        archive: Arc::clone(&archive),
    });
    Ok(archive)
}

#[cfg(test)]
pub(crate) mod tests;
