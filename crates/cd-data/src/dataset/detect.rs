//! What lies at a path that somebody calls their pictures.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use walkdir::WalkDir;

use super::folder::has_picture_ending;
use super::{DatasetConfig, FolderConfig, NpyConfig, ParquetConfig, WebDatasetConfig};
use crate::picture::Orientation;
use crate::zipped;

/// How deep shards are looked for, and among how many files.
const DEEPEST: usize = 3;
const MOST_FILES: usize = 10_000;

/// How pictures are read, whatever they lie in.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PictureOptions {
    /// Side in pixels, 1 to 4096, that every picture is resized to; without it one that fits the pictures.
    pub size: Option<usize>,
    /// Largest share of pictures, 0 to 1, that is left out because they cannot be decoded.
    pub skip_bad: f64,
    /// Whether pictures are turned as their cameras noted.
    pub orientation: Orientation,
}

/// What files hold pictures of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Parquet,
    Tar,
    Arrays,
}

impl DatasetConfig {
    /// The data set of the user's own pictures at `path`: a folder of pictures; shards of parquet or tar, or NumPy arrays, in a folder
    /// without pictures of its own or as a file, told by its content; a pattern of tar shards such as `train-{000..012}.tar`.
    pub fn of_images(path: &Path, options: PictureOptions) -> Self {
        let PictureOptions {
            size,
            skip_bad,
            orientation,
        } = options;
        let kind = if path.is_dir() {
            in_folder(path)
        } else {
            by_content(path)
        };
        let path = path.to_path_buf();
        match kind {
            Some(Kind::Parquet) => Self::Parquet(ParquetConfig {
                path,
                size,
                skip_bad,
                orientation,
                ..ParquetConfig::default()
            }),
            Some(Kind::Tar) => Self::WebDataset(WebDatasetConfig {
                path,
                size,
                skip_bad,
                orientation,
                ..WebDatasetConfig::default()
            }),
            Some(Kind::Arrays) => Self::Npy(NpyConfig {
                path,
                size,
                ..NpyConfig::default()
            }),
            None => Self::Folder(FolderConfig {
                size,
                skip_bad,
                orientation,
                ..FolderConfig::new(path)
            }),
        }
    }
}

/// The kind that most files of a folder are of, when there is no picture beside them.
fn in_folder(folder: &Path) -> Option<Kind> {
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    let files = WalkDir::new(folder).max_depth(DEEPEST).follow_links(true);
    for entry in files.into_iter().take(MOST_FILES).flatten() {
        if !entry.file_type().is_file() {
            continue;
        }
        if has_picture_ending(entry.path()) || entry.file_name() == "labels.csv" {
            return None;
        }
        if let Some(kind) = by_name(&entry.file_name().to_string_lossy()) {
            *counts.entry(kind).or_default() += 1;
        }
    }
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map(|(kind, _)| kind)
}

fn by_name(name: &str) -> Option<Kind> {
    let name = name.to_ascii_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    match () {
        () if name.starts_with('.') => None,
        () if ends(&[".parquet"]) => Some(Kind::Parquet),
        () if ends(&[".tar", ".tar.gz", ".tgz"]) => Some(Kind::Tar),
        () if ends(&[".npy", ".npz"]) => Some(Kind::Arrays),
        () => None,
    }
}

/// The kind of a file by its first bytes; of a pattern, by its name.
fn by_content(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_string_lossy();
    let Ok(file) = File::open(path) else {
        return by_name(&name).filter(|kind| *kind == Kind::Tar && name.contains('{'));
    };
    let mut start = Vec::new();
    file.take(512).read_to_end(&mut start).ok()?;
    match &start[..] {
        [b'P', b'A', b'R', b'1', ..] => Some(Kind::Parquet),
        [b'P', b'K', ..] if name.to_ascii_lowercase().ends_with(".zip") => in_archive(path),
        [b'P', b'K', 3, 4, ..] | [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some(Kind::Arrays),
        [0x1f, 0x8b, ..] => Some(Kind::Tar),
        start if is_tar_header(start) => Some(Kind::Tar),
        // Damaged ones are told by their names, so that the error speaks of what they should be.
        _ => by_name(&name),
    }
}

/// Whether a block is the header of a file in a tar archive: by its checksum, since the oldest kind has no mark.
fn is_tar_header(block: &[u8]) -> bool {
    if block.get(257..262) == Some(b"ustar") {
        return true;
    }
    let Ok(block) = <&[u8; 512]>::try_from(block) else {
        return false;
    };
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    let stored = tar::Header::from_byte_slice(block).cksum().ok();
    block[0] != 0 && stored == Some(sum(block) - sum(&block[148..156]) + 8 * u32::from(b' '))
}

/// Archives hold folders of pictures, unless arrays lie directly in them.
fn in_archive(path: &Path) -> Option<Kind> {
    let children = zipped::children(path).ok()?;
    let is_array = |child: &zipped::Child| {
        child
            .path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("npy"))
    };
    children.iter().any(is_array).then_some(Kind::Arrays)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::tempdir;

    use super::*;
    use crate::zipped::tests::archive;

    fn name(path: &Path) -> &'static str {
        DatasetConfig::of_images(path, PictureOptions::default()).name()
    }

    #[test]
    fn files_are_told_by_content_and_folders_by_what_lies_in_them() {
        let folder = tempdir().expect("scratch");
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("inside")).expect("makes");
            fs::write(&path, bytes).expect("writes");
            path
        };
        let mut header = tar::Header::new_old();
        header.set_path("1.png").expect("short");
        header.set_size(0);
        header.set_cksum();
        let unmarked = header.as_bytes().to_vec();
        let mut off_by_one = unmarked.clone();
        off_by_one[0] += 1;
        for (file, bytes, expected) in [
            ("a", &b"PAR1"[..], "parquet"),
            ("b", b"PK\x03\x04", "npy"),
            ("c", b"\x93NUMPY\x01", "npy"),
            ("d", b"\x1f\x8b\x08", "webdataset"),
            ("e", &[&[0; 257][..], b"ustar\0"].concat(), "webdataset"),
            ("f.parquet", b"<html>", "parquet"),
            ("old", &unmarked, "webdataset"),
            ("odd", &off_by_one, "folder"),
            ("g", b"words", "folder"),
            ("h.zip", &archive(&[("cat/1.png", b"x")]), "folder"),
            (
                "i.zip",
                &archive(&[("x.npy", b"x"), ("y.npy", b"x")]),
                "npy",
            ),
        ] {
            assert_eq!(name(&write(file, bytes)), expected, "{file}");
        }
        assert_eq!(name(&folder.path().join("x-{0..3}.tar")), "webdataset");
        assert_eq!(name(&folder.path().join("nothing")), "folder");
        for (files, expected) in [
            (&["p/data/train-0.parquet", "p/README.md"][..], "parquet"),
            (&["t/0.tar", "t/1.tar.gz", "t/x.npy"], "webdataset"),
            (&["n/x.npy", "n/y.npy"], "npy"),
            (&["i/a/1.png", "i/old.tar"], "folder"),
            (&["l/labels.csv", "l/old.tar"], "folder"),
        ] {
            for file in files {
                write(file, b"x");
            }
            let root = files[0].split('/').next().expect("a folder");
            assert_eq!(name(&folder.path().join(root)), expected);
        }
    }
}
