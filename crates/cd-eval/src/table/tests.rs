use std::path::PathBuf;

use super::*;
use crate::evaluation::{DetectorMetrics, Evaluation, Measured, Metric};

fn measured(estimate: f64) -> Measured {
    Measured {
        estimate,
        interval: None,
    }
}

/// An evaluation in which every detector has its value.
fn evaluation(values: &[(&str, f64)]) -> Evaluation {
    let mut evaluation = Evaluation::new(Some(measured(0.99)), None, 0.95);
    for (label, value) in values {
        evaluation.detectors.push(DetectorMetrics {
            detector: (*label).to_owned(),
            images: 10,
            poisoned: Some(5),
            flagged: 1,
            rule: String::new(),
            metrics: vec![Metric {
                name: "AUROC".to_owned(),
                value: Some(measured(*value)),
            }],
            seconds: 1.0,
            computed: None,
        });
    }
    evaluation
}

const TEXT: &str = r#"
title = "T"
note = "N"
experiment = "e.toml"
metric = "AUROC"
detectors = ["a", "b", "c"]
[[rows]]
label = "R"
reported = [
  { detector = "a", value = 0.9, tolerance = 0.1, source = "paper" },
  { detector = "b", value = 0.9, tolerance = 0.1, source = "paper" },
]
expected = [{ detector = "b", value = 0.3, tolerance = 0.1 }]
"#;

fn results(table: &Table, evaluations: Vec<Evaluation>) -> RowResults<'_> {
    RowResults {
        row: &table.rows[0],
        evaluations,
    }
}

fn missed(values: &[(&str, f64)]) -> Vec<bool> {
    let table: Table = toml::from_str(TEXT).expect("valid");
    let records = table.records(&results(&table, vec![evaluation(values)]));
    records.iter().map(|record| record.missed).collect()
}

#[test]
fn what_is_expected_takes_the_place_of_what_was_reported() {
    assert_eq!(missed(&[("a", 0.81), ("b", 0.35), ("c", 0.0)]), [false; 3]);
    assert_eq!(
        missed(&[("a", 0.79), ("b", 0.95), ("c", 0.0)]),
        [true, true, false]
    );
    assert_eq!(missed(&[("b", 0.15)]), [true, true, false]);
}

#[test]
fn a_mean_needs_all_its_detectors_and_shows_their_range() {
    let value = |label: &str| label.strip_prefix("cd-")?.parse().ok().map(measured);
    let mean_of = |labels: &[&str]| Column::Mean {
        label: "both".to_owned(),
        mean_of: labels.iter().map(ToString::to_string).collect(),
    };
    let both = mean_of(&["cd-1", "cd-4"])
        .of(value)
        .expect("both are there");
    assert_eq!((both.estimate, both.interval), (2.5, Some([1.0, 4.0])));
    assert!(mean_of(&["cd-1", "other"]).of(value).is_none());
    assert!(mean_of(&[]).of(value).is_none());
}

#[test]
fn a_page_shows_ours_beside_expected_and_reported() {
    let table: Table = toml::from_str(TEXT).expect("valid");
    let found = vec![evaluation(&[("a", 0.5), ("b", 0.3)])];
    let records = table.records(&results(&table, found));
    let page = markdown(&table, &records);
    assert!(
        page.contains("| R | a | 0.500 MISSED | - | - | 0.9 (paper) | 99.0 | - |"),
        "{page}"
    );
    assert!(
        page.contains("| R | b | 0.300 | - | 0.3 ± 0.1 | 0.9 (paper) | 99.0 | - |"),
        "{page}"
    );
    assert!(page.contains("| R | c | - | - | - | - |"), "{page}");
}

#[test]
fn seeds_are_averaged_and_what_is_missing_is_marked() {
    let text = TEXT.replace(
        "metric = ",
        "seeds = [0, 1]\nmetrics = [\"AUROC\", \"FPR\"]\nmetric = ",
    );
    let text = text + "[[rows]]\nlabel = \"Clean\"\nclean = true\n[[rows]]\nlabel = \"Later\"\n";
    let table: Table = toml::from_str(&text).expect("valid");
    let mut clean = evaluation(&[("a", 0.5)]);
    clean.detectors[0].metrics.clear();
    let of_rows = [
        vec![evaluation(&[("a", 0.5)]), evaluation(&[("a", 0.7)])],
        vec![clean],
        vec![],
    ];
    let rows = table.rows.iter().zip(of_rows);
    let rows: Vec<RowResults<'_>> = rows
        .map(|(row, evaluations)| RowResults { row, evaluations })
        .collect();
    let page = survey(&table, &rows);
    for line in [
        "3 of 6 runs",
        "| R | 99.0 | missing | 2 of 2 |",
        "| Clean | 99.0 | - | 1 of 2 |",
        "| Later | missing | missing | 0 of 2 |",
        "| a | 0.600 | missing | 0.600 | 0.100 | 100.00 | 1 |",
        "| a | 0.600 | - | missing |",
        "| a | missing | 0.100 | missing |",
        "| b | missing | - | missing |",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    let records = table.records(&rows[0]);
    assert_eq!(records.len(), 6);
    assert_eq!(
        records[0].ours.and_then(|ours| ours.interval),
        Some([0.5, 0.7])
    );
    assert!(records[1].reported.is_none() && records[1].metric == "FPR");
}

#[test]
fn every_table_of_the_repository_fits_its_experiment() {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let entries = fs::read_dir(root.join("configs/table")).expect("the folder exists");
    let mut count = 0;
    for entry in entries.flatten() {
        let table = Table::read(&entry.path()).expect("valid");
        assert!(!table.rows.is_empty());
        for row in &table.rows {
            let mut rooted = table.clone();
            rooted.experiment = root.join(&table.experiment);
            rooted.further = table.further.iter().map(|file| root.join(file)).collect();
            let runs = rooted.runs(row).expect("valid");
            let of_seed = runs[0].iter().inspect(|run| run.check().expect("fits"));
            let labels: Vec<String> = of_seed.flat_map(Experiment::detector_labels).collect();
            for column in &table.detectors {
                let found =
                    column.of(|label| labels.iter().any(|l| l == label).then(|| measured(0.0)));
                assert!(
                    found.is_some(),
                    "{}: {}",
                    entry.path().display(),
                    column.label()
                );
            }
        }
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn figures_without_a_column_are_refused() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let path = scratch.path().join("t.toml");
    fs::write(&path, TEXT.replace("\"b\", \"c\"", "\"c\"")).expect("written");
    let error = Table::read(&path).expect_err("no column").to_string();
    assert!(
        error.contains("row `R`") && error.contains("`b`"),
        "{error}"
    );
    fs::write(&path, TEXT.replace("label", "lable")).expect("written");
    let error = Table::read(&path).expect_err("unknown key").to_string();
    assert!(error.contains("line") && error.contains("lable"), "{error}");
    let error = Table::read(&scratch.path().join("none.toml")).expect_err("missing");
    assert!(error.to_string().contains("none.toml"), "{error}");
}
