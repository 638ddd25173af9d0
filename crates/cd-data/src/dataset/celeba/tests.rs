//! Lists with runs of blanks and with commas, and broken ones.

use std::fs;

use cd_core::{Labels, NoProgress};
use image::RgbImage;
use tempfile::{TempDir, tempdir};

use super::*;

const OFFICIAL: &str = "4\nHeavy_Makeup Mouth_Slightly_Open Smiling \n1.jpg  1 -1  1\n2.jpg -1  1 -1\n3.jpg -1 -1 -1\n4.jpg  1  1  1\n";
const PARTS: &str = "1.jpg 0\n2.jpg 0\n3.jpg 2\n4.jpg 1\n";

fn faces(attributes: &str, parts: &str, ending: &str) -> TempDir {
    let folder = tempdir().expect("scratch");
    let pictures = folder.path().join("img_align_celeba/img_align_celeba");
    fs::create_dir_all(&pictures).expect("creates");
    for number in 1..=4 {
        RgbImage::new(6, 8)
            .save(pictures.join(format!("{number}.jpg")))
            .expect("writes");
    }
    fs::write(
        folder.path().join(format!("list_attr_celeba.{ending}")),
        attributes,
    )
    .expect("writes");
    fs::write(
        folder.path().join(format!("list_eval_partition.{ending}")),
        parts,
    )
    .expect("writes");
    folder
}

fn config(folder: &TempDir) -> CelebAConfig {
    CelebAConfig {
        path: folder.path().into(),
        size: 4,
        ..CelebAConfig::default()
    }
}

fn load(config: &CelebAConfig) -> Result<Split, DataError> {
    config.load(&LoadContext::new(&NoProgress))
}

#[test]
fn three_attributes_make_eight_classes() {
    let commas = "image_id,Heavy_Makeup,Mouth_Slightly_Open,Smiling\n1.jpg,1,-1,1\n2.jpg,-1,1,-1\n3.jpg,-1,-1,-1\n4.jpg,1,1,1\n";
    let comma_parts = format!("image_id,partition\n{}", PARTS.replace(' ', ","));
    for folder in [
        faces(OFFICIAL, PARTS, "txt"),
        faces(commas, &comma_parts, "csv"),
    ] {
        let split = load(&config(&folder)).expect("loads");
        assert_eq!(split.train.labels(), [4 + 2, 1]);
        assert_eq!(split.train.class_names()[6], "6 Heavy_Makeup+Smiling");
        assert_eq!(split.train.class_count(), 8);
        assert_eq!(split.test.expect("test part").labels(), [0]);
        let valid = CelebAConfig {
            test: CelebATest::Valid,
            train_limit: Some(1),
            ..config(&folder)
        };
        let split = load(&valid).expect("loads");
        assert_eq!(
            (split.train.len(), split.test.expect("valid part").labels()),
            (1, &[7][..])
        );
    }
}

#[test]
fn all_attributes_can_be_kept() {
    let folder = faces(OFFICIAL, PARTS, "txt");
    let all = CelebAConfig {
        classes: Vec::new(),
        ..config(&folder)
    };
    let split = load(&all).expect("loads");
    let Labels::Attributes(attributes) = split.train.annotations() else {
        panic!("attributes")
    };
    assert_eq!(attributes.of(0), [true, false, true]);
    assert_eq!(split.train.class_names()[1], "Mouth_Slightly_Open");
    assert_eq!(split.test.expect("test part").len(), 1);
}

#[test]
fn damaged_lists_are_named_with_their_line() {
    for (attributes, parts, part) in [
        ("<!DOCTYPE html><html>quota", PARTS, "a web page"),
        (
            &OFFICIAL[..OFFICIAL.len() - 16],
            PARTS,
            "its first one says 4",
        ),
        (
            &OFFICIAL.replace("2.jpg -1", "2.jpg x"),
            PARTS,
            "line 4: `x` is neither",
        ),
        (
            &OFFICIAL.replace("2.jpg -1", "2.jpg"),
            PARTS,
            "line 4: 2 values for 3",
        ),
        (
            &OFFICIAL.replace("2.jpg", "../2.jpg"),
            PARTS,
            "line 4: `../2.jpg`",
        ),
        (OFFICIAL, "1.jpg 0\n2.jpg 3\n", "line 2: the part is `3`"),
        (OFFICIAL, "1.jpg 0\n2.jpg 0\n", "does not name `3.jpg`"),
        (OFFICIAL, &PARTS.replace(" 0", " 1"), "no training image"),
    ] {
        let folder = faces(attributes, parts, "txt");
        let message = load(&config(&folder)).expect_err("damaged").to_string();
        assert!(message.contains(part), "{message}");
    }
    let folder = faces(OFFICIAL, PARTS, "txt");
    for (classes, part) in [
        (vec!["Smilling"], "did you mean `Smiling`?"),
        (vec!["Smiling"; 2], "twice"),
        (vec!["x"; 9], "at most 8"),
    ] {
        let wrong = CelebAConfig {
            classes: classes.into_iter().map(String::from).collect(),
            ..config(&folder)
        };
        let message = load(&wrong).expect_err("wrong").to_string();
        assert!(message.contains(part), "{message}");
    }
    fs::remove_file(folder.path().join("list_eval_partition.txt")).expect("removes");
    assert!(
        load(&config(&folder))
            .expect_err("missing")
            .to_string()
            .contains("list_eval_partition")
    );
}

#[test]
fn pictures_and_lists_may_lie_in_archives() {
    let folder = faces(OFFICIAL, PARTS, "txt");
    let unpacked = load(&config(&folder)).expect("loads");
    let pictures = folder.path().join("img_align_celeba");
    let archive = crate::zipped::tests::archive_of(&pictures);
    fs::remove_dir_all(&pictures).expect("removes");
    let message = load(&config(&folder)).expect_err("no pictures").to_string();
    assert!(message.contains("`img_align_celeba.zip`"), "{message}");
    let path = folder.path().join("img_align_celeba.zip");
    fs::write(&path, archive).expect("writes");
    let split = load(&config(&folder)).expect("loads");
    assert_eq!(split, unpacked);

    // What Kaggle has: everything in one archive.
    let commas = "image_id,Heavy_Makeup,Mouth_Slightly_Open,Smiling\n1.jpg,1,-1,1\n2.jpg,-1,1,-1\n3.jpg,-1,-1,-1\n4.jpg,1,1,1\n";
    let parts = format!("image_id,partition\n{}", PARTS.replace(' ', ","));
    let all = crate::zipped::tests::archive_of(faces(commas, &parts, "csv").path());
    let scratch = tempdir().expect("scratch");
    fs::write(scratch.path().join("archive.zip"), all).expect("writes");
    for path in [
        scratch.path().to_path_buf(),
        scratch.path().join("archive.zip"),
    ] {
        let config = CelebAConfig {
            path,
            ..config(&folder)
        };
        assert_eq!(load(&config).expect("loads"), unpacked);
    }

    fs::write(&path, "<!DOCTYPE html><html>Google Drive - Quota exceeded").expect("writes");
    let message = load(&config(&folder)).expect_err("a page").to_string();
    assert!(
        ["img_align_celeba.zip", "a web page", "fetch it again"]
            .iter()
            .all(|part| message.contains(part)),
        "{message}"
    );
}

#[test]
fn one_attribute_makes_two_classes() {
    let folder = faces(&OFFICIAL.replace("  ", "    "), PARTS, "txt");
    let one = CelebAConfig {
        classes: vec!["Smiling".into()],
        ..config(&folder)
    };
    let split = load(&one).expect("loads");
    assert_eq!(split.train.class_names(), ["0 none", "1 Smiling"]);
    assert_eq!(split.train.labels(), [1, 0]);
}

#[test]
fn damaged_lists_never_panic() {
    let bases = [OFFICIAL.as_bytes().to_vec(), PARTS.as_bytes().to_vec()];
    let path = Path::new("x");
    let survivors = crate::testing::mutations(&bases, |bytes| {
        let Ok(text) = str::from_utf8(bytes) else {
            return false;
        };
        lists::attributes_of(path, text).is_ok() | lists::partition_of(path, text).is_ok()
    });
    assert!(survivors > 0.01, "{survivors}");
}
