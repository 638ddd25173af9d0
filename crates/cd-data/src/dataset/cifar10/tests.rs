//! CIFAR-10 in each of its forms, and in each broken form.

use std::fs::{self, File};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};
use tempfile::{TempDir, tempdir};

use super::records::RECORD_LEN;
use super::*;
use crate::testing::pixels;
use cd_models::NoProgress;
use std::path::Path;

/// Records of a batch in these tests.
const RECORDS: usize = 3;

fn batch(number: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in 0..RECORDS as u8 {
        bytes.push((number + record) % 10);
        for channel in 0..3u8 {
            bytes.extend((0..SIDE * SIDE).map(|pixel| (pixel as u8) ^ (channel << 6) ^ record));
        }
    }
    bytes
}

fn members() -> Vec<(String, Vec<u8>)> {
    let mut members: Vec<(String, Vec<u8>)> = records::BATCH_FILES
        .iter()
        .zip(0..)
        .map(|(file, number)| {
            (
                format!("{ARCHIVE_FOLDER}/{}", file.file_name()),
                batch(number),
            )
        })
        .collect();
    let names = CLASSES.join("\n") + "\n\n";
    members.push((
        format!("{ARCHIVE_FOLDER}/batches.meta.txt"),
        names.into_bytes(),
    ));
    members.push((format!("{ARCHIVE_FOLDER}/readme.html"), b"<html>".to_vec()));
    members
}

fn write_archive(path: &Path, members: &[(String, Vec<u8>)]) {
    write_archive_of(path, members, |_, _| {});
}

/// Writes an archive; `change` may alter each header before its checksum is set.
fn write_archive_of(
    path: &Path,
    members: &[(String, Vec<u8>)],
    change: impl Fn(&str, &mut Header),
) {
    let gzip = GzEncoder::new(File::create(path).expect("creates"), Compression::fast());
    let mut builder = Builder::new(gzip);
    for (name, bytes) in members {
        let mut header = Header::new_ustar();
        // Set by hand: the library refuses to write the names that a hostile archive would have.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(EntryType::Regular);
        change(name, &mut header);
        header.set_cksum();
        builder.append(&header, bytes.as_slice()).expect("appends");
    }
    builder
        .into_inner()
        .and_then(GzEncoder::finish)
        .expect("finishes");
}

fn unpacked() -> TempDir {
    let folder = tempdir().expect("scratch");
    fs::create_dir(folder.path().join(ARCHIVE_FOLDER)).expect("creates");
    for (name, bytes) in members() {
        fs::write(folder.path().join(name), bytes).expect("writes");
    }
    folder
}

fn read_path(path: &Path) -> Result<(ImageSet, ImageSet), Cifar10Error> {
    let config = Cifar10Config {
        path: path.into(),
        ..Cifar10Config::default()
    };
    let (train, test, _) = read(&config, RECORDS, &LoadContext::new(&NoProgress))?;
    Ok((train, test))
}

fn archive_error(members: &[(String, Vec<u8>)]) -> Cifar10Error {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join(CIFAR10_FILE);
    write_archive(&path, members);
    read_path(&path).expect_err("broken archive")
}

#[test]
fn archive_and_unpacked_folder_give_the_same_pictures() {
    let folder = unpacked();
    let (train, test) = read_path(folder.path()).expect("outer folder");
    assert_eq!((train.len(), test.len()), (5 * RECORDS, RECORDS));
    assert_eq!(train.class_names(), CLASSES);
    assert_eq!(
        train.labels(),
        [0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6]
    );
    assert_eq!(
        (train.name(4), test.name(2)),
        ("data_batch_2:00001", "test_batch:00002")
    );
    // Planes of red, green and blue become pixels.
    assert_eq!(pixels(&train, 1)[3..6], [0, 0x40, 0x80]);
    let inner = read_path(&folder.path().join(ARCHIVE_FOLDER)).expect("inner folder");
    assert!(inner == (train.clone(), test.clone()));
    let packed = tempdir().expect("scratch");
    let path = packed.path().join(CIFAR10_FILE);
    write_archive(&path, &members());
    for place in [path.as_path(), packed.path()] {
        assert!(read_path(place).expect("archive") == (train.clone(), test.clone()));
    }
}

/// A batch of the Python version, as Python 2 writes it, of one picture.
fn python_batch(label: u8, kind: &str) -> Vec<u8> {
    let pixels: Vec<u8> = (0..3 * SIDE * SIDE)
        .map(|at| (at / 1024) as u8 * 100)
        .collect();
    let mut bytes = b"\x80\x02}(U\x06labels](K".to_vec();
    bytes.push(label);
    bytes.extend(b"eU\x04datacnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01K\x01M\x00\x0c\x86");
    bytes.extend(b"cnumpy\ndtype\n(U\x02");
    bytes.extend(kind.as_bytes());
    bytes.extend(b"K\x00K\x01tR\x89T\x00\x0c\x00\x00");
    bytes.extend(pixels);
    bytes.extend(b"tbu.");
    bytes
}

#[test]
fn the_python_version_gives_the_same_kind_of_pictures() {
    let folder = tempdir().expect("scratch");
    let inner = folder.path().join(PYTHON_FOLDER);
    fs::create_dir(&inner).expect("creates");
    for (file, label) in records::BATCH_FILES.iter().zip(3..) {
        fs::write(inner.join(file.stem), python_batch(label, "u1")).expect("writes");
    }
    let (train, test) = read_path(folder.path()).expect("reads");
    assert_eq!(
        (train.labels(), test.labels()),
        (&[3, 4, 5, 6, 7][..], &[8][..])
    );
    assert_eq!(train.class_names(), CLASSES);
    assert_eq!(pixels(&train, 0)[..3], [0, 100, 200]);
    assert_eq!(train.name(1), "data_batch_2:00000");
    for (content, part) in [
        (python_batch(11, "u1"), "label 11"),
        (python_batch(1, "f4"), "type `f4`"),
        (python_batch(1, "u1")[..2000].to_vec(), "Python version"),
        (b"\x80\x02}.".to_vec(), "no list `labels`"),
        (b"cos\nsystem\n(S'x'\ntR.".to_vec(), "nothing was run"),
    ] {
        fs::write(inner.join("data_batch_2"), content).expect("writes");
        let message = read_path(folder.path()).expect_err("broken").to_string();
        assert!(
            message.contains("data_batch_2") && message.contains(part),
            "{message}"
        );
    }
    fs::remove_file(inner.join("data_batch_2")).expect("removes");
    let message = read_path(folder.path()).expect_err("missing").to_string();
    assert!(message.contains("lacks `data_batch_2`"), "{message}");
}

#[test]
fn class_folders_are_read_too() {
    let folder = tempdir().expect("scratch");
    for split in ["train", "test"] {
        for class in CLASSES {
            let path = folder.path().join(split).join(class);
            fs::create_dir_all(&path).expect("creates");
            image::RgbImage::new(32, 32)
                .save(path.join("0001.jpg"))
                .expect("writes");
        }
    }
    let (train, test) = read_path(folder.path()).expect("tree");
    assert_eq!((train.len(), test.len()), (10, 10));
    assert_eq!(train.name(9), "train/truck/0001.jpg");
    fs::remove_dir_all(folder.path().join("train/cat")).expect("removes");
    fs::remove_dir_all(folder.path().join("test/cat")).expect("removes");
    let error = read_path(folder.path()).expect_err("no cats");
    assert!(matches!(error, Cifar10Error::TreeClasses { .. }), "{error}");
}

#[test]
fn limits_take_balanced_subsets() {
    let folder = unpacked();
    let (train, _) = read_path(folder.path()).expect("reads");
    let subset = limited(train.clone(), Some(7), 1);
    assert_eq!(subset.class_counts(), [1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
    assert!(limited(train.clone(), None, 1) == train);
    let config = Cifar10Config {
        test_limit: Some(0),
        ..Cifar10Config::default()
    };
    let error = config
        .load(&LoadContext::new(&NoProgress))
        .expect_err("nothing");
    assert!(error.to_string().contains("`test_limit`"), "{error}");
}

#[test]
fn pictures_beyond_the_limits_are_not_opened() {
    let folder = tempdir().expect("scratch");
    for split in ["train", "test"] {
        for class in CLASSES {
            let path = folder.path().join(split).join(class);
            fs::create_dir_all(&path).expect("creates");
            for name in ["1.png", "2.png"] {
                image::RgbImage::new(32, 32)
                    .save(path.join(name))
                    .expect("writes");
            }
        }
    }
    let limited = |train_limit| {
        let config = Cifar10Config {
            path: folder.path().into(),
            train_limit,
            ..Cifar10Config::default()
        };
        read(&config, RECORDS, &LoadContext::new(&NoProgress))
    };
    let whole = limited(None).expect("reads").0;
    let some = limited(Some(12)).expect("reads").0;
    assert_eq!(some, balanced_subset(&whole, 12, 0));
    for name in whole.names() {
        if !some.names().contains(name) {
            fs::write(folder.path().join(name), b"damaged").expect("writes");
        }
    }
    assert_eq!(limited(Some(12)).expect("reads").0, some);
    let error = limited(None).expect_err("damaged").to_string();
    assert!(error.contains("8 of 40 pictures"), "{error}");
}

#[test]
fn nothing_there_says_what_was_expected() {
    let folder = tempdir().expect("scratch");
    for path in [folder.path().to_path_buf(), folder.path().join("missing")] {
        let error = read_path(&path).expect_err("nothing there");
        assert!(matches!(error, Cifar10Error::NotFound { .. }), "{error}");
    }
}

#[test]
fn files_of_another_size_are_named_with_both_sizes() {
    for (change, word) in [(-1i64, "cut short"), (1, "too long"), (3073, "too long")] {
        let folder = unpacked();
        let path = folder.path().join(ARCHIVE_FOLDER).join("data_batch_3.bin");
        let expected = i64::try_from(RECORDS * RECORD_LEN).expect("small");
        fs::write(&path, vec![0; (expected + change) as usize]).expect("writes");
        let message = read_path(folder.path()).expect_err("size").to_string();
        let sizes = format!("has {} bytes, expected {expected}", expected + change);
        for part in ["data_batch_3.bin", &sizes, word] {
            assert!(message.contains(part), "{message}");
        }
        let mut members = members();
        members[5].1 = vec![0; (expected + change) as usize];
        let message = archive_error(&members).to_string();
        for part in [":cifar-10-batches-bin/test_batch.bin", &sizes, word] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn a_label_that_is_no_class_is_named_with_its_record() {
    let mut members = members();
    members[1].1[2 * RECORD_LEN] = 10;
    let message = archive_error(&members).to_string();
    for part in ["record 2", "data_batch_2.bin", "label 10"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn missing_batches_are_named() {
    let folder = unpacked();
    fs::remove_file(folder.path().join(ARCHIVE_FOLDER).join("data_batch_4.bin")).expect("removes");
    let error = read_path(folder.path()).expect_err("missing");
    assert!(
        error.to_string().contains("lacks `data_batch_4.bin`"),
        "{error}"
    );
    let mut members = members();
    members.remove(5);
    let error = archive_error(&members);
    assert!(
        error.to_string().contains("lacks `test_batch.bin`"),
        "{error}"
    );
}

#[test]
fn hostile_members_are_refused() {
    for (name, reason) in [
        ("../evil.bin", "`..`"),
        ("cifar-10-batches-bin/../../data_batch_1.bin", "`..`"),
        ("/etc/data_batch_1.bin", "absolute"),
    ] {
        let mut members = members();
        members.insert(0, (name.into(), Vec::new()));
        let message = archive_error(&members).to_string();
        assert!(
            message.contains(reason) && message.contains(name),
            "{message}"
        );
    }
    for (kind, reason) in [
        (EntryType::Symlink, "is a link"),
        (EntryType::Link, "is a link"),
        (EntryType::Fifo, "neither"),
    ] {
        let folder = tempdir().expect("scratch");
        let path = folder.path().join(CIFAR10_FILE);
        let mut members = members();
        members.insert(0, ("cifar-10-batches-bin/x".into(), Vec::new()));
        write_archive_of(&path, &members, |name, header| {
            if name.ends_with("/x") {
                header.set_entry_type(kind);
            }
        });
        let message = read_path(&path).expect_err("hostile").to_string();
        assert!(message.contains(reason), "{message}");
    }
    let mut twice = members();
    twice.push(twice[0].clone());
    assert!(archive_error(&twice).to_string().contains("is there twice"));
}

#[test]
fn a_member_that_claims_to_be_huge_is_refused_unread() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join(CIFAR10_FILE);
    write_archive_of(&path, &members(), |name, header| {
        if name.ends_with("data_batch_1.bin") {
            header.set_size(1 << 40);
        }
    });
    let error = read_path(&path).expect_err("huge");
    assert!(
        matches!(error, Cifar10Error::Size { got, .. } if got == 1 << 40),
        "{error}"
    );
}

#[test]
fn an_archive_that_unpacks_without_end_is_cut_off() {
    let mut members = members();
    members.insert(0, ("cifar-10-batches-bin/zeros".into(), vec![0; 4 << 20]));
    let error = archive_error(&members);
    assert!(
        matches!(
            error,
            Cifar10Error::Io { .. } | Cifar10Error::Missing { .. }
        ),
        "{error}"
    );
}

#[test]
fn a_truncated_or_foreign_archive_is_an_error() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join(CIFAR10_FILE);
    write_archive(&path, &members());
    let bytes = fs::read(&path).expect("reads");
    let mut other_checksum = bytes.clone();
    let checksum = bytes.len() - 8;
    other_checksum[checksum] ^= 1;
    for wrong in [
        &bytes[..bytes.len() / 2],
        &bytes[..bytes.len() - 5],
        &bytes[..20],
        &other_checksum,
        b"<html>not found</html>",
        b"",
    ] {
        fs::write(&path, wrong).expect("writes");
        let error = read_path(&path).expect_err("broken");
        assert!(error.to_string().contains(CIFAR10_FILE), "{error}");
    }
}

#[test]
fn class_names_must_be_ten() {
    let folder = unpacked();
    let meta = folder.path().join(ARCHIVE_FOLDER).join("batches.meta.txt");
    for wrong in [&b"cat\ndog\n"[..], b"\xff\xfe", &[b'a'; 5000]] {
        fs::write(&meta, wrong).expect("writes");
        let error = read_path(folder.path()).expect_err("names");
        assert!(matches!(error, Cifar10Error::ClassNames { .. }), "{error}");
    }
    fs::remove_file(&meta).expect("removes");
    assert_eq!(
        read_path(folder.path()).expect("reads").0.class_names(),
        CLASSES
    );
}
