//! Precision against recall, and the two areas in use for it.

use super::MetricError;
use super::ranking::{Ranking, Tally, one_class, total};

/// One point of a precision-recall curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrecisionRecallPoint {
    /// Share of the flagged images that are poisoned, 0 to 1.
    pub precision: f64,
    /// Share of the poisoned images that are flagged, 0 to 1.
    pub recall: f64,
    /// Images with `score >= threshold` are flagged; `None` at the closing point, where none is.
    pub threshold: Option<f64>,
}

/// Average precision: precision at each threshold weighted by the recall gained there, without
/// interpolation. 0 to 1; guessing gives the share of poisoned images.
///
/// # Errors
/// [`MetricError`] when the lists differ in length, a score is NaN or one kind of image is absent.
pub fn average_precision(truth: &[bool], scores: &[f64]) -> Result<f64, MetricError> {
    let tallies = Ranking::new(truth, scores)?.tallies();
    average(&tallies).ok_or_else(|| one_class(&tallies))
}

/// Area under the straight-line precision-recall curve (trapezoids over
/// [`precision_recall_curve`]), 0 to 1.
///
/// Lines between the points flatter a detector with many ties; prefer [`average_precision`] unless
/// numbers are held against a source that uses the trapezoids.
///
/// # Errors
/// As [`average_precision`].
pub fn precision_recall_auc(truth: &[bool], scores: &[f64]) -> Result<f64, MetricError> {
    let tallies = Ranking::new(truth, scores)?.tallies();
    area(&tallies).ok_or_else(|| one_class(&tallies))
}

/// The precision-recall curve, thresholds rising, one point per distinct score and the closing
/// point (recall 0, precision 1).
///
/// # Errors
/// As [`average_precision`].
pub fn precision_recall_curve(
    truth: &[bool],
    scores: &[f64],
) -> Result<Vec<PrecisionRecallPoint>, MetricError> {
    let ranking = Ranking::new(truth, scores)?;
    let tallies = ranking.tallies();
    let rising = rates(&tallies).ok_or_else(|| one_class(&tallies))?;
    let mut points: Vec<_> = rising
        .into_iter()
        .zip(ranking.scores())
        .map(|((precision, recall), &score)| PrecisionRecallPoint {
            precision,
            recall,
            threshold: Some(score),
        })
        .rev()
        .collect();
    points.push(PrecisionRecallPoint {
        precision: 1.0,
        recall: 0.0,
        threshold: None,
    });
    Ok(points)
}

/// (precision, recall) with rising recall, one for each group that holds an image; `None` unless
/// both kinds occur.
fn rates(tallies: &[Tally]) -> Option<Vec<(f64, f64)>> {
    let all = total(tallies);
    if all.poisoned == 0 || all.clean == 0 {
        return None;
    }
    let mut above = Tally::default();
    let mut rates = Vec::with_capacity(tallies.len());
    for tally in tallies.iter().filter(|&tally| *tally != Tally::default()) {
        above.poisoned += tally.poisoned;
        above.clean += tally.clean;
        let precision = above.poisoned as f64 / (above.poisoned + above.clean) as f64;
        let recall = above.poisoned as f64 / all.poisoned as f64;
        rates.push((precision, recall));
    }
    Some(rates)
}

pub(super) fn average(tallies: &[Tally]) -> Option<f64> {
    let mut previous_recall = 0.0;
    let mut sum = 0.0;
    for (precision, recall) in rates(tallies)? {
        sum += precision * (recall - previous_recall);
        previous_recall = recall;
    }
    Some(sum)
}

pub(super) fn area(tallies: &[Tally]) -> Option<f64> {
    let (mut previous_precision, mut previous_recall) = (1.0, 0.0);
    let mut sum = 0.0;
    for (precision, recall) in rates(tallies)? {
        sum += f64::midpoint(precision, previous_precision) * (recall - previous_recall);
        (previous_precision, previous_recall) = (precision, recall);
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_of_image_is_an_error() {
        assert!(average_precision(&[true, true], &[0.1, 0.2]).is_err());
        assert!(precision_recall_auc(&[false], &[0.1]).is_err());
        assert!(precision_recall_curve(&[], &[]).is_err());
    }
}
