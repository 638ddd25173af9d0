//! What the attack did to the classifier: the four figures, and the signs that explain them.

use std::collections::BTreeSet;

use cd_core::Task;
use cd_data::poison::stamp;
use cd_data::{ExpectedSuccess, LabelMode, Role, Truth};
use cd_models::{ImageSet, Predictions, predict};

use super::super::Work;
use super::super::classifier::Trained;
use super::super::data::Data;
use super::{BATCH, signs};
use crate::backdoor::{Backdoor, TargetSuccess};
use crate::evaluation::{Evaluation, Measured, share};
use crate::pipeline::PipelineError;

/// Most test images of other classes that are stamped to see whether the trigger works on them, too.
const MOST_OTHERS: usize = 2000;

/// What is needed to measure an attack.
pub(super) struct Attacked<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) data: &'a Data,
    pub(super) truth: &'a Truth,
    pub(super) trained: &'a Trained,
}

/// Classes of test images, true and predicted.
struct Tests<'a> {
    clean: &'a ImageSet,
    of_clean: Predictions,
    triggered: &'a ImageSet,
    of_triggered: Predictions,
    originals: &'a [u32],
}

impl Attacked<'_> {
    /// The four figures and the rest; an evaluation that knows nothing where there are no test images of the classifier's classes.
    pub(super) fn evaluation(&self) -> Result<Evaluation, PipelineError> {
        let level = self.work.experiment.evaluate.level;
        let Some(tests) = self.tests()? else {
            return Ok(Evaluation::new(None, None, level));
        };
        let labels = tests.clean.labels().iter().enumerate();
        let right = |(index, &label): (usize, &u32)| tests.of_clean.class(index) == label;
        let clean: Vec<bool> = labels.clone().map(right).collect();
        let sources: BTreeSet<u32> = tests.originals.iter().copied().collect();
        let of_sources = labels.filter(|(_, label)| sources.contains(label));
        let of_sources: Vec<bool> = of_sources.map(right).collect();
        let given = |labels: &[u32]| -> Vec<bool> {
            let labels = labels.iter().enumerate();
            labels
                .map(|(index, &label)| tests.of_triggered.class(index) == label)
                .collect()
        };
        let success = self.share(&given(tests.triggered.labels()))?;
        let mut evaluation = Evaluation::new(self.share(&clean)?, success, level);
        if let Some(success) = success {
            evaluation.source_accuracy = self.share(&of_sources)?;
            evaluation.triggered_accuracy = self.share(&given(tests.originals))?;
            let accuracy = evaluation.clean_accuracy.map(|value| value.estimate);
            let backdoor = self.backdoor(&tests, &sources, accuracy)?;
            evaluation.backdoor = Some(Box::new(backdoor.explained(success.estimate)));
        }
        Ok(evaluation)
    }

    fn tests(&self) -> Result<Option<Tests<'_>>, PipelineError> {
        let truth = self.truth;
        let sets = truth.clean_test().zip(truth.triggered_test());
        let Some(((clean, triggered), originals)) = sets.zip(truth.triggered_original_labels())
        else {
            return Ok(None);
        };
        // Weights from elsewhere may know other classes than the folder has.
        if clean.class_count() != self.trained.model.classes() {
            return Ok(None);
        }
        Ok(Some(Tests {
            of_clean: self.predictions(clean)?,
            of_triggered: self.predictions(triggered)?,
            clean,
            triggered,
            originals,
        }))
    }

    fn backdoor(
        &self,
        tests: &Tests<'_>,
        sources: &BTreeSet<u32>,
        clean_accuracy: Option<f64>,
    ) -> Result<Backdoor, PipelineError> {
        let manifest = self.truth.train();
        let attack = &manifest.config().attack;
        let expected = ExpectedSuccess::of(attack.attack(), manifest.rate());
        let mut signs = signs::of(self, tests.clean, tests.triggered)?;
        signs.keeps_labels = attack.info().label_mode == LabelMode::Clean;
        signs.published = expected.and_then(|expected| expected.images);
        signs.clean_accuracy = clean_accuracy;
        let several = manifest.label_map().is_some_and(<[u32]>::is_empty);
        Ok(Backdoor {
            attack: attack.name().to_owned(),
            source_classes: self.in_words(sources, tests.clean),
            rate: manifest.rate(),
            expected: expected.map(|expected| [expected.least, expected.most]),
            other_classes_to_target: self.others(tests, sources)?,
            targets: if several { targets(tests) } else { Vec::new() },
            signs,
            causes: Vec::new(),
        })
    }

    /// How many triggered images of classes that the attack does not start from go to its target.
    fn others(
        &self,
        tests: &Tests<'_>,
        sources: &BTreeSet<u32>,
    ) -> Result<Option<Measured>, PipelineError> {
        let targets: BTreeSet<u32> = tests.triggered.labels().iter().copied().collect();
        let Some(&target) = targets.first().filter(|_| targets.len() == 1) else {
            return Ok(None);
        };
        let other = |label: &u32| !sources.contains(label) && *label != target;
        let labels = tests.clean.labels().iter().enumerate();
        let others = labels.filter(|(_, label)| other(label));
        let others: Vec<usize> = others.map(|(index, _)| index).collect();
        let config = self.truth.train().config();
        let attack = config.attack.attack();
        let folder = self.data.craft.as_deref();
        let is_made = folder.is_some() || attack.needs().images == 0;
        if others.is_empty() || !is_made || !attack.marks_tests() {
            return Ok(None);
        }
        let trigger = attack.load(folder.unwrap_or("".as_ref()))?;
        let some = spread(&others, MOST_OTHERS);
        let progress = self.work.options.progress;
        let trigger = trigger.as_ref();
        let stamped = stamp(tests.clean, &some, Role::Test, config, trigger, progress)?;
        let predictions = self.predictions(&stamped.subset(&some))?;
        let hits: Vec<bool> = (0..some.len())
            .map(|at| predictions.class(at) == target)
            .collect();
        self.share(&hits)
    }

    fn in_words(&self, sources: &BTreeSet<u32>, set: &ImageSet) -> String {
        let names = set.class_names();
        let target = self.truth.train().config().target;
        let mut others: BTreeSet<u32> = set.labels().iter().copied().collect();
        if *sources == others {
            return "all classes".to_owned();
        }
        others.remove(&target);
        if *sources == others {
            return "all classes but the target".to_owned();
        }
        let listed: Vec<&str> = sources
            .iter()
            .filter_map(|&class| names.get(class as usize))
            .map(String::as_str)
            .collect();
        let kind = if listed.len() == 1 {
            "class"
        } else {
            "classes"
        };
        format!("the source {kind} {}", listed.join(", "))
    }

    pub(super) fn share(&self, hits: &[bool]) -> Result<Option<Measured>, PipelineError> {
        Ok(share(hits, &self.work.experiment.evaluate)?)
    }

    pub(super) fn predictions(&self, set: &ImageSet) -> Result<Predictions, PipelineError> {
        let options = self.work.options;
        let task = Task::start(options.progress, "classifying", Some(set.len() as u64));
        let model = &self.trained.model;
        let predictions = predict(model, set, BATCH, options.device, options.progress)?;
        drop(task);
        Ok(predictions)
    }
}

/// At most `most` of `all`, evenly spread.
pub(super) fn spread(all: &[usize], most: usize) -> Vec<usize> {
    let count = all.len().min(most);
    (0..count).map(|at| all[at * all.len() / count]).collect()
}

/// Success of each trigger, and how many of its images go to the targets of the others.
fn targets(tests: &Tests<'_>) -> Vec<TargetSuccess> {
    let names = tests.clean.class_names();
    let labels = tests.triggered.labels();
    let all: BTreeSet<u32> = labels.iter().copied().collect();
    let own = |target: u32| (0..labels.len()).filter(move |&at| labels[at] == target);
    let part = |target: u32, to: u32| {
        // An image of class `to` that goes there is classified right.
        let counted: Vec<usize> = own(target)
            .filter(|&at| tests.originals[at] != to)
            .collect();
        let hits = counted
            .iter()
            .filter(|&&at| tests.of_triggered.class(at) == to);
        hits.count() as f64 / counted.len().max(1) as f64
    };
    let name = |class: u32| names[class as usize].clone();
    all.iter()
        .map(|&target| TargetSuccess {
            target: name(target),
            images: own(target).count(),
            success: part(target, target),
            crossed: all
                .iter()
                .filter(|&&other| other != target)
                .map(|&other| (name(other), part(target, other)))
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_of_many_are_spread_over_all() {
        let all: Vec<usize> = (10..20).collect();
        assert_eq!(spread(&all, 5), [10, 12, 14, 16, 18]);
        assert_eq!(spread(&all, 20), all);
        assert!(spread(&[], 3).is_empty());
    }

    #[test]
    fn several_targets_are_told_apart_and_crossings_leave_true_classes_out() {
        let names = ["a", "b", "c"].map(String::from).to_vec();
        let set = |labels: &[u32]| {
            let mut set = ImageSet::new(1, 1, names.clone());
            for (index, &label) in labels.iter().enumerate() {
                set.push(index.to_string(), &[0; 3], label).expect("fits");
            }
            set
        };
        let classes = [0, 1, 0, 1, 2];
        let logits = classes.iter().flat_map(|&class| {
            let mut row = [0.0; 3];
            row[class] = 1.0;
            row
        });
        let (clean, triggered) = (set(&[2, 1, 2, 0, 2]), set(&[0, 0, 0, 1, 1]));
        let found = targets(&Tests {
            clean: &clean,
            of_clean: Predictions::new(3, Vec::new()),
            triggered: &triggered,
            of_triggered: Predictions::new(3, logits.collect()),
            originals: clean.labels(),
        });
        let [a, b] = &found[..] else {
            panic!("two targets");
        };
        assert_eq!((a.target.as_str(), a.images), ("a", 3));
        assert!((a.success - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(
            a.crossed,
            [("b".to_owned(), 0.0)],
            "the one that went there is a b"
        );
        assert!((b.success - 0.5).abs() < 1e-12);
        assert_eq!(b.crossed, [("a".to_owned(), 0.0)]);
    }
}
