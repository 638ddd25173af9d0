//! Pictures in files with many: the same scores as from a folder, and what was not read.

use std::fs;
use std::path::Path;

use cd_core::npy;

use crate::common::{fail_with, run, stderr, succeed};

/// Pictures of 32 x 32 pixels.
const COUNT: usize = 6;
const SIDE: usize = 32;

fn pixels(picture: usize) -> Vec<u8> {
    (0..SIDE * SIDE * 3)
        .map(|at| (at * 7 + picture * 31) as u8)
        .collect()
}

/// A file of an archive: header and content, both in blocks of 512 bytes.
fn member(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[148..156].fill(b' ');
    header[156] = b'0';
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut member = [&header, content].concat();
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

/// The same pictures as a folder, as arrays and as a shard.
fn plant(here: &Path) {
    let mut shard = Vec::new();
    let mut all = Vec::new();
    fs::create_dir_all(here.join("folder/a")).expect("made");
    fs::create_dir(here.join("arrays")).expect("made");
    for picture in 0..COUNT {
        let file = here.join(format!("folder/a/{picture}.png"));
        let pixels = pixels(picture);
        let side = SIDE as u32;
        image::save_buffer(&file, &pixels, side, side, image::ColorType::Rgb8).expect("saved");
        shard.extend(member(
            &format!("{picture}.png"),
            &fs::read(&file).expect("read"),
        ));
        shard.extend(member(&format!("{picture}.cls"), b"0"));
        all.extend(pixels);
    }
    shard.extend(member("words.txt", b"no picture"));
    shard.resize(shard.len() + 1024, 0);
    fs::write(here.join("shard"), shard).expect("written");
    npy::save(&here.join("arrays/x.npy"), &[COUNT, SIDE, SIDE, 3], &all).expect("written");
    npy::save(&here.join("arrays/y.npy"), &[COUNT], &[0_i64; COUNT]).expect("written");
}

/// Raw numbers of the detector.
fn raw(here: &Path, out: &str) -> Vec<String> {
    let path = here.join(out).join("detect/cd-l/scores.csv");
    let scores = fs::read_to_string(path).expect("read");
    let column = |line: &str| line.split(',').nth(3).map(str::to_owned);
    scores.lines().skip(1).filter_map(column).collect()
}

#[test]
fn pictures_score_the_same_whatever_they_lie_in() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    plant(here);
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden");
    let weights = fs::canonicalize(golden).expect("part of the repository");
    let weights = weights.join("resnet18_w16_badnets.safetensors");
    for images in ["folder", "arrays", "shard"] {
        let scan = format!(
            "scan --images {images} --detector cd-l --weights {} --steps 2 --out out-{images}",
            weights.display()
        );
        let output = run(here, &scan);
        assert!(output.status.success(), "{images}: {}", stderr(&output));
        assert!(
            stderr(&output).contains("32 x 32 pixels"),
            "{}",
            stderr(&output)
        );
        assert_eq!(raw(here, &format!("out-{images}")), raw(here, "out-folder"));
        assert_eq!(raw(here, "out-folder").len(), COUNT);
    }
    let report = fs::read_to_string(here.join("out-shard/report.html")).expect("written");
    assert!(report.contains("samples without a picture"));
    let exported = "data export --dataset webdataset --path shard --out exported";
    succeed(here, exported);
    assert!(here.join("exported/train/0/00005.png").is_file());
}

#[test]
fn files_that_are_something_else_are_called_that() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    fs::write(
        here.join("a.parquet"),
        "version https://git-lfs.github.com/spec/v1\n",
    )
    .expect("written");
    fs::write(here.join("b.npz"), "<!doctype html><html>").expect("written");
    fail_with(
        here,
        "scan --images a.parquet --out out",
        &["a.parquet", "git lfs pull"],
    );
    fail_with(
        here,
        "scan --images b.npz --out out",
        &["b.npz", "a web page"],
    );
    fail_with(
        here,
        "data export --dataset svhn --path . --out out",
        &["train_32x32.mat"],
    );
}
