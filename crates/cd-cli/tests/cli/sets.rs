//! Data sets as they are published: archives that nobody unpacks, faces with attributes, downloads.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::common::{fail_with, run, stderr, stdout, succeed};

/// A picture of `side` pixels whose upper half is bright or not.
fn picture(path: &Path, side: u32, is_bright: bool) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let shade = |x: u32, y: u32| {
        let base = if is_bright && y < side / 2 { 200 } else { 30 };
        image::Rgb([base + (x * 7 % 40) as u8, base, (y * 5 % 200) as u8])
    };
    image::RgbImage::from_fn(side, side, shade)
        .save(path)
        .expect("saved");
}

/// Twelve faces with two attributes: eight to train on and four to test on.
fn faces(folder: &Path) {
    let mut attributes = "12\nSmiling Young \n".to_owned();
    let mut parts = String::new();
    for number in 1..=12 {
        let smiles = number % 2 == 0;
        let file = format!("{number:06}.jpg");
        picture(&folder.join("img_align_celeba").join(&file), 32, smiles);
        let sign = if smiles { " 1" } else { "-1" };
        writeln!(attributes, "{file}  {sign}  1").expect("memory");
        writeln!(parts, "{file} {}", if number <= 8 { 0 } else { 2 }).expect("memory");
    }
    fs::write(folder.join("list_attr_celeba.txt"), attributes).expect("written");
    fs::write(folder.join("list_eval_partition.txt"), parts).expect("written");
}

const EXPERIMENT: &str = r#"
name = "faces"
[dataset]
name = "celeba"
path = "faces"
size = 32
classes = CLASSES
[poison]
rate = 0.25
attack = { name = "badnets" }
[model]
name = "resnet10"
width = 4
[train]
epochs = 1
batch_size = 4
[detect]
batch_size = 8
detectors = [{ name = "cd-l", steps = 2 }]
[evaluate]
resamples = 100
"#;

#[test]
fn a_run_on_faces_takes_one_attribute_or_a_few_and_says_so() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    faces(&here.join("faces"));
    let write = |classes: &str| {
        let text = EXPERIMENT.replace("CLASSES", classes);
        fs::write(here.join("faces.toml"), text).expect("written");
    };
    write("[]");
    fail_with(
        here,
        "run faces.toml",
        &["have 2 attributes each", "classes = [\"Smiling\"]"],
    );
    write("[\"Heavy_Makeup\"]");
    fail_with(
        here,
        "run faces.toml",
        &["unknown attribute `Heavy_Makeup`", "known: Smiling, Young"],
    );
    for (classes, count) in [("[\"Smiling\"]", 2), ("[\"Smiling\", \"Young\"]", 4)] {
        write(classes);
        let output = run(here, "run faces.toml --json");
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stdout(&output).contains("\"detectors\""));
        let folders = fs::read_dir(here.join("runs/faces")).expect("runs");
        assert_eq!(folders.count(), count / 2, "one run for each choice");
    }
}

/// Everything below `folder` as a zip archive.
fn pack(folder: &Path, archive: &Path) {
    let mut writer = ZipWriter::new(File::create(archive).expect("made"));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("listed").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).expect("below").to_str();
            let name = name.expect("text").replace('\\', "/");
            writer.start_file(name, options).expect("a new file");
            writer
                .write_all(&fs::read(&path).expect("readable"))
                .expect("room");
        }
    }
    writer.finish().expect("room");
}

#[test]
fn a_zipped_folder_is_scanned_without_unpacking_it() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    for class in ["cats", "dogs"] {
        for number in 0..4 {
            let path = here.join(format!("inside/photos/{class}/{number}.png"));
            picture(&path, 32, class == "cats");
        }
    }
    pack(&here.join("inside"), &here.join("photos.zip"));
    let scan = "scan --images photos.zip --detector cd-l --model resnet10 --width 4 --epochs 1 --steps 2 \
                --out run";
    let output = run(here, scan);
    assert!(output.status.success(), "{}", stderr(&output));
    let scores = fs::read_to_string(here.join("run/detect/cd-l/scores.csv")).expect("written");
    assert_eq!(scores.matches("dogs/").count(), 4, "{scores}");
    assert!(stderr(&output).contains("32 x 32 pixels"));
    // The same from the folder: equal pictures in equal places.
    let other = scan
        .replace("photos.zip", "inside/photos")
        .replace("--out run", "--out other");
    succeed(here, &other);
    let same = fs::read_to_string(here.join("other/detect/cd-l/scores.csv")).expect("written");
    assert_eq!(scores, same);
    fs::write(here.join("photos.zip"), "<!doctype html><html>sign in").expect("written");
    fail_with(
        here,
        &scan.replace("--out run", "--out third"),
        &["photos.zip", "no zip archive but a web page"],
    );
}

#[test]
fn published_archives_are_data_sets() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    for class in ["00003", "00041"] {
        for frame in 0..3 {
            let name = format!("GTSRB/Final_Training/Images/{class}/00000_0000{frame}.ppm");
            picture(&here.join("train").join(name), 20, class == "00003");
        }
    }
    picture(
        &here.join("test/GTSRB/Final_Test/Images/00000.ppm"),
        20,
        true,
    );
    let labels = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n00000.ppm;20;20;5;5;15;15;3\r\n";
    fs::create_dir_all(here.join("labels")).expect("made");
    fs::write(here.join("labels/GT-final_test.csv"), labels).expect("written");
    fs::create_dir_all(here.join("gtsrb")).expect("made");
    for (inside, archive) in [
        ("train", "GTSRB_Final_Training_Images.zip"),
        ("test", "GTSRB_Final_Test_Images.zip"),
        ("labels", "GTSRB_Final_Test_GT.zip"),
    ] {
        pack(&here.join(inside), &here.join("gtsrb").join(archive));
    }
    succeed(here, "data export --dataset gtsrb --path gtsrb --out out");
    let count = |folder: &str| fs::read_dir(here.join(folder)).expect("written").count();
    assert_eq!(count("out/train/03 limit 60"), 3);
    assert_eq!(count("out/test/03 limit 60"), 1);
    fs::remove_file(here.join("gtsrb/GTSRB_Final_Test_GT.zip")).expect("removed");
    fail_with(
        here,
        "data export --dataset gtsrb --path gtsrb --out again",
        &["GTSRB_Final_Test_GT.zip"],
    );
}

#[test]
fn downloads_are_named_and_kept() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    fail_with(
        here,
        "data fetch cifar-100",
        &[
            "`cifar-100` is no data set with a public address",
            "did you mean `cifar100`?",
        ],
    );
    fs::create_dir(here.join("tiny")).expect("made");
    fs::write(here.join("tiny/tiny-imagenet-200.zip"), "mine").expect("written");
    let output = run(here, "data fetch tiny_imagenet --to tiny");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("is not the official copy"));
    assert_eq!(stdout(&output).trim(), "tiny/tiny-imagenet-200.zip");
    let help = succeed(here, "data fetch --help");
    assert!(
        help.contains("fashion_mnist") && help.contains("svhn"),
        "{help}"
    );
}
