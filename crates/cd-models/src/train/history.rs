//! What happened on the way.

use cd_core::Matrix;
use serde::{Deserialize, Serialize};

/// What happened in one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochReport {
    /// Counted from 0.
    pub epoch: usize,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Mean loss over the training images as they were seen: cross-entropy, with smoothed labels
    /// where they are asked for.
    pub train_loss: f64,
    /// Accuracy over the training images as they were seen, in `[0, 1]`.
    pub train_accuracy: f64,
    /// Accuracy over the held-out images after the epoch, in `[0, 1]`; `None` without such images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// What a training run leaves besides the weights.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// One report per epoch.
    pub epochs: Vec<EpochReport>,
    /// Cross-entropy of every training image at the start of each recorded epoch: evaluation mode,
    /// no augmentation, `[epochs][images]`.
    #[serde(skip)]
    pub losses: Vec<Vec<f32>>,
}

impl History {
    /// The epoch with the highest accuracy on the held-out images, the earliest on ties; `None`
    /// without such images.
    pub fn best_epoch(&self) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for report in &self.epochs {
            if let Some(accuracy) = report.validation_accuracy
                && best.is_none_or(|(_, highest)| accuracy > highest)
            {
                best = Some((report.epoch, accuracy));
            }
        }
        best.map(|(epoch, _)| epoch)
    }

    /// The recorded losses, `[epochs][images]`.
    pub fn losses_matrix(&self) -> Matrix {
        let images = self.losses.first().map_or(0, Vec::len);
        Matrix::new(images, self.losses.concat())
    }

    /// Whether the last `patience` epochs brought nothing better.
    pub(super) fn is_stuck(&self, patience: Option<usize>) -> bool {
        match (patience, self.best_epoch()) {
            (Some(patience), Some(best)) => self.epochs.len() > best + patience,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(accuracies: &[f64]) -> History {
        let report = |(epoch, accuracy): (usize, &f64)| EpochReport {
            epoch,
            learning_rate: 0.1,
            train_loss: 1.0,
            train_accuracy: 0.5,
            validation_accuracy: Some(*accuracy),
            seconds: 1.0,
        };
        History {
            epochs: accuracies.iter().enumerate().map(report).collect(),
            losses: Vec::new(),
        }
    }

    #[test]
    fn the_first_of_the_best_epochs_counts() {
        assert_eq!(history(&[0.1, 0.4, 0.4, 0.3]).best_epoch(), Some(1));
        assert_eq!(history(&[]).best_epoch(), None);
    }

    #[test]
    fn patience_ends_after_so_many_epochs_without_a_better_one() {
        let stuck = |accuracies: &[f64]| history(accuracies).is_stuck(Some(2));
        assert!(!stuck(&[]) && !stuck(&[0.5, 0.4]));
        assert!(stuck(&[0.5, 0.4, 0.5]));
        assert!(!stuck(&[0.5, 0.4, 0.6]));
        assert!(!history(&[0.5, 0.4, 0.4]).is_stuck(None));
    }

    #[test]
    fn losses_become_a_matrix() {
        let mut history = history(&[]);
        assert_eq!(history.losses_matrix().rows(), 0);
        history.losses = vec![vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0]];
        let matrix = history.losses_matrix();
        assert_eq!((matrix.rows(), matrix.columns()), (2, 3));
        assert_eq!(matrix.row(1), [4.0, 5.0, 6.0]);
    }
}
