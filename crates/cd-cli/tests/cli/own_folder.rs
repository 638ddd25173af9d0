//! The user's own job: a folder with planted pictures and a classifier's weights.

use std::fs;

use crate::common::{run, stderr, stdout};
use crate::planted::{golden, plant};

#[test]
fn with_weights_the_pictures_need_no_classes() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    plant(here);
    let weights = golden("resnet18_w16_badnets.safetensors");
    let weights = weights.display();
    let search = "--images pictures/cats --sample 8 --steps 2 --out scan";
    let output = run(here, &format!("scan {search} --weights {weights}"));
    assert!(output.status.success(), "{}", stderr(&output));
    let report = fs::read_to_string(here.join("scan/report.html")).expect("written");
    assert!(
        report.contains("predicted "),
        "classes are the predicted ones"
    );
    let again = run(here, &format!("scan {search} --weights {weights}"));
    assert!(again.status.success(), "{}", stderr(&again));

    let refused = run(here, "scan --images pictures/cats --out other");
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("given weights"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn planted_pictures_rank_first_and_come_out_as_lists_report_and_picture() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    plant(here);
    let weights = golden("resnet18_w16_badnets.safetensors");
    let weights = weights.display();
    let scan =
        format!("scan --images pictures --weights {weights} --detector cd-l --steps 40 --out scan");
    let output = run(here, &scan);
    assert!(output.status.success(), "{}", stderr(&output));

    let evaluate = "evaluate --scores scan/detect/cd-l/scores.csv --truth truth.csv --json";
    let metrics: serde_json::Value =
        serde_json::from_str(&stdout(&run(here, evaluate))).expect("json");
    let auroc = metrics[0]["value"]["estimate"].as_f64().expect("a number");
    assert!(auroc > 0.88, "AUROC {auroc}");

    let lines = |name: &str| {
        let path = here.join("scan/detect/cd-l").join(name);
        fs::read_to_string(path).expect("written").lines().count()
    };
    assert_eq!(lines("keep.txt") + lines("drop.txt"), 64);
    let report = fs::read_to_string(here.join("scan/report.html")).expect("written");
    assert!(report.contains("data:image/png;base64,"));

    let inspect =
        format!("inspect pictures/cats/40.png --weights {weights} --steps 10 --out i.png");
    assert!(run(here, &inspect).status.success());
    let strip = image::open(here.join("i.png")).expect("a picture");
    assert!(strip.width() > 3 * 32 && strip.height() >= 32);
}
