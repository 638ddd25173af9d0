//! Logs are checked against what SARIF 2.1.0 demands of the objects in them.

use cd_detect::{Canary, Power, Standing};
use serde_json::{Value, json};

use super::super::Baseline;
use super::super::testing::{findings, image, verdict};
use super::*;

/// Demands what the standard does (sections 3.13, 3.14, 3.18, 3.19, 3.27, 3.28, 3.49) of the objects that we write.
fn check(log: &Value) {
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().expect("text").contains("2.1.0"));
    for run in array(&log["runs"]) {
        let driver = &run["tool"]["driver"];
        assert!(!text(&driver["name"]).is_empty());
        let rules = array(&driver["rules"]);
        for rule in rules {
            assert!(!text(&rule["id"]).is_empty());
            message(&rule["shortDescription"]);
            message(&rule["fullDescription"]);
            message(&rule["help"]);
        }
        let kind = text(&run["columnKind"]);
        assert!(["utf16CodeUnits", "unicodeCodePoints"].contains(&kind));
        for invocation in array(&run["invocations"]) {
            assert!(invocation["executionSuccessful"].is_boolean());
            for told in array(&invocation["toolExecutionNotifications"]) {
                message(&told["message"]);
                level_of(told);
            }
        }
        for result in array(&run["results"]) {
            check_result(result, rules, run);
        }
    }
}

fn check_result(result: &Value, rules: &[Value], run: &Value) {
    message(&result["message"]);
    level_of(result);
    let index = result["ruleIndex"].as_u64().expect("a number") as usize;
    assert_eq!(rules[index]["id"], result["ruleId"]);
    if let Some(state) = result.get("baselineState") {
        assert!(["new", "unchanged", "updated", "absent"].contains(&text(state)));
    }
    for (name, value) in result["partialFingerprints"]
        .as_object()
        .expect("an object")
    {
        assert!(!name.is_empty() && !text(value).is_empty());
    }
    let related = array(&result["relatedLocations"]);
    let ids: Vec<_> = related.iter().map(|place| place["id"].as_u64()).collect();
    assert!(ids.iter().all(Option::is_some) && ids.windows(2).all(|two| two[0] < two[1]));
    assert!(!array(&result["locations"]).is_empty());
    for location in array(&result["locations"]).iter().chain(related) {
        let place = &location["physicalLocation"];
        let uri = text(&place["artifactLocation"]["uri"]);
        assert!(
            !uri.is_empty() && uri.is_ascii() && !uri.contains([' ', '"', '<', '\\']),
            "{uri}"
        );
        if let Some(base) = place["artifactLocation"].get("uriBaseId") {
            let base = text(&run["originalUriBaseIds"][text(base)]["uri"]);
            assert!(
                base.ends_with('/') && base.starts_with("file:///"),
                "{base}"
            );
        }
        assert!(place["region"]["startLine"].as_u64() >= Some(1));
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn message(value: &Value) {
    assert!(!text(&value["text"]).is_empty());
}

fn level_of(value: &Value) {
    assert!(["none", "note", "warning", "error"].contains(&text(&value["level"])));
}

fn results(log: &Value) -> &[Value] {
    array(&log["runs"][0]["results"])
}

#[test]
fn a_backdoored_set_is_a_finding_about_it_and_about_its_class() {
    let log = log(&findings(verdict(Standing::Backdoored)));
    check(&log);
    let [set, class] = results(&log) else {
        panic!("two findings: {log}");
    };
    assert_eq!(
        (&set["ruleId"], &set["level"]),
        (&json!("CD001"), &json!("error"))
    );
    assert_eq!(class["ruleId"], "CD002");
    let words = text(&class["message"]["text"]);
    for part in [
        "`cat`: 2 pictures",
        "interval 1 to 3",
        "fall apart.",
        "97 of 100",
        "control turns 2",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let place = &class["locations"][0];
    assert_eq!(
        place["logicalLocations"][0]["fullyQualifiedName"],
        "class/cat"
    );
    assert_ne!(set["partialFingerprints"], class["partialFingerprints"]);
    let told = array(&log["runs"][0]["invocations"][0]["toolExecutionNotifications"]);
    assert_eq!(told[0]["message"]["text"], "The classifier is weak.");
    assert!(text(&told[1]["message"]["text"]).contains("unknown"));
}

#[test]
fn a_clean_set_is_no_finding_and_tells_its_power() {
    let mut clean = findings(verdict(Standing::Clean));
    let canary = Canary {
        kind: "patch".into(),
        class: 1,
        rate: 0.01,
        planted: 11,
        found: 9,
    };
    clean.verdict.as_mut().expect("given").power = Power::Measured {
        canaries: vec![canary],
    };
    let log = log(&clean);
    check(&log);
    assert!(results(&log).is_empty());
    assert!(
        log.to_string()
            .contains("patch on 1 % of the pictures: 9 of 11 found")
    );
}

#[test]
fn flags_without_a_verdict_make_the_set_suspicious() {
    let log = log(&findings(None));
    check(&log);
    assert_eq!(results(&log).len(), 1);
    assert_eq!(results(&log)[0]["level"], "warning");
    assert!(text(&results(&log)[0]["message"]["text"]).starts_with("2 of 4 pictures"));
}

#[test]
fn a_comparison_says_what_is_new() {
    let before = findings(verdict(Standing::Backdoored));
    let mut now = before.clone();
    now.compare(&Baseline::of(&before));
    let old = log(&now);
    check(&old);
    assert!(
        results(&old)
            .iter()
            .all(|result| result["baselineState"] == "unchanged")
    );
    now.images.push(image("cat/9.png", "cat", true, "2x2-nine"));
    now.compare(&Baseline::of(&before));
    let new = log(&now);
    check(&new);
    assert!(
        results(&new)
            .iter()
            .all(|result| result["baselineState"] == "new")
    );
    let first = &results(&new)[1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert!(
        text(first).ends_with("cat/9.png") || text(first) == "pictures",
        "new ones come first: {first}"
    );
    assert_eq!(
        results(&new)[1]["partialFingerprints"],
        results(&old)[1]["partialFingerprints"]
    );
}

#[test]
fn thousands_of_flagged_pictures_stay_a_few_places() {
    let mut many = findings(verdict(Standing::Suspicious));
    for number in 0..5000 {
        let name = format!("cat/{number}.png");
        many.images
            .push(image(&name, "cat", true, &format!("2x2-{number}")));
    }
    let log = log(&many);
    check(&log);
    assert_eq!(
        array(&results(&log)[0]["relatedLocations"]).len(),
        SHOWN - 1
    );
    assert_eq!(results(&log)[0]["properties"]["flagged"], 5002);
}
