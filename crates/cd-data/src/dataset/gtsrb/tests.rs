//! GTSRB in each of its layouts, and in broken ones.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use cd_core::NoProgress;
use image::{Rgb, RgbImage};
use tempfile::{TempDir, tempdir};

use super::*;

fn picture(root: &Path, name: &str, red: u8) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
    RgbImage::from_pixel(5, 6, Rgb([red, 0, 0]))
        .save(path)
        .expect("writes");
}

/// The training pictures of two classes, two tracks each, in `folder`.
fn train(root: &Path, folder: &str) {
    for class in [3, 41] {
        for (track, frame) in [(0, 0), (0, 1), (1, 0)] {
            picture(
                root,
                &format!("{folder}/{class:05}/{track:05}_{frame:05}.ppm"),
                class,
            );
        }
        let table = format!(
            "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n00000_00000.ppm;5;6;1;1;4;4;{class}\r\n"
        );
        fs::write(
            root.join(format!("{folder}/{class:05}/GT-{class:05}.csv")),
            table,
        )
        .expect("writes");
    }
}

fn test(root: &Path, folder: &str, table: &str) {
    for number in 0..3 {
        picture(root, &format!("{folder}/{number:05}.ppm"), 100 + number);
    }
    let rows = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n00001.ppm;5;6;1;1;4;4;41\r\n00000.ppm;5;6;1;1;4;4;3\r\n";
    fs::write(root.join(table), rows).expect("writes");
}

fn load(path: &Path) -> Result<Split, DataError> {
    load_with(path, None)
}

fn load_with(path: &Path, test_fraction: Option<f64>) -> Result<Split, DataError> {
    let config = GtsrbConfig {
        path: path.into(),
        size: 4,
        test_fraction,
        ..GtsrbConfig::default()
    };
    config.load(&LoadContext::new(&NoProgress))
}

#[test]
fn every_layout_gives_the_same_labels() {
    for (train_folder, test_folder, table) in [
        (
            "GTSRB/Final_Training/Images",
            "GTSRB/Final_Test/Images",
            "GTSRB/Final_Test/Images/GT-final_test.csv",
        ),
        (
            "Final_Training/Images",
            "Final_Test/Images",
            "Final_Test/GT-final_test.csv",
        ),
        (
            "GTSRB/Training",
            "GTSRB/Final_Test/Images",
            "GT-final_test.csv",
        ),
        ("Train", "Test", "Test/GT-final_test.csv"),
    ] {
        let folder = tempdir().expect("scratch");
        train(folder.path(), train_folder);
        test(folder.path(), test_folder, table);
        let split = load(folder.path()).expect(train_folder);
        assert_eq!(split.train.labels(), [3, 3, 3, 41, 41, 41]);
        assert_eq!(split.train.class_count(), 43);
        let tested = split.test.as_ref().expect("has test pictures");
        assert_eq!(tested.labels(), [3, 41]);
        assert_eq!(tested.pixels(1).expect("readable")[0], 101);
        let lines = split.not_read.lines().join("\n");
        assert!(
            lines.contains("does not list") && lines.contains("00002.ppm"),
            "{lines}"
        );
    }
}

/// The form with one table for each part.
fn tables() -> TempDir {
    let folder = tempdir().expect("scratch");
    let header = "Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path\n";
    let mut rows = header.to_owned();
    for (class, file) in [
        (20, "Train/20/00020_00000_00000.png"),
        (7, "Train/7/00007_00000_00000.png"),
    ] {
        picture(folder.path(), file, class);
        writeln!(rows, "5,6,1,1,4,4,{class},{file}").expect("writing to a string cannot fail");
    }
    fs::write(folder.path().join("Train.csv"), rows).expect("writes");
    picture(folder.path(), "Test/00000.png", 9);
    fs::write(
        folder.path().join("Test.csv"),
        format!("{header}5,6,1,1,4,4,16,Test/00000.png\n"),
    )
    .expect("writes");
    folder
}

#[test]
fn tables_of_paths_are_read() {
    let folder = tables();
    let split = load(folder.path()).expect("loads");
    assert_eq!(split.train.labels(), [20, 7]);
    assert_eq!(split.train.class_names()[20], "20 curve right");
    assert_eq!(split.test.expect("has test pictures").labels(), [16]);
}

#[test]
fn tracks_are_never_divided() {
    let folder = tempdir().expect("scratch");
    train(folder.path(), "Train");
    let split = load_with(folder.path(), Some(0.5)).expect("loads");
    let tested = split.test.expect("set aside");
    let track = |name: &String| name[..name.len() - "_00000.ppm".len()].to_owned();
    for name in tested.names() {
        assert!(
            !split
                .train
                .names()
                .iter()
                .any(|other| track(other) == track(name)),
            "{name}"
        );
    }
    assert_eq!(split.train.len() + tested.len(), 6);
    for counts in [split.train.class_counts(), tested.class_counts()] {
        assert!(counts[3] > 0 && counts[41] > 0, "{counts:?}");
    }
    for wrong in [0.0, 1.0, f64::NAN] {
        assert!(load_with(folder.path(), Some(wrong)).is_err());
    }
    test(folder.path(), "Test", "Test/GT-final_test.csv");
    let message = load_with(folder.path(), Some(0.5))
        .expect_err("two test sets")
        .to_string();
    assert!(message.contains("test_fraction"), "{message}");
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let folder = tempdir().expect("scratch");
    let message = load(folder.path()).expect_err("nothing").to_string();
    assert!(
        message.contains("no GTSRB") && message.contains("Train.csv"),
        "{message}"
    );
    train(folder.path(), "Train");
    test(folder.path(), "Test", "Test/GT-final_test.test.csv");
    let message = load(folder.path()).expect_err("no labels").to_string();
    assert!(
        message.contains("GTSRB_Final_Test_GT.zip") && message.contains("has no labels"),
        "{message}"
    );
    for (rows, part) in [
        (
            "Filename;Width\n0.ppm;4\n",
            "it has no column `ClassId`: it is the table that came with the test pictures",
        ),
        (
            "Filename;Class\n0.ppm;4\n",
            "expected the columns `Filename`, `ClassId`",
        ),
        (
            "Filename;ClassId\r\n00000.ppm;43\r\n",
            "line 2: `ClassId` is `43`",
        ),
        (
            "Filename;ClassId\n../x.ppm;4\n",
            "line 2: `Filename` is `../x.ppm`",
        ),
        ("Filename;ClassId\nmissing.ppm;4\n", "missing.ppm"),
    ] {
        fs::write(folder.path().join("Test/GT-final_test.csv"), rows).expect("writes");
        let message = load(folder.path()).expect_err("wrong").to_string();
        assert!(message.contains(part), "{message}");
    }
    picture(folder.path(), "Train/stop/1.ppm", 0);
    let message = load(folder.path()).expect_err("no number").to_string();
    assert!(message.contains("class folder `stop`"), "{message}");
}

/// The files below `folder` as a zip archive at `path`.
fn zipped(folder: &Path, path: &Path) {
    fs::write(path, crate::zipped::tests::archive_of(folder)).expect("writes");
}

/// The archives as they are published, in one folder.
fn archives(train_archive: &str, train_folder: &str) -> TempDir {
    let folder = tempdir().expect("scratch");
    let inside = tempdir().expect("scratch");
    train(inside.path(), train_folder);
    zipped(inside.path(), &folder.path().join(train_archive));
    let inside = tempdir().expect("scratch");
    test(inside.path(), "GTSRB/Final_Test/Images", "labels.csv");
    let labels = fs::read_to_string(inside.path().join("labels.csv")).expect("written");
    fs::remove_file(inside.path().join("labels.csv")).expect("removes");
    let unlabelled =
        "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2\r\n00001.ppm;5;6;1;1;4;4\r\n";
    let beside = inside
        .path()
        .join("GTSRB/Final_Test/Images/GT-final_test.test.csv");
    fs::write(beside, unlabelled).expect("writes");
    zipped(
        inside.path(),
        &folder.path().join("GTSRB_Final_Test_Images.zip"),
    );
    let inside = tempdir().expect("scratch");
    fs::write(inside.path().join("GT-final_test.csv"), labels).expect("writes");
    zipped(
        inside.path(),
        &folder.path().join("GTSRB_Final_Test_GT.zip"),
    );
    folder
}

#[test]
fn published_archives_are_read_as_they_are() {
    for (archive, inside) in [
        (
            "GTSRB_Final_Training_Images.zip",
            "GTSRB/Final_Training/Images",
        ),
        ("GTSRB-Training_fixed.zip", "GTSRB/Training"),
    ] {
        let folder = archives(archive, inside);
        let split = load(folder.path()).expect(archive);
        assert_eq!(split.train.labels(), [3, 3, 3, 41, 41, 41]);
        let names = split.train.names();
        let first = inside.trim_start_matches("GTSRB/");
        assert_eq!(names[0], format!("{first}/00003/00000_00000.ppm"));
        let tested = split.test.expect("has test pictures");
        assert_eq!(tested.labels(), [3, 41]);
        assert_eq!(tested.pixels(1).expect("readable")[0], 101);
    }
    let inside = tables();
    let folder = tempdir().expect("scratch");
    zipped(inside.path(), &folder.path().join("archive.zip"));
    for path in [
        folder.path().to_path_buf(),
        folder.path().join("archive.zip"),
    ] {
        let split = load(&path).expect("loads");
        assert_eq!(split.train.labels(), [20, 7]);
        assert_eq!(split.test.expect("has test pictures").labels(), [16]);
    }
}

#[test]
fn a_mixture_says_what_was_found_and_what_is_missing() {
    let folder = archives("GTSRB-Training_fixed.zip", "GTSRB/Training");
    let of = |name: &str| folder.path().join(name);
    fs::rename(of("GTSRB_Final_Test_GT.zip"), of("labels")).expect("renames");
    let message = load(folder.path()).expect_err("no labels").to_string();
    assert!(
        message.contains("GTSRB_Final_Test_GT.zip") && message.contains("has no labels"),
        "{message}"
    );
    fs::rename(of("labels"), of("GTSRB_Final_Test_GT.zip")).expect("renames");
    fs::rename(of("GTSRB-Training_fixed.zip"), of("train")).expect("renames");
    let message = load(folder.path()).expect_err("no pictures").to_string();
    let parts = [
        "lacks the training pictures",
        "found `",
        "Final_Test/Images` and `",
        "GT-final_test.csv`",
    ];
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    fs::rename(of("train"), of("GTSRB-Training_fixed.zip")).expect("renames");
    fs::remove_file(of("GTSRB_Final_Test_Images.zip")).expect("removes");
    let split = load(folder.path()).expect("training pictures");
    let lines = split.not_read.lines().join("\n");
    assert!(
        split.test.is_none() && lines.contains("GTSRB_Final_Test_Images.zip"),
        "{lines}"
    );
    train(folder.path(), "Train");
    let lines = load(folder.path())
        .expect("loads")
        .not_read
        .lines()
        .join("\n");
    assert!(lines.contains("other training pictures; `"), "{lines}");
    fs::write(of("GTSRB-Training_fixed.zip"), "<!doctype html><html>").expect("writes");
    let message = load(folder.path()).expect_err("a page").to_string();
    assert!(message.contains("a web page"), "{message}");
}

#[test]
fn regions_of_the_signs_can_be_read_alone() {
    let folder = tempdir().expect("scratch");
    train(folder.path(), "Train");
    test(folder.path(), "Test", "Test/GT-final_test.csv");
    let path = folder.path().join("Test/00000.ppm");
    let shaded = RgbImage::from_fn(5, 6, |x, y| Rgb([(40 * x) as u8, (40 * y) as u8, 0]));
    shaded.save(&path).expect("writes");
    let config = GtsrbConfig {
        path: folder.path().into(),
        size: 3,
        roi: true,
        ..GtsrbConfig::default()
    };
    let load = |config: &GtsrbConfig| config.load(&LoadContext::new(&NoProgress));
    let message = load(&config).expect_err("incomplete").to_string();
    let parts = [
        "GT-00003.csv",
        "does not say where the sign in",
        "00000_00001.ppm",
    ];
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    for class in [3, 41] {
        let table = folder
            .path()
            .join(format!("Train/{class:05}/GT-{class:05}.csv"));
        let mut rows = fs::read_to_string(&table).expect("written");
        for file in ["00000_00001.ppm", "00001_00000.ppm"] {
            write!(rows, "{file};5;6;0;0;5;6;{class}\r\n").expect("memory");
        }
        fs::write(table, rows).expect("writes");
    }
    let split = load(&config).expect("loads");
    let pixels = split.test.as_ref().expect("test").pixels(0).expect("there");
    // Columns and rows 1 to 3 of the picture, which has 3 x 3 pixels then and is not resized.
    assert_eq!(pixels[..6], [40, 40, 0, 80, 40, 0]);
    assert_eq!(pixels[24..], [120, 120, 0]);
    let table = folder.path().join("Test/GT-final_test.csv");
    let rows = fs::read_to_string(&table).expect("written");
    fs::write(&table, rows.replace("1;1;4;4", "1;1;9;4")).expect("writes");
    let message = load(&config).expect_err("outside").to_string();
    assert!(message.contains("(1, 1) to (9, 4)"), "{message}");
    fs::write(&table, rows.replace("1;1;4;4", "1;-1;4;4")).expect("writes");
    let message = load(&config).expect_err("no number").to_string();
    assert!(message.contains("`Roi.Y1` is `-1`"), "{message}");
}
