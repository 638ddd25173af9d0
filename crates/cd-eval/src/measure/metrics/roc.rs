//! The receiver operating characteristic and the area under it.

use super::MetricError;
use super::ranking::{Ranking, Tally, one_class, total};

/// One point of a ROC curve: the rates when every image with `score >= threshold` is flagged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RocPoint {
    /// Share of the clean images that are flagged, 0 to 1.
    pub false_positive_rate: f64,
    /// Share of the poisoned images that are flagged, 0 to 1.
    pub true_positive_rate: f64,
    /// The score from which images are flagged; infinite at the first point, where none is.
    pub threshold: f64,
}

/// Area under the ROC curve: the chance that a poisoned image scores higher than a clean one, ties
/// counting half. 0 to 1; 0.5 is guessing.
///
/// Pairs are counted in integers, so the result does not depend on the order of the images.
///
/// # Errors
/// [`MetricError`] when the lists differ in length, a score is NaN or one kind of image is absent.
pub fn roc_auc(truth: &[bool], scores: &[f64]) -> Result<f64, MetricError> {
    let tallies = Ranking::new(truth, scores)?.tallies();
    area(&tallies).ok_or_else(|| one_class(&tallies))
}

/// The ROC curve from (0, 0) to (1, 1), thresholds falling.
///
/// As in scikit-learn's default, a point is left out when its neighbours carry the same
/// information: the same step leads into it and out of it.
///
/// # Errors
/// As [`roc_auc`].
pub fn roc_curve(truth: &[bool], scores: &[f64]) -> Result<Vec<RocPoint>, MetricError> {
    let ranking = Ranking::new(truth, scores)?;
    let tallies = ranking.tallies();
    let all = total(&tallies);
    if all.poisoned == 0 || all.clean == 0 {
        return Err(one_class(&tallies));
    }
    let mut points = vec![RocPoint {
        false_positive_rate: 0.0,
        true_positive_rate: 0.0,
        threshold: f64::INFINITY,
    }];
    let mut above = Tally::default();
    for (group, tally) in tallies.iter().enumerate() {
        above.poisoned += tally.poisoned;
        above.clean += tally.clean;
        // The step into the first group is no reason to drop it: the curve always keeps both ends.
        let corner = group == 0 || tallies.get(group + 1) != Some(tally);
        if corner {
            points.push(RocPoint {
                false_positive_rate: above.clean as f64 / all.clean as f64,
                true_positive_rate: above.poisoned as f64 / all.poisoned as f64,
                threshold: ranking.scores()[group],
            });
        }
    }
    Ok(points)
}

/// Area from counted pairs; `None` unless both kinds occur.
pub(super) fn area(tallies: &[Tally]) -> Option<f64> {
    let all = total(tallies);
    if all.poisoned == 0 || all.clean == 0 {
        return None;
    }
    let mut poisoned_above = 0_u64;
    let mut doubled_wins = 0_u128;
    for tally in tallies {
        doubled_wins += u128::from(2 * poisoned_above + tally.poisoned) * u128::from(tally.clean);
        poisoned_above += tally.poisoned;
    }
    let doubled_pairs = 2 * u128::from(all.poisoned) * u128::from(all.clean);
    Some(doubled_wins as f64 / doubled_pairs as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_of_image_is_an_error() {
        let clean_only = roc_auc(&[false, false], &[0.1, 0.2]).expect_err("no poison");
        assert_eq!(
            clean_only,
            MetricError::OneClass {
                poisoned: 0,
                clean: 2
            }
        );
        assert!(roc_curve(&[true], &[0.1]).is_err());
        assert!(roc_curve(&[], &[]).is_err());
    }

    #[test]
    fn infinite_scores_rank() {
        let scores = [f64::NEG_INFINITY, f64::INFINITY, 0.0];
        assert_eq!(roc_auc(&[false, true, false], &scores), Ok(1.0));
    }
}
