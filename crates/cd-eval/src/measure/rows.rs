//! The rows of the metrics table.

use thiserror::Error;

use super::bootstrap::{Bootstrap, BootstrapError};
use super::evaluation::{Measured, Metric, WITHOUT_COVERS};
use super::metrics::{Confusion, MetricError, Ranking, confusion};

/// Why the metrics could not be measured.
#[derive(Debug, Error)]
pub enum MeasureError {
    /// The lists do not fit each other or hold NaN.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// The settings of the bootstrap are unusable.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
}

type Rate = fn(&Confusion) -> Option<f64>;
type Area = fn(&Ranking, &[usize]) -> Option<f64>;

/// Metrics of the scores alone, with what they mean.
const AREAS: [(&str, Area, &str); 3] = [
    (
        "AUROC",
        Ranking::roc_auc_of,
        "chance that a poisoned image scores above a clean one; guessing gives 0.5",
    ),
    (
        "Average precision",
        Ranking::average_precision_of,
        "precision averaged over the recall; guessing gives the share of poisoned images",
    ),
    (
        "Area under PR curve",
        Ranking::precision_recall_auc_of,
        "trapezoids under the precision-recall curve",
    ),
];

/// Metrics that need a decision, with what they mean.
const AT_THE_RULE: [(&str, Rate, &str); 5] = [
    (
        "TPR (recall)",
        Confusion::true_positive_rate,
        "share of the poisoned images that are flagged",
    ),
    (
        "FPR",
        Confusion::false_positive_rate,
        "share of the clean images that are flagged",
    ),
    (
        "Precision",
        Confusion::precision,
        "share of the flagged images that are poisoned",
    ),
    ("F1", Confusion::f1, "harmonic mean of precision and recall"),
    (
        "Accuracy",
        Confusion::accuracy,
        "share of all images that are judged right",
    ),
];

const OF_UNTOUCHED: &str = "share of the clean images that are flagged, those aside that carry the trigger and keep their label";

/// Every metric of a detector with bootstrap intervals: the areas from the scores, and the rates
/// from `flagged` where a rule was applied. A metric that is not defined (no poisoned images,
/// nothing flagged) has a row without a value.
///
/// # Errors
/// [`MeasureError`] for lists of different length, NaN scores or unusable bootstrap settings.
pub fn metric_rows(
    truth: &[bool],
    scores: &[f64],
    flagged: Option<&[bool]>,
    bootstrap: &Bootstrap,
) -> Result<Vec<Metric>, MeasureError> {
    let ranking = Ranking::new(truth, scores)?;
    let mut rows = Vec::with_capacity(AREAS.len() + AT_THE_RULE.len());
    for (name, area, _) in AREAS {
        let value = interval(bootstrap, truth, |images| area(&ranking, images))?;
        rows.push(row(name, value));
    }
    if let Some(flagged) = flagged {
        // Checks the lengths once, so that the closure below can index.
        confusion(truth, flagged)?;
        for (name, rate, _) in AT_THE_RULE {
            let value = interval(bootstrap, truth, |images| {
                rate(&selected(truth, flagged, images))
            })?;
            rows.push(row(name, value));
        }
    }
    Ok(rows)
}

/// What the metric `name` means, in one line; empty for a name that is none.
pub fn meaning(name: &str) -> &'static str {
    let areas = AREAS.map(|(metric, _, hint)| (metric, hint));
    let rates = AT_THE_RULE.map(|(metric, _, hint)| (metric, hint));
    let further = [(WITHOUT_COVERS, OF_UNTOUCHED)];
    let mut all = areas.into_iter().chain(rates).chain(further);
    all.find(|(metric, _)| *metric == name)
        .map_or("", |(_, hint)| hint)
}

fn row(name: &str, value: Option<Measured>) -> Metric {
    Metric {
        name: name.to_owned(),
        value,
    }
}

/// `None` where the metric is not defined; a value alone where only its interval is not.
fn interval(
    bootstrap: &Bootstrap,
    truth: &[bool],
    metric: impl Fn(&[usize]) -> Option<f64> + Sync,
) -> Result<Option<Measured>, BootstrapError> {
    match bootstrap.interval(truth, &metric) {
        Ok(interval) => Ok(Some(interval.into())),
        Err(BootstrapError::Undefined { .. }) => Ok(None),
        Err(BootstrapError::MostlyUndefined { .. }) => {
            let everything: Vec<usize> = (0..truth.len()).collect();
            Ok(metric(&everything).map(Measured::from))
        }
        Err(error) => Err(error),
    }
}

fn selected(truth: &[bool], flagged: &[bool], images: &[usize]) -> Confusion {
    let mut counts = Confusion::default();
    for &image in images {
        counts.add(truth[image], flagged[image]);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Bootstrap = Bootstrap {
        resamples: 50,
        level: 0.9,
        seed: 3,
    };

    fn find<'a>(rows: &'a [Metric], name: &str) -> &'a Metric {
        rows.iter()
            .find(|row| row.name == name)
            .expect("the row exists")
    }

    #[test]
    fn rows_hold_estimates_over_all_images() {
        let truth = [true, true, false, false, false];
        let scores = [0.9, 0.4, 0.5, 0.2, 0.1];
        let flagged = [true, false, true, false, false];
        let rows = metric_rows(&truth, &scores, Some(&flagged), &QUICK).expect("valid");
        assert_eq!(rows.len(), 8);
        let estimate = |name| {
            let measured = find(&rows, name).value.expect("defined");
            assert!(measured.interval.is_some(), "{name}");
            measured.estimate
        };
        assert!((estimate("AUROC") - 5.0 / 6.0).abs() < 1e-12);
        assert!((estimate("TPR (recall)") - 0.5).abs() < 1e-12);
        assert!((estimate("FPR") - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn undefined_metrics_have_no_value() {
        let rows = metric_rows(&[false, false], &[0.1, 0.2], Some(&[false, false]), &QUICK)
            .expect("one kind is allowed here");
        assert_eq!(find(&rows, "AUROC").value, None);
        assert_eq!(find(&rows, "TPR (recall)").value, None);
        assert_eq!(find(&rows, "Precision").value, None);
        assert!(find(&rows, "FPR").value.is_some());
    }

    #[test]
    fn lists_that_do_not_fit_are_errors() {
        assert!(metric_rows(&[true], &[0.1, 0.2], None, &QUICK).is_err());
        assert!(metric_rows(&[true], &[0.1], Some(&[]), &QUICK).is_err());
        let none = Bootstrap {
            resamples: 0,
            ..QUICK
        };
        assert!(metric_rows(&[true, false], &[0.1, 0.2], None, &none).is_err());
    }
}
