//! Image folders in each layout, and in each broken state.

use std::fs;

use image::{Rgb, RgbImage};
use tempfile::{TempDir, tempdir};

use super::*;
use crate::testing::{on_threads, pixels};
use cd_core::{Labels, NoProgress, Progress};

/// A folder with a picture at each path; the picture's red is its position in `paths`.
pub(super) fn pictures(paths: &[&str]) -> TempDir {
    let folder = tempdir().expect("scratch");
    for (number, path) in paths.iter().enumerate() {
        picture(&folder, path, number as u8);
    }
    folder
}

pub(super) fn picture(folder: &TempDir, path: &str, red: u8) {
    let path = folder.path().join(path);
    fs::create_dir_all(path.parent().expect("parent")).expect("creates");
    RgbImage::from_pixel(4, 4, Rgb([red, 0, 0]))
        .save(path)
        .expect("writes");
}

pub(super) fn config(folder: &TempDir) -> FolderConfig {
    FolderConfig {
        size: Some(4),
        ..FolderConfig::new(folder.path())
    }
}

pub(super) fn load(config: &FolderConfig, progress: &dyn Progress) -> Result<Split, FolderError> {
    super::load(config, &LoadContext::new(progress))
}

pub(super) fn load_folder(folder: &TempDir) -> Result<Split, FolderError> {
    load(&config(folder), &NoProgress)
}

fn message(folder: &TempDir) -> String {
    load_folder(folder).expect_err("broken").to_string()
}

#[test]
fn class_folders_are_sorted_and_labelled() {
    let folder = pictures(&["dog/b.png", "cat/z.png", "dog/a.bmp", "cat/deep/y.PNG"]);
    let split = load_folder(&folder).expect("loads");
    assert_eq!(split.train.class_names(), ["cat", "dog"]);
    assert_eq!(
        split.train.names(),
        ["cat/deep/y.PNG", "cat/z.png", "dog/a.bmp", "dog/b.png"]
    );
    assert_eq!(split.train.labels(), [0, 0, 1, 1]);
    let reds: Vec<u8> = (0..4).map(|index| pixels(&split.train, index)[0]).collect();
    assert_eq!(reds, [3, 1, 2, 0]);
    assert_eq!(split.test, None);
}

#[test]
fn pictures_without_classes_need_to_be_called_so() {
    let folder = pictures(&["b.png", "deep/a.png"]);
    assert!(!config(&folder).is_flat(), "`deep` may be a class");
    let folder = pictures(&["b.png", "a.png"]);
    assert!(config(&folder).is_flat());
    let unlabelled = FolderConfig {
        unlabelled: true,
        ..config(&folder)
    };
    assert_eq!(unlabelled.count().expect("lists"), 2);
    let split = load(&unlabelled, &NoProgress).expect("loads");
    assert_eq!(split.train.names(), ["a.png", "b.png"]);
    assert_eq!(split.train.annotations(), &Labels::None);
    assert_eq!(*pixels(&split.train, 1), [0, 0, 0].repeat(16));
    let written = crate::export(&split.train, &folder.path().join("out"), &NoProgress);
    let files = ["00000.png", "00001.png"].map(PathBuf::from);
    assert_eq!(written.expect("writes"), files);
    let names = vec!["predicted 0".into(), "predicted 1".into()];
    let relabelled = split.train.relabelled(names, |index| index as u32);
    assert_eq!(relabelled.expect("two classes").labels(), [0, 1]);
    let tested = FolderConfig {
        test_fraction: Some(0.5),
        ..unlabelled
    };
    let error = load(&tested, &NoProgress).expect_err("contradicts");
    assert!(error.to_string().contains("test_fraction"), "{error}");
}

#[test]
fn train_and_test_folders_share_their_classes() {
    for test in ["test", "val"] {
        let test_dog = format!("{test}/dog/1.png");
        let folder = pictures(&["train/cat/1.png", "train/dog/1.png", &test_dog]);
        let split = load_folder(&folder).expect("loads");
        assert_eq!(split.train.names(), ["train/cat/1.png", "train/dog/1.png"]);
        let test = split.test.expect("has a test set");
        assert_eq!((test.labels(), test.names()), (&[1][..], &[test_dog][..]));
        assert_eq!(test.class_names(), split.train.class_names());
    }
}

#[test]
fn one_index_remembers_train_and_test() {
    let paths = ["train/cat/1.png", "test/cat/1.png"];
    let (folder, index) = (pictures(&paths), tempdir().expect("scratch"));
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(9);
    for path in paths {
        let file = fs::File::options()
            .append(true)
            .open(folder.path().join(path));
        file.and_then(|file| file.set_modified(long_ago))
            .expect("sets");
    }
    let context = LoadContext {
        progress: &NoProgress,
        index: Some(index.path()),
        bad_list: None,
    };
    let first = super::load(&config(&folder), &context).expect("loads");
    let again = super::load(&config(&folder), &context).expect("loads");
    assert_eq!(first, again);
    let files: Vec<_> = fs::read_dir(index.path()).expect("lists").collect();
    let [Ok(file)] = &files[..] else {
        panic!("one file: {files:?}")
    };
    let text = fs::read_to_string(file.path()).expect("reads");
    for path in paths {
        assert!(text.contains(path), "{text}");
    }
}

#[test]
fn a_class_may_be_called_train() {
    let folder = pictures(&["train/1.png", "ship/1.png"]);
    assert_eq!(
        load_folder(&folder).expect("loads").train.class_names(),
        ["ship", "train"]
    );
}

#[test]
fn test_pictures_may_lie_elsewhere() {
    let (train, test) = (
        pictures(&["cat/1.png", "dog/1.png"]),
        pictures(&["dog/2.png"]),
    );
    let config = FolderConfig {
        test: Some(test.path().into()),
        ..config(&train)
    };
    let split = load(&config, &NoProgress).expect("loads");
    assert_eq!(split.test.expect("has a test set").labels(), [1]);
}

#[test]
fn a_test_class_without_training_pictures_is_named() {
    let folder = pictures(&["train/cat/1.png", "train/dog/1.png", "test/dgo/1.png"]);
    let split = load_folder(&folder).expect("the training pictures are fine");
    assert_eq!((split.train.len(), split.test), (2, None));
    let lines = split.not_read.lines().join("\n");
    assert!(
        lines.contains("class `dgo`")
            && lines.contains("`dog`")
            && lines.contains("test/dgo/1.png"),
        "{lines}"
    );
    // A folder that was asked for is another matter.
    let asked = FolderConfig {
        test: Some(folder.path().join("test")),
        path: folder.path().join("train"),
        ..config(&folder)
    };
    let error = load(&asked, &NoProgress).expect_err("no such class");
    assert!(matches!(error, FolderError::UnknownClass { .. }), "{error}");
}

#[test]
fn a_fraction_is_set_aside_for_testing() {
    let paths: Vec<String> = (0..20)
        .map(|number| format!("{}/{number:02}.png", ["a", "b"][number % 2]))
        .collect();
    let folder = pictures(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    let with = |test_fraction| {
        let config = FolderConfig {
            test_fraction: Some(test_fraction),
            ..config(&folder)
        };
        load(&config, &NoProgress)
    };
    let split = with(0.3).expect("loads");
    assert_eq!(split.train.class_counts(), [7, 7]);
    assert_eq!(split.test.expect("has a test set").class_counts(), [3, 3]);
    for wrong in [0.0, 1.0, -0.5, f64::NAN] {
        assert!(
            matches!(with(wrong), Err(FolderError::TestFraction { .. })),
            "{wrong}"
        );
    }
    assert!(matches!(with(0.01), Err(FolderError::NothingToTest { .. })));
}

#[test]
fn a_fraction_beside_test_pictures_is_refused() {
    let folder = pictures(&["train/cat/1.png", "test/cat/1.png"]);
    let config = FolderConfig {
        test_fraction: Some(0.5),
        ..config(&folder)
    };
    let error = load(&config, &NoProgress).expect_err("two test sets");
    assert!(matches!(error, FolderError::TwoTestSets { .. }), "{error}");
}

#[test]
fn other_files_are_skipped() {
    let folder = pictures(&[
        "cat/1.png",
        "cat/.hidden.png",
        "cat/.git/2.png",
        "loose.png",
    ]);
    fs::write(folder.path().join("cat/notes.txt"), "x").expect("writes");
    fs::write(folder.path().join("cat/Thumbs.db"), "x").expect("writes");
    fs::create_dir(folder.path().join(".cache")).expect("creates");
    let split = load_folder(&folder).expect("loads");
    assert_eq!(split.train.names(), ["cat/1.png"]);
    let files: Vec<&[String]> = split
        .not_read
        .groups()
        .iter()
        .map(|group| &group.files[..])
        .collect();
    assert_eq!(
        files,
        [
            &["loose.png".to_owned()][..],
            &["cat/.git/2.png".to_owned(), "cat/.hidden.png".to_owned()],
            &["cat/Thumbs.db".to_owned(), "cat/notes.txt".to_owned()],
        ]
    );
}

#[test]
fn a_flat_folder_is_explained() {
    let message = message(&pictures(&["1.png", "2.png"]));
    for part in [
        "2 pictures but no class folders",
        "ROOT/cat/1.png",
        "labels.csv",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn empty_and_missing_folders_are_named() {
    assert!(matches!(
        load_folder(&pictures(&[])),
        Err(FolderError::Nothing { .. })
    ));
    let folder = pictures(&["cat/1.png"]);
    fs::create_dir(folder.path().join("dog")).expect("creates");
    let message = message(&folder);
    assert!(
        message.contains("dog") && message.contains("holds no pictures"),
        "{message}"
    );
    let error = load(&FolderConfig::new("no/such/folder"), &NoProgress).expect_err("missing");
    assert!(matches!(error, FolderError::NotAFolder { .. }), "{error}");
}

#[test]
fn every_bad_picture_is_counted_and_ten_are_named() {
    let folder = pictures(&["cat/good.png"]);
    for number in 0..12 {
        fs::write(folder.path().join(format!("cat/bad{number:02}.jpg")), b"").expect("writes");
    }
    fs::write(folder.path().join("cat/text.png"), b"hello").expect("writes");
    let error = load_folder(&folder).expect_err("bad pictures");
    let FolderError::Pictures(bad) = &error else {
        panic!("{error}")
    };
    assert_eq!((bad.pictures.len(), bad.total), (13, 14));
    let message = error.to_string();
    for part in [
        "13 of 14",
        "bad00.jpg: the file is empty",
        "bad09.jpg",
        "and 3 more",
        "replace",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains("bad10.jpg"), "{message}");
}

#[test]
fn pictures_of_any_size_are_brought_to_one() {
    let folder = tempdir().expect("scratch");
    fs::create_dir(folder.path().join("a")).expect("creates");
    for (name, width, height) in [("dot", 1, 1), ("line", 50, 1), ("large", 300, 200)] {
        let path = folder.path().join(format!("a/{name}.png"));
        RgbImage::from_pixel(width, height, Rgb([10, 20, 30]))
            .save(path)
            .expect("writes");
    }
    let split = load_folder(&folder).expect("loads");
    for index in 0..3 {
        assert_eq!(*pixels(&split.train, index), [10, 20, 30].repeat(16));
    }
}

#[test]
fn sizes_out_of_range_are_refused() {
    for size in [0, 4097] {
        let config = FolderConfig {
            size: Some(size),
            ..FolderConfig::new(".")
        };
        let error = load(&config, &NoProgress).expect_err("size");
        assert!(error.to_string().contains("1 to 4096"), "{error}");
    }
}

#[test]
fn the_number_of_threads_does_not_show() {
    let paths: Vec<String> = (0..40)
        .map(|number| format!("c{}/{number}.png", number % 3))
        .collect();
    let folder = pictures(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    let load = |threads| on_threads(threads, || load_folder(&folder).expect("loads"));
    assert!(load(1) == load(4));
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    use std::os::unix::fs::symlink;
    let elsewhere = pictures(&["9.png"]);
    let folder = pictures(&["cat/1.png"]);
    symlink(elsewhere.path(), folder.path().join("dog")).expect("links");
    let split = load_folder(&folder).expect("loads");
    assert_eq!(split.train.names(), ["cat/1.png", "dog/9.png"]);
    symlink(folder.path(), folder.path().join("cat/again")).expect("links");
    let message = message(&folder);
    assert!(
        message.contains("again") && message.contains("remove the link"),
        "{message}"
    );
}

#[cfg(unix)]
#[test]
fn a_link_to_nowhere_is_named() {
    let folder = pictures(&["cat/1.png"]);
    std::os::unix::fs::symlink("/no/such/file", folder.path().join("cat/2.png")).expect("links");
    assert!(message(&folder).contains("2.png"));
}

mod labels_csv {
    use super::*;

    fn with_labels(table: &str) -> TempDir {
        let folder = pictures(&["b.png", "deep/a.png"]);
        fs::write(folder.path().join("labels.csv"), table).expect("writes");
        folder
    }

    #[test]
    fn gives_pictures_their_classes() {
        let folder = with_labels("file,label\nb.png,dog\n\"./deep/a.png\", cat \n");
        let train = load_folder(&folder).expect("loads").train;
        assert_eq!(train.names(), ["b.png", "deep/a.png"]);
        assert_eq!(
            (train.class_names(), train.labels()),
            (&["cat".into(), "dog".into()][..], &[1, 0][..])
        );
    }

    #[test]
    fn sorts_numbers_as_numbers() {
        let folder = with_labels("\u{feff}file,label\r\nb.png,10\r\ndeep/a.png,9\r\n");
        assert_eq!(
            load_folder(&folder).expect("loads").train.class_names(),
            ["9", "10"]
        );
    }

    #[test]
    fn may_stand_in_train_and_test() {
        let folder = pictures(&["train/1.png", "test/2.png"]);
        fs::write(
            folder.path().join("train/labels.csv"),
            "file,label\n1.png,x",
        )
        .expect("writes");
        fs::write(folder.path().join("test/labels.csv"), "file,label\n2.png,x").expect("writes");
        let split = load_folder(&folder).expect("loads");
        assert_eq!(split.train.names(), ["train/1.png"]);
        assert_eq!(split.test.expect("has a test set").names(), ["test/2.png"]);
    }

    #[test]
    fn a_list_may_repeat_a_picture_under_its_label() {
        let folder = with_labels("file,label\nb.png,x\nb.png,x\ndeep/a.png,y");
        let split = load_folder(&folder).expect("loads");
        assert_eq!(split.train.names(), ["b.png", "b.png", "deep/a.png"]);
        let pixels = |index| split.train.pixels(index).expect("readable");
        assert_eq!(pixels(0), pixels(1));
    }

    #[test]
    fn problems_are_named_with_their_line() {
        for (table, part) in [
            ("", "expected the columns `file`, `label`"),
            (
                "name,class\nb.png,x",
                "`name,class`, expected the columns `file`, `label`",
            ),
            ("file,label\n", "no rows"),
            (
                "file,label\nb.png,x\nb.png,y",
                "line 3: `b.png` is listed twice, as `x` and as `y`",
            ),
            ("file,label\nb.png,", "line 2: `label` is empty"),
            ("file,label\n,x", "line 2: `file` is empty"),
            (
                "file,label\n../b.png,x",
                "line 2: `../b.png` does not lie below",
            ),
            (
                "file,label\n/b.png,x",
                "line 2: `/b.png` does not lie below",
            ),
            ("file,label\nb.png,x,y", "line 2: 3 fields"),
            ("file,label\nmissing.png,x", "missing.png"),
        ] {
            let message = message(&with_labels(table));
            assert!(message.contains(part), "{table:?}: {message}");
        }
    }
}
