//! Every number of a report follows from files in the folder of its run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{TINY, succeed};

/// A row of `scores.csv`.
struct Row {
    file: String,
    label: String,
    raw: f64,
    score: f64,
    rank: usize,
    flagged: bool,
}

fn rows(folder: &Path) -> Vec<Row> {
    let text = fs::read_to_string(folder.join("scores.csv")).expect("written");
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [_, file, label, raw, score, rank, flagged] = fields[..] else {
            panic!("seven fields: {line}");
        };
        Row {
            file: file.to_owned(),
            label: label.to_owned(),
            raw: raw.parse().expect("a number"),
            score: score.parse().expect("a number"),
            rank: rank.parse().expect("a number"),
            flagged: flagged == "true",
        }
    };
    text.lines().skip(1).map(row).collect()
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("written");
    serde_json::from_str(&text).expect("json")
}

/// The names of poisoned images, from the manifest.
fn poisoned(run: &Path) -> BTreeSet<String> {
    let manifest = read(&run.join("poison/train.json"));
    let entries = manifest["entries"].as_array().expect("a list").iter();
    entries
        .map(|entry| entry["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn percent(part: usize, whole: usize) -> String {
    let share = part as f64 / whole as f64 * 100.0;
    if share < 10.0 {
        format!("{share:.1} %")
    } else {
        format!("{share:.0} %")
    }
}

/// The probability that a poisoned image scores above a clean one, counted pair by pair.
fn auroc(rows: &[Row], poisoned: &BTreeSet<String>) -> f64 {
    let of = |kind: bool| {
        rows.iter()
            .filter(move |row| poisoned.contains(&row.file) == kind)
    };
    let pairs = of(true).flat_map(|bad| of(false).map(move |good| (bad.score, good.score)));
    let (mut won, mut all) = (0.0, 0.0);
    for (bad, good) in pairs {
        won += if bad > good {
            1.0
        } else if bad < good {
            0.0
        } else {
            0.5
        };
        all += 1.0;
    }
    won / all
}

/// The part of `page` from `from` to the next `to`.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = page
        .split_once(from)
        .unwrap_or_else(|| panic!("`{from}` is missing"));
    rest.split_once(to)
        .unwrap_or_else(|| panic!("`{to}` is missing"))
        .0
}

/// What stands between tags.
fn texts(html: &str) -> Vec<String> {
    let parts = html
        .split('<')
        .filter_map(|part| Some(part.split_once('>')?.1.trim()));
    parts
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A finished run with truth and a verdict, whose report is written again.
fn run(here: &Path) -> (PathBuf, String) {
    fs::write(here.join("tiny.toml"), TINY).expect("written");
    succeed(here, "run tiny.toml");
    let mut cells = fs::read_dir(here.join("runs/tiny")).expect("a run");
    let run = cells.next().expect("one cell").expect("readable").path();
    let verdict = json!({
        "standing": "backdoored", "summary": "Found.", "images": 40, "flagged": 7, "warnings": ["Only 41 % are right."],
        "classes": [{
            "class": 0, "name": "stop", "standing": "backdoored", "images": 6, "interval": [4, 9], "evidence": ["A gap of 5.5."],
            "proof": { "kind": "patch", "images": 80, "turned": 60, "control": 3, "picture": null },
        }],
        "power": { "known": "measured", "canaries": [
            { "kind": "blend", "class": 1, "rate": 0.015, "planted": 12, "found": 5 }] },
    });
    fs::write(run.join("verdict.json"), verdict.to_string()).expect("written");
    succeed(here, &format!("report {}", run.display()));
    let page = fs::read_to_string(run.join("report.html")).expect("written");
    (run, page)
}

/// The section of one detector, and what it should say.
struct Section<'a> {
    html: &'a str,
    rows: Vec<Row>,
    poisoned: BTreeSet<String>,
}

impl<'a> Section<'a> {
    fn of(page: &'a str, run: &Path, label: &str, place: usize) -> Self {
        Self {
            html: between(page, &format!("id=\"detector-{place}\""), "</section>"),
            rows: rows(&run.join("detect").join(label)),
            poisoned: poisoned(run),
        }
    }

    fn check_rule(&self, decision: &Value) {
        let flagged = self.rows.iter().filter(|row| row.flagged).count();
        let (images, share) = (self.rows.len(), percent(flagged, self.rows.len()));
        let rule = texts(between(self.html, "class=\"rule\">", "</p>")).concat();
        let start = format!("{flagged} of {images} images flagged({share}). Rule: ");
        assert!(rule.starts_with(&start), "{rule}");
        let words = decision["rule"].as_str().expect("words");
        assert!(rule.contains(words), "{rule}");
        if let Some(border) = decision["score"].as_f64() {
            assert!(rule.contains(&format!("(score {border:.3})")), "{rule}");
        }
        let rows = self.html.split("data-items=\"rows\"").nth(1);
        let rows = rows.and_then(|rest| rest.split("</tbody>").next());
        let listed = rows.map_or(0, |body| body.matches("<tr>").count());
        assert_eq!(listed, flagged);
    }

    fn check_classes(&self) {
        let mut classes: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
        for row in &self.rows {
            let counts = classes.entry(&row.label).or_default();
            counts[0] += 1;
            counts[1] += usize::from(row.flagged);
            counts[2] += usize::from(self.poisoned.contains(&row.file));
        }
        let table = between(self.html, "<table class=\"classes\">", "</table>");
        let shown = table.split("<tr");
        for line in shown.filter(|line| line.contains("scope=\"row\"")) {
            let cells = texts(line);
            let counts = classes.get(cells[0].as_str()).copied();
            let [images, flagged, poisoned] = counts.unwrap_or_default();
            let share = percent(flagged, images.max(1));
            let [images, flagged, poisoned] = [images, flagged, poisoned].map(|n| n.to_string());
            assert_eq!(cells[1..], [images, flagged, share, poisoned]);
        }
    }

    fn check_cards(&self) {
        let cards: Vec<&str> = self.html.split("<li class=\"card").skip(1).collect();
        assert!(!cards.is_empty());
        for card in cards {
            let name = between(card, "data-name=\"", "\"");
            let row = self.rows.iter().find(|row| row.file == name);
            let row = row.expect("an image of the run");
            let words = texts(card);
            assert_eq!(words[0], format!("#{}", row.rank));
            assert!(card.contains(&format!("data-rank=\"{}\"", row.rank)));
            assert!(words.contains(&format!("{:.3}", row.score)), "{words:?}");
            assert!(words.contains(&row.label), "{words:?}");
            assert!(words.iter().any(|word| close(word, row.raw)), "{words:?}");
            let is = |word: &str| words.iter().any(|one| one == word);
            assert_eq!(is("flagged"), row.flagged);
            assert_eq!(is("poisoned"), self.poisoned.contains(name));
        }
    }

    fn check_metrics(&self, stored: &Value) {
        let stored = stored.as_array().expect("a list");
        assert!(!stored.is_empty());
        for metric in stored {
            let name = metric["name"].as_str().expect("a name");
            let heading = format!("<th scope=\"row\">{}</th>", name.replace('>', "&gt;"));
            let line = between(self.html, &heading, "</tr>");
            let shown = match metric["value"]["estimate"].as_f64() {
                Some(value) => format!("{value:.3}"),
                None => "not defined".to_owned(),
            };
            assert!(line.contains(&shown), "{name}: {line}");
        }
        let found = stored.iter().find(|metric| metric["name"] == "AUROC");
        let found = found.and_then(|found| found["value"]["estimate"].as_f64());
        let found = found.expect("defined");
        assert!(
            (found - auroc(&self.rows, &self.poisoned)).abs() < 1e-9,
            "{found}"
        );
    }
}

/// Whether a number as it is shown, with four digits, is `value`.
fn close(shown: &str, value: f64) -> bool {
    let number: Option<f64> = shown.parse().ok();
    number.is_some_and(|number| (number - value).abs() <= 1e-3 * value.abs() + 1e-12)
}

#[test]
fn reports_follow_from_the_files_of_their_runs() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let (run, page) = run(scratch.path());
    let metrics = read(&run.join("evaluate/metrics.json"));
    for (place, label) in ["cd-l", "cd-f"].into_iter().enumerate() {
        let section = Section::of(&page, &run, label, place + 1);
        section.check_rule(&read(&run.join("detect").join(label).join("decision.json")));
        section.check_classes();
        section.check_cards();
        section.check_metrics(&metrics["detectors"][place]["metrics"]);
    }

    let tiles = texts(between(&page, "<dl class=\"tiles\">", "</dl>"));
    let tile = |name: &str| {
        let at = tiles.iter().position(|text| text == name);
        &tiles[at.unwrap_or_else(|| panic!("{name}: {tiles:?}")) + 1]
    };
    let (rows, bad) = (rows(&run.join("detect/cd-l")), poisoned(&run));
    assert_eq!(tile("Images searched"), &rows.len().to_string());
    let searched = rows.iter().filter(|row| bad.contains(&row.file)).count();
    assert_eq!(tile("Poisoned among them"), &searched.to_string());
    assert_eq!(tile("AUROC, CD-L"), &format!("{:.3}", auroc(&rows, &bad)));
    for (name, key) in [
        ("Clean accuracy", "clean_accuracy"),
        ("Attack success rate", "attack_success_rate"),
    ] {
        let share = metrics[key]["estimate"].as_f64().expect("measured");
        assert_eq!(tile(name), &format!("{:.1} %", share * 100.0));
    }
    let whole = read(&run.join("poison/train.json"))["image_count"].clone();
    assert!(page.contains(&format!("{} of {whole} images searched", rows.len())));
    let history = read(&run.join("train/history.json"));
    let last = history["epochs"]
        .as_array()
        .and_then(|epochs| epochs.last())
        .expect("epochs");
    let accuracy = last["train_accuracy"].as_f64().expect("a number") * 100.0;
    assert!(page.contains(&format!("training accuracy of {accuracy:.1} %")));
}

#[test]
fn the_verdict_of_a_report_is_that_of_its_file() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let (_, page) = run(scratch.path());
    let section = between(&page, "id=\"verdict\"", "</section>");
    let words = texts(section).join(" ");
    for part in [
        "Backdoored Found.",
        "7 of 40 images are flagged ( 18 % ).",
        "About 6 images of it taken for poisoned (95 %: 4 to 9 ).",
        "A gap of 5.5.",
        "The recovered patch turns 75 % of 80 other images into stop ; a control in its place 3.8 %",
        "recovered 60 of 80",
        "control 3 of 80",
        "blend on 1.5 % 5 of 12",
        "Only 41 % are right.",
    ] {
        assert!(normal(&words).contains(&normal(part)), "{part}: {words}");
    }
}

/// Without blanks, which stand where tags were.
fn normal(words: &str) -> String {
    words.split_whitespace().collect()
}
