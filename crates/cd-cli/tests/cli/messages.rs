//! Bad input: one clear message, exit code 2, nothing lost.

use std::fs;
use std::path::Path;

use crate::common::{TINY, fail_with, run, stderr, succeed};

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("inside the folder")).expect("folder");
    fs::write(path, bytes).expect("written");
}

/// Two classes of two good pictures each.
fn pictures(folder: &Path) {
    succeed(
        folder,
        "data export --set train=20 --set test=0 --out pictures",
    );
}

#[test]
fn a_cause_is_told_once() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let output = run(scratch.path(), "run nowhere.toml");
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(message.matches("os error").count(), 1, "{message}");
}

#[test]
fn unknown_names_get_the_nearest_one() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    pictures(here);
    fail_with(
        here,
        "demo --device cpuu",
        &["no device `cpuu`", "did you mean `cpu`"],
    );
    fail_with(here, "demo --device cpu:7", &["the CPU is one device"]);
    fail_with(
        here,
        "poison --attack badnet --out p",
        &["`badnet`", "did you mean `badnets`"],
    );
    fail_with(
        here,
        "scan --images pictures --detector cdl",
        &["did you mean `cd-l`"],
    );
    fail_with(
        here,
        "scan --images pictures --model resnet-18",
        &["did you mean `resnet18`"],
    );
    fail_with(
        here,
        "data export --dataset cifar-10 --out x",
        &["did you mean `cifar10`"],
    );
}

#[test]
fn settings_of_a_data_set_are_named_when_wrong() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    for (settings, part) in [
        ("--set train=-1", "`train=-1`: "),
        ("--set train=9999999999", "`train` is 9999999999"),
        ("--set trian=5 --set test=1", "did you mean `train`"),
        ("--set train", "expected KEY=VALUE"),
        ("--set train=5 --set train=6", "`train` is set already"),
        ("--set trian.x=5", "`trian.x=5`: "),
    ] {
        fail_with(here, &format!("data export --out x {settings}"), &[part]);
        assert!(!here.join("x").exists());
    }
}

#[test]
fn settings_speak_one_dialect_everywhere() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    write(here, "good.toml", TINY);
    for (command, key) in [
        ("data export --out x --set", "train"),
        ("poison --out x --attack blend --attack-set", "alpha"),
        ("run good.toml --set", "train.epochs"),
        ("config show good.toml --set", "detect.detectors.0.steps"),
        ("config show --set", "poison.rate"),
    ] {
        fail_with(
            here,
            &format!("{command} {key}"),
            &[&format!("`{key}`: expected KEY=VALUE")],
        );
        fail_with(
            here,
            &format!("{command} {key}=often"),
            &[&format!("`{key}=often`: invalid type: string \"often\"")],
        );
        let slip = format!("{}x", &key[..key.len() - 1]);
        let nearest = key.rsplit('.').next().expect("a last part");
        let hint = format!("did you mean `{nearest}`?");
        fail_with(
            here,
            &format!("{command} {slip}=1"),
            &[&format!("`{slip}=1`: "), &hint],
        );
        let twice = format!(
            "{command} {key}=1 {} {key}=2",
            command.rsplit(' ').next().expect("a word")
        );
        fail_with(
            here,
            &twice,
            &[&format!("`{key}=2`: `{key}` is set already")],
        );
    }
}

#[test]
fn a_device_that_is_not_compiled_in_names_its_feature() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    if !cfg!(feature = "cuda") {
        let parts = ["no device `cuda:0`", "compiled in: ", "--features cuda"];
        fail_with(scratch.path(), "demo --device cuda:0", &parts);
    }
}

#[test]
fn experiment_files_are_checked_to_the_key() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    fail_with(here, "run none.toml", &["none.toml"]);
    write(here, "key.toml", TINY.replace("epochs", "epoch"));
    fail_with(
        here,
        "run key.toml",
        &["key.toml", "line", "did you mean `epochs`"],
    );
    write(
        here,
        "type.toml",
        TINY.replace("train = 60", "train = \"many\""),
    );
    fail_with(here, "run type.toml", &["type.toml", "many"]);
    write(here, "attack.toml", TINY.replace("badnets", "badnet"));
    fail_with(here, "run attack.toml", &["did you mean `badnets`"]);
    write(here, "good.toml", TINY);
    fail_with(
        here,
        "run good.toml --set train.epochs=x",
        &["`train.epochs=x`: invalid type"],
    );
    fail_with(
        here,
        "run good.toml --set nowhere=1",
        &["unknown field `nowhere`"],
    );
    fail_with(
        here,
        "run good.toml --set poison.rate=1.5",
        &["rate` is 1.5"],
    );
    fail_with(
        here,
        "run good.toml --set poison.target=10",
        &["`target` is 10"],
    );
    fail_with(
        here,
        "run good.toml --set train.learning_rate=nan",
        &["`learning_rate` is NaN"],
    );
    fail_with(
        here,
        "run good.toml --set train.early_stop=2",
        &["`early_stop` is 2", "`validation` share above 0"],
    );
    fail_with(
        here,
        "run good.toml --set train.augmentation=flop",
        &["unknown variant `flop`", "expected one of"],
    );
    fail_with(
        here,
        "run good.toml --set train.optimizer={name=\"adamm\"}",
        &["unknown variant `adamm`", "did you mean `adam`"],
    );
    for (setting, part) in [
        ("model.width=0", "`model.width` is 0"),
        ("detect.threshold.t=nan", "`t` is NaN"),
        ("detect.detectors.0.steps=0", "`steps` is 0"),
        ("evaluate.level=2", "confidence level"),
    ] {
        fail_with(here, &format!("run good.toml --set {setting}"), &[part]);
        fail_with(
            here,
            &format!("config show good.toml --set {setting}"),
            &[part],
        );
    }
    assert!(!here.join("runs").exists(), "nothing was begun");
    let calibrated = "run good.toml --set detect.threshold.rule=\"calibrated\"";
    fail_with(here, calibrated, &["needs clean images", "detect.trusted"]);
}

#[test]
fn pictures_are_checked_before_anything_is_computed() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    fail_with(here, "scan --images nowhere", &["nowhere"]);
    pictures(here);
    let mut exported = fs::read_dir(here.join("pictures/train/stop")).expect("exported");
    let first = exported.next().expect("two pictures").expect("readable");
    let good = fs::read(first.path()).expect("readable");
    write(
        here,
        "pictures/train/stop/half.png",
        &good[..good.len() / 2],
    );
    write(here, "pictures/train/stop/zero.jpg", b"");
    fail_with(here, "scan --images pictures", &["half.png", "zero.jpg"]);
    fs::remove_file(here.join("pictures/train/stop/half.png")).expect("removed");
    fs::remove_file(here.join("pictures/train/stop/zero.jpg")).expect("removed");
    fs::create_dir(here.join("pictures/train/void")).expect("made");
    fail_with(here, "scan --images pictures", &["void"]);
    let left: Vec<_> = fs::read_dir(here.join("runs/scan"))
        .expect("there")
        .collect();
    assert_eq!(left.len(), 1, "nothing was computed: {left:?}");
    assert!(here.join("runs/scan/bad-pictures.csv").is_file());
}

#[cfg(unix)]
#[test]
fn options_that_would_change_nothing_are_refused() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    pictures(here);
    let refused = |options: &str, parts: &[&str]| {
        fail_with(here, &format!("scan --images pictures {options}"), parts);
    };
    refused(
        "--detector pictures --width 8",
        &["--width changes nothing", "none of the detectors"],
    );
    refused(
        "--weights w.safetensors --epochs 3",
        &["--epochs changes nothing", "`--finetune`"],
    );
    refused(
        "--weights w.safetensors --finetune --model resnet18",
        &["--model changes nothing", "their architecture"],
    );
    refused(
        "--detector pictures --detector shared-warp",
        &["shared-warp is named twice"],
    );
}

#[test]
fn a_symlink_loop_is_named() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    pictures(here);
    std::os::unix::fs::symlink(
        here.join("pictures/train"),
        here.join("pictures/train/stop/up"),
    )
    .expect("linked");
    fail_with(here, "scan --images pictures", &["link back"]);
}

#[test]
fn odd_but_valid_pictures_are_searched() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    pictures(here);
    let gray = image::GrayImage::from_pixel(5, 9, image::Luma([7]));
    let with_alpha = image::RgbaImage::from_pixel(1, 1, image::Rgba([1, 2, 3, 0]));
    let deep = image::ImageBuffer::from_pixel(40, 40, image::Rgb([65_535_u16, 0, 300]));
    gray.save(here.join("pictures/train/stop/gray.png"))
        .expect("saved");
    with_alpha
        .save(here.join("pictures/train/stop/alpha.png"))
        .expect("saved");
    image::DynamicImage::ImageRgb16(deep)
        .save(here.join("pictures/train/stop/deep.png"))
        .expect("saved");
    let scan = "scan --images pictures --model resnet10 --width 4 --epochs 1 --steps 2 --out s";
    succeed(here, scan);
    let scores = fs::read_to_string(here.join("s/detect/cascade/scores.csv")).expect("scores");
    assert_eq!(scores.lines().count(), 1 + 20 + 3);
}

#[test]
fn weights_are_checked() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    pictures(here);
    let detect = "detect --images pictures --weights w.safetensors";
    fail_with(here, detect, &["w.safetensors"]);
    write(here, "w.safetensors", b"hello hello hello");
    fail_with(here, detect, &["w.safetensors", "a text, not weights"]);
    write(here, "w.safetensors", b"\x80\x02hostile");
    fail_with(here, detect, &["w.safetensors", "PyTorch"]);
}

#[test]
fn results_of_another_run_are_not_overwritten() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    pictures(here);
    let train = |epochs| {
        format!("train --images pictures --model resnet10 --width 4 --epochs {epochs} --out t")
    };
    succeed(here, &train(1));
    let before = fs::read(here.join("t/train/model.safetensors")).expect("weights");
    fail_with(here, &train(2), &["another run"]);
    let after = fs::read(here.join("t/train/model.safetensors")).expect("weights");
    assert_eq!(before, after);
    write(here, "other/notes.txt", b"mine");
    fail_with(
        here,
        &train(1).replace("--out t", "--out other"),
        &["not empty"],
    );
}

#[test]
fn results_of_other_pictures_are_not_shown_as_new() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    pictures(here);
    let first = "train --images pictures --model resnet10 --width 4 --epochs 1 --out t";
    succeed(here, first);
    let detect = "detect --images pictures --weights t/train/model.safetensors --steps 1 --out d";
    succeed(here, detect);
    let before = fs::read(here.join("d/report.html")).expect("a report");
    let scores = fs::read(here.join("d/detect/cd-l/scores.csv")).expect("scores");
    write(here, "d/detect/cd-l/scores.csv", &scores[..30]);
    fail_with(here, "report d", &["scores.csv", "the first line is"]);
    write(here, "d/detect/cd-l/scores.csv", &scores);
    let class = fs::read_dir(here.join("pictures/train")).expect("classes");
    let class = class.flatten().next().expect("a class").path();
    let picture = fs::read_dir(class).expect("pictures").flatten().next();
    fs::remove_file(picture.expect("a picture").path()).expect("removed");
    fail_with(here, detect, &["have changed since this run"]);
    fail_with(here, "report d", &["have changed since this run"]);
    let after = fs::read(here.join("d/report.html")).expect("a report");
    assert!(before == after, "the report stays");
}

#[test]
fn pictures_that_cannot_be_inspected_are_named() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    pictures(here);
    succeed(
        here,
        "train --images pictures --model resnet10 --width 4 --epochs 1 --out t",
    );
    let inspect = "--weights t/train/model.safetensors --steps 1";
    fail_with(here, &format!("inspect none.png {inspect}"), &["none.png"]);
    write(here, "own.png", b"");
    for (out, part) in [("own.png", "the picture that is read"), ("o.jpg", ".png")] {
        let command = format!("inspect own.png {inspect} --out {out}");
        fail_with(here, &command, &[part]);
    }
    write(here, "empty.jpg", b"");
    fail_with(
        here,
        &format!("inspect empty.jpg {inspect}"),
        &["empty.jpg", "empty"],
    );
}

#[test]
fn a_missed_gate_is_exit_code_one() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    let scores = "index,file,label,raw,score,rank,flagged\n0,a,x,1,1,1,true\n1,b,x,2,0,2,false\n";
    write(here, "scores.csv", scores);
    write(here, "truth.csv", "file,poisoned\na,false\nb,true\n");
    let evaluate = "evaluate --scores scores.csv --truth truth.csv";
    let said = succeed(here, evaluate);
    assert!(said.contains("AUROC") && said.contains("2 images, 1 of them poisoned"));
    write(here, "more.csv", "file,poisoned\na,false\nb,true\nc,true\n");
    let said = succeed(here, "evaluate --scores scores.csv --truth more.csv");
    assert!(said.contains("1 more images of more.csv have no score, 1 of them poisoned"));
    write(here, "twice.csv", format!("{scores}2,./a,x,1,1,1,true\n"));
    let twice = "evaluate --scores twice.csv --truth truth.csv";
    fail_with(here, twice, &["twice.csv", "`./a` twice"]);
    let missed = run(here, &format!("{evaluate} --min-auroc 0.5"));
    assert_eq!(missed.status.code(), Some(1), "{}", stderr(&missed));
    let no_share = format!("{evaluate} --min-auroc 2");
    fail_with(here, &no_share, &["from 0 to 1"]);
    write(here, "truth.csv", "file,poisoned\na,false\na,true\n");
    fail_with(here, evaluate, &["truth.csv", "`a` twice"]);
    write(here, "truth.csv", "file,poisoned\na,false\n");
    fail_with(here, evaluate, &["knows nothing of `b`"]);
}
