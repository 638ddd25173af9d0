//! What lies among the pictures of people and is not meant.

use std::fs;

use image::{Rgb, RgbImage};
use tempfile::TempDir;

use super::tests::{config, load, load_folder, picture, pictures};
use super::*;
use cd_core::NoProgress;

/// The files that were not read, by words of the reason.
fn left_out(split: &Split, reason: &str) -> Vec<String> {
    let groups = split.not_read.groups().iter();
    let groups = groups.filter(|group| group.reason.contains(reason));
    groups.flat_map(|group| group.files.clone()).collect()
}

fn names(split: &Split) -> Vec<&str> {
    split.train.names().iter().map(String::as_str).collect()
}

#[test]
fn folders_that_machines_make_are_not_entered() {
    let folder = pictures(&["a/1.png", "b/1.png"]);
    let made = [
        "a/@eaDir/1.png/SYNOPHOTO_THUMB_SM.jpg",
        "a/.@__thumb/1.png",
        "a/.thumbnails/1.png",
        "a/__MACOSX/1.png",
        "b/.AppleDouble/1.png",
        "b/System Volume Information/1.png",
        "b/$RECYCLE.BIN/1.png",
        "@eaDir/1.png",
        "#recycle/old/1.png",
        "lost+found/1.png",
        ".Trash-1000/1.png",
        "a/._1.png",
    ];
    for path in made {
        picture(&folder, path, 9);
    }
    for junk in ["a/Thumbs.db", "a/.DS_Store", "b/desktop.ini", "b/readme"] {
        fs::write(folder.path().join(junk), "x").expect("writes");
    }
    let split = load_folder(&folder).expect("loads");
    assert_eq!(names(&split), ["a/1.png", "b/1.png"]);
    assert_eq!(split.train.class_names(), ["a", "b"]);
    let mut all: Vec<String> = split
        .not_read
        .groups()
        .iter()
        .flat_map(|group| group.files.clone())
        .collect();
    all.sort();
    let mut expected: Vec<&str> = made.to_vec();
    expected.extend(["a/.DS_Store", "a/Thumbs.db", "b/desktop.ini", "b/readme"]);
    expected.sort_unstable();
    assert_eq!(all, expected);
    assert_eq!(left_out(&split, "no pictures").len(), 3);
    let unlabelled = FolderConfig {
        unlabelled: true,
        ..config(&folder)
    };
    assert_eq!(
        load(&unlabelled, &NoProgress).expect("loads").train.len(),
        2
    );
}

#[test]
fn every_common_ending_is_read_and_others_are_named() {
    let folder = pictures(&["a/1.png"]);
    let read = [
        "2.jpe",
        "3.jfif",
        "4.JFIF",
        "5.pjpeg",
        "6.PJP",
        "7.Jpg",
        "8.TIFF",
        "9.dib",
        "a.apng",
        "b.pam",
        "c.jpg_large",
        "without",
    ];
    for name in read {
        let path = folder.path().join("a").join(name);
        RgbImage::new(4, 4)
            .save_with_format(path, image::ImageFormat::Png)
            .expect("writes");
    }
    for name in ["x.heic", "x.svg", "x.CR2", "x.jxl"] {
        fs::write(folder.path().join("a").join(name), "x").expect("writes");
    }
    for name in ["x.bak", "x.thm"] {
        let path = folder.path().join("a").join(name);
        RgbImage::new(4, 4)
            .save_with_format(path, image::ImageFormat::Png)
            .expect("writes");
    }
    let split = load_folder(&folder).expect("loads");
    assert_eq!(split.train.len(), 1 + read.len());
    assert_eq!(
        left_out(&split, "does not decode"),
        ["a/x.CR2", "a/x.heic", "a/x.jxl", "a/x.svg"]
    );
    assert_eq!(
        left_out(&split, "endings that are not read"),
        ["a/x.bak", "a/x.thm"]
    );
}

#[test]
fn a_class_without_readable_pictures_says_what_it_holds() {
    let folder = pictures(&["a/1.png"]);
    fs::create_dir(folder.path().join("b")).expect("creates");
    fs::write(folder.path().join("b/1.heic"), "x").expect("writes");
    let message = load_folder(&folder).expect_err("empty").to_string();
    assert!(
        message.contains("b/1.heic") && message.contains("does not decode"),
        "{message}"
    );
}

#[test]
fn pictures_that_a_table_does_not_list_are_counted() {
    let folder = pictures(&["1.png", "deep/2.png", "deep/3.png", "@eaDir/1.png"]);
    fs::write(
        folder.path().join("labels.csv"),
        "label;file;who\r\nx;deep\\2.png;me\r\n",
    )
    .expect("writes");
    let split = load_folder(&folder).expect("loads");
    assert_eq!(names(&split), ["deep/2.png"]);
    assert_eq!(
        left_out(&split, "`labels.csv` does not list"),
        ["1.png", "deep/3.png"]
    );
    assert_eq!(left_out(&split, "tools make"), ["@eaDir/1.png"]);
    let line = &split.not_read.lines()[0];
    assert!(
        line.starts_with("1 file not read") || line.starts_with("2 files not read"),
        "{line}"
    );
}

#[test]
fn names_with_odd_characters_are_listed_in_tables() {
    let odd = [
        "a, b.png",
        "q \"x\".png",
        "\u{fc}\u{4e2d}.png",
        " blank.png",
        "two\nlines.png",
    ];
    let folder = pictures(&odd);
    let mut table = csv::Writer::from_path(folder.path().join("labels.csv")).expect("creates");
    table.write_record(["file", "label"]).expect("writes");
    for name in odd {
        table.write_record([name, "x"]).expect("writes");
    }
    drop(table);
    let split = load_folder(&folder).expect("loads");
    let mut expected = odd.to_vec();
    expected.sort_unstable();
    assert_eq!(names(&split), expected);
    assert!(split.not_read.is_empty(), "{:?}", split.not_read);
}

/// Test folders that do not fit, and words of why.
#[test]
fn test_folders_that_do_not_fit_leave_training_alone() {
    let train = ["train/cat/1.png", "train/dog/1.png"];
    for (test, reason) in [
        (vec!["test/1.png", "test/2.png"], "lie directly in `test`"),
        (vec!["test/images/1.png"], "class `images`"),
        (
            vec!["val/images/1.png", "test/images/2.png"],
            "class `images`",
        ),
        (vec!["Test/unknown/1.png"], "class `unknown`"),
    ] {
        let paths: Vec<&str> = train.iter().copied().chain(test.clone()).collect();
        let split = load_folder(&pictures(&paths)).expect("the training pictures are fine");
        assert_eq!((split.train.len(), &split.test), (2, &None));
        let mut left = left_out(&split, reason);
        left.sort();
        let mut expected = test;
        expected.sort_unstable();
        assert_eq!(left, expected);
    }
    let folder = pictures(&[
        "train/cat/1.png",
        "train/dog/1.png",
        "test/images/1.png",
        "val/dog/2.png",
        "1.png",
    ]);
    fs::create_dir_all(folder.path().join("validation/empty")).expect("creates");
    let split = load_folder(&folder).expect("loads");
    assert_eq!(
        split.test.as_ref().expect("`val` fits").names(),
        ["val/dog/2.png"]
    );
    assert_eq!(left_out(&split, "class `images`"), ["test/images/1.png"]);
    assert_eq!(left_out(&split, "beside the folder of training"), ["1.png"]);
}

#[test]
fn folders_beside_the_parts_are_named() {
    let classes = ["bus/1.png", "car/deep/2.png", "train.old/bus/3.png"];
    for test in [None, Some("test/steam/5.png")] {
        let mut paths = vec!["train/steam/1.png", "train/diesel/2.png"];
        paths.extend(classes);
        paths.extend(test);
        let folder = pictures(&paths);
        let split = load_folder(&folder).expect("loads");
        assert_eq!(split.train.class_names(), ["diesel", "steam"]);
        assert_eq!(split.test.is_some(), test.is_some());
        let reason = "in folders beside the folder of training";
        assert_eq!(left_out(&split, reason), classes);
        let unlabelled = FolderConfig {
            unlabelled: true,
            ..config(&folder)
        };
        let split = load(&unlabelled, &NoProgress).expect("loads");
        let also_tests = classes.len() + usize::from(test.is_some());
        assert_eq!(left_out(&split, reason).len(), also_tests);
    }
}

#[test]
fn some_test_classes_may_be_unknown() {
    let folder = pictures(&[
        "Training/cat/1.png",
        "Training/dog/1.png",
        "Testing/dog/2.png",
        "Testing/cow/3.png",
    ]);
    let split = load_folder(&folder).expect("loads");
    assert_eq!(
        split.test.as_ref().expect("dogs").names(),
        ["Testing/dog/2.png"]
    );
    assert_eq!(left_out(&split, "class `cow`"), ["Testing/cow/3.png"]);
}

#[test]
fn parts_without_classes_are_no_classes() {
    let folder = pictures(&["train/1.png", "test/2.png"]);
    let message = load_folder(&folder).expect_err("no classes").to_string();
    assert!(
        message.contains("train") && message.contains("no class folders"),
        "{message}"
    );
    assert!(config(&folder).is_flat());
    let unlabelled = FolderConfig {
        unlabelled: true,
        ..config(&folder)
    };
    assert_eq!(
        names(&load(&unlabelled, &NoProgress).expect("loads")),
        ["train/1.png"]
    );
}

/// A folder of two classes with 8 good pictures and `bad` empty ones in the first.
fn with_bad(bad: usize) -> TempDir {
    let paths: Vec<String> = (0..8)
        .map(|number| format!("{}/{number}.png", ["a", "b"][number % 2]))
        .collect();
    let folder = pictures(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    for number in 0..bad {
        fs::write(folder.path().join(format!("a/bad{number:02}.jpg")), b"").expect("writes");
    }
    folder
}

fn load_skipping(folder: &TempDir, share: f64, list: &Path) -> Result<Split, FolderError> {
    let config = FolderConfig {
        skip_bad: share,
        ..config(folder)
    };
    let context = LoadContext {
        progress: &NoProgress,
        index: None,
        bad_list: Some(list),
    };
    super::load(&config, &context)
}

#[test]
fn bad_pictures_are_listed_and_left_out_up_to_a_share() {
    let scratch = tempfile::tempdir().expect("scratch");
    let list = scratch.path().join("deep/bad-pictures.csv");
    let folder = with_bad(12);
    let message = load_skipping(&folder, 0.1, &list)
        .expect_err("too many")
        .to_string();
    for part in [
        "12 of 20",
        "more than the 10 %",
        "`--skip-bad 0.6`",
        "bad-pictures.csv",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let rows = fs::read_to_string(&list).expect("written");
    assert_eq!(rows.lines().count(), 13);
    assert!(
        rows.starts_with("file,reason\na/bad00.jpg,the file is empty\n"),
        "{rows}"
    );
    let split = load_skipping(&folder, 0.6, &list).expect("loads");
    assert_eq!(split.train.len(), 8);
    assert_eq!(left_out(&split, "skip_bad").len(), 12);
    assert!(list.is_file());
    let split = load_skipping(&with_bad(0), 0.6, &list).expect("loads");
    assert!(split.not_read.is_empty() && !list.exists());
    for wrong in [-0.1, 1.1, f64::NAN] {
        let error = load_skipping(&folder, wrong, &list).expect_err("no share");
        assert!(matches!(error, FolderError::SkipBad { .. }), "{error}");
    }
}

#[test]
fn a_class_of_bad_pictures_is_not_left_out() {
    let scratch = tempfile::tempdir().expect("scratch");
    let list = scratch.path().join("bad.csv");
    let folder = with_bad(0);
    fs::create_dir(folder.path().join("c")).expect("creates");
    fs::write(folder.path().join("c/1.png"), b"").expect("writes");
    let message = load_skipping(&folder, 0.0, &list)
        .expect_err("bad")
        .to_string();
    assert!(!message.contains("--skip-bad"), "leads nowhere: {message}");
    let error = load_skipping(&folder, 0.5, &list).expect_err("lost");
    assert!(
        matches!(&error, FolderError::LostClass { class } if class == "c"),
        "{error}"
    );
}

#[test]
fn cameras_notes_are_followed_when_asked_for() {
    let folder = tempfile::tempdir().expect("scratch");
    fs::create_dir(folder.path().join("a")).expect("creates");
    let picture = RgbImage::from_fn(16, 16, |_, y| Rgb([if y < 8 { 255 } else { 0 }; 3]));
    let mut jpeg = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut jpeg, image::ImageFormat::Jpeg)
        .expect("encodes");
    let jpeg = jpeg.into_inner();
    // Orientation 3: turned by half a circle.
    let note =
        b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0";
    let noted = [&jpeg[..2], note, &jpeg[2..]].concat();
    fs::write(folder.path().join("a/1.jpg"), noted).expect("writes");
    let index = tempfile::tempdir().expect("scratch");
    let top = |orientation| {
        let config = FolderConfig {
            orientation,
            size: Some(16),
            ..config(&folder)
        };
        let context = LoadContext {
            progress: &NoProgress,
            index: Some(index.path()),
            bad_list: None,
        };
        let split = super::load(&config, &context).expect("loads");
        split.train.pixels(0).expect("readable")[0]
    };
    assert!(top(Orientation::Ignore) > 200 && top(Orientation::Apply) < 50);
    assert!(top(Orientation::Ignore) > 200);
}

#[test]
fn the_size_follows_the_pictures_unless_it_is_given() {
    let folder = pictures(&["a/1.png", "a/2.png"]);
    let mut open = FolderConfig::new(folder.path());
    let said = Dataset::settle(&mut open).expect("lists").expect("chosen");
    assert!(said.contains("4 x 4 pixels"), "{said}");
    assert_eq!(open.size, Some(4));
    assert_eq!(Dataset::settle(&mut open).expect("nothing to do"), None);
    let split = load(&FolderConfig::new(folder.path()), &NoProgress).expect("loads");
    assert_eq!(split.train.width(), 4);
}

#[cfg(target_os = "linux")]
#[test]
fn links_to_nowhere_and_names_that_are_no_text_are_bad_pictures_like_others() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let scratch = tempfile::tempdir().expect("scratch");
    let list = scratch.path().join("bad-pictures.csv");
    let folder = with_bad(0);
    let class = folder.path().join("a");
    std::os::unix::fs::symlink("/no/such/file", class.join("gone.png")).expect("links");
    std::os::unix::fs::symlink("/no/such/file", class.join("notes")).expect("links");
    let odd = class.join(OsStr::from_bytes(b"odd\xff.png"));
    fs::copy(class.join("0.png"), odd).expect("copies");
    let message = load_skipping(&folder, 0.0, &list)
        .expect_err("bad")
        .to_string();
    for part in ["2 of 10", "gone.png", "rename it"] {
        assert!(message.contains(part), "{message}");
    }
    let rows = fs::read_to_string(&list).expect("written");
    assert!(
        rows.contains("a/gone.png,") && rows.contains("not valid Unicode"),
        "{rows}"
    );
    let split = load_skipping(&folder, 0.5, &list).expect("loads");
    assert_eq!(split.train.len(), 8);
    assert_eq!(left_out(&split, "skip_bad").len(), 2);
}
