//! Writes images as a folder of PNG files, one folder per class.
//!
//! What is written reads back as the data set `folder`. Reading sorts classes by the names of their
//! folders and pictures by path, so labels come back equal when the class names are sorted and
//! every class has a picture.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cd_models::{ImageSet, StorageError};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageError};
use rayon::prelude::*;
use tempfile::TempDir;
use thiserror::Error;

use cd_models::{Progress, Task};

/// Fewest digits of a picture's number in its file name.
const DIGITS: usize = 5;
/// What stands between the name of a folder and random letters in the name of its unfinished one.
const UNFINISHED: &str = ".tmp-";
/// How many random letters those are.
const LETTERS: usize = 12;
/// Longest folder name in characters.
const MAX_NAME: usize = 100;

/// Why images could not be written.
#[derive(Debug, Error)]
pub enum ExportError {
    /// Something is there already.
    #[error("`{}` already exists and is not an empty folder; remove it or choose another", path.display())]
    Occupied {
        /// Where the images were to go.
        path: PathBuf,
    },
    /// There is nothing to write.
    #[error("there are no images to write to `{}`", path.display())]
    NoImages {
        /// Where the images were to go.
        path: PathBuf,
    },
    /// A file or folder could not be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A picture could not be encoded.
    #[error("cannot write image `{name}` as PNG: {source}")]
    Encode {
        /// Name of the image.
        name: String,
        /// Why.
        source: ImageError,
    },
    /// An image could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Writes image `i` of `set` as `folder/CLASS/i.png`, numbers padded to five digits or more.
///
/// Returns the path of every image relative to `folder`, in order. Class names are made safe as
/// folder names: letters, digits, `-`, `_`, `.` and blanks stay, anything else becomes `_`. Images without a class lie
/// in `folder` itself.
/// `folder` appears complete or not at all: the files are written beside it and moved at the end.
///
/// # Errors
///
/// When `folder` exists and is not an empty folder, `set` is empty, or writing fails.
pub fn export(
    set: &ImageSet,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<Vec<PathBuf>, ExportError> {
    let staged = stage(set, folder, progress)?;
    let paths = staged.paths.clone();
    staged.place()?;
    Ok(paths)
}

/// Writes image `i` of `set` as PNG to `folder/paths[i]`, as [`export`] does.
///
/// # Errors
///
/// As [`export`].
///
/// # Panics
///
/// When there are fewer paths than images.
pub fn export_as(
    set: &ImageSet,
    folder: &Path,
    paths: &[PathBuf],
    progress: &dyn Progress,
) -> Result<(), ExportError> {
    stage_as(set, folder, paths.to_vec(), progress)?.place()
}

/// Pictures that are written completely and not yet in their place; without [`Staged::place`] they go again.
#[derive(Debug)]
pub struct Staged {
    scratch: TempDir,
    folder: PathBuf,
    paths: Vec<PathBuf>,
}

impl Staged {
    /// The path of every image relative to the folder, in order.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Moves the pictures to their place.
    ///
    /// # Errors
    ///
    /// When something came to lie there, and when the system refuses.
    pub fn place(self) -> Result<(), ExportError> {
        let failed = |source| ExportError::Io {
            path: self.folder.clone(),
            source,
        };
        if self.folder.is_dir() {
            fs::remove_dir(&self.folder).map_err(failed)?;
        }
        fs::rename(complete(&self.scratch), &self.folder).map_err(failed)
    }
}

/// Scratch folders are private to their owner; what ends up in its place has the usual rights.
fn complete(scratch: &TempDir) -> PathBuf {
    scratch.path().join("images")
}

/// Writes what [`export`] does beside `folder`, from where [`Staged::place`] moves it, so that several sets appear together.
///
/// # Errors
///
/// As [`export`].
pub fn stage(
    set: &ImageSet,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<Staged, ExportError> {
    stage_as(set, folder, relative_paths(set), progress)
}

fn stage_as(
    set: &ImageSet,
    folder: &Path,
    paths: Vec<PathBuf>,
    progress: &dyn Progress,
) -> Result<Staged, ExportError> {
    check_free(folder)?;
    if set.is_empty() {
        return Err(ExportError::NoImages {
            path: folder.into(),
        });
    }
    let failed = |source| ExportError::Io {
        path: folder.into(),
        source,
    };
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(failed)?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    remove_leftovers(parent, &name).map_err(failed)?;
    let scratch = scratch(parent, &name).map_err(failed)?;
    write_all(set, &complete(&scratch), &paths, progress)?;
    Ok(Staged {
        scratch,
        folder: folder.into(),
        paths,
    })
}

/// A folder in `parent` for what is to become `name`, which goes when it is dropped.
///
/// # Errors
///
/// When the system refuses.
pub fn scratch(parent: &Path, name: &str) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(&format!("{name}{UNFINISHED}"))
        .rand_bytes(LETTERS)
        .tempdir_in(parent)
}

/// Removes the folders of [`scratch`] that processes left in `parent` when they were stopped. Another one that is writing there
/// now fails.
///
/// # Errors
///
/// When `parent` cannot be read or something cannot be removed; that it is not there is no error.
pub fn remove_leftovers(parent: &Path, name: &str) -> io::Result<()> {
    let entries = match fs::read_dir(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let is_leftover =
            entry.file_type()?.is_dir() && is_scratch(&entry.file_name().to_string_lossy(), name);
        if is_leftover {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Whether a folder called `folder` is one of [`scratch`] for `name`.
fn is_scratch(folder: &str, name: &str) -> bool {
    let letters = folder.strip_prefix(name);
    let letters = letters.and_then(|rest| rest.strip_prefix(UNFINISHED));
    letters.is_some_and(|letters| {
        letters.len() == LETTERS && letters.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

fn check_free(folder: &Path) -> Result<(), ExportError> {
    let free = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if free {
        return Ok(());
    }
    Err(ExportError::Occupied {
        path: folder.into(),
    })
}

fn relative_paths(set: &ImageSet) -> Vec<PathBuf> {
    let folders = folder_names(set.class_names());
    let digits = DIGITS.max(set.len().saturating_sub(1).to_string().len());
    (0..set.len())
        .map(|index| {
            let file = format!("{index:0digits$}.png");
            match set.labels().get(index) {
                Some(&label) => Path::new(&folders[label as usize]).join(file),
                None => file.into(),
            }
        })
        .collect()
}

fn write_all(
    set: &ImageSet,
    root: &Path,
    paths: &[PathBuf],
    progress: &dyn Progress,
) -> Result<(), ExportError> {
    let folders: HashSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
    for folder in folders {
        let path = root.join(folder);
        fs::create_dir_all(&path).map_err(|source| ExportError::Io { path, source })?;
    }
    let task = Task::start(progress, "writing pictures", Some(set.len() as u64));
    paths.par_iter().enumerate().try_for_each(|(index, path)| {
        let png = encoded(set, index)?;
        let path = root.join(path);
        fs::write(&path, png).map_err(|source| ExportError::Io { path, source })?;
        task.advance(1);
        Ok(())
    })
}

/// Image `index` as PNG, in memory: writing it in one piece is what reports a full disk.
fn encoded(set: &ImageSet, index: usize) -> Result<Vec<u8>, ExportError> {
    let (width, height) = (set.width() as u32, set.height() as u32);
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(&set.pixels(index)?, width, height, ExtendedColorType::Rgb8)
        .map_err(|source| ExportError::Encode {
            name: set.name(index).into(),
            source,
        })?;
    Ok(png)
}

/// A folder name for every class, no two of them equal even where case does not count.
fn folder_names(class_names: &[String]) -> Vec<String> {
    let mut taken = HashSet::new();
    class_names
        .iter()
        .map(|class| {
            let safe = safe_name(class);
            let numbered = (2..).map(|number| format!("{safe}_{number}"));
            std::iter::once(safe.clone())
                .chain(numbered)
                .find(|name| taken.insert(name.to_lowercase()))
                .expect("numbers never run out")
        })
        .collect()
}

fn safe_name(name: &str) -> String {
    let kept = |letter: char| letter.is_alphanumeric() || "-_. ".contains(letter);
    let safe: String = name
        .chars()
        .take(MAX_NAME)
        .map(|letter| if kept(letter) { letter } else { '_' })
        .collect();
    // Hidden folders would be skipped when read back; trailing dots and blanks are lost on Windows.
    let safe = safe
        .trim_start_matches(['.', ' '])
        .trim_end_matches(['.', ' ']);
    if safe.is_empty() || is_device_name(safe) {
        return format!("class_{safe}");
    }
    safe.into()
}

/// Whether Windows takes a name for a device, whatever its extension.
fn is_device_name(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_uppercase();
    let numbered = |device: &str| {
        stem.strip_prefix(device)
            .is_some_and(|rest| rest.len() == 1 && rest.chars().all(|digit| digit.is_ascii_digit()))
    };
    ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::dataset::{DatasetConfig, FolderConfig};
    use crate::testing::{on_threads, pixels, striped_set};
    use cd_models::NoProgress;

    #[test]
    fn what_is_written_reads_back() {
        let scratch = tempdir().expect("scratch");
        let folder = scratch.path().join("out");
        let set = striped_set(12, 9, 3);
        let paths = export(&set, &folder, &NoProgress).expect("writes");
        assert_eq!(paths[4], Path::new("class1").join("00004.png"));
        let config = FolderConfig {
            size: Some(9),
            ..FolderConfig::new(&folder)
        };
        let read = DatasetConfig::Folder(config)
            .load(&NoProgress)
            .expect("reads")
            .train;
        assert_eq!(read.class_names(), set.class_names());
        for (index, path) in paths.iter().enumerate() {
            let name = path.to_str().expect("is text").replace('\\', "/");
            let place = read
                .names()
                .iter()
                .position(|other| *other == name)
                .expect("is there");
            assert_eq!(pixels(&read, place), pixels(&set, index));
            assert_eq!(read.labels()[place], set.labels()[index]);
        }
    }

    #[test]
    fn only_the_complete_folder_remains() {
        let scratch = tempdir().expect("scratch");
        let folder = scratch.path().join("deep/out");
        fs::create_dir_all(&folder).expect("an empty folder is fine");
        export(&striped_set(3, 4, 3), &folder, &NoProgress).expect("writes");
        let beside = fs::read_dir(folder.parent().expect("parent"))
            .expect("lists")
            .count();
        assert_eq!(beside, 1);
    }

    #[test]
    fn what_a_stopped_process_left_goes_and_nothing_else() {
        let scratch_folder = tempdir().expect("scratch");
        let here = |name: &str| scratch_folder.path().join(name);
        let left = scratch(scratch_folder.path(), "out").expect("made").keep();
        fs::write(left.join("half.png"), "x").expect("writes");
        let others = ["out.tmp-backup", "out.tmp-", "test.tmp-abcdefghijkl"];
        for other in others {
            fs::create_dir(here(other)).expect("made");
        }
        let staged = stage(&striped_set(3, 4, 3), &here("out"), &NoProgress).expect("writes");
        assert!(!left.exists() && !here("out").exists());
        assert_eq!(staged.paths().len(), 3);
        staged.place().expect("moves");
        assert!(here("out").is_dir());
        assert!(others.iter().all(|other| here(other).is_dir()));
        let count = fs::read_dir(scratch_folder.path()).expect("lists").count();
        assert_eq!(count, 1 + others.len());
        remove_leftovers(&here("none"), "out").expect("nothing to do");
    }

    #[test]
    fn nothing_is_overwritten() {
        let scratch = tempdir().expect("scratch");
        let folder = scratch.path().join("out");
        fs::create_dir(&folder).expect("creates");
        fs::write(folder.join("mine.txt"), "keep").expect("writes");
        let set = striped_set(3, 4, 3);
        for occupied in [folder.clone(), folder.join("mine.txt")] {
            let error = export(&set, &occupied, &NoProgress).expect_err("occupied");
            assert!(matches!(error, ExportError::Occupied { .. }), "{error}");
        }
        assert_eq!(
            fs::read_to_string(folder.join("mine.txt")).expect("reads"),
            "keep"
        );
    }

    #[test]
    fn an_empty_set_is_refused_and_a_failed_export_leaves_nothing() {
        let scratch = tempdir().expect("scratch");
        let folder = scratch.path().join("out");
        let error = export(&striped_set(0, 4, 3), &folder, &NoProgress).expect_err("empty");
        assert!(matches!(error, ExportError::NoImages { .. }), "{error}");
        let no_pixels = striped_set(2, 0, 2);
        let error = export(&no_pixels, &folder, &NoProgress).expect_err("no pixels");
        assert!(matches!(error, ExportError::Encode { .. }), "{error}");
        assert_eq!(fs::read_dir(scratch.path()).expect("lists").count(), 0);
    }

    #[test]
    fn the_number_of_threads_does_not_show() {
        let scratch = tempdir().expect("scratch");
        let set = striped_set(8, 5, 2);
        let written = |threads: usize| {
            let folder = scratch.path().join(threads.to_string());
            let paths = on_threads(threads, || {
                export(&set, &folder, &NoProgress).expect("writes")
            });
            paths
                .into_iter()
                .map(|path| fs::read(folder.join(path)).expect("reads"))
                .collect()
        };
        let one: Vec<Vec<u8>> = written(1);
        assert_eq!(one, written(4));
    }

    #[test]
    fn class_names_become_safe_distinct_folders() {
        let names = [
            "cat", "../up", "Cat", "", ".hidden", "a/b\\c", "con", "é 1.", "NUL.txt",
        ];
        let classes = names.map(String::from);
        assert_eq!(
            folder_names(&classes),
            [
                "cat",
                "_up",
                "Cat_2",
                "class_",
                "hidden",
                "a_b_c",
                "class_con",
                "é 1",
                "class_NUL.txt"
            ]
        );
    }
}
