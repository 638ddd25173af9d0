//! Both forms of the validation pictures, and broken ones.

use std::fs;

use cd_core::NoProgress;
use image::RgbImage;
use tempfile::{TempDir, tempdir};

use super::*;

fn picture(folder: &TempDir, path: &str) {
    let path = folder.path().join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
    RgbImage::new(6, 6)
        .save_with_format(path, image::ImageFormat::Jpeg)
        .expect("writes");
}

/// Two classes with a training picture each.
fn trained() -> TempDir {
    let folder = tempdir().expect("scratch");
    for wnid in ["n01443537", "n01629819"] {
        picture(
            &folder,
            &format!("{FOLDER}/train/{wnid}/images/{wnid}_0.JPEG"),
        );
        let boxes = folder
            .path()
            .join(format!("{FOLDER}/train/{wnid}/{wnid}_boxes.txt"));
        fs::write(boxes, "0\t0\t6\t6").expect("writes");
    }
    folder
}

fn load(folder: &TempDir) -> Result<Split, DataError> {
    let config = TinyImageNetConfig {
        path: folder.path().into(),
        size: 6,
        ..TinyImageNetConfig::default()
    };
    config.load(&LoadContext::new(&NoProgress))
}

fn annotations(folder: &TempDir, text: &str) {
    fs::write(
        folder.path().join(FOLDER).join("val").join(ANNOTATIONS),
        text,
    )
    .expect("writes");
}

#[test]
fn validation_pictures_have_their_own_classes_in_both_forms() {
    let folder = trained();
    assert_eq!(load(&folder).expect("loads").test, None);
    for number in 0..2 {
        picture(&folder, &format!("{FOLDER}/val/images/val_{number}.JPEG"));
    }
    let message = load(&folder).expect_err("no labels").to_string();
    assert!(message.contains(ANNOTATIONS), "{message}");
    annotations(
        &folder,
        "val_1.JPEG\tn01443537\t0\t0\t5\t5\nval_0.JPEG\tn01629819\t0\t0\t5\t5\n",
    );
    let split = load(&folder).expect("loads");
    assert_eq!(
        (split.train.labels(), split.train.name(0)),
        (&[0, 1][..], "train/n01443537/images/n01443537_0.JPEG")
    );
    assert_eq!(split.test.expect("annotated").labels(), [1, 0]);
    assert!(split.not_read.is_empty(), "{:?}", split.not_read);

    let sorted = trained();
    picture(&sorted, &format!("{FOLDER}/val/n01629819/val_0.JPEG"));
    let tested = load(&sorted)
        .expect("loads")
        .test
        .expect("in class folders");
    assert_eq!(tested.labels(), [1]);
}

#[test]
fn damaged_annotations_are_named_with_their_line() {
    let folder = trained();
    picture(&folder, &format!("{FOLDER}/val/images/val_0.JPEG"));
    for (text, part) in [
        ("val_0.JPEG n01443537\n", "line 1 is `val_0.JPEG n01443537`"),
        ("val_0.JPEG\tn01443537\n../x\tn01443537\n", "line 2"),
        ("val_0.JPEG\tn09999999\n", "no picture of the classes"),
        ("val_9.JPEG\tn01443537\n", "val_9.JPEG"),
    ] {
        annotations(&folder, text);
        let message = load(&folder).expect_err("damaged").to_string();
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn the_archive_is_read_as_it_is_downloaded() {
    let folder = trained();
    picture(&folder, &format!("{FOLDER}/val/images/val_0.JPEG"));
    annotations(&folder, "val_0.JPEG\tn01629819\t0\t0\t5\t5\n");
    let unpacked = load(&folder).expect("loads");
    let scratch = tempdir().expect("scratch");
    let archive = scratch.path().join("tiny-imagenet-200.zip");
    fs::write(&archive, crate::zipped::tests::archive_of(folder.path())).expect("writes");
    for path in [scratch.path(), &archive] {
        let config = TinyImageNetConfig {
            path: path.into(),
            size: 6,
            ..TinyImageNetConfig::default()
        };
        let split = config.load(&LoadContext::new(&NoProgress));
        assert_eq!(split.expect("loads"), unpacked);
    }
    fs::write(&archive, "<html>").expect("writes");
    let message = load(&scratch).expect_err("a page").to_string();
    assert!(message.contains("a web page"), "{message}");
}

#[test]
fn damaged_annotations_never_panic() {
    let folder = trained();
    let train = folder.path().join(FOLDER).join("train");
    let classes = Classes::chosen(&train, None, &[]).expect("two");
    let good = b"val_1.JPEG\tn01443537\t0\t0\t5\t5\nval_0.JPEG\tn01629819\t0\t0\t5\t5\n".to_vec();
    let place = Path::new("x");
    let survivors = crate::testing::mutations(&[good], |bytes| {
        let text = str::from_utf8(bytes);
        text.is_ok_and(|text| annotated(place, place, place, text, &classes).is_ok())
    });
    assert!(survivors > 0.01, "{survivors}");
}
