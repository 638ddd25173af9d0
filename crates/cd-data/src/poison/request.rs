//! What an attack is asked when it chooses images, and the choices that most attacks share.

use cd_core::random::named;

use super::label_map::ClassMap;
use super::plan::{PlanEntry, PoisonPlan};
use super::select::{MAX_CLEAN_LABEL_FRACTION, Purpose, count_at_rate, draw};
use super::{PoisonConfig, PoisonError};
use crate::attack::Role;

/// The labels of a data set, for which an attack is asked which images to poison.
#[derive(Debug, Clone, Copy)]
pub struct PlanRequest<'a> {
    train: &'a [u32],
    test: &'a [u32],
    classes: usize,
    config: &'a PoisonConfig,
}

impl<'a> PlanRequest<'a> {
    /// A request about data with these labels, all below `classes`; `test` is empty without a test set.
    pub fn new(
        train: &'a [u32],
        test: &'a [u32],
        classes: usize,
        config: &'a PoisonConfig,
    ) -> Self {
        Self {
            train,
            test,
            classes,
            config,
        }
    }

    /// True labels of the training images.
    pub fn train_labels(&self) -> &'a [u32] {
        self.train
    }

    /// True labels of the test images.
    pub fn test_labels(&self) -> &'a [u32] {
        self.test
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The label that the backdoor leads to, a class of the data.
    pub fn target(&self) -> u32 {
        self.config.target
    }

    /// Share of the training images to poison, above 0 and at most 1.
    pub fn rate(&self) -> f64 {
        self.config.rate
    }

    /// The label map of the configuration.
    ///
    /// # Errors
    ///
    /// When it changes no label of this number of classes.
    pub fn label_map(&self) -> Result<ClassMap, PoisonError> {
        let (labels, target) = (self.config.labels, self.config.target);
        ClassMap::new(self, |label| labels.apply(label, target, self.classes))
    }

    /// Stamped training images of all classes with mapped labels, and test images as in [`test_only`](Self::test_only).
    ///
    /// # Errors
    ///
    /// When the rate asks for less than one image.
    pub fn dirty(&self, map: &ClassMap) -> Result<PoisonPlan, PoisonError> {
        let mut plan = self.test_only(map);
        plan.train = self.train_entries(|_| true, map)?;
        Ok(plan)
    }

    /// Stamped training images of the target class with their own label, at most
    /// [`MAX_CLEAN_LABEL_FRACTION`] of that class, and test images that lead to the target.
    ///
    /// # Errors
    ///
    /// When the rate asks for less than one image.
    pub fn clean(&self) -> Result<PoisonPlan, PoisonError> {
        let map = self.label_map()?;
        let of_target = self.train_where(|label| label == self.target());
        let most = count_at_rate(of_target.len(), MAX_CLEAN_LABEL_FRACTION);
        let chosen = self.chosen(of_target, most)?;
        let mut plan = self.test_only(&map);
        plan.train = entries(&chosen, Role::Train, |_| self.target());
        Ok(plan)
    }

    /// A plan without training images. Triggered are all test images whose label changes, and floor(rate x N) of
    /// them are in the mixed test set.
    pub fn test_only(&self, map: &ClassMap) -> PoisonPlan {
        let others: Vec<usize> = (0..self.test.len())
            .filter(|&index| map.changes(self.test[index]))
            .collect();
        let wanted = count_at_rate(self.test.len(), self.rate());
        PoisonPlan {
            map: Some(map.clone()),
            train: Vec::new(),
            appended: Vec::new(),
            triggered: entries(&others, Role::Test, |index| map.get(self.test[index])),
            mixed: draw(
                others,
                wanted,
                self.config.seed,
                Purpose::ChooseTest.stream(0),
            ),
        }
    }

    /// floor(rate x N) training images of the classes that `accept` takes, with mapped labels; all of these classes
    /// when they have fewer, with a warning.
    ///
    /// # Errors
    ///
    /// When that is no image.
    pub fn train_entries(
        &self,
        accept: impl Fn(u32) -> bool,
        map: &ClassMap,
    ) -> Result<Vec<PlanEntry>, PoisonError> {
        let candidates = self.train_where(accept);
        let most = candidates.len();
        let chosen = self.chosen(candidates, most)?;
        Ok(entries(&chosen, Role::Train, |index| {
            map.get(self.train[index])
        }))
    }

    /// floor(`rate` x N) further training images of the classes that `accept` takes, none of them among `poisoned`,
    /// which keep their label; fewer when there are fewer, with a warning.
    pub fn cover_entries(
        &self,
        poisoned: &[PlanEntry],
        accept: impl Fn(u32) -> bool,
        rate: f64,
    ) -> Vec<PlanEntry> {
        let mut free = vec![true; self.train.len()];
        for entry in poisoned {
            free[entry.source] = false;
        }
        let mut candidates = self.train_where(accept);
        candidates.retain(|&index| free[index]);
        let wanted = count_at_rate(self.train.len(), rate);
        warn_if_fewer(wanted, candidates.len(), "cover");
        let stream = Purpose::ChooseCover.stream(0);
        let chosen = draw(candidates, wanted, self.config.seed, stream);
        entries(&chosen, Role::Cover, |index| self.train[index])
    }

    /// At most `count` of `candidates`, ascending, drawn for what `purpose` names.
    pub fn draw(&self, purpose: &str, candidates: Vec<usize>, count: usize) -> Vec<usize> {
        draw(candidates, count, self.config.seed, named(purpose))
    }

    /// Indices of the training images of the classes that `accept` takes.
    pub fn train_where(&self, accept: impl Fn(u32) -> bool) -> Vec<usize> {
        (0..self.train.len())
            .filter(|&index| accept(self.train[index]))
            .collect()
    }

    /// As many candidates as the rate asks for, at most `most`.
    fn chosen(&self, candidates: Vec<usize>, most: usize) -> Result<Vec<usize>, PoisonError> {
        let wanted = count_at_rate(self.train.len(), self.rate());
        if wanted.min(most) == 0 {
            return Err(PoisonError::NothingChosen {
                rate: self.rate(),
                images: self.train.len(),
                candidates: candidates.len(),
            });
        }
        warn_if_fewer(wanted, most, "poisoned");
        let stream = Purpose::ChooseTrain.stream(0);
        Ok(draw(candidates, wanted.min(most), self.config.seed, stream))
    }
}

fn warn_if_fewer(wanted: usize, most: usize, kind: &str) {
    if most < wanted {
        tracing::warn!(
            wanted,
            chosen = most,
            "fewer {kind} training images can be made than the rate asks for"
        );
    }
}

fn entries(indices: &[usize], role: Role, label: impl Fn(usize) -> u32) -> Vec<PlanEntry> {
    let entry = |&source: &usize| PlanEntry {
        source,
        role,
        label: label(source),
    };
    indices.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttackConfig, LabelMap};

    /// `count` labels 0, 1, 2 in turn.
    fn labels(count: usize) -> Vec<u32> {
        (0..count as u32).map(|index| index % 3).collect()
    }

    fn config(rate: f64, labels: LabelMap) -> PoisonConfig {
        PoisonConfig {
            attack: AttackConfig::from_name("badnets").expect("registered"),
            rate,
            target: 1,
            labels,
            seed: 3,
        }
    }

    fn counts(labels: &[u32], indices: impl IntoIterator<Item = usize>) -> [usize; 3] {
        let mut counts = [0; 3];
        for index in indices {
            counts[labels[index] as usize] += 1;
        }
        counts
    }

    #[test]
    fn dirty_label_draws_from_all_classes() {
        let (labels, config) = (labels(300), config(0.5, LabelMap::AllToOne));
        let request = PlanRequest::new(&labels, &[], 3, &config);
        let map = request.label_map().expect("fits");
        let plan = request.dirty(&map).expect("has images");
        assert_eq!(plan.train.len(), 150);
        assert!(plan.train.is_sorted_by_key(|entry| entry.source));
        let counts = counts(&labels, plan.train.iter().map(|entry| entry.source));
        assert!(counts.iter().all(|&count| count > 20), "{counts:?}");
        assert!(plan.train.iter().all(|entry| entry.label == 1));
    }

    #[test]
    fn clean_label_takes_at_most_four_fifths_of_the_target_class() {
        let labels = labels(300);
        let of_rate = |rate| {
            let config = config(rate, LabelMap::AllToOne);
            let request = PlanRequest::new(&labels, &labels, 3, &config);
            let plan = request.clean().expect("has images");
            assert!(plan.train.iter().all(|entry| entry.label == 1));
            counts(&labels, plan.train.iter().map(|entry| entry.source))
        };
        assert_eq!(of_rate(0.1), [0, 30, 0]);
        assert_eq!(of_rate(0.5), [0, 80, 0]);
    }

    #[test]
    fn test_images_are_those_whose_label_changes() {
        let labels = labels(30);
        let counts_with = |map| {
            let config = config(1.0, map);
            let request = PlanRequest::new(&labels, &labels, 3, &config);
            let plan = request.test_only(&request.label_map().expect("fits"));
            let triggered = counts(&labels, plan.triggered.iter().map(|entry| entry.source));
            assert_eq!(triggered, counts(&labels, plan.mixed));
            triggered
        };
        assert_eq!(counts_with(LabelMap::AllToOne), [10, 0, 10]);
        assert_eq!(counts_with(LabelMap::AllToAll { shift: 1 }), [10, 10, 10]);
    }

    #[test]
    fn covers_are_other_images_than_the_poisoned_ones() {
        let (labels, config) = (labels(30), config(0.5, LabelMap::AllToOne));
        let request = PlanRequest::new(&labels, &[], 3, &config);
        let map = request.label_map().expect("fits");
        let poisoned = request
            .train_entries(|label| label == 0, &map)
            .expect("has images");
        assert_eq!(
            poisoned.len(),
            10,
            "all of the class, though 15 are asked for"
        );
        let covers = request.cover_entries(&poisoned, |label| label != 1, 1.0);
        assert_eq!(
            counts(&labels, covers.iter().map(|entry| entry.source)),
            [0, 0, 10]
        );
        assert!(covers.iter().all(|entry| entry.label == 2));
    }

    #[test]
    fn choices_of_different_purposes_are_independent() {
        let config = config(0.5, LabelMap::AllToOne);
        let request = PlanRequest::new(&[], &[], 3, &config);
        let draw = |purpose| request.draw(purpose, (0..300).collect(), 50);
        assert_eq!(draw("a"), draw("a"));
        assert_ne!(draw("a"), draw("b"));
    }

    #[test]
    fn a_shift_by_the_number_of_classes_changes_nothing_and_is_refused() {
        let config = config(0.5, LabelMap::AllToAll { shift: 3 });
        let error = PlanRequest::new(&[], &[], 3, &config)
            .label_map()
            .expect_err("identity");
        assert!(error.to_string().contains("`labels`"), "{error}");
    }
}
