//! What the runs of a row came to, over its seeds.

use super::{Column, Row};
use crate::evaluation::{DetectorMetrics, Evaluation, Measured, WITHOUT_COVERS};

/// Name of the share of flagged images, which needs no ground truth.
pub(super) const FLAGGED: &str = "Flagged";
/// Name of the seconds that a detector takes for 1,000 images, beyond features and logits, which all detectors share.
pub(super) const SECONDS: &str = "Seconds";

/// A row with one evaluation for each of its seeds that has run.
#[derive(Debug, Clone)]
pub struct RowResults<'a> {
    /// The row.
    pub row: &'a Row,
    /// Seed after seed; a seed that has not run is left out.
    pub evaluations: Vec<Evaluation>,
}

impl RowResults<'_> {
    /// Mean over seeds of `metric` in `column`, with the smallest and the largest as its interval where there are several.
    pub fn value(&self, column: &Column, metric: &str) -> Option<Measured> {
        self.mean(|evaluation| {
            column.of(|label| {
                let found = evaluation.detectors.iter().find(|d| d.detector == label)?;
                figure(found, metric)
            })
        })
    }

    /// Mean over seeds of clean accuracy.
    pub fn clean_accuracy(&self) -> Option<Measured> {
        self.mean(|evaluation| evaluation.clean_accuracy)
    }

    /// Mean over seeds of the attack success rate.
    pub fn attack_success_rate(&self) -> Option<Measured> {
        self.mean(|evaluation| evaluation.attack_success_rate)
    }

    fn mean(&self, value: impl Fn(&Evaluation) -> Option<Measured>) -> Option<Measured> {
        let values: Vec<Measured> = self.evaluations.iter().filter_map(value).collect();
        match values[..] {
            [] => None,
            [one] => Some(one),
            _ => Some(mean(values.iter().map(|value| value.estimate))),
        }
    }
}

/// The mean of at least one value, from the smallest to the largest.
pub(super) fn mean(values: impl Iterator<Item = f64> + Clone) -> Measured {
    let count = values.clone().count();
    Measured {
        estimate: values.clone().sum::<f64>() / count as f64,
        interval: Some([
            values.clone().fold(f64::INFINITY, f64::min),
            values.fold(f64::NEG_INFINITY, f64::max),
        ]),
    }
}

fn figure(of: &DetectorMetrics, metric: &str) -> Option<Measured> {
    match metric {
        FLAGGED => Some((of.flagged as f64 / of.images.max(1) as f64).into()),
        SECONDS => {
            // A start that went on with an earlier one tells the time of what it computed itself.
            let images = of.images as u64;
            let images = of
                .computed
                .filter(|&computed| computed > 0)
                .map_or(images, |computed| computed.min(images));
            Some((of.seconds * 1000.0 / images.max(1) as f64).into())
        }
        // Where there are no covers, all clean images are untouched.
        WITHOUT_COVERS => of.metric(metric).or_else(|| of.metric("FPR")),
        _ => of.metric(metric),
    }
}
