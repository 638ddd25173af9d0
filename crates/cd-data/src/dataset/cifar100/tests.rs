//! Small files of both versions, and broken ones.

use std::fs::{self, File};

use cd_core::NoProgress;
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::{TempDir, tempdir};

use super::*;

/// A record of the two labels whose red is 1, green 2 and blue 3.
fn record(coarse: u8, fine: u8) -> Vec<u8> {
    let planes = [1, 2, 3].into_iter().flat_map(|value| [value; 1024]);
    [coarse, fine].into_iter().chain(planes).collect()
}

fn pickle(coarse: u8, fine: u8) -> Vec<u8> {
    let mut bytes = b"\x80\x02}(U\x0dcoarse_labels](K".to_vec();
    bytes.extend([coarse, b'e']);
    bytes.extend(b"U\x0bfine_labels](K");
    bytes.extend([fine, b'e']);
    bytes.extend(b"U\x04datacnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01K\x01M\x00\x0c\x86");
    bytes.extend(b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR\x89T\x00\x0c\x00\x00");
    bytes.extend(&record(0, 0)[2..]);
    bytes.extend(b"tbu.");
    bytes
}

/// The four places with train (4, 99) and test (19, 0).
fn places() -> [TempDir; 3] {
    let binary = tempdir().expect("scratch");
    let folder = binary.path().join("cifar-100-binary");
    fs::create_dir(&folder).expect("creates");
    fs::write(folder.join("train.bin"), record(4, 99)).expect("writes");
    fs::write(folder.join("test.bin"), record(19, 0)).expect("writes");
    let python = tempdir().expect("scratch");
    fs::write(python.path().join("train"), pickle(4, 99)).expect("writes");
    fs::write(python.path().join("test"), pickle(19, 0)).expect("writes");
    let packed = tempdir().expect("scratch");
    let file = File::create(packed.path().join("cifar-100-binary.tar.gz")).expect("creates");
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::fast()));
    archive
        .append_dir_all("cifar-100-binary", &folder)
        .expect("appends");
    archive
        .into_inner()
        .and_then(GzEncoder::finish)
        .expect("finishes");
    [binary, python, packed]
}

fn load(folder: &TempDir, labels: Cifar100Labels) -> Result<Split, DataError> {
    let config = Cifar100Config {
        path: folder.path().into(),
        labels,
        ..Cifar100Config::default()
    };
    config.load(&LoadContext::new(&NoProgress))
}

#[test]
fn both_labels_are_read_from_every_form() {
    for folder in places() {
        let split = load(&folder, Cifar100Labels::Fine).expect("loads");
        let test = split.test.expect("has test pictures");
        assert_eq!((split.train.labels(), test.labels()), (&[99][..], &[0][..]));
        assert_eq!(
            split.train.pixels(0).expect("readable")[..6],
            [1, 2, 3, 1, 2, 3]
        );
        let split = load(&folder, Cifar100Labels::Coarse).expect("loads");
        assert_eq!(
            (split.train.labels(), split.train.class_count()),
            (&[4][..], 20)
        );
    }
}

#[test]
fn damaged_files_are_named() {
    let [binary, python, _] = places();
    let folder = binary.path().join("cifar-100-binary");
    for (bytes, part) in [
        (record(4, 100), "record 0 has label 100, expected 0 to 99"),
        (
            record(4, 9)[..3073].to_vec(),
            "3073 bytes, expected whole records of 3074",
        ),
        (Vec::new(), "0 bytes"),
    ] {
        fs::write(folder.join("train.bin"), bytes).expect("writes");
        let message = load(&binary, Cifar100Labels::Fine)
            .expect_err("damaged")
            .to_string();
        assert!(
            message.contains("train.bin") && message.contains(part),
            "{message}"
        );
    }
    fs::write(folder.join("train.bin"), record(0, 0)).expect("writes");
    fs::write(folder.join("fine_label_names.txt"), "apple\n").expect("writes");
    let message = load(&binary, Cifar100Labels::Fine)
        .expect_err("one name")
        .to_string();
    assert!(message.contains("names of 1 fine classes"), "{message}");
    fs::write(python.path().join("test"), b"cos\nsystem\n.").expect("writes");
    let message = load(&python, Cifar100Labels::Fine)
        .expect_err("hostile")
        .to_string();
    assert!(message.contains("nothing was run"), "{message}");
    fs::remove_file(python.path().join("test")).expect("removes");
    let message = load(&python, Cifar100Labels::Fine)
        .expect_err("missing")
        .to_string();
    assert!(message.contains("lacks `test.bin`"), "{message}");
    let message = load(&tempdir().expect("scratch"), Cifar100Labels::Fine)
        .expect_err("nothing")
        .to_string();
    assert!(message.contains("no CIFAR-100"), "{message}");
}

#[test]
fn damaged_pickles_never_panic() {
    let survivors = crate::testing::mutations(&[pickle(4, 99), pickle(0, 0)], |bytes| {
        let longest = 1000 * (bytes.len() as u64 % 5);
        records::parts_of_pickle(bytes, "x", longest, Cifar100Labels::Fine).is_ok()
    });
    assert!(survivors > 0.01, "{survivors}");
}

#[test]
fn damaged_records_never_panic() {
    let base = [record(4, 99), record(0, 0)].concat();
    let place = std::path::Path::new("x");
    let survivors = crate::testing::mutations(&[base], |bytes| {
        let stored = crate::dataset::stored::Stored::copied(place, &mut &*bytes).expect("room");
        let shown = "x".to_owned();
        let member = members::Member { shown, stored };
        let mut members = [("train.bin".to_owned(), member)].into();
        records::read(place, &mut members, "train", Cifar100Labels::Fine).is_ok()
    });
    assert!(survivors > 0.01, "{survivors}");
}
