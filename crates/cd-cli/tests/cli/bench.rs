//! `bench`: one measurement of each kind of work.

use serde_json::Value;

use crate::common::{fail_with, succeed};

#[test]
fn every_kind_of_work_is_measured() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    let settings = "--model resnet10 --width 2 --images 5 --batch-size 2 --json";
    let measure = |more: &str| -> Value {
        let text = succeed(here, &format!("bench {settings} {more}"));
        serde_json::from_str(&text).expect("json")
    };
    let forward = measure("--work forward --save-weights w.safetensors");
    let search = measure("--work search --steps 2 --weights w.safetensors");
    let train = measure("--work train --steps 1");
    for measured in [&forward, &search, &train] {
        assert!(measured["images_per_second"].as_f64().expect("a number") > 0.0);
        assert_eq!(measured["images"], 5);
    }
    // Fresh and loaded weights of a linear layer are laid out differently, which may cost a last bit.
    let [fresh, loaded] =
        [&forward, &search].map(|one| one["checksum"].as_f64().expect("a number"));
    assert!(
        (fresh - loaded).abs() < 1e-6 * fresh,
        "{fresh} and {loaded}"
    );
    assert_eq!(measure("--preset fast")["steps"], 24);
}

#[test]
fn nothing_to_measure_or_too_much_is_an_error() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    for (command, message) in [
        ("bench --images 0", "from 1 to 1000000"),
        ("bench --images 99999999999999", "from 1 to 1000000"),
        ("bench --steps 99999999999999", "from 1 to 1000000"),
        ("bench --steps 999999 --images 1", "at most 100000"),
        ("bench --images 1000000 --size 4096", "at most 4294967296"),
    ] {
        fail_with(scratch.path(), command, &[message]);
    }
}
