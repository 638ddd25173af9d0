use super::*;

fn everything() -> Offer {
    Offer {
        taps: vec![Tap::Stage(1), Tap::Penultimate],
        labels: true,
        losses: LossesOffer::Recorded(20),
        clean: 5,
        trainable: true,
        reference: true,
    }
}

fn greedy() -> Needs {
    Needs {
        features: vec![Tap::Penultimate],
        taps: vec![Tap::Stage(1)],
        predictions: true,
        labels: true,
        losses: 20,
        clean: 5,
        trainable: true,
        reference: true,
    }
}

#[test]
fn every_refusal_names_the_detector_and_the_option_that_helps() {
    greedy()
        .check("greedy", &everything())
        .expect("everything is there");
    let offers = [
        (
            Offer {
                taps: vec![Tap::Penultimate],
                ..everything()
            },
            "`stage1`",
        ),
        (
            Offer {
                labels: false,
                ..everything()
            },
            "one folder per class",
        ),
        (
            Offer {
                losses: LossesOffer::Recorded(3),
                ..everything()
            },
            "`train.epochs` to at least 20",
        ),
        (
            Offer {
                losses: LossesOffer::GivenWeights,
                ..everything()
            },
            "leave out `weights`",
        ),
        (
            Offer {
                losses: LossesOffer::OtherImages,
                ..everything()
            },
            "`detect.images`",
        ),
        (
            Offer {
                clean: 4,
                ..everything()
            },
            "`detect.trusted`",
        ),
        (
            Offer {
                trainable: false,
                ..everything()
            },
            "`model`",
        ),
        (
            Offer {
                reference: false,
                ..everything()
            },
            "`--features-weights`",
        ),
    ];
    for (offer, remedy) in offers {
        let error = greedy().check("greedy", &offer).expect_err(remedy);
        let error = error.to_string();
        assert!(
            error.starts_with("`greedy` needs") && error.contains(remedy),
            "{error}"
        );
        Needs::default()
            .check("modest", &offer)
            .expect("it needs nothing");
    }
}

#[test]
fn two_detectors_together_need_what_either_needs() {
    let one = Needs {
        features: vec![Tap::Penultimate],
        losses: 3,
        ..Needs::default()
    };
    let other = Needs {
        features: vec![Tap::Stage(1), Tap::Penultimate],
        labels: true,
        losses: 1,
        ..Needs::default()
    };
    let both = one.clone().and(other.clone());
    assert_eq!(both, other.and(one));
    assert_eq!(both.features, [Tap::Stage(1), Tap::Penultimate]);
    assert!(both.labels && !both.trainable);
    assert_eq!(both.losses, 3);
}

#[test]
fn a_classifier_is_needed_unless_the_reference_network_is_enough() {
    let of_reference = Needs {
        labels: true,
        reference: true,
        ..Needs::default()
    };
    assert!(of_reference.are_of_reference_alone());
    let both = of_reference.and(Needs {
        predictions: true,
        ..Needs::default()
    });
    // A detector that asks for nothing computes with the classifier itself.
    for needs in [both, Needs::default(), greedy()] {
        assert!(!needs.are_of_reference_alone());
    }
}
