//! Image folders in zip archives.

use std::fs;
use std::path::{Path, PathBuf};

use cd_core::{Labels, NoProgress};
use tempfile::{TempDir, tempdir};

use super::tests::{load, picture, pictures};
use super::*;
use crate::testing::pixels;
use crate::zipped::tests::archive_of;

/// The files of `folder` in an archive, in a folder of its own.
fn packed(folder: &TempDir) -> (TempDir, PathBuf) {
    let scratch = tempdir().expect("scratch");
    let path = scratch.path().join("photos.zip");
    fs::write(&path, archive_of(folder.path())).expect("writes");
    (scratch, path)
}

fn config(path: &Path) -> FolderConfig {
    FolderConfig {
        size: Some(4),
        ..FolderConfig::new(path)
    }
}

#[test]
fn an_archive_is_read_as_the_folder_it_was_made_from() {
    for layout in [
        &["cat/1.png", "cat/deep/2.png", "dog/1.png"][..],
        &["train/cat/1.png", "train/dog/1.png", "val/dog/2.png"],
        &["train/cat/1.png", "train/dog/1.png"],
        &[
            "cat/1.png",
            "dog/1.png",
            "__MACOSX/cat/._1.png",
            ".git/x.png",
        ],
    ] {
        let folder = pictures(layout);
        fs::write(folder.path().join("notes.txt"), "no picture").expect("writes");
        let (_scratch, archive) = packed(&folder);
        let unpacked = load(&config(folder.path()), &NoProgress).expect("loads");
        let from_archive = load(&config(&archive), &NoProgress).expect("loads");
        assert_eq!(from_archive.name, "photos.zip");
        let renamed = Split {
            name: unpacked.name.clone(),
            ..from_archive
        };
        assert_eq!(renamed, unpacked, "{layout:?}");
    }
}

#[test]
fn the_folder_around_everything_is_no_class() {
    let folder = pictures(&["photos/cat/1.png", "photos/dog/1.png", "photos/dog/2.png"]);
    let (_scratch, archive) = packed(&folder);
    let split = load(&config(&archive), &NoProgress).expect("loads");
    assert_eq!(split.train.class_names(), ["cat", "dog"]);
    assert_eq!(split.train.names()[0], "cat/1.png");
    assert_eq!(*pixels(&split.train, 2), [2, 0, 0].repeat(16));
    let inner = load(&config(&archive.join("photos")), &NoProgress).expect("loads");
    assert_eq!(inner.train, split.train);
}

#[test]
fn tables_and_flat_folders_in_archives_are_read() {
    let folder = pictures(&["all/x.png", "all/y.png"]);
    fs::write(
        folder.path().join("all/labels.csv"),
        "file,label\ny.png,b\nx.png,a\n",
    )
    .expect("writes");
    let (_scratch, archive) = packed(&folder);
    let split = load(&config(&archive), &NoProgress).expect("loads");
    assert_eq!(
        (split.train.labels(), split.train.class_names()),
        (&[0, 1][..], &["a".to_owned(), "b".into()][..])
    );
    let folder = pictures(&["x.png", "y.png"]);
    let (_scratch, archive) = packed(&folder);
    assert!(config(&archive).is_flat());
    let unlabelled = FolderConfig {
        unlabelled: true,
        ..config(&archive)
    };
    let split = load(&unlabelled, &NoProgress).expect("loads");
    assert_eq!(split.train.annotations(), &Labels::None);
    let pictured = unlabelled.pictures().expect("lists").expect("tells");
    assert_eq!(
        (split.train.len(), pictured.count, pictured.side),
        (2, 2, 4)
    );
}

#[test]
fn pictures_of_an_archive_are_remembered_until_it_changes() {
    let folder = pictures(&["cat/1.png", "dog/1.png"]);
    let (scratch, archive) = packed(&folder);
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(100);
    let age = || {
        let file = fs::File::options().append(true).open(&archive);
        file.and_then(|file| file.set_modified(long_ago))
            .expect("sets the time");
    };
    age();
    let index = scratch.path().join("index");
    let read = || {
        let context = LoadContext {
            index: Some(&index),
            ..LoadContext::new(&NoProgress)
        };
        super::load(&config(&archive), &context).expect("loads")
    };
    let first = read();
    assert_eq!(fs::read_dir(&index).expect("written").count(), 1);
    assert_eq!(read().train, first.train);
    picture(&folder, "dog/1.png", 200);
    fs::write(&archive, archive_of(folder.path())).expect("writes");
    age();
    assert_eq!(pixels(&read().train, 1)[0], 200);
}

#[test]
fn broken_archives_and_other_files_are_called_what_they_are() {
    let folder = pictures(&["cat/1.png", "dog/1.png"]);
    let (_scratch, archive) = packed(&folder);
    let good = fs::read(&archive).expect("written");
    for (bytes, part) in [
        (&good[..good.len() / 2], "was it downloaded whole?"),
        (b"<html>quota", "no zip archive but a web page"),
    ] {
        fs::write(&archive, bytes).expect("writes");
        let message = load(&config(&archive), &NoProgress)
            .expect_err("broken")
            .to_string();
        assert!(
            message.contains(part) && message.contains("photos.zip"),
            "{message}"
        );
    }
    let other = folder.path().join("cat/1.png");
    let message = load(&config(&other), &NoProgress)
        .expect_err("a picture")
        .to_string();
    assert!(
        message.contains("is no folder and no zip archive"),
        "{message}"
    );
    // One byte of one picture: the picture is named, not the archive.
    let place = good
        .windows(4)
        .position(|four| four == b"IDAT")
        .expect("a picture");
    let mut damaged = good.clone();
    damaged[place + 6] ^= 0x55;
    fs::write(&archive, damaged).expect("writes");
    let message = load(&config(&archive), &NoProgress)
        .expect_err("damaged")
        .to_string();
    assert!(
        message.contains("1 of 2 pictures cannot be used"),
        "{message}"
    );
}
