//! Images grouped by score, from the most to the least suspicious.

use super::MetricError;

/// What one group of equally scored images holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) poisoned: u64,
    pub(super) clean: u64,
}

/// Scores that are sorted once, so that a metric over any selection of the images costs one pass.
///
/// This is what makes a bootstrap over 50,000 images cheap: resamples are counted, not sorted.
///
/// ```
/// use cd_eval::metrics::Ranking;
///
/// let ranking = Ranking::new(&[true, false, false], &[0.7, 0.2, 0.9])?;
/// assert_eq!(ranking.roc_auc_of(&[0, 1, 2]), Some(0.5));
/// assert_eq!(ranking.roc_auc_of(&[0, 1]), Some(1.0));
/// assert_eq!(ranking.roc_auc_of(&[1, 2]), None);
/// # Ok::<(), cd_eval::metrics::MetricError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Ranking {
    truth: Vec<bool>,
    group_of_image: Vec<usize>,
    /// The score of each group, highest first.
    scores: Vec<f64>,
}

impl Ranking {
    /// Groups images by equal score. Infinite scores are allowed, `0.0` equals `-0.0`.
    ///
    /// # Errors
    /// [`MetricError::LengthMismatch`] or [`MetricError::NotANumber`].
    pub fn new(truth: &[bool], scores: &[f64]) -> Result<Self, MetricError> {
        if truth.len() != scores.len() {
            return Err(MetricError::LengthMismatch {
                left_name: "ground-truth labels",
                left: truth.len(),
                right_name: "scores",
                right: scores.len(),
            });
        }
        if let Some(index) = scores.iter().position(|score| score.is_nan()) {
            return Err(MetricError::NotANumber { index });
        }
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&left, &right| scores[right].total_cmp(&scores[left]));

        let mut group_of_image = vec![0; scores.len()];
        let mut group_scores: Vec<f64> = Vec::new();
        for &image in &order {
            #[expect(
                clippy::float_cmp,
                reason = "a tie is exact equality, as in every ROC curve"
            )]
            let tied = group_scores
                .last()
                .is_some_and(|&last| last == scores[image]);
            if !tied {
                group_scores.push(scores[image]);
            }
            group_of_image[image] = group_scores.len() - 1;
        }
        Ok(Self {
            truth: truth.to_vec(),
            group_of_image,
            scores: group_scores,
        })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.truth.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.truth.is_empty()
    }

    /// [`roc_auc`](super::roc_auc) over a selection of images, repeats allowed; `None` unless it
    /// holds both kinds.
    ///
    /// # Panics
    /// When an index is not smaller than [`len`](Self::len).
    pub fn roc_auc_of(&self, images: &[usize]) -> Option<f64> {
        super::roc::area(&self.tallies_of(images.iter().copied()))
    }

    /// [`average_precision`](super::average_precision) over a selection of images, repeats allowed;
    /// `None` unless it holds both kinds.
    ///
    /// # Panics
    /// When an index is not smaller than [`len`](Self::len).
    pub fn average_precision_of(&self, images: &[usize]) -> Option<f64> {
        super::precision_recall::average(&self.tallies_of(images.iter().copied()))
    }

    /// [`precision_recall_auc`](super::precision_recall_auc) over a selection of images, repeats
    /// allowed; `None` unless it holds both kinds.
    ///
    /// # Panics
    /// When an index is not smaller than [`len`](Self::len).
    pub fn precision_recall_auc_of(&self, images: &[usize]) -> Option<f64> {
        super::precision_recall::area(&self.tallies_of(images.iter().copied()))
    }

    /// Group scores, highest first, aligned with [`tallies`](Self::tallies).
    pub(super) fn scores(&self) -> &[f64] {
        &self.scores
    }

    pub(super) fn tallies(&self) -> Vec<Tally> {
        self.tallies_of(0..self.len())
    }

    fn tallies_of(&self, images: impl Iterator<Item = usize>) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); self.scores.len()];
        for image in images {
            let tally = &mut tallies[self.group_of_image[image]];
            if self.truth[image] {
                tally.poisoned += 1;
            } else {
                tally.clean += 1;
            }
        }
        tallies
    }
}

/// The counts over all groups.
pub(super) fn total(tallies: &[Tally]) -> Tally {
    tallies.iter().fold(Tally::default(), |sum, tally| Tally {
        poisoned: sum.poisoned + tally.poisoned,
        clean: sum.clean + tally.clean,
    })
}

/// The error that explains why a metric over these groups is undefined.
pub(super) fn one_class(tallies: &[Tally]) -> MetricError {
    let all = total(tallies);
    MetricError::OneClass {
        poisoned: all.poisoned as usize,
        clean: all.clean as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_of_either_sign_are_one_group() {
        let ranking = Ranking::new(&[true, false], &[0.0, -0.0]).expect("valid");
        assert_eq!(ranking.scores().len(), 1);
        assert_eq!(ranking.roc_auc_of(&[0, 1]), Some(0.5));
    }

    #[test]
    fn faults_are_named() {
        let lengths = Ranking::new(&[true], &[]).expect_err("lengths differ");
        assert!(
            lengths
                .to_string()
                .starts_with("1 ground-truth labels but 0 scores")
        );
        let nan = Ranking::new(&[true, false], &[0.0, f64::NAN]).expect_err("NaN");
        assert_eq!(nan, MetricError::NotANumber { index: 1 });
    }

    #[test]
    fn a_selection_with_repeats_counts_them() {
        let ranking = Ranking::new(&[true, false, false], &[0.5, 0.4, 0.6]).expect("valid");
        assert_eq!(ranking.roc_auc_of(&[0, 1, 1, 1, 2]), Some(0.75));
    }
}
