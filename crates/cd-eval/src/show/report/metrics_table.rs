//! The table of metrics.

use maud::{Markup, html};

use super::format::metric;
use super::meaning;
use crate::evaluation::{Metric, level_text};

/// `level` is that of the intervals.
pub(super) fn table(rows: &[Metric], level: f64) -> Markup {
    let has_interval = |row: &Metric| row.value.is_some_and(|value| value.interval.is_some());
    let with_intervals = rows.iter().any(has_interval);
    html! {
        div class="scroll" {
            table {
                thead {
                    tr {
                        th scope="col" { "Metric" }
                        th scope="col" class="number" { "Value" }
                        @if with_intervals {
                            th scope="col" class="number" { (level_text(level)) " interval" }
                        }
                        th scope="col" { "Meaning" }
                    }
                }
                tbody {
                    @for row in rows { (table_row(row, with_intervals)) }
                }
            }
        }
    }
}

fn table_row(row: &Metric, with_intervals: bool) -> Markup {
    let interval = row.value.and_then(|value| value.interval);
    let interval = interval.map_or_else(String::new, |[low, high]| {
        format!("{} \u{2013} {}", metric(low), metric(high))
    });
    html! {
        tr {
            th scope="row" { (row.name) }
            td class="number strong" {
                @match row.value {
                    Some(value) => (metric(value.estimate)),
                    None => span class="muted" { "not defined" },
                }
            }
            @if with_intervals { td class="number" { (interval) } }
            td class="muted" { (meaning(&row.name)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::Measured;

    fn row(name: &str, value: Option<Measured>) -> Metric {
        Metric {
            name: name.to_owned(),
            value,
        }
    }

    #[test]
    fn values_intervals_and_gaps_are_shown() {
        let measured = Measured {
            estimate: 0.9432,
            interval: Some([0.9, 0.961]),
        };
        let rows = [
            row("AUROC", Some(measured)),
            row("CA", Some(0.5.into())),
            row("ASR", None),
        ];
        let page = table(&rows, 0.9).into_string();
        assert!(page.contains("90 % interval") && page.contains("0.900 \u{2013} 0.961"));
        assert!(page.contains("0.943") && page.contains("0.500") && page.contains("not defined"));
        assert!(page.contains("guessing gives 0.5"));
    }

    #[test]
    fn without_intervals_there_is_no_column_for_them() {
        let page = table(&[row("CA", Some(0.5.into()))], 0.95).into_string();
        assert!(!page.contains("interval"));
    }
}
