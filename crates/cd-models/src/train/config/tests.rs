use super::*;
use crate::train::augment::step::Step;
use crate::train::optimizer::Moments;

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
    let adam = Optimizer::Adam(Moments::default());
    let base = TrainConfig::default;
    let steps = Augmentation::Steps(vec![Step::Cutout { pixels: 0 }]);
    let cosine = |warmup, floor| Schedule::Cosine { warmup, floor };
    let cases = [
        (
            TrainConfig {
                early_stop: Some(3),
                ..base()
            },
            "`early_stop` is 3, expected a `validation`",
        ),
        (
            TrainConfig {
                early_stop: Some(0),
                validation: 0.1,
                ..base()
            },
            "`early_stop` is 0",
        ),
        (
            TrainConfig {
                keep: Keep::Best,
                ..base()
            },
            "`keep` is best, expected `last`, or",
        ),
        (
            TrainConfig {
                validation: 1.0,
                ..base()
            },
            "`validation` is 1",
        ),
        (
            TrainConfig {
                clip_norm: Some(0.0),
                ..base()
            },
            "`clip_norm` is 0",
        ),
        (
            TrainConfig {
                label_smoothing: -0.1,
                ..base()
            },
            "`label_smoothing` is -0.1",
        ),
        (
            TrainConfig {
                optimizer: adam,
                nesterov: true,
                ..base()
            },
            "`nesterov` is true",
        ),
        (
            TrainConfig {
                optimizer: adam,
                momentum: 0.5,
                ..base()
            },
            "`momentum` is 0.5",
        ),
        (
            TrainConfig {
                schedule: cosine(f64::NAN, 0.0),
                ..base()
            },
            "`schedule.warmup` is NaN",
        ),
        (
            TrainConfig {
                schedule: cosine(0.0, 2.0),
                ..base()
            },
            "`schedule.floor` is 2",
        ),
        (
            TrainConfig {
                augmentation: steps,
                ..base()
            },
            "`augmentation.pixels` is 0",
        ),
    ];
    for (config, part) in cases {
        let text = config.check().expect_err(part).to_string();
        assert!(text.contains(part), "{text}");
    }
}
