//! Which images are chosen, and what is refused.

use super::*;
use crate::{AttackConfig, LabelMap, Selection};

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
        select: Selection::default(),
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
        let mut config = config(rate, LabelMap::AllToOne);
        config.select.fewer = true;
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
    let (labels, mut config) = (labels(30), config(0.5, LabelMap::AllToOne));
    config.select.fewer = true;
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
    let covers = covers.expect("has images");
    assert_eq!(
        counts(&labels, covers.iter().map(|entry| entry.source)),
        [0, 0, 10]
    );
    assert!(covers.iter().all(|entry| entry.label == 2));
}

#[test]
fn what_cannot_be_met_is_refused_with_the_reason() {
    let (labels, config) = (labels(30), config(0.5, LabelMap::AllToOne));
    let request = PlanRequest::new(&labels, &[], 3, &config);
    let map = request.label_map().expect("fits");
    let error = request.train_entries(|label| label == 0, &map);
    let error = error.expect_err("a class of 10").to_string();
    assert!(
        error.contains("15 poisoned") && error.contains("only 10"),
        "{error}"
    );
    let error = request.clean().expect_err("a class of 10").to_string();
    assert!(error.contains("at most 80 % of class 1"), "{error}");
    let error = request.cover_entries(&[], |label| label == 2, 0.4);
    let error = error.expect_err("a class of 10").to_string();
    assert!(error.contains("12 cover"), "{error}");
}

#[test]
fn the_selection_says_which_images() {
    let labels = labels(30);
    let select = |change: &dyn Fn(&mut Selection)| {
        let mut config = config(0.2, LabelMap::AllToOne);
        change(&mut config.select);
        let request = PlanRequest::new(&labels, &[0, 1, 2], 3, &config);
        let map = request.label_map().expect("fits");
        request.dirty(&map)
    };
    let plan = select(&|select| select.exclude_target = true).expect("has images");
    assert!(plan.train.iter().all(|entry| labels[entry.source] != 1));
    let plan = select(&|select| select.sources = Some(vec![2])).expect("has images");
    assert!(plan.train.iter().all(|entry| labels[entry.source] == 2));
    assert_eq!(plan.triggered.len(), 1);
    let plan = select(&|select| select.indices = Some(vec![7, 3])).expect("has images");
    let sources: Vec<usize> = plan.train.iter().map(|entry| entry.source).collect();
    assert_eq!(sources, [3, 7]);
    let far = select(&|select| select.indices = Some(vec![30])).expect_err("too far");
    assert!(far.to_string().contains("image 30"), "{far}");
    let of_target = |select: &mut Selection| {
        select.exclude_target = true;
        select.indices = Some(vec![1]);
    };
    let error = select(&of_target).expect_err("of the target").to_string();
    assert!(error.contains("its class is another one"), "{error}");
}

#[test]
fn a_share_of_the_class_is_not_a_share_of_the_set() {
    let labels = labels(300);
    let mut config = config(0.05, LabelMap::AllToOne);
    let count = |config: &PoisonConfig| {
        let plan = PlanRequest::new(&labels, &[], 3, config).clean();
        let counts = plan.expect("has images").counts(&labels, 1);
        (
            counts.poisoned,
            counts.share_of_set(),
            counts.share_of_class(),
        )
    };
    assert_eq!(count(&config), (15, 0.05, 0.15));
    config.select.class_rate = Some(0.3);
    assert_eq!(count(&config), (30, 0.1, 0.3));
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
