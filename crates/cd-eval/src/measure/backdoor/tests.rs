use super::*;

/// A run in which nothing is wrong.
fn fine() -> Signs {
    Signs {
        keeps_labels: false,
        poisoned: 500,
        published: Some(500),
        learnt: Some(0.99),
        without_trigger: Some(0.05),
        augmented: Some(1.0),
        change_in_training: Some(10.0),
        change_in_tests: Some(10.0),
        likeness: Some(1.0),
        clean_accuracy: Some(0.9),
        classes: 10,
        training_accuracy: Some(0.99),
    }
}

fn only_cause(signs: Signs) -> String {
    let causes = signs.causes();
    assert_eq!(causes.len(), 1, "{causes:?}");
    causes.into_iter().next().expect("one")
}

#[test]
fn each_number_points_to_its_own_cause() {
    let few = only_cause(Signs {
        poisoned: 100,
        ..fine()
    });
    assert!(few.contains("100, where the published figure at this rate was reached with 500"));
    let few = only_cause(Signs {
        poisoned: 49,
        published: None,
        ..fine()
    });
    assert!(few.starts_with("few poisoned images: 49;"), "{few}");
    let weak = only_cause(Signs {
        clean_accuracy: Some(0.4),
        ..fine()
    });
    assert!(
        weak.contains("40 % of the clean test images right and 99 %"),
        "{weak}"
    );
    let learnt = only_cause(Signs {
        learnt: Some(0.3),
        without_trigger: Some(0.9),
        ..fine()
    });
    assert!(learnt.contains("not learnt: 30 %"), "{learnt}");
    let heart = only_cause(Signs {
        without_trigger: Some(0.8),
        ..fine()
    });
    assert!(
        heart.contains("by heart") && heart.contains("80 %"),
        "{heart}"
    );
    let augmented = only_cause(Signs {
        augmented: Some(0.44),
        ..fine()
    });
    assert!(
        augmented.contains("44 % of its change is left"),
        "{augmented}"
    );
    for (tests, likeness) in [(4.0, 1.0), (10.0, 0.3), (0.0, 0.0)] {
        let other = only_cause(Signs {
            change_in_tests: Some(tests),
            likeness: Some(likeness),
            ..fine()
        });
        assert!(other.contains("another trigger"), "{other}");
    }
    let stronger = only_cause(Signs {
        change_in_tests: Some(40.0),
        ..fine()
    });
    assert!(
        stronger.starts_with("none"),
        "a stronger test trigger is none: {stronger}"
    );
}

#[test]
fn true_labels_are_learnt_without_a_trigger_only_by_hard_images() {
    let clean = |without_trigger| Signs {
        keeps_labels: true,
        learnt: Some(0.2),
        without_trigger: Some(without_trigger),
        ..fine()
    };
    assert!(
        only_cause(clean(0.95))
            .contains("95 % of the poisoned training images are classified right")
    );
    assert!(only_cause(clean(0.6)).starts_with("none"));
    let without_trigger = only_cause(Signs {
        change_in_tests: None,
        ..clean(0.95)
    });
    assert!(without_trigger.starts_with("none"));
}

#[test]
fn what_could_not_be_measured_is_no_cause() {
    let unknown = only_cause(Signs {
        poisoned: 50,
        ..Signs::default()
    });
    assert!(
        unknown.starts_with("none") && unknown.contains("not known"),
        "{unknown}"
    );
}

#[test]
fn causes_are_given_below_what_is_expected_and_only_there() {
    let backdoor = |expected| Backdoor {
        attack: "badnets".into(),
        source_classes: "all classes".into(),
        rate: 0.01,
        expected,
        other_classes_to_target: None,
        targets: Vec::new(),
        signs: Signs {
            poisoned: 100,
            ..fine()
        },
        causes: Vec::new(),
    };
    let causes = |expected, success| backdoor(expected).explained(success).causes.len();
    assert_eq!(causes(Some([0.6, 0.9]), 0.59), 1);
    assert_eq!(causes(Some([0.6, 0.9]), 0.6), 0);
    assert_eq!((causes(None, 0.49), causes(None, 0.5)), (1, 0));
    let verdict = backdoor(Some([0.6, 0.9])).verdict(0.5);
    assert!(
        verdict.contains("below the 60 to 90 % expected of badnets at 1 %"),
        "{verdict}"
    );
    assert!(backdoor(None).verdict(0.5).starts_with("No figure"));
}

#[test]
fn lines_name_causes_other_classes_and_other_targets() {
    let backdoor = Backdoor {
        attack: "multi-target".into(),
        source_classes: "all classes".into(),
        rate: 0.1,
        expected: Some([0.9, 1.0]),
        other_classes_to_target: Some(0.25.into()),
        targets: vec![TargetSuccess {
            target: "cat".into(),
            images: 40,
            success: 0.5,
            crossed: vec![("dog".into(), 0.125)],
        }],
        signs: Signs {
            augmented: Some(0.5),
            ..fine()
        },
        causes: Vec::new(),
    };
    let lines = backdoor.explained(0.5).lines(0.5);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[1].contains("augmentation") && lines[2].ends_with("too: 25.0 %."));
    assert_eq!(
        lines[3],
        "The trigger for cat sends 50.0 % of 40 test images there, 12.5 % to dog."
    );
}
