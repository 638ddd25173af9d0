//! Class folders, some of them, and what does not fit.

use std::fs;

use cd_core::NoProgress;
use image::RgbImage;
use tempfile::{TempDir, tempdir};

use super::*;

const WNIDS: [&str; 3] = ["n01440764", "n02102040", "n03888257"];

fn pictures(paths: &[String]) -> TempDir {
    let folder = tempdir().expect("scratch");
    for path in paths {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
        RgbImage::new(6, 5)
            .save_with_format(path, image::ImageFormat::Jpeg)
            .expect("writes");
    }
    folder
}

fn tree() -> TempDir {
    let path = |(part, wnid): (&str, &str)| format!("{part}/{wnid}/{wnid}_1.JPEG");
    let pairs = ["train", "val"]
        .into_iter()
        .flat_map(|part| WNIDS.map(|wnid| (part, wnid)));
    pictures(&pairs.map(path).collect::<Vec<_>>())
}

fn config(folder: &TempDir) -> ImageNetConfig {
    ImageNetConfig {
        path: folder.path().into(),
        size: 8,
        ..ImageNetConfig::default()
    }
}

fn load(config: &ImageNetConfig) -> Result<Split, DataError> {
    config.load(&LoadContext::new(&NoProgress))
}

#[test]
fn all_some_or_listed_classes_are_taken() {
    let folder = tree();
    let split = load(&config(&folder)).expect("loads");
    assert_eq!(split.train.class_names(), WNIDS);
    assert_eq!(split.test.expect("has test pictures").labels(), [0, 1, 2]);
    let first = ImageNetConfig {
        first: Some(2),
        ..config(&folder)
    };
    assert_eq!(
        load(&first).expect("loads").train.class_names(),
        &WNIDS[..2]
    );
    let listed = ImageNetConfig {
        classes: vec![WNIDS[2].into(), WNIDS[0].into()],
        ..config(&folder)
    };
    let split = load(&listed).expect("loads");
    assert_eq!(split.train.class_names(), [WNIDS[0], WNIDS[2]]);
    assert_eq!(split.test.expect("has test pictures").len(), 2);
}

#[test]
fn flat_validation_pictures_are_noted() {
    let folder = pictures(&[
        "train/n01440764/a.JPEG".into(),
        "val/ILSVRC2012_val_1.JPEG".into(),
    ]);
    let split = load(&config(&folder)).expect("loads");
    assert_eq!(split.test, None);
    assert!(
        split.not_read.lines()[0].contains("val (1 pictures)"),
        "{:?}",
        split.not_read
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let folder = tree();
    let message = |config: ImageNetConfig| load(&config).expect_err("wrong").to_string();
    let classes = vec!["n01440765".to_owned()];
    let both = ImageNetConfig {
        first: Some(1),
        classes: classes.clone(),
        ..config(&folder)
    };
    assert!(message(both).contains("one of the two"));
    let unknown = ImageNetConfig {
        classes,
        ..config(&folder)
    };
    assert!(message(unknown).contains("did you mean `n01440764`?"));
    for first in [0, 4] {
        let wrong = ImageNetConfig {
            first: Some(first),
            ..config(&folder)
        };
        assert!(message(wrong).contains("expected 1 to 3"));
    }
    let wrong = ImageNetConfig {
        size: 0,
        ..config(&folder)
    };
    assert!(message(wrong).contains("`size` is 0"));
    assert!(message(config(&tempdir().expect("scratch"))).contains("no ImageNet"));
    assert!(
        message(config(&pictures(&["train/cat/1.jpg".into()])))
            .contains("no class folders such as")
    );
}

#[test]
fn flat_validation_pictures_are_read_with_a_list_of_their_classes() {
    let paths = [
        "train/n01440764/a.JPEG",
        "train/n02102040/a.JPEG",
        "val/ILSVRC2012_val_00000001.JPEG",
        "val/ILSVRC2012_val_00000002.JPEG",
        "val/ILSVRC2012_val_00000003.JPEG",
    ];
    let folder = pictures(&paths.map(String::from));
    let lines = "n02102040\nn01440764\nn03888257\n";
    let table = "ImageId,PredictionString\nILSVRC2012_val_00000002,n01440764 1 2 3 4 \nILSVRC2012_val_00000001,n02102040 1 1 5 5 n02102040 2 2 3 3 \nILSVRC2012_val_00000003,n03888257 0 0 1 1\n";
    for (place, text) in [
        ("imagenet_2012_validation_synset_labels.txt", lines),
        ("val/LOC_val_solution.csv", table),
    ] {
        let list = folder.path().join(place);
        fs::write(&list, text).expect("writes");
        let split = load(&config(&folder)).expect("loads");
        let test = split.test.expect("labelled");
        assert_eq!(test.labels(), [1, 0], "{place}");
        assert_eq!(test.name(0), "val/ILSVRC2012_val_00000001.JPEG");
        for (wrong, part) in [
            (text.replace("n02102040", "cat"), "is `cat"),
            (text.replace("n03888257", "x"), "expected a class such as"),
            (text[..text.len() / 2].to_owned(), ""),
        ] {
            fs::write(&list, wrong).expect("writes");
            let message = load(&config(&folder)).expect_err("wrong").to_string();
            assert!(message.contains(part), "{message}");
        }
        fs::remove_file(list).expect("removes");
    }
    let lines = load(&config(&folder)).expect("loads").not_read.lines();
    assert!(
        lines[0].contains("move them into val/WNID, or put `LOC_val_solution.csv`"),
        "{lines:?}"
    );
}
