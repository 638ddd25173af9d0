//! Images held out of training, and what their accuracy decides.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::config::require;
use super::{History, TrainConfig, TrainError};
use cd_core::ImageSet;

/// Stream of the choice, apart from those of images and epochs.
const STREAM: u64 = u64::MAX / 2;

/// Which images of a set are trained on and which are held out.
pub(super) struct Split {
    /// Indices into the set, ascending.
    pub(super) training: Vec<usize>,
    pub(super) held_out: Option<ImageSet>,
}

impl Split {
    /// A function of the set's size, the share and the seed; all images are trained on at share 0.
    pub(super) fn of(set: &ImageSet, config: &TrainConfig) -> Result<Self, TrainError> {
        let mut indices: Vec<usize> = (0..set.len()).collect();
        if config.validation == 0.0 {
            return Ok(Self {
                training: indices,
                held_out: None,
            });
        }
        let count = ((set.len() as f64 * config.validation).round() as usize).max(1);
        let expected = "a share that leaves at least 2 images to train on";
        let enough = count + 2 <= set.len();
        require(enough, "validation", config.validation, expected)?;
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        random.set_stream(STREAM);
        indices.shuffle(&mut random);
        let mut training = indices.split_off(count);
        training.sort_unstable();
        indices.sort_unstable();
        Ok(Self {
            training,
            held_out: Some(set.subset(&indices)),
        })
    }
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
    use crate::train::EpochReport;

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
    fn held_out_images_are_chosen_by_the_seed_and_not_trained_on() {
        let mut set = ImageSet::new(1, 1, vec!["a".into(), "b".into()]);
        for number in 0..20_u8 {
            let pixels = [number; 3];
            set.push(number.to_string(), &pixels, 0).expect("fits");
        }
        let split = |validation, seed| {
            let config = TrainConfig {
                seed,
                validation,
                ..TrainConfig::default()
            };
            Split::of(&set, &config)
        };
        let first = split(0.25, 1).expect("enough");
        let held_out = first.held_out.expect("asked for");
        assert_eq!((first.training.len(), held_out.len()), (15, 5));
        for &index in &first.training {
            assert!(!held_out.names().contains(&index.to_string()));
        }
        assert_eq!(split(0.25, 1).expect("enough").training, first.training);
        assert_ne!(split(0.25, 2).expect("enough").training, first.training);
        let whole = split(0.0, 1).expect("off");
        assert!(whole.held_out.is_none() && whole.training.len() == 20);
        assert!(split(0.99, 1).is_err());
    }
}
