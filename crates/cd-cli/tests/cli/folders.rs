//! Folders and tables as people have them; the inputs of `tests/cases` among them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{fail_with, run, stderr, stdout, succeed};

fn case(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests");
    fs::canonicalize(PathBuf::from(folder).join(name)).expect("part of the repository")
}

fn picture(folder: &Path, name: &str, side: u32) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let shade = |x, y| image::Rgb([(x * 7 + y) as u8, (name.len() * 31) as u8, y as u8]);
    image::RgbImage::from_fn(side, side, shade)
        .save(path)
        .expect("saved");
}

#[test]
fn a_scan_says_what_it_did_not_read_and_lists_one_name_a_line() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    for name in [
        "a/1.png",
        "a/x\ny.png",
        "b/1.jpg",
        "b/2.png",
        "b/@eaDir/2.png/thumb.png",
    ] {
        picture(&here.join("data/train"), name, 32);
    }
    picture(&here.join("data/test"), "images/1.png", 32);
    let weights = case("golden/resnet18_w16_badnets.safetensors");
    let scan = format!(
        "scan --images data --weights {} --steps 2 --out run",
        weights.display()
    );
    let output = run(here, &scan);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stderr(&output);
    for part in [
        "pictures are read at 32 x 32 pixels",
        "1 file not read: pictures in folders that",
        "class `images`",
        "JSON strings",
    ] {
        assert_eq!(said.matches(part).count(), 1, "`{part}`: {said}");
    }
    let kept = fs::read_to_string(here.join("run/detect/cascade/keep.txt")).expect("written");
    let dropped = fs::read_to_string(here.join("run/detect/cascade/drop.txt")).expect("written");
    let mut lines: Vec<&str> = kept.lines().chain(dropped.lines()).collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            r#""train/a/x\ny.png""#,
            "train/a/1.png",
            "train/b/1.jpg",
            "train/b/2.png"
        ]
    );
    let left = fs::read_to_string(here.join("run/not-read.csv")).expect("written");
    assert!(
        left.contains("train/b/@eaDir/2.png/thumb.png") && left.contains("test/images/1.png"),
        "{left}"
    );
    let report = fs::read_to_string(here.join("run/report.html")).expect("written");
    assert!(report.contains("1 file not read: pictures in folders that"));
    let settings = fs::read_to_string(here.join("run/config.toml")).expect("written");
    assert!(settings.contains("\nsize = 32\n"), "{settings}");
    succeed(here, &scan);
}

#[test]
fn the_size_follows_the_pictures_and_large_ones_get_a_fitting_network() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    for name in ["a/1.png", "a/2.png", "b/1.png", "b/2.png"] {
        picture(&here.join("small"), name, 20);
        picture(&here.join("large"), name, 100);
    }
    let train = |images: &str, more: &str| {
        let output = run(
            here,
            &format!("train --images {images} --width 4 --epochs 1 --out run-{images} {more}"),
        );
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    let said = train("small", "");
    assert!(
        said.contains("20 x 20 pixels")
            && said.contains("resnet18 of width 4, trained for 1 epochs"),
        "{said}"
    );
    let said = train("large", "");
    assert!(
        said.contains("100 x 100 pixels") && said.contains("imagenet_resnet18"),
        "{said}"
    );
    // The weights know the size of the run that trained them.
    let detect =
        "detect --images large --weights run-small/train/model.safetensors --steps 1 --out found";
    let output = run(here, detect);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("20 x 20 pixels, which the run"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn bad_pictures_are_listed_in_a_file_and_left_out_on_demand() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    for number in 0..4 {
        picture(
            &here.join("data"),
            &format!("{}/{number}.png", ["a", "b"][number % 2]),
            8,
        );
    }
    for number in 0..16 {
        fs::write(
            here.join(format!("data/a/bad{number}.jpg")),
            b"\xff\xd8\xff\xe0",
        )
        .expect("written");
    }
    let train = "train --images data --model resnet10 --width 4 --epochs 1 --out run";
    fail_with(
        here,
        train,
        &[
            "16 of 20 pictures",
            "and 6 more",
            "--skip-bad 0.8",
            "run/bad-pictures.csv",
        ],
    );
    let list = fs::read_to_string(here.join("run/bad-pictures.csv")).expect("written");
    assert_eq!(list.lines().count(), 17);
    fail_with(
        here,
        &format!("{train} --skip-bad"),
        &["more than the 10 %"],
    );
    succeed(here, &format!("{train} --skip-bad 0.8"));
    let left = fs::read_to_string(here.join("run/not-read.csv")).expect("written");
    assert_eq!(left.matches("a/bad").count(), 16, "{left}");
}

#[test]
fn tables_of_scripts_and_spreadsheets_give_the_same_figures() {
    let here = case("cases/tables");
    let evaluate = |truth: &str| {
        stdout(&run(
            &here,
            &format!("evaluate --scores scores.csv --truth {truth} --json"),
        ))
    };
    let expected = evaluate("truth_ok.csv");
    assert!(expected.contains("AUROC"), "{expected}");
    for truth in ["truth_True.csv", "truth_01.csv", "truth_excel_bom.csv"] {
        assert_eq!(evaluate(truth), expected, "{truth}");
    }
    let scratch = tempfile::tempdir().expect("temporary folder");
    for file in ["scores.csv", "truth_ok.csv"] {
        fs::copy(here.join(file), scratch.path().join(file)).expect("copied");
    }
    let plain = fs::read_to_string(here.join("truth_ok.csv")).expect("read");
    let windows = plain
        .replace('/', "\\")
        .replace(',', ";")
        .replace('\n', "\r\n");
    let wide = "\u{feff}".encode_utf16().chain(windows.encode_utf16());
    let wide: Vec<u8> = wide.flat_map(u16::to_le_bytes).collect();
    fs::write(scratch.path().join("wide.csv"), wide).expect("written");
    let scores = fs::read_to_string(here.join("scores.csv")).expect("read");
    let german = scores
        .replace(',', ";")
        .replace('.', ",")
        .replace(",png", ".png")
        .replace("false", "FALSCH")
        .replace("true", "WAHR");
    fs::write(scratch.path().join("german.csv"), german).expect("written");
    let output = run(
        scratch.path(),
        "evaluate --scores german.csv --truth wide.csv --json",
    );
    assert_eq!(stdout(&output), expected, "{}", stderr(&output));
    fs::write(
        scratch.path().join("bad.csv"),
        "file,poisoned\r\na,true\r\nb,maybe\r\n",
    )
    .expect("written");
    fail_with(
        scratch.path(),
        "evaluate --scores scores.csv --truth bad.csv",
        &["bad.csv: line 3: `poisoned` is `maybe`", "true or false"],
    );
    fs::write(
        scratch.path().join("few.csv"),
        plain.lines().take(3).collect::<Vec<_>>().join("\n"),
    )
    .expect("written");
    fail_with(
        scratch.path(),
        "evaluate --scores scores.csv --truth few.csv",
        &["knows nothing of", "others of"],
    );
}

#[test]
fn valid_tiffs_that_are_not_decoded_are_called_so() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    fs::create_dir_all(here.join("data/c")).expect("made");
    for name in ["float.tif", "palette.tif"] {
        fs::copy(
            case("cases/tiff").join(name),
            here.join("data/c").join(name),
        )
        .expect("copied");
    }
    let parts = [
        "a valid TIFF file, but this kind of TIFF is not decoded",
        "32 bits",
        "RGBPalette",
    ];
    fail_with(
        here,
        "data export --dataset folder --path data --out x -q",
        &parts,
    );
}

#[test]
fn the_python_version_of_cifar10_is_read() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let archive = case("cases/cifar10-python/cifar-10-python.tar.gz");
    let export = format!(
        "data export --dataset cifar10 --path {} --out x",
        archive.display()
    );
    succeed(scratch.path(), &export);
    let count = |part: &str| {
        fs::read_dir(scratch.path().join("x").join(part).join("airplane"))
            .expect("written")
            .count()
    };
    assert_eq!([count("train"), count("test")], [50, 10]);
}
