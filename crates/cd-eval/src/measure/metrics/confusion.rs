//! Counts at a decision that has been made: flagged or not.

use serde::{Deserialize, Serialize};

use super::MetricError;

/// The four outcomes of flagging images, "positive" meaning poisoned.
///
/// Rates whose denominator is zero are `None`, never 0 or NaN: a data set without poison has no
/// true positive rate, and a rule that flags nothing has no precision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Poisoned images that were flagged.
    pub true_positives: usize,
    /// Clean images that were flagged.
    pub false_positives: usize,
    /// Clean images that were left alone.
    pub true_negatives: usize,
    /// Poisoned images that were left alone.
    pub false_negatives: usize,
}

impl Confusion {
    /// Share of the poisoned images that were flagged (recall); `None` without poisoned images.
    pub fn true_positive_rate(&self) -> Option<f64> {
        ratio(
            self.true_positives,
            self.true_positives + self.false_negatives,
        )
    }

    /// Share of the clean images that were flagged; `None` without clean images.
    pub fn false_positive_rate(&self) -> Option<f64> {
        ratio(
            self.false_positives,
            self.false_positives + self.true_negatives,
        )
    }

    /// Share of the flagged images that are poisoned; `None` when nothing was flagged.
    pub fn precision(&self) -> Option<f64> {
        ratio(
            self.true_positives,
            self.true_positives + self.false_positives,
        )
    }

    /// Harmonic mean of precision and recall, `2 TP / (2 TP + FP + FN)`; `None` when nothing is
    /// poisoned and nothing was flagged.
    pub fn f1(&self) -> Option<f64> {
        let wrong = self.false_positives + self.false_negatives;
        ratio(2 * self.true_positives, 2 * self.true_positives + wrong)
    }

    /// Share of all images that were judged right; `None` without images.
    pub fn accuracy(&self) -> Option<f64> {
        let right = self.true_positives + self.true_negatives;
        ratio(right, right + self.false_positives + self.false_negatives)
    }

    /// Counts one more image.
    pub fn add(&mut self, poisoned: bool, flagged: bool) {
        match (poisoned, flagged) {
            (true, true) => self.true_positives += 1,
            (false, true) => self.false_positives += 1,
            (false, false) => self.true_negatives += 1,
            (true, false) => self.false_negatives += 1,
        }
    }

    /// Number of flagged images.
    pub fn flagged(&self) -> usize {
        self.true_positives + self.false_positives
    }
}

/// Counts the outcomes of flagging. One kind of image alone is fine; the rates that then have no
/// meaning are `None`.
///
/// ```
/// use cd_eval::metrics::confusion;
///
/// let outcome = confusion(&[true, true, false], &[true, false, false])?;
/// assert_eq!(outcome.true_positive_rate(), Some(0.5));
/// assert_eq!(outcome.false_positive_rate(), Some(0.0));
/// # Ok::<(), cd_eval::metrics::MetricError>(())
/// ```
///
/// # Errors
/// [`MetricError::LengthMismatch`].
pub fn confusion(truth: &[bool], flagged: &[bool]) -> Result<Confusion, MetricError> {
    check_lengths(
        "ground-truth labels",
        truth.len(),
        "decisions",
        flagged.len(),
    )?;
    let mut counts = Confusion::default();
    for (&poisoned, &flagged) in truth.iter().zip(flagged) {
        counts.add(poisoned, flagged);
    }
    Ok(counts)
}

/// Share of equal entries, 0 to 1: clean accuracy when given labels and predictions of clean
/// images, attack success rate when given the target label and predictions of triggered ones.
///
/// # Errors
/// [`MetricError::LengthMismatch`] or [`MetricError::Empty`].
pub fn accuracy<T: PartialEq>(expected: &[T], predicted: &[T]) -> Result<f64, MetricError> {
    check_lengths("labels", expected.len(), "predictions", predicted.len())?;
    let right = expected
        .iter()
        .zip(predicted)
        .filter(|(a, b)| a == b)
        .count();
    ratio(right, expected.len()).ok_or(MetricError::Empty)
}

fn check_lengths(
    left_name: &'static str,
    left: usize,
    right_name: &'static str,
    right: usize,
) -> Result<(), MetricError> {
    if left == right {
        return Ok(());
    }
    Err(MetricError::LengthMismatch {
        left_name,
        left,
        right_name,
        right,
    })
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_a_worked_example() {
        let counts = Confusion {
            true_positives: 3,
            false_positives: 1,
            true_negatives: 5,
            false_negatives: 2,
        };
        assert_eq!(counts.true_positive_rate(), Some(0.6));
        assert_eq!(counts.false_positive_rate(), Some(1.0 / 6.0));
        assert_eq!(counts.precision(), Some(0.75));
        assert_eq!(counts.f1(), Some(6.0 / 9.0));
        assert_eq!(counts.accuracy(), Some(8.0 / 11.0));
        assert_eq!(counts.flagged(), 4);
    }

    #[test]
    fn rates_without_a_denominator_are_undefined() {
        let nothing_poisoned = confusion(&[false], &[false]).expect("same length");
        assert_eq!(nothing_poisoned.true_positive_rate(), None);
        assert_eq!(nothing_poisoned.precision(), None);
        assert_eq!(nothing_poisoned.f1(), None);
        assert_eq!(nothing_poisoned.accuracy(), Some(1.0));
        assert_eq!(Confusion::default().accuracy(), None);
        let nothing_clean = confusion(&[true], &[false]).expect("same length");
        assert_eq!(nothing_clean.false_positive_rate(), None);
        assert_eq!(nothing_clean.f1(), Some(0.0));
    }

    #[test]
    fn accuracy_counts_equal_entries() {
        assert_eq!(accuracy(&[1, 2, 3, 4], &[1, 2, 0, 4]), Ok(0.75));
        assert_eq!(accuracy::<u32>(&[], &[]), Err(MetricError::Empty));
        let error = accuracy(&[1], &[1, 2]).expect_err("lengths differ");
        assert_eq!(
            error.to_string(),
            "1 labels but 2 predictions: every image needs one of each"
        );
    }
}
