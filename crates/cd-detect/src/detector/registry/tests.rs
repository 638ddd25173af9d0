use super::*;
use crate::cognitive::{CognitiveDistillation, Preset};
use crate::detector::DetectorConfig;

#[test]
fn every_registered_name_builds_its_own_detector() {
    for info in DETECTORS {
        let config = DetectorConfig::from_name(info.name).expect("registered");
        assert_eq!(config.detector().info(), *info);
        config.detector().check().expect("defaults are in range");
        let text = serde_json::to_string(&config).expect("plain data");
        let back: DetectorConfig = serde_json::from_str(&text).expect("round trip");
        assert_eq!(back, config);
        for words in [info.title, info.summary, info.threat_model, info.paper] {
            assert!(!words.is_empty(), "{}", info.name);
        }
    }
}

#[test]
fn configurations_are_written_as_ever() {
    let text = |name| {
        let config = DetectorConfig::from_name(name).expect("registered");
        serde_json::to_string(&config).expect("plain data")
    };
    let common = |rate, alpha, beta| {
        format!(
            r#""steps":100,"learning_rate":{rate},"decay":"none","betas":[0.1,0.1],"repeats":1,"tail":1,"alpha":{alpha},"beta":{beta},"p":1,"mask_channels":1,"seed":0,"fill":"random","reduction":"sum""#
        )
    };
    let logits = common("0.1", "0.01", "1.0");
    assert_eq!(text("cd-l"), format!(r#"{{"name":"cd-l",{logits}}}"#));
    let features = common("0.05", "0.001", "10.0");
    assert_eq!(
        text("cd-f"),
        format!(r#"{{"name":"cd-f",{features},"tap":"deep"}}"#)
    );
    let coarse = r#"{"name":"cd-l","mask_scale":0.5,"tolerance":0.25}"#;
    let coarse: DetectorConfig = serde_json::from_str(coarse).expect("valid");
    let written = serde_json::to_string(&coarse).expect("plain data");
    assert!(written.contains(r#""mask_channels":1,"mask_scale":0.5,"tolerance":0.25,"seed":0"#));
}

#[test]
fn presets_of_detectors_are_those_of_the_method() {
    for name in ["cd-l", "cd-f"] {
        for preset in [Preset::Paper, Preset::Fast, Preset::Accurate] {
            let config = DetectorConfig::from_name(name).expect("registered");
            let method = |config: &DetectorConfig| {
                let method = CognitiveDistillation::from_config(config).expect("valid");
                method.expect("it makes masks")
            };
            let published = method(&config);
            let ours = method(&config.with_preset(preset));
            assert_eq!(ours, published.with_preset(preset));
        }
    }
    let other = DetectorConfig::from_name("ss").expect("registered");
    assert_eq!(other.clone().with_preset(Preset::Fast), other);
    assert_eq!(CognitiveDistillation::from_config(&other).ok(), Some(None));
}

#[test]
fn a_preset_leaves_other_settings_alone() {
    let text = r#"{"name":"cd-f","alpha":0.5,"seed":9,"steps":3,"tolerance":0.1,"tap":"stage2"}"#;
    let config: DetectorConfig = serde_json::from_str(text).expect("valid");
    let config = config.with_preset(Preset::Paper);
    for (key, value) in [
        ("alpha", "0.5"),
        ("seed", "9"),
        ("steps", "100"),
        ("tap", "\"stage2\""),
    ] {
        let got = config.get(key).expect("written").to_string();
        assert_eq!(got, value, "{key}");
    }
    assert_eq!(config.get("tolerance"), None);
}

#[test]
fn unknown_names_and_keys_are_refused() {
    let error = DetectorConfig::from_name("cdl").expect_err("unknown");
    assert!(error.to_string().contains("did you mean `cd-l`"), "{error}");
    for info in DETECTORS {
        let text = format!(r#"{{"name":"{}","stepps":3}}"#, info.name);
        let error = serde_json::from_str::<DetectorConfig>(&text).expect_err("unknown key");
        assert!(
            error.to_string().contains("unknown field `stepps`"),
            "{error}"
        );
    }
    let error = serde_json::from_str::<DetectorConfig>(r#"{"name":"cd-f","tap":"stage"}"#);
    let config = error.expect("a name like any other");
    let error = config.detector().check().expect_err("no tap").to_string();
    assert!(error.contains("`stage`"), "{error}");
}
