use serde_json::json;

use super::*;
use crate::detector::DETECTORS;

fn config(name: &str) -> DetectorConfig {
    DetectorConfig::from_name(name).expect("registered")
}

#[test]
fn keys_are_those_of_the_configuration_file() {
    assert_eq!(config("abl").keys(), ["epochs"]);
    let (logits, features) = (config("cd-l"), config("cd-f"));
    assert!(logits.has("tolerance") && !logits.has("tap"));
    assert_eq!(features.keys().last(), Some(&"tap"));
    for info in DETECTORS {
        let config = config(info.name);
        let written = serde_json::to_value(&config).expect("plain data");
        let written = written.as_object().expect("a table");
        for key in written.keys().filter(|key| *key != "name") {
            assert!(config.has(key), "{} {key}", info.name);
        }
        assert!(!config.has("name"));
    }
}

#[test]
fn settings_are_changed_by_name() {
    let mut config = config("cd-l");
    config.set("steps", 7).expect("a number");
    config.set("fill", "shared").expect("a name");
    config.set("mask_scale", 0.1).expect("left out by default");
    config.set("seed", u64::MAX).expect("a number");
    assert_eq!(config.get("seed"), Some(json!(u64::MAX)));
    let DetectorConfig::Cdl(method) = &config else {
        panic!("still cd-l");
    };
    assert_eq!((method.steps, method.mask_scale), (7, 0.1));
    assert_eq!(config.get("tolerance"), None);
}

#[test]
fn wrong_keys_and_kinds_are_named_and_change_nothing() {
    let mut changed = config("cd-l");
    let error = changed.set("stepps", 3).expect_err("unknown").to_string();
    assert!(error.contains("did you mean `steps`"), "{error}");
    let error = changed
        .set("steps", "many")
        .expect_err("a word")
        .to_string();
    assert!(error.contains("`cd-l`, setting `steps`"), "{error}");
    let error = changed.set("alpha", f64::NAN).expect_err("no number");
    assert!(matches!(error, SettingError::Value { .. }));
    assert_eq!(changed, config("cd-l"));
    assert!(config("abl").set("seed", 5).is_err());
}
