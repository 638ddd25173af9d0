//! Finds the pictures of a folder and their classes without opening them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::beside::test_beside;
use super::error::FolderError;
use super::labels::{LABELS_FILE, read_labels};
use super::walk::{children, leave_out, walk};
use crate::dataset::NotRead;
use crate::picture::Region;
use crate::zipped;

/// Folders of training pictures, in small letters.
const TRAIN_FOLDERS: [&str; 2] = ["train", "training"];
/// Folders of test pictures beside them, in small letters; the first that can be used counts.
const TEST_FOLDERS: [&str; 5] = ["test", "testing", "val", "valid", "validation"];

const NOT_LISTED: &str = "pictures that `labels.csv` does not list";
const NO_CLASS: &str = "pictures beside the class folders";
const NO_PART: &str = "pictures beside the folder of training pictures";
const IN_NO_PART: &str = "pictures in folders beside the folder of training pictures";

/// One picture to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dataset) struct Listed {
    /// Where it lies.
    pub(in crate::dataset) path: PathBuf,
    /// Path relative to the root of the data set, `/` between folders.
    pub(in crate::dataset) name: String,
    /// Name of its class; empty when nothing tells it.
    pub(in crate::dataset) class: String,
    /// The part of it that counts.
    pub(in crate::dataset) region: Option<Region>,
}

impl Listed {
    /// A whole picture.
    pub(in crate::dataset) fn new(name: String, path: PathBuf, class: impl Into<String>) -> Self {
        Self {
            name,
            path,
            class: class.into(),
            region: None,
        }
    }
}

/// Pictures below one folder, sorted by path.
#[derive(Debug)]
pub(in crate::dataset) struct Listing {
    /// The folder.
    pub(in crate::dataset) root: PathBuf,
    /// Root of the data set, which names are relative to.
    pub(in crate::dataset) base: PathBuf,
    pub(in crate::dataset) pictures: Vec<Listed>,
    /// Classes by label; none when nothing tells them.
    pub(in crate::dataset) class_names: Vec<String>,
    /// What else lies there.
    pub(in crate::dataset) not_read: NotRead,
}

/// What a root folder holds.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) train: Listing,
    pub(super) test: Option<Listing>,
}

/// The parts that a root folder is divided into.
struct Parts {
    train: PathBuf,
    tests: Vec<PathBuf>,
}

impl Parts {
    /// All of their folders.
    fn folders(&self) -> impl Iterator<Item = &Path> {
        let tests = self.tests.iter().map(PathBuf::as_path);
        std::iter::once(self.train.as_path()).chain(tests)
    }
}

/// Lists the pictures of a data set in any of the known layouts.
pub(super) fn list_root(root: &Path) -> Result<Root, FolderError> {
    let root = &inner_root(root)?;
    let Some(parts) = parts(root)? else {
        return Ok(Root {
            train: list_pictures(root, root)?,
            test: None,
        });
    };
    let mut train = list_pictures(root, &parts.train)?;
    let test = test_beside(root, &parts.tests, &train.class_names, &mut train.not_read)?;
    let read: Vec<&Path> = parts.folders().collect();
    leave_out_beside(root, &read, &mut train.not_read)?;
    Ok(Root { train, test })
}

/// Notes the pictures of `root` that lie in none of the folders `read`.
fn leave_out_beside(
    root: &Path,
    read: &[&Path],
    not_read: &mut NotRead,
) -> Result<(), FolderError> {
    let beside = children(root, root)?;
    not_read.append(beside.not_read);
    for picture in beside.pictures {
        not_read.add(NO_PART, picture);
    }
    for (_, folder) in beside.folders {
        if !read.contains(&folder.as_path()) {
            leave_out(root, &folder, IN_NO_PART, not_read);
        }
    }
    Ok(())
}

/// Lists every picture below `root`, or below its part for training; nothing tells their classes.
pub(in crate::dataset) fn list_unlabelled(root: &Path) -> Result<Listing, FolderError> {
    let root = &inner_root(root)?;
    let parts = parts(root)?;
    let folder = parts.as_ref().map_or(root, |parts| &parts.train);
    let mut listing = Listing {
        root: folder.into(),
        base: root.into(),
        pictures: Vec::new(),
        class_names: Vec::new(),
        not_read: NotRead::default(),
    };
    walk(root, "", folder, &mut listing)?;
    if parts.is_some() {
        leave_out_beside(root, &[folder], &mut listing.not_read)?;
    }
    if listing.pictures.is_empty() {
        return Err(FolderError::Nothing {
            path: folder.into(),
        });
    }
    listing
        .pictures
        .sort_by(|left, right| left.path.cmp(&right.path));
    Ok(listing)
}

/// Where the pictures of `root` begin: archives often hold one folder, which holds everything.
fn inner_root(root: &Path) -> Result<PathBuf, FolderError> {
    let unreadable = |source| FolderError::Io {
        path: root.into(),
        source,
    };
    if !zipped::folder(root).map_err(unreadable)? {
        return Err(FolderError::NotAFolder { path: root.into() });
    }
    let mut inner = root.to_path_buf();
    if root.is_dir() {
        return Ok(inner);
    }
    loop {
        let found = children(root, &inner)?;
        let [(name, folder)] = &found.folders[..] else {
            return Ok(inner);
        };
        let is_part = TRAIN_FOLDERS
            .iter()
            .any(|part| name.eq_ignore_ascii_case(part));
        let is_table = zipped::is_file(&folder.join(LABELS_FILE));
        let wraps = is_table || !children(root, folder)?.folders.is_empty();
        if !found.pictures.is_empty() || is_part || !wraps {
            return Ok(inner);
        }
        inner.clone_from(folder);
    }
}

/// The parts for training and testing of `root`, where it has them.
fn parts(root: &Path) -> Result<Option<Parts>, FolderError> {
    if zipped::is_file(&root.join(LABELS_FILE)) {
        return Ok(None);
    }
    let folders = children(root, root)?.folders;
    let called = |names: &[&str], name: &str| {
        let place = names
            .iter()
            .position(|known| name.eq_ignore_ascii_case(known));
        place.map(|place| (place, name != names[place]))
    };
    let named = |names: &[&str]| {
        let known = folders
            .iter()
            .filter_map(|(name, path)| Some((called(names, name)?, path)));
        let mut known: Vec<_> = known.collect();
        known.sort();
        known
            .into_iter()
            .map(|(_, path)| path.clone())
            .collect::<Vec<PathBuf>>()
    };
    let (trains, tests) = (named(&TRAIN_FOLDERS), named(&TEST_FOLDERS));
    let Some(train) = trains.into_iter().next() else {
        return Ok(None);
    };
    // A class may be called `train`; then pictures lie directly in it, and other classes beside it.
    let divided = zipped::is_file(&train.join(LABELS_FILE))
        || !children(root, &train)?.folders.is_empty()
        || !tests.is_empty() && folders.len() == 1 + tests.len();
    Ok(divided.then_some(Parts { train, tests }))
}

/// Lists `folder` by its `labels.csv` or its class folders; names are relative to `root`.
pub(in crate::dataset) fn list_pictures(
    root: &Path,
    folder: &Path,
) -> Result<Listing, FolderError> {
    let labels = folder.join(LABELS_FILE);
    let mut listing = if zipped::is_file(&labels) {
        list_table(root, folder, &labels)?
    } else {
        list_classes(root, folder, |_| true)?
    };
    listing
        .pictures
        .sort_by(|left, right| left.path.cmp(&right.path));
    Ok(listing)
}

/// The pictures of a table; all others below its folder are not read.
fn list_table(root: &Path, folder: &Path, labels: &Path) -> Result<Listing, FolderError> {
    let (pictures, class_names) = read_labels(root, labels)?;
    let mut listing = Listing {
        root: folder.into(),
        base: root.into(),
        pictures: Vec::new(),
        class_names,
        not_read: NotRead::default(),
    };
    walk(root, "", folder, &mut listing)?;
    let listed: HashSet<&Path> = pictures
        .iter()
        .map(|picture| picture.path.as_path())
        .collect();
    for found in std::mem::take(&mut listing.pictures) {
        if !listed.contains(found.path.as_path()) {
            listing.not_read.add(NOT_LISTED, found.name);
        }
    }
    listing.pictures = pictures;
    Ok(listing)
}

/// Lists the pictures of those class folders of `folder` that are wanted; names are relative to `root`.
pub(in crate::dataset) fn list_classes(
    root: &Path,
    folder: &Path,
    wanted: impl Fn(&str) -> bool,
) -> Result<Listing, FolderError> {
    let mut children = children(root, folder)?;
    children.folders.retain(|(class, _)| wanted(class));
    if children.folders.is_empty() {
        let path = folder.into();
        return Err(match children.pictures.len() {
            0 => FolderError::Nothing { path },
            count => FolderError::Flat { path, count },
        });
    }
    let mut listing = Listing {
        root: folder.into(),
        base: root.into(),
        pictures: Vec::new(),
        class_names: Vec::new(),
        not_read: children.not_read,
    };
    for picture in children.pictures {
        listing.not_read.add(NO_CLASS, picture);
    }
    for (class, class_folder) in children.folders {
        let before = listing.pictures.len();
        let mut not_read = std::mem::take(&mut listing.not_read);
        walk(root, &class, &class_folder, &mut listing)?;
        if listing.pictures.len() == before {
            return Err(FolderError::EmptyClass {
                path: class_folder,
                not_read: listing.not_read,
            });
        }
        not_read.append(std::mem::take(&mut listing.not_read));
        listing.not_read = not_read;
        listing.class_names.push(class);
    }
    Ok(listing)
}
