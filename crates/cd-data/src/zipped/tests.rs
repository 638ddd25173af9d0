//! Archives of every kind of writer, and damaged ones by the thousand.

use std::io::{Cursor, Write};

use tempfile::tempdir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;
use crate::testing::mutations;

/// An archive of these files, every second one packed.
pub(crate) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (number, (name, content)) in files.iter().enumerate() {
        let method = [CompressionMethod::Deflated, CompressionMethod::Stored][number % 2];
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(*name, options).expect("a new file");
        writer.write_all(content).expect("memory");
    }
    writer.finish().expect("memory").into_inner()
}

/// An archive of everything below `folder`.
pub(crate) fn archive_of(folder: &Path) -> Vec<u8> {
    let entries = walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter();
    let files = entries.map(|entry| entry.expect("readable").into_path());
    let files: Vec<PathBuf> = files.filter(|path| path.is_file()).collect();
    let read = |path: &PathBuf| {
        let below = path.strip_prefix(folder).expect("below");
        let name = below.to_str().expect("text").replace('\\', "/");
        (name, fs::read(path).expect("readable"))
    };
    let files: Vec<(String, Vec<u8>)> = files.iter().map(read).collect();
    let files = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), &bytes[..]));
    archive(&files.collect::<Vec<_>>())
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn files_of_an_archive_lie_below_it() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("some.zip");
    let long = "x".repeat(200_000);
    let files: [(&str, &[u8]); 5] = [
        ("a.txt", b"top"),
        ("b-x/1.txt", b"with a line"),
        ("b/1.txt", long.as_bytes()),
        ("b/c/2.txt", b"deep"),
        ("b/empty", b""),
    ];
    fs::write(&path, archive(&files)).expect("writes");
    for (name, content) in files {
        assert_eq!(
            text(&path.join(name)).expect("there").as_bytes(),
            content,
            "{name}"
        );
        assert!(is_file(&path.join(name)) && !is_dir(&path.join(name)));
    }
    let names = |inner: &str| -> Vec<(String, bool)> {
        let children = children(&path.join(inner)).expect("a folder").into_iter();
        let name = |child: Child| {
            let below = child.path.strip_prefix(&path).expect("below").display();
            (below.to_string(), child.is_dir)
        };
        children.map(name).collect()
    };
    let expected = [("a.txt", false), ("b-x", true), ("b", true)];
    assert_eq!(
        names(""),
        expected.map(|(name, is_dir)| (name.into(), is_dir))
    );
    assert_eq!(names("b").len(), 3);
    assert!(is_dir(&path) && is_file(&path) && is_dir(&path.join("b/c")));
    assert!(!is_dir(&path.join("bb")) && !is_file(&path.join("b/1")));
    assert_eq!(
        text(&path.join("b/1")).expect_err("missing").kind(),
        io::ErrorKind::NotFound
    );
    assert_eq!(
        metadata(&path.join("b/1.txt")).expect("there").len(),
        fs::metadata(&path).expect("there").len()
    );
}

#[test]
fn a_changed_archive_is_read_again() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("some.zip");
    fs::write(&path, archive(&[("a", b"one")])).expect("writes");
    assert_eq!(text(&path.join("a")).expect("there"), "one");
    fs::write(&path, archive(&[("a", b"other")])).expect("writes");
    assert_eq!(text(&path.join("a")).expect("there"), "other");
}

#[test]
fn what_is_no_archive_is_called_what_it_is() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("some.zip");
    let good = archive(&[("a", b"one")]);
    for (bytes, part) in [
        (
            &b"<!DOCTYPE html><html>Quota exceeded"[..],
            "it is no zip archive but a web page",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "pointer of Git LFS",
        ),
        (b"", "something else"),
        (&good[..good.len() - 5], "was it downloaded whole?"),
    ] {
        fs::write(&path, bytes).expect("writes");
        let message = super::folder(&path).expect_err("no archive").to_string();
        assert!(message.contains(part), "{message}");
        assert!(!is_dir(&path));
    }
    fs::write(folder.path().join("zip.png"), good).expect("writes");
    assert!(!is_dir(&folder.path().join("zip.png")));
}

/// The directory entry of the only file of `archive`, to be changed.
fn entry(archive: &[u8]) -> usize {
    let found = archive.windows(4).position(|four| four == b"PK\x01\x02");
    found.expect("a directory")
}

fn refused(change: impl Fn(&mut Vec<u8>, usize)) -> String {
    let mut bytes = archive(&[("a/bc", b"one")]);
    let at = entry(&bytes);
    change(&mut bytes, at);
    let archive = Archive::new(bytes);
    let read = archive.and_then(|archive| {
        let mut content = Vec::new();
        archive.read("a/bc")?.read_to_end(&mut content)
    });
    read.expect_err("damaged").to_string()
}

#[test]
fn bombs_escapes_and_foreign_methods_are_refused() {
    let four = |bytes: &mut Vec<u8>, at: usize, value: u32| {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    };
    let bomb = refused(|bytes, at| four(bytes, at + 24, 0x7fff_ffff));
    assert!(bomb.contains("claims 2147483647 bytes"), "{bomb}");
    let beyond = refused(|bytes, at| four(bytes, at + 42, 1_000_000));
    assert!(beyond.contains("claims"), "{beyond}");
    let sum = refused(|bytes, at| four(bytes, at + 16, 7));
    assert!(sum.contains("checksum"), "{sum}");
    let longer = refused(|bytes, at| four(bytes, at + 24, 40));
    assert!(longer.contains("shorter"), "{longer}");
    let method = refused(|bytes, at| bytes[at + 10] = 93);
    assert!(method.contains("method 93"), "{method}");
    let encrypted = refused(|bytes, at| bytes[at + 8] |= 1);
    assert!(encrypted.contains("encrypted"), "{encrypted}");
    let outside = refused(|bytes, at| bytes[at + 46..at + 49].copy_from_slice(b"../"));
    assert!(outside.contains("does not lie below"), "{outside}");
}

#[test]
fn names_from_windows_are_read() {
    let mut bytes = archive(&[("a/xyz", b"one")]);
    let at = entry(&bytes) + 46;
    bytes[at..at + 5].copy_from_slice(b"a\\\x81\x94z");
    let archive = Archive::new(bytes).expect("readable");
    assert_eq!(archive.children("a"), [("üöz".to_owned(), false)]);
}

#[test]
fn long_archives_have_wide_records() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().large_file(true);
    for number in 0..70_000 {
        writer
            .start_file(format!("{number}"), options)
            .expect("a new file");
    }
    writer.write_all(b"last").expect("memory");
    let bytes = writer.finish().expect("memory").into_inner();
    let archive = Archive::new(bytes).expect("readable");
    assert_eq!(archive.children("").len(), 70_000);
    let mut text = String::new();
    let mut last = archive.read("69999").expect("there");
    last.read_to_string(&mut text).expect("whole");
    assert_eq!(text, "last");
}

#[test]
fn damage_never_panics() {
    let noise: Vec<u8> = (0..3000_u32).map(|at| (at * at / 7) as u8).collect();
    let base = archive(&[
        ("a/one.txt", b"content of the first file"),
        ("a/two.bin", &noise),
        ("three", b"3"),
    ]);
    let survivors = mutations(&[base], |bytes| {
        let Ok(archive) = Archive::new(bytes.to_vec()) else {
            return false;
        };
        let names: Vec<String> = archive.names().map(|(name, _)| name.to_owned()).collect();
        let read = |name: &String| {
            let mut content = Vec::new();
            let file = archive.read(name);
            file.and_then(|mut file| file.read_to_end(&mut content))
                .is_ok()
        };
        archive.children("a");
        names.iter().filter(|name| read(name)).count() > 0
    });
    assert!(survivors > 0.01, "{survivors}");
}
