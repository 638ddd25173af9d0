//! Networks that were trained elsewhere: their features, labels against those, and training that continues from them.

use std::fs;
use std::path::Path;

use crate::common::{cd_cli, fail_with, run, stderr, stdout, succeed};

/// Drawn pictures in class folders, a tenth under another label, and a network that was trained on others.
fn prepare(here: &Path) {
    let poison =
        "poison --dataset demo --set train=200 --set test=20 --attack badnets --rate 0.1 --out bad";
    succeed(here, poison);
    succeed(
        here,
        "data export --dataset demo --set train=300 --set test=20 --set seed=9 --out other",
    );
    let train = "train --images other --model resnet10 --width 8 --epochs 4 --out base";
    succeed(here, train);
}

const BASE: &str = "base/train/model.safetensors";

fn column(path: &Path, name: &str) -> Vec<f64> {
    let text = fs::read_to_string(path).expect("a table");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a heading").split(',').collect();
    let at = names.iter().position(|own| *own == name).expect("a column");
    let number = |line: &str| line.split(',').nth(at).expect("a field").parse();
    lines.map(|line| number(line).expect("a number")).collect()
}

#[test]
fn labels_are_compared_with_what_another_network_sees() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    prepare(here);
    let detectors = "--detector knn-label --detector probe-label";
    // Nobody knows a network that was not trained on these pictures.
    let hint = [
        "`knn-label` needs features of a reference network",
        "--features-weights",
    ];
    fail_with(
        here,
        &format!("scan --images bad/images {detectors} --out none"),
        &hint,
    );
    let given = format!("scan --images bad/images --weights {BASE} {detectors} --out none");
    fail_with(here, &given, &hint);
    fail_with(
        here,
        &format!("detect --images bad/images --features-weights {BASE} --out none"),
        &["--weights"],
    );
    for (command, out) in [
        (format!("detect --features-weights {BASE}"), "one"),
        (format!("scan --features-weights {BASE}"), "two"),
        (format!("scan --weights {BASE} --finetune"), "three"),
        (
            format!("scan --features-weights {BASE} --threads 1 --batch-size 7"),
            "four",
        ),
    ] {
        let search = format!("{command} --images bad/images {detectors} --out {out}");
        let output = run(here, &search);
        assert!(output.status.success(), "{search}: {}", stderr(&output));
        assert!(stderr(&output).contains("none is trained"), "{search}");
        assert!(!here.join(out).join("train").exists(), "{search}");
        let measured = succeed(
            here,
            &format!(
                "evaluate --scores {out}/detect/knn-label/scores.csv --truth bad/truth.csv --json"
            ),
        );
        assert!(measured.contains("AUROC"), "{measured}");
        for name in ["knn-label", "probe-label"] {
            let scores = |out: &str| {
                fs::read_to_string(here.join(out).join("detect").join(name).join("scores.csv"))
            };
            let same = scores("one").expect("written") == scores(out).expect("written");
            assert!(same, "{search}: {name}");
        }
    }
    // Methods with a rule of their own are flagged by it.
    let decision = fs::read_to_string(here.join("one/detect/knn-label/decision.json"));
    assert!(
        decision
            .expect("written")
            .contains("with another label above 0.5")
    );
    let raw = column(&here.join("one/detect/probe-label/scores.csv"), "raw");
    let dropped = fs::read_to_string(here.join("one/detect/probe-label/drop.txt"));
    let above = raw.iter().filter(|&&raw| raw > 0.0).count();
    assert_eq!(dropped.expect("written").lines().count(), above);
}

#[test]
fn features_are_tables_of_one_row_a_picture() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    prepare(here);
    let write = |rest: &str| format!("features --weights {BASE} {rest}");
    let said = succeed(here, &write("--images bad/images --out a.parquet"));
    assert!(
        said.contains("200 rows of 64 features at `penultimate`"),
        "{said}"
    );
    let again = write("--images bad/images --out a.parquet");
    fail_with(here, &again, &["a.parquet", "--force"]);
    let first = fs::read(here.join("a.parquet")).expect("written");
    succeed(here, &format!("{again} --force --threads 1"));
    assert!(fs::read(here.join("a.parquet")).expect("written") == first);
    assert!(!here.join("a.parquet.parts").exists());
    succeed(
        here,
        &write("--images bad/images --tap stage2 --logits --out b.npy"),
    );
    let rows = fs::read_to_string(here.join("b.csv")).expect("beside it");
    assert_eq!(rows.lines().count(), 201);
    let header = fs::read(here.join("b.logits.npy")).expect("beside it");
    assert!(String::from_utf8_lossy(&header[..128]).contains("(200, 10)"));
    let json = succeed(
        here,
        &write("--dataset demo --set train=30 --set test=12 --split test --out c.npz --json"),
    );
    assert!(json.contains("\"rows\": 12"), "{json}");
    // A folder of pictures without classes has no labels.
    fs::create_dir(here.join("flat")).expect("made");
    let class = fs::read_dir(here.join("bad/images/train"))
        .expect("a folder")
        .flatten()
        .next();
    for file in fs::read_dir(class.expect("a class").path())
        .expect("a folder")
        .flatten()
    {
        fs::copy(file.path(), here.join("flat").join(file.file_name())).expect("copied");
    }
    succeed(here, &write("--images flat --out d.npy"));
    let rows = fs::read_to_string(here.join("d.csv")).expect("beside it");
    let second = rows.lines().nth(1).expect("a row");
    assert_eq!(second.split(',').nth(1), Some(""), "{second}");
    for (rest, parts) in [
        ("--images flat --out x.txt", &[".parquet, .npy, .npz"][..]),
        (
            "--images flat --tap stage9 --out x.npy",
            &["stage9", "it has: stage1"],
        ),
        (
            "--images flat --split test --out x.npy",
            &["no test images"],
        ),
        ("--out x.npy", &["--images"]),
        ("--images flat --dataset demo --out x.npy", &["--dataset"]),
    ] {
        fail_with(here, &write(rest), parts);
        assert!(!here.join("x.npy").exists(), "{rest}");
    }
}

#[test]
fn training_continues_from_weights_of_other_classes() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    prepare(here);
    // Two of the ten classes.
    for class in fs::read_dir(here.join("bad/images/train"))
        .expect("a folder")
        .flatten()
        .take(2)
    {
        fs::create_dir_all(here.join("two")).expect("made");
        fs::rename(class.path(), here.join("two").join(class.file_name())).expect("moved");
    }
    let tune = format!("--weights {BASE} --finetune");
    fail_with(
        here,
        &format!("train --images two --weights {BASE} --out x"),
        &["--finetune"],
    );
    fail_with(
        here,
        "train --images two --finetune --out x",
        &["--weights"],
    );
    fail_with(
        here,
        &format!("train --images two {tune} --trunk-rate 0 --out x"),
        &["--trunk-rate", "above 0"],
    );
    succeed(
        here,
        &format!("train --images two {tune} --epochs 2 --out tuned"),
    );
    let inspected = succeed(here, "models inspect tuned/train/model.safetensors");
    assert!(inspected.contains("resnet10"), "{inspected}");
    let weights =
        |out: &str| fs::read(here.join(out).join("train/model.safetensors")).expect("written");
    succeed(
        here,
        &format!("train --images two {tune} --trunk-rate 1 --epochs 2 --out fast"),
    );
    assert!(weights("tuned") != weights("fast"), "the rate counts");
    succeed(
        here,
        "train --images two --model resnet10 --width 8 --epochs 2 --out fresh",
    );
    assert!(weights("tuned") != weights("fresh"), "the weights count");
    let scan = format!(
        "scan --images two {tune} --epochs 2 --preset fast --steps 1 --no-canary --out scan"
    );
    let output = run(here, &scan);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(weights("scan") == weights("tuned"));
    let report = fs::read_to_string(here.join("scan/report.html")).expect("written");
    assert!(report.contains("resnet10, width 8 (fine-tuned)"));
    assert!(stdout(&output).contains("cascade"));
    let config = fs::read_to_string(here.join("scan/config.toml")).expect("written");
    assert!(
        config.contains("[train.finetune]\ntrunk_rate = 0.1"),
        "{config}"
    );
    let class = fs::read_dir(here.join("two"))
        .expect("a folder")
        .flatten()
        .next();
    let class = class
        .expect("a class")
        .file_name()
        .into_string()
        .expect("plain");
    let flat = format!("scan --images two/{class} {tune} --out flat");
    fail_with(here, &flat, &["no class folders"]);
}

#[test]
fn experiment_files_name_the_reference_network_and_its_side() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    prepare(here);
    let text = format!(
        "name = \"side\"\nweights = \"{BASE}\"\ndataset = {{ name = \"demo\", train = 60, test = 20 }}\n\
         poison = {{ attack = {{ name = \"badnets\" }} }}\n[detect]\nfeatures_weights = \"{BASE}\"\n\
         detectors = [{{ name = \"knn-label\", threshold = {{ rule = \"own\" }} }}, {{ name = \"ss\" }}]\n\
         [evaluate]\nresamples = 20\n"
    );
    fs::write(here.join("x.toml"), text).expect("written");
    let scores = |side: &str| {
        let run = format!("run x.toml --json --runs runs{side} --set detect.features_size={side}");
        let measured = succeed(here, &run);
        assert!(
            measured.contains("with another label above 0.5"),
            "{measured}"
        );
        assert!(
            measured.contains("robust standard deviations"),
            "{measured}"
        );
        let cells = fs::read_dir(here.join(format!("runs{side}/side"))).expect("a folder");
        let cell = cells.flatten().next().expect("a run").path();
        column(&cell.join("detect/knn-label/scores.csv"), "raw")
    };
    let (own, larger, smaller) = (scores("32"), scores("48"), scores("16"));
    assert!(own.len() == 60 && own != larger && own != smaller && larger != smaller);
    for (setting, word) in [
        ("detect.features_size=0", "features_size"),
        ("train.finetune={trunk_rate=2.0}", "finetune.trunk_rate"),
        ("detect.features_weights=\"none.pt\"", "none.pt"),
    ] {
        let output = run_with(here, &["run", "x.toml", "--set", setting]);
        assert_eq!(output.status.code(), Some(2), "{setting}");
        assert!(stderr(&output).contains(word), "{}", stderr(&output));
    }
}

/// Runs the binary in `folder` with arguments that may hold blanks.
fn run_with(folder: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = cd_cli();
    command.current_dir(folder).args(arguments);
    command.output().expect("the binary starts")
}
