//! The table of metrics.

use maud::{Markup, html};

use super::content::{MetricRow, MetricValue};
use super::format::{metric, percent};

pub(super) fn table(rows: &[MetricRow]) -> Markup {
    html! {
        div class="scroll" {
            table {
                thead {
                    tr {
                        th scope="col" { "Metric" }
                        th scope="col" class="number" { "Value" }
                        @if let Some(level) = level(rows) {
                            th scope="col" class="number" { (percent(level)) " interval" }
                        }
                        th scope="col" { "Meaning" }
                    }
                }
                tbody {
                    @for row in rows { (table_row(row, level(rows).is_some())) }
                }
            }
        }
    }
}

fn table_row(row: &MetricRow, with_intervals: bool) -> Markup {
    let interval = match row.value {
        Some(MetricValue::Interval(interval)) => {
            format!(
                "{} \u{2013} {}",
                metric(interval.low),
                metric(interval.high)
            )
        }
        _ => String::new(),
    };
    html! {
        tr {
            th scope="row" { (row.name) }
            td class="number strong" {
                @match row.value {
                    Some(MetricValue::Number(value)) => (metric(value)),
                    Some(MetricValue::Interval(interval)) => (metric(interval.estimate)),
                    None => span class="muted" { "not defined" },
                }
            }
            @if with_intervals { td class="number" { (interval) } }
            td class="muted" { (row.hint) }
        }
    }
}

/// The confidence level of the first interval; all rows of a table share it.
fn level(rows: &[MetricRow]) -> Option<f64> {
    rows.iter().find_map(|row| match row.value {
        Some(MetricValue::Interval(interval)) => Some(interval.level),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::Interval;

    fn row(name: &str, value: Option<MetricValue>) -> MetricRow {
        MetricRow {
            name: name.to_owned(),
            value,
            hint: String::new(),
        }
    }

    #[test]
    fn values_intervals_and_gaps_are_shown() {
        let interval = Interval {
            estimate: 0.9432,
            low: 0.9,
            high: 0.961,
            level: 0.95,
        };
        let page = table(&[
            row("AUROC", Some(interval.into())),
            row("CA", Some(0.5.into())),
            row("ASR", None),
        ])
        .into_string();
        assert!(page.contains("95 % interval") && page.contains("0.900 \u{2013} 0.961"));
        assert!(page.contains("0.943") && page.contains("0.500") && page.contains("not defined"));
    }

    #[test]
    fn without_intervals_there_is_no_column_for_them() {
        let page = table(&[row("CA", Some(0.5.into()))]).into_string();
        assert!(!page.contains("interval"));
    }
}
