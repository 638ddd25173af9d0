//! What comes after a verdict: `recover`, `mitigate` and `bias`.

use std::fs;
use std::path::{Path, PathBuf};

use image::RgbImage;
use serde_json::Value;

use crate::common::{TINY, fail_with, succeed};

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON on stdout")
}

/// A run with a list of what is really poisoned in it.
fn poisoned(here: &Path) -> (String, PathBuf) {
    fs::write(here.join("tiny.toml"), TINY).expect("written");
    let folder = succeed(here, "run tiny.toml --until detect -q");
    let folder = folder.trim().to_owned();
    let manifest = fs::read_to_string(here.join(&folder).join("poison/train.json"));
    let manifest = json(&manifest.expect("a manifest"));
    let entries = manifest["entries"].as_array().expect("entries");
    let names = entries.iter().map(|entry| entry["name"].as_str());
    let names: Vec<&str> = names.map(|name| name.expect("a name")).collect();
    let list = here.join("drop.txt");
    fs::write(&list, names.join("\n")).expect("written");
    (folder, list)
}

#[test]
fn a_run_is_mitigated_and_its_record_says_what_was_done() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    let (run, _) = poisoned(here);
    let command =
        format!("mitigate {run} --drop drop.txt --epochs 1 --unlearn-epochs 1 --no-flip --json -q");
    let said = json(&succeed(here, &command));
    let out = here.join(&run).join("mitigate/unlearn");
    let record = fs::read_to_string(out.join("mitigation.json")).expect("a record");
    assert_eq!(json(&record), said);
    assert_eq!(said["parts"][0]["images"], 12);
    assert_eq!(said["parts"][0]["poisoned"], 12);
    assert_eq!(
        said["parts"][1],
        serde_json::json!({"images": 48, "poisoned": 0})
    );
    assert_eq!(said["passes"].as_array().map(Vec::len), Some(2));
    assert_eq!(said["before"]["accuracy"]["images"], 30);
    assert_eq!(
        said["after"],
        serde_json::json!({
            "accuracy": said["passes"][1]["accuracy"], "success": said["passes"][1]["success"],
        })
    );
    assert!(out.join("model.safetensors").is_file());
    let page = fs::read_to_string(out.join("mitigation.html")).expect("a page");
    assert!(page.contains("12") && page.contains("<svg"));

    let same = json(&succeed(here, &command));
    let all_but_time = |record: &Value| {
        let mut record = record.clone();
        record["seconds"] = Value::Null;
        record
    };
    assert_eq!(all_but_time(&same), all_but_time(&said));

    let again = format!("mitigate {run} --drop drop.txt --method retrain --control --json -q");
    let control = json(&succeed(here, &again));
    assert_eq!(control["control"], true);
    assert_eq!(control["passes"].as_array().map(Vec::len), Some(3));
    assert!(
        here.join(&run)
            .join("mitigate/retrain-control/model.safetensors")
            .is_file()
    );

    let found = json(&succeed(
        here,
        &format!("recover {run} --drop drop.txt --json -q"),
    ));
    assert_eq!(found[0]["flagged"], 12);
    assert!(here.join(&run).join("recovered/recovered.json").is_file());
}

#[test]
fn pictures_with_weights_and_a_list_need_no_run() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    succeed(
        here,
        "data export --dataset demo --set train=60 --set test=0 --out pictures -q",
    );
    succeed(
        here,
        "train --images pictures --model resnet10 --width 4 --epochs 1 --out first -q",
    );
    let folders = fs::read_dir(here.join("pictures/train")).expect("classes");
    let class = folders
        .flatten()
        .map(|entry| entry.path())
        .min()
        .expect("one");
    let files = fs::read_dir(&class).expect("pictures").flatten();
    let name = |path: PathBuf| path.strip_prefix(here.join("pictures")).map(Path::to_owned);
    let names: Vec<String> = files
        .map(|entry| name(entry.path()).expect("below"))
        .map(|name| name.display().to_string())
        .take(3)
        .collect();
    let first = names.join("\n");
    fs::write(here.join("drop.txt"), &first).expect("written");
    let command = "mitigate --images pictures --weights first/train/model.safetensors --drop drop.txt --epochs 1 --unlearn-epochs 1 --out cured";
    let said = json(&succeed(here, &format!("{command} --json -q")));
    assert_eq!(said["parts"][0]["images"], 3);
    assert_eq!(said["parts"][0]["poisoned"], Value::Null);
    let measured = said["accuracy_of"].as_str().expect("words");
    assert!(measured.contains("unflagged training images"), "{measured}");
    assert!(here.join("cured/model.safetensors").is_file());
    fail_with(
        here,
        "mitigate --images pictures --weights first/train/model.safetensors --drop drop.txt --method retrain --out cured",
        &["began with given weights", "`unlearn`"],
    );
}

#[test]
fn what_cannot_be_done_is_said() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    let (run, _) = poisoned(here);
    fail_with(here, "mitigate nowhere", &["nowhere", "no folder of a run"]);
    fail_with(here, "recover nowhere", &["nowhere", "no folder of a run"]);
    fail_with(
        here,
        &format!("mitigate {run} --method retrain --unlearn-epochs 3"),
        &["--unlearn-epochs changes nothing", "without the suspects"],
    );
    fs::write(here.join("other.txt"), "no-such.png\n").expect("written");
    fail_with(
        here,
        &format!("mitigate {run} --drop other.txt"),
        &["other.txt", "`no-such.png`"],
    );
    fail_with(
        here,
        &format!("recover {run} --detector ss"),
        &["`ss`", "cd-l, cd-f"],
    );
    fail_with(
        here,
        &format!("recover {run} --drop drop.txt --class nonsense"),
        &["no class `nonsense`"],
    );
    fail_with(
        here,
        &format!("mitigate {run} --drop drop.txt --unlearn-rate 0"),
        &["`unlearn_rate` is 0", "above 0"],
    );
}

/// Pictures with lists of `CelebA`: bright ones mostly have a red mark.
fn faces(here: &Path) {
    let pictures = here.join("faces/img_align_celeba");
    fs::create_dir_all(&pictures).expect("made");
    let mut attributes = vec!["60".to_owned(), "Bright Mark Edge".to_owned()];
    let mut parts = Vec::new();
    for number in 0..60_u32 {
        let bright = number.is_multiple_of(2);
        let mark = bright && !number.is_multiple_of(10);
        let edge = number.is_multiple_of(3);
        let mut picture = RgbImage::from_fn(32, 32, |x, y| {
            let lighter = if bright { 12 } else { 0 };
            let value = 60 + (x * 7 + y * 13 + number * 29) % 90 + lighter;
            image::Rgb([value as u8; 3])
        });
        for at in 0..16 {
            if mark {
                picture.put_pixel(24 + at % 4, 4 + at / 4, image::Rgb([255, 0, 0]));
            }
            if edge {
                picture.put_pixel(0, 2 * at, image::Rgb([255; 3]));
            }
        }
        let name = format!("{number:03}.png");
        picture.save(pictures.join(&name)).expect("saved");
        let signs = [bright, mark, edge].map(|present| if present { "1" } else { "-1" });
        attributes.push(format!("{name} {}", signs.join(" ")));
        parts.push(format!("{name} 0"));
    }
    let write = |list: &str, lines: Vec<String>| {
        let path = here.join("faces").join(list);
        fs::write(path, lines.join("\n") + "\n").expect("written");
    };
    write("list_attr_celeba.txt", attributes);
    write("list_eval_partition.txt", parts);
}

#[test]
fn the_bias_of_an_attribute_is_written() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    faces(here);
    let command = "bias --path faces --attribute Bright --size 32 --width 4 --epochs 2 --smallest 0.2 --sample 30 --json -q";
    let said = json(&succeed(here, command));
    assert_eq!(
        (&said["images"], &said["attribute"]),
        (&30.into(), &"Bright".into())
    );
    let sides = said["sides"].as_array().expect("sides");
    let counted = sides
        .iter()
        .map(|side| side["images"].as_u64().expect("a count"));
    assert!(counted.sum::<u64>() >= 29);
    assert_eq!(sides[0]["attributes"].as_array().map(Vec::len), Some(3));
    let out = here.join("runs/bias");
    let table = fs::read_to_string(out.join("masks.csv")).expect("a table");
    assert_eq!(table.lines().count(), 31);
    assert!(out.join("masks.png").is_file() && out.join("model.safetensors").is_file());
    let given = format!("{command} --weights runs/bias/model.safetensors --out again")
        .replace("--width 4 --epochs 2", "");
    assert_eq!(json(&succeed(here, &given)), said);
    fail_with(
        here,
        "bias --path faces --attribute Brigth",
        &["`Brigth`", "Bright"],
    );
    fail_with(
        here,
        "bias --path faces --attribute Mark --smallest 0.6",
        &["0.6", "0.5"],
    );
}
