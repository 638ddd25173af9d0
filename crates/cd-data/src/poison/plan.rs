//! Which images get the trigger, what for, and with which label.

use super::label_map::ClassMap;
use super::{PlanRequest, PoisonError};
use crate::attack::Role;

/// One image that gets the trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanEntry {
    /// Index in the clean set, from 0.
    pub source: usize,
    /// What the image is for.
    pub role: Role,
    /// The label it gets.
    pub label: u32,
}

/// Which images of a data set get the trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct PoisonPlan {
    /// The labels that poisoned images get; `None` where they depend on more than the class.
    pub map: Option<ClassMap>,
    /// Training images that are replaced, as [`Role::Train`] or [`Role::Cover`]; each source once.
    pub train: Vec<PlanEntry>,
    /// Stamped copies that are added after the training images; a source may have several.
    pub appended: Vec<PlanEntry>,
    /// The test images that the attack success rate is measured on, as [`Role::Test`].
    pub triggered: Vec<PlanEntry>,
    /// Those of [`triggered`](Self::triggered), by source, that are in the mixed test set.
    pub mixed: Vec<usize>,
}

/// How many training images a plan stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanCounts {
    /// Images that teach the backdoor.
    pub poisoned: usize,
    /// Stamped images that keep their label so that the trigger alone is not enough.
    pub covers: usize,
    /// Training images, with those that are added.
    pub images: usize,
    /// Poisoned images whose true class is the target.
    pub of_target: usize,
    /// Training images of the target class.
    pub target_images: usize,
}

impl PlanCounts {
    /// Poisoned images as a share of all training images.
    pub fn share_of_set(&self) -> f64 {
        self.poisoned as f64 / self.images.max(1) as f64
    }

    /// Poisoned images of the target class as a share of that class: the rate that some papers on clean-label attacks state.
    pub fn share_of_class(&self) -> f64 {
        self.of_target as f64 / self.target_images.max(1) as f64
    }
}

impl PoisonPlan {
    /// Makes every stamped training image an added copy; the clean images all stay.
    pub(super) fn append_all(&mut self) {
        self.train.sort_by_key(|entry| entry.source);
        self.appended.append(&mut self.train);
    }

    /// How many images it stamps, of a set with these true labels.
    pub(super) fn counts(&self, labels: &[u32], target: u32) -> PlanCounts {
        let entries = || self.train.iter().chain(&self.appended);
        let poisoned = || entries().filter(|entry| entry.role == Role::Train);
        let is_target = |label: &&u32| **label == target;
        PlanCounts {
            poisoned: poisoned().count(),
            covers: entries().filter(|entry| entry.role == Role::Cover).count(),
            images: labels.len() + self.appended.len(),
            of_target: poisoned()
                .filter(|entry| labels[entry.source] == target)
                .count(),
            target_images: labels.iter().filter(is_target).count(),
        }
    }

    /// The plan with its lists in ascending order, if it makes sense.
    pub(super) fn checked(
        mut self,
        request: &PlanRequest<'_>,
        attack: &'static str,
    ) -> Result<Self, PoisonError> {
        self.train.sort_by_key(|entry| entry.source);
        self.triggered.sort_by_key(|entry| entry.source);
        self.mixed.sort_unstable();
        let problem = self.problem(request);
        match problem {
            None => Ok(self),
            Some(problem) => Err(PoisonError::Plan { attack, problem }),
        }
    }

    fn problem(&self, request: &PlanRequest<'_>) -> Option<String> {
        let entries = |entries: &[PlanEntry], labels: &[u32]| {
            let mut problems = entries
                .iter()
                .filter_map(|entry| self.entry_problem(entry, labels, request.classes()));
            problems.next()
        };
        let once =
            |entries: &[PlanEntry]| entries.is_sorted_by(|left, right| left.source < right.source);
        let in_test = |entry: &PlanEntry| entry.role == Role::Test;
        let mut training = self.train.iter().chain(&self.appended);
        let listed = |&source: &usize| {
            let found = self
                .triggered
                .binary_search_by_key(&source, |entry| entry.source);
            found.is_ok()
        };
        let lists = if !once(&self.train) || !once(&self.triggered) {
            Some("an image is listed twice")
        } else if training.clone().any(in_test) || !self.triggered.iter().all(in_test) {
            Some("an image has a role of the other split")
        } else if !training.any(|entry| entry.role == Role::Train) {
            Some("no training image teaches the backdoor")
        } else if !self.mixed.is_sorted_by(|left, right| left < right)
            || !self.mixed.iter().all(listed)
        {
            Some("the mixed test images are not some of the triggered ones, each once")
        } else {
            None
        };
        entries(&self.train, request.train_labels())
            .or_else(|| entries(&self.appended, request.train_labels()))
            .or_else(|| entries(&self.triggered, request.test_labels()))
            .or(lists.map(str::to_owned))
    }

    fn entry_problem(&self, entry: &PlanEntry, labels: &[u32], classes: usize) -> Option<String> {
        let PlanEntry {
            source,
            role,
            label,
        } = *entry;
        let Some(&own) = labels.get(source) else {
            return Some(format!("image {source} does not exist"));
        };
        if label as usize >= classes {
            return Some(format!("image {source} gets label {label}, no class"));
        }
        let mapped = self.map.as_ref().map_or(label, |map| map.get(own));
        let fits = match role {
            Role::Train => label == mapped || label == own,
            Role::Cover => label == own,
            Role::Test => label == mapped && label != own,
        };
        (!fits).then(|| format!("image {source} of class {own} gets label {label} as {role:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poison::{PoisonConfig, Selection};
    use crate::{AttackConfig, LabelMap};

    #[test]
    fn plans_that_make_no_sense_are_refused() {
        let config = PoisonConfig {
            attack: AttackConfig::from_name("badnets").expect("registered"),
            rate: 0.5,
            target: 1,
            labels: LabelMap::default(),
            seed: 0,
            select: Selection::default(),
        };
        let request = PlanRequest::new(&[0, 1, 2, 0], &[0, 1, 2], 3, &config);
        let map = request.label_map().expect("fits");
        let good = request.dirty(&map).expect("has images");
        let entry = |source, role, label| PlanEntry {
            source,
            role,
            label,
        };
        assert!(good.clone().checked(&request, "badnets").is_ok());
        let broken = |change: &dyn Fn(&mut PoisonPlan)| {
            let mut plan = good.clone();
            change(&mut plan);
            let error = plan.checked(&request, "badnets").expect_err("broken");
            error.to_string()
        };
        let twice = broken(&|plan| plan.train = vec![entry(0, Role::Train, 1); 2]);
        assert!(twice.contains("twice"), "{twice}");
        let absent = broken(&|plan| plan.appended = vec![entry(4, Role::Train, 1)]);
        assert!(absent.contains("image 4 does not exist"), "{absent}");
        let cover = broken(&|plan| plan.appended = vec![entry(0, Role::Cover, 1)]);
        assert!(cover.contains("gets label 1 as Cover"), "{cover}");
        let unmapped = broken(&|plan| plan.appended = vec![entry(0, Role::Train, 2)]);
        assert!(unmapped.contains("class 0 gets label 2"), "{unmapped}");
        let split = broken(&|plan| plan.appended = vec![entry(0, Role::Test, 1)]);
        assert!(split.contains("other split"), "{split}");
        let none = broken(&|plan| plan.train = vec![entry(0, Role::Cover, 0)]);
        assert!(none.contains("no training image"), "{none}");
        let mixed = broken(&|plan| plan.mixed = vec![1]);
        assert!(mixed.contains("mixed"), "{mixed}");
    }
}
