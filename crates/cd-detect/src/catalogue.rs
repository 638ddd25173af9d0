//! `docs/detectors.md`, written from the registry.

use std::fmt::Write;

use serde_json::Value;

use crate::detector::{DETECTORS, DetectorConfig, DetectorInfo};
use crate::needs::Needs;

/// A page on every registered detector, as Markdown.
///
/// A test compares it with `docs/detectors.md`.
pub fn detectors_markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("| detector | name | needs | rule of its own |\n|---|---|---|---|\n");
    for info in DETECTORS {
        let needs = config(info).detector().needs();
        let rule = if info.rule.is_some() { "yes" } else { "-" };
        line(
            &mut page,
            &format!(
                "| `{}` | {} | {} | {rule} |",
                info.name,
                info.title,
                words(&needs)
            ),
        );
    }
    for info in DETECTORS {
        page.push_str(&described(info));
    }
    page
}

const INTRODUCTION: &str = "\
# Detectors

This page is generated from the registry; `UPDATE_DOCS=1 cargo test --workspace --test registry` writes it anew. `cd-cli detectors \
show NAME` prints an entry.

Every detector gives each image one number of its own and a score in `[0, 1]`, higher = more suspicious. What is flagged is decided by a \
rule: `calibrated` and `robust` and `fraction` work on the numbers of any detector (`calibrated` on those that judge clean images, too), \
`own` is the rule that a method was published with or that its entry states. *Needs* are what a run must give beside images and \
classifier; a run that cannot is refused before any work. Clean images are `detect.trusted`.

No score deserves trust alone. `fusion` joins several with the features, at two forward passes an image and without clean images; \
start with it, and take `cascade` for a second opinion on what it finds. [detector-table.md](detector-table.md) compares them on attacks. \
Confidence is the yardstick: a method that finds less has not earned its cost. Labelled clean images \
beat cleverness: `scan`, `spectre`, `beatrix` and `clean-distance` hold at any rate of poison at one forward pass an image.

";

fn config(info: &DetectorInfo) -> DetectorConfig {
    DetectorConfig::from_name(info.name).expect("the registry knows its own names")
}

/// What a detector needs with its default settings.
fn words(needs: &Needs) -> String {
    let mut words: Vec<String> = Vec::new();
    let taps = needs.features.iter().chain(&needs.taps);
    words.extend(taps.map(|tap| format!("features at `{tap}`")));
    for (needed, what) in [
        (needs.predictions, "predictions"),
        (needs.labels, "labels"),
        (needs.losses > 0, "losses of training"),
        (needs.trainable, "the network itself"),
    ] {
        if needed {
            words.push(what.to_owned());
        }
    }
    if needs.clean > 0 {
        words.push(format!("{} clean images a class", needs.clean));
    }
    if words.is_empty() {
        return "nothing".to_owned();
    }
    words.join(", ")
}

fn described(info: &DetectorInfo) -> String {
    let mut text = format!(
        "\n## {}\n\n`{}`. {}\n\n",
        info.title, info.name, info.summary
    );
    let rule = info.rule.unwrap_or("none: it orders images");
    for (heading, words) in [
        ("Assumes", info.threat_model),
        ("Rule of its own", rule),
        ("Paper", info.paper),
        ("Published code", info.source),
        ("How ours differs", info.notes),
    ] {
        line(&mut text, &format!("* **{heading}.** {words}"));
    }
    let config = config(info);
    let values = serde_json::to_value(&config).unwrap_or(Value::Null);
    let settings = config.keys().iter().map(|key| match values.get(key) {
        Some(value) => format!("`{key} = {value}`"),
        None => format!("`{key}` (off)"),
    });
    let settings: Vec<String> = settings.collect();
    if !settings.is_empty() {
        line(
            &mut text,
            &format!("* **Settings.** {}", settings.join(", ")),
        );
    }
    text
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("strings take everything");
}
