//! SARIF 2.1.0, the form in which platforms for code take findings (OASIS, *Static Analysis Results Interchange Format*).
//!
//! Findings are about the set and its classes. Pictures stand beside them as places, so that a set with thousands of flagged ones
//! stays readable and within what platforms take.

mod place;
mod rules;
#[cfg(test)]
mod tests;

use cd_detect::{Power, Standing, SuspectClass};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Findings, ImageFinding};
use place::Places;
use rules::{CLASS, Rule, SET};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Flagged pictures that stand beside a finding.
const SHOWN: usize = 50;

/// The log of one scan.
pub(super) fn log(findings: &Findings) -> Value {
    let places = Places::of(&findings.root);
    let mut run = json!({
        "tool": { "driver": driver(findings) },
        "columnKind": "unicodeCodePoints",
        "invocations": [{
            "executionSuccessful": true,
            "toolExecutionNotifications": notifications(findings),
        }],
        "results": results(findings, &places),
        "properties": properties(findings),
    });
    if let Some(base) = places.base() {
        run["originalUriBaseIds"] = base;
    }
    json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run] })
}

fn driver(findings: &Findings) -> Value {
    json!({
        "name": "cd-cli",
        "fullName": "Cognitive Distillation toolkit",
        "semanticVersion": findings.toolkit_version,
        "rules": rules::ALL.map(Rule::descriptor),
    })
}

/// What limits the findings.
fn notifications(findings: &Findings) -> Vec<Value> {
    let Some(verdict) = &findings.verdict else {
        let words = "No verdict was reached: flags are those of the detectors' own rules.";
        return vec![json!({ "level": "note", "message": { "text": words } })];
    };
    let warnings = verdict.warnings.iter();
    let warnings =
        warnings.map(|words| json!({ "level": "warning", "message": { "text": words } }));
    let power = json!({ "level": "note", "message": { "text": power(&verdict.power) } });
    warnings.chain([power]).collect()
}

fn power(power: &Power) -> String {
    match power {
        Power::Unknown { reason } => format!("What this scan could have seen is unknown: {reason}"),
        Power::Measured { canaries } => {
            let one = canaries.iter().map(|canary| {
                // A hundredth of a percent is less than one image of any set that is scanned in full.
                let share = (canary.rate * 1e4).round() / 1e2;
                format!(
                    "{} on {share} % of the pictures: {} of {} found",
                    canary.kind, canary.found, canary.planted
                )
            });
            let all: Vec<_> = one.collect();
            format!("What this scan could have seen: {}", all.join("; "))
        }
    }
}

fn properties(findings: &Findings) -> Value {
    let mut properties = json!({
        "pictures": findings.images.len(),
        "flagged": findings.flagged(),
        "standing": findings.standing(),
    });
    if let Some(since) = &findings.since {
        properties["sinceBaseline"] = json!(since);
    }
    properties
}

fn results(findings: &Findings, places: &Places) -> Vec<Value> {
    let standing = findings.standing();
    if standing == Standing::Clean {
        return Vec::new();
    }
    let since = findings.since.as_ref();
    let whole = Found {
        rule: &SET,
        standing,
        text: match &findings.verdict {
            Some(verdict) => verdict.summary.clone(),
            None => format!(
                "{} of {} pictures are flagged by the rules of their detectors.",
                findings.flagged(),
                findings.images.len()
            ),
        },
        subject: "set",
        class: None,
        new: since.map(|since| since.standing > Standing::Clean),
    };
    let classes = findings.verdict.iter().flat_map(|verdict| &verdict.classes);
    let classes = classes.map(|class| Found {
        rule: &CLASS,
        standing: class.standing,
        text: class_text(class),
        subject: &class.name,
        class: Some(&class.name),
        new: since.map(|since| since.classes.contains(&class.name)),
    });
    std::iter::once(whole)
        .chain(classes)
        .filter(|found| found.standing > Standing::Clean)
        .map(|found| found.result(findings, places))
        .collect()
}

/// What is said of a class.
fn class_text(class: &SuspectClass) -> String {
    let [low, high] = class.interval;
    let mut sentences = vec![format!(
        "Class `{}`: {} pictures are taken for poisoned (95 % interval {low} to {high}).",
        class.name, class.images
    )];
    let evidence = class.evidence.iter();
    sentences.extend(evidence.map(|words| format!("{}.", words.trim_end_matches('.'))));
    sentences.push(match &class.proof {
        Some(proof) => format!(
            "Its {} turns {} of {} other pictures into the class; a control turns {}.",
            proof.tried(),
            proof.turned,
            proof.images,
            proof.control
        ),
        None => {
            "No trigger was tried on other images: the suspicion is statistical only.".to_owned()
        }
    });
    sentences.join(" ")
}

/// A finding about a set or a class.
struct Found<'a> {
    rule: &'static Rule,
    standing: Standing,
    text: String,
    /// What it is about, under a name that stays the same from scan to scan.
    subject: &'a str,
    /// The class that it is about; the whole set without one.
    class: Option<&'a str>,
    /// Whether the baseline lacks it, where there is one.
    new: Option<bool>,
}

impl Found<'_> {
    fn result(&self, findings: &Findings, places: &Places) -> Value {
        let mut images: Vec<&ImageFinding> = findings
            .images
            .iter()
            .filter(|image| image.flagged && self.class.is_none_or(|class| class == image.label))
            .collect();
        // New ones first, then the most suspicious.
        images.sort_by(|left, right| {
            let is_new = |image: &ImageFinding| image.new == Some(true);
            is_new(right)
                .cmp(&is_new(left))
                .then(right.score.total_cmp(&left.score))
        });
        let mut shown = images.iter().take(SHOWN);
        let first = shown.next().map(|image| places.picture(image));
        let mut location = first.unwrap_or_else(|| places.root());
        if let Some(class) = self.class {
            let name = format!("class/{class}");
            location["logicalLocations"] = json!([{ "name": class, "fullyQualifiedName": name }]);
        }
        let related: Vec<Value> = shown
            .enumerate()
            .map(|(id, image)| {
                let mut place = places.picture(image);
                place["id"] = json!(id);
                place["message"] = json!({ "text": format!("flagged, score {:.3}", image.score) });
                place
            })
            .collect();
        let mut result = Map::from_iter([
            ("ruleId".to_owned(), json!(self.rule.id)),
            ("ruleIndex".to_owned(), json!(self.rule.index())),
            ("level".to_owned(), json!(level(self.standing))),
            ("message".to_owned(), json!({ "text": self.text })),
            ("locations".to_owned(), json!([location])),
            ("relatedLocations".to_owned(), json!(related)),
            (
                "partialFingerprints".to_owned(),
                json!({ "subject/v1": self.fingerprint() }),
            ),
            (
                "properties".to_owned(),
                json!({ "standing": self.standing, "flagged": images.len() }),
            ),
        ]);
        if let Some(new) = self.new {
            let state = if new { "new" } else { "unchanged" };
            result.insert("baselineState".to_owned(), json!(state));
        }
        Value::Object(result)
    }

    /// Equal for what is the same finding in two scans.
    fn fingerprint(&self) -> String {
        let text = format!("{}\n{}", self.rule.id, self.subject);
        format!("{:x}", Sha256::digest(text))
    }
}

fn level(standing: Standing) -> &'static str {
    match standing {
        Standing::Backdoored => "error",
        Standing::Suspicious => "warning",
        Standing::Clean => "none",
    }
}
