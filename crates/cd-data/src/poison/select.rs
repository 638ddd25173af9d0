//! Which images are poisoned.

use cd_models::ImageSet;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::PoisonConfig;
use crate::attack::LabelMode;

/// Largest share of the target class that a clean-label attack may change.
pub const MAX_CLEAN_LABEL_FRACTION: f64 = 0.8;

/// What random numbers are drawn for; each purpose has streams of its own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    ChooseTrain = 1,
    ChooseTest = 2,
    StampTrain = 3,
    StampTest = 4,
}

impl Purpose {
    /// The stream for image `index`; distinct for every purpose and index.
    pub(super) fn stream(self, index: usize) -> u64 {
        ((self as u64) << 56) | index as u64
    }
}

/// The images to poison.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// Their indices, ascending.
    pub(super) indices: Vec<usize>,
    /// How many images could have been chosen.
    pub(super) candidates: usize,
    /// How many images the rate asks for.
    pub(super) wanted: usize,
}

/// Training images for an attack of this label mode.
pub(super) fn choose_train(train: &ImageSet, config: &PoisonConfig, mode: LabelMode) -> Choice {
    let wanted = count_at_rate(train.len(), config.rate);
    let (candidates, most) = match mode {
        LabelMode::Dirty => ((0..train.len()).collect::<Vec<_>>(), train.len()),
        LabelMode::Clean => {
            let of_target = indices_where(train, |label| label == config.target);
            let most = count_at_rate(of_target.len(), MAX_CLEAN_LABEL_FRACTION);
            (of_target, most)
        }
    };
    choose(candidates, wanted, most, config.seed, Purpose::ChooseTrain)
}

/// Test images for the mixed test set; never of the target class.
pub(super) fn choose_test(test: &ImageSet, config: &PoisonConfig) -> Choice {
    let wanted = count_at_rate(test.len(), config.rate);
    let candidates = indices_where(test, |label| label != config.target);
    let most = candidates.len();
    choose(candidates, wanted, most, config.seed, Purpose::ChooseTest)
}

fn choose(
    mut candidates: Vec<usize>,
    wanted: usize,
    most: usize,
    seed: u64,
    purpose: Purpose,
) -> Choice {
    let count = candidates.len();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose.stream(0));
    candidates.shuffle(&mut rng);
    candidates.truncate(wanted.min(most));
    candidates.sort_unstable();
    Choice {
        indices: candidates,
        candidates: count,
        wanted,
    }
}

fn indices_where(set: &ImageSet, accept: impl Fn(u32) -> bool) -> Vec<usize> {
    (0..set.len())
        .filter(|&index| accept(set.labels()[index]))
        .collect()
}

/// floor(rate x count). The small addend undoes binary rounding: 0.29 x 100 is 29, not 28.99...
fn count_at_rate(count: usize, rate: f64) -> usize {
    (rate * count as f64 + 1e-9).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::AttackConfig;
    use crate::testing::striped_set;

    fn config(rate: f64) -> PoisonConfig {
        PoisonConfig {
            attack: AttackConfig::from_name("badnets").expect("registered"),
            rate,
            target: 1,
            seed: 3,
        }
    }

    #[test]
    fn rates_round_down_but_not_by_a_binary_hair() {
        assert_eq!(count_at_rate(50_000, 0.075), 3750);
        assert_eq!(count_at_rate(100, 0.29), 29);
        assert_eq!(count_at_rate(99, 0.05), 4);
        assert_eq!(count_at_rate(10, 1.0), 10);
    }

    #[test]
    fn dirty_label_draws_from_all_classes() {
        let set = striped_set(300, 1, 3);
        let choice = choose_train(&set, &config(0.5), LabelMode::Dirty);
        assert_eq!(choice.indices.len(), 150);
        assert!(choice.indices.is_sorted());
        assert!(
            set.subset(&choice.indices)
                .class_counts()
                .iter()
                .all(|&count| count > 20)
        );
    }

    #[test]
    fn clean_label_takes_at_most_four_fifths_of_the_target_class() {
        let set = striped_set(300, 1, 3);
        let few = choose_train(&set, &config(0.1), LabelMode::Clean);
        assert_eq!(set.subset(&few.indices).class_counts(), [0, 30, 0]);
        let many = choose_train(&set, &config(0.5), LabelMode::Clean);
        assert_eq!(set.subset(&many.indices).class_counts(), [0, 80, 0]);
        assert_eq!((many.wanted, many.candidates), (150, 100));
    }

    #[test]
    fn test_images_of_the_target_are_never_chosen() {
        let set = striped_set(30, 1, 3);
        let choice = choose_test(&set, &config(1.0));
        assert_eq!(set.subset(&choice.indices).class_counts(), [10, 0, 10]);
    }

    #[test]
    fn train_and_test_choices_are_independent() {
        let set = striped_set(300, 1, 3);
        let choice = |seed, purpose| choose((0..set.len()).collect(), 50, 50, seed, purpose);
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
