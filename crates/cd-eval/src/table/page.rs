//! A table as text.

use super::{Record, Table};
use crate::evaluation::Measured;

/// What the column `interval` means.
pub const INTERVALS: &str = "Intervals: by bootstrap, at the level of the experiment (95 % by default); smallest and largest \
     where the value is a mean of several searches or seeds. A value misses outside the band of `expected` or, where nothing is \
     expected, below `reported` by more than its tolerance.";

/// Headings of the [`cells`].
pub const HEADING: [&str; 8] = [
    "setting", "detector", "ours", "interval", "expected", "reported", "CA %", "ASR %",
];

/// One line of the table, under [`HEADING`].
pub fn cells(record: &Record) -> [String; 8] {
    let none = || "-".to_owned();
    let percent =
        |value: Option<Measured>| value.map_or_else(none, |v| format!("{:.1}", v.estimate * 100.0));
    let missed = if record.missed { " MISSED" } else { "" };
    let ours = record
        .ours
        .map_or_else(none, |v| format!("{:.3}", v.estimate));
    let interval = record.ours.and_then(|v| v.interval);
    let expected = record.expected.as_ref();
    let reported = record.reported.as_ref();
    [
        record.row.clone(),
        record.detector.clone(),
        format!("{ours}{missed}"),
        interval.map_or_else(none, |[low, high]| format!("{low:.3} to {high:.3}")),
        expected.map_or_else(none, |figure| {
            format!("{} ± {}", figure.value, figure.tolerance)
        }),
        reported.map_or_else(none, |figure| {
            format!("{} ({})", figure.value, figure.source)
        }),
        percent(record.clean_accuracy),
        percent(record.attack_success_rate),
    ]
}

/// The table as a page of Markdown.
pub fn markdown(table: &Table, records: &[Record]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heading = [
        HEADING.map(str::to_owned),
        HEADING.map(|_| "---".to_owned()),
    ];
    let heading: String = heading.iter().map(|cells| line(cells)).collect();
    let lines: String = records.iter().map(|record| line(&cells(record))).collect();
    format!(
        "# {}\n\n{}\n\n{heading}{lines}\nMetric: {}. {INTERVALS}\n",
        table.title, table.note, table.metric
    )
}
