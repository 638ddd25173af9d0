//! Random choices, each a function of the seed and of what it is for.

use cd_core::random;
use rand::seq::SliceRandom;

/// Largest share of the target class that a clean-label attack may change.
pub const MAX_CLEAN_LABEL_FRACTION: f64 = 0.8;

/// What random numbers are drawn for; each purpose has streams of its own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    ChooseTrain = 1,
    ChooseTest = 2,
    StampTrain = 3,
    StampTest = 4,
    ChooseCover = 5,
}

impl Purpose {
    /// The stream for image `index`; distinct for every purpose and index.
    pub(super) fn stream(self, index: usize) -> u64 {
        ((self as u64) << 56) | index as u64
    }
}

/// At most `count` of `candidates`, ascending.
pub(crate) fn draw(mut candidates: Vec<usize>, count: usize, seed: u64, stream: u64) -> Vec<usize> {
    candidates.shuffle(&mut random::stream(seed, stream));
    candidates.truncate(count);
    candidates.sort_unstable();
    candidates
}

/// floor(rate x count). The small addend undoes binary rounding: 0.29 x 100 is 29, not 28.99...
pub(super) fn count_at_rate(count: usize, rate: f64) -> usize {
    (rate * count as f64 + 1e-9).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_round_down_but_not_by_a_binary_hair() {
        assert_eq!(count_at_rate(50_000, 0.075), 3750);
        assert_eq!(count_at_rate(100, 0.29), 29);
        assert_eq!(count_at_rate(99, 0.05), 4);
        assert_eq!(count_at_rate(10, 1.0), 10);
    }

    #[test]
    fn train_and_test_choices_are_independent() {
        let choice = |seed, purpose: Purpose| draw((0..300).collect(), 50, seed, purpose.stream(0));
        assert!(choice(1, Purpose::ChooseTrain).is_sorted());
        assert_ne!(
            choice(1, Purpose::ChooseTrain),
            choice(1, Purpose::ChooseTest)
        );
        assert_ne!(
            choice(1, Purpose::ChooseTrain),
            choice(2, Purpose::ChooseTrain)
        );
        assert_eq!(
            choice(1, Purpose::ChooseTrain),
            choice(1, Purpose::ChooseTrain)
        );
    }
}
