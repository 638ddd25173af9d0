use super::*;

#[test]
fn what_is_off_is_not_written_down() {
    // The text that fingerprints of experiments are made of.
    let expected = "{\"epochs\":60,\"batch_size\":100,\"learning_rate\":0.1,\"momentum\":0.9,\
        \"nesterov\":false,\"weight_decay\":0.0005,\
        \"schedule\":{\"name\":\"multi-step\",\"milestones\":[45,60],\"gamma\":0.1},\
        \"augmentation\":\"none\",\"seed\":0,\"record_losses\":20}";
    let written = serde_json::to_string(&TrainConfig::default()).expect("plain");
    assert_eq!(written, expected);
    let parsed: TrainConfig = serde_json::from_str("{}").expect("all defaults");
    assert_eq!(parsed, TrainConfig::default());
}

#[test]
fn options_come_back_as_they_were_written() {
    let text = r#"{"optimizer":{"name":"adamw","beta_1":0.8},"clip_norm":1.0,"label_smoothing":0.1,
        "schedule":{"name":"multi-step","milestones":[1],"gamma":0.5,"warmup":2.0},
        "augmentation":[{"name":"flip"}],"validation":0.1,"keep":"best","early_stop":3}"#;
    let config: TrainConfig = serde_json::from_str(text).expect("valid");
    config.check().expect("no contradiction");
    let Optimizer::AdamW(moments) = config.optimizer else {
        panic!("another optimiser");
    };
    assert_eq!((moments.beta_1, moments.beta_2), (0.8, 0.999));
    let written = serde_json::to_string(&config).expect("plain");
    assert_eq!(
        serde_json::from_str::<TrainConfig>(&written).expect("valid"),
        config
    );
    let message = |text: &str| {
        let error = serde_json::from_str::<TrainConfig>(text).expect_err("a slip");
        error.to_string()
    };
    assert!(message(r#"{"optimizer":{"name":"adm"}}"#).contains("unknown variant `adm`"));
    let key = r#"{"optimizer":{"name":"adam","beta":0.9}}"#;
    assert!(message(key).contains("unknown field `beta`"));
    let sgd = r#"{"optimizer":{"name":"sgd","beta_1":0.9}}"#;
    assert!(message(sgd).contains("unknown field `beta_1`"));
}

#[test]
fn contradictions_are_named() {
    let adam = r#""optimizer":{"name":"adam"}"#;
    let cases = [
        (
            r#""early_stop":3"#.to_owned(),
            "`early_stop` is 3, expected a `validation`",
        ),
        (
            r#""early_stop":0,"validation":0.1"#.to_owned(),
            "`early_stop` is 0",
        ),
        (
            r#""keep":"best""#.to_owned(),
            "`keep` is best, expected `last`, or",
        ),
        (r#""validation":1.0"#.to_owned(), "`validation` is 1"),
        (r#""clip_norm":0.0"#.to_owned(), "`clip_norm` is 0"),
        (
            r#""label_smoothing":-0.1"#.to_owned(),
            "`label_smoothing` is -0.1",
        ),
        (format!(r#"{adam},"nesterov":true"#), "`nesterov` is true"),
        (format!(r#"{adam},"momentum":0.5"#), "`momentum` is 0.5"),
        (
            r#""schedule":{"name":"cosine","floor":2.0}"#.to_owned(),
            "`schedule.floor` is 2",
        ),
        (
            r#""augmentation":[{"name":"cutout","pixels":0}]"#.to_owned(),
            "`augmentation.pixels` is 0",
        ),
    ];
    for (settings, part) in cases {
        let config = serde_json::from_str::<TrainConfig>(&format!("{{{settings}}}"));
        let error = config.expect("well formed").check().expect_err(part);
        let text = error.to_string();
        assert!(
            text.starts_with("training: ") && text.contains(part),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_number_is_named() {
    let schedule = Schedule::Cosine {
        warmup: f64::NAN,
        floor: 0.0,
    };
    let config = TrainConfig {
        schedule,
        ..TrainConfig::default()
    };
    let error = config.check().expect_err("NaN").to_string();
    assert!(error.contains("`schedule.warmup` is NaN"), "{error}");
}
