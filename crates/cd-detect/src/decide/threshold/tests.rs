use super::*;
use crate::detection::{Measure, Scale};

fn detection(raw: &[f64]) -> Detection {
    let measure = Measure {
        title: "m".into(),
        direction: Direction::Low,
        scale: Scale::Linear,
    };
    Detection {
        measure,
        raw: raw.to_vec(),
        clean: None,
        masks: None,
        own: None,
        classes: Vec::new(),
    }
}

#[test]
fn calibrated_follows_the_papers_rule() {
    let rule = ThresholdRule::Calibrated { t: 1.0 };
    let clean = [9.0, 10.0, 11.0];
    let of = |raw: &[f64], clean: Option<Vec<f64>>| Detection {
        clean,
        ..detection(raw)
    };
    let decision = rule.apply(&of(&[8.9, 9.1, 12.0], Some(clean.to_vec())));
    let decision = decision.expect("enough clean images");
    assert_eq!(decision.flagged, [true, false, false]);
    assert_eq!(decision.cutoff, Some(9.0));
    let error = rule.apply(&of(&[1.0], Some(vec![2.0])));
    assert_eq!(error, Err(ThresholdError::NoCleanImages(1)));
    let error = rule.apply(&of(&[1.0], None)).expect_err("no numbers");
    assert_eq!(error, ThresholdError::NoCleanNumbers("m".to_owned()));
    assert!(error.to_string().contains("`robust`"), "{error}");
}

#[test]
fn robust_is_not_moved_by_the_outliers_it_looks_for() {
    let rule = ThresholdRule::Robust { t: 3.0 };
    let decision = rule.apply(&detection(&[10.0, 11.0, 9.0, 10.5, 9.5, 1.0, 0.5]));
    let decision = decision.expect("valid");
    assert_eq!(decision.flagged_count(), 2);
    assert!(decision.flagged[5] && decision.flagged[6]);
}

#[test]
fn norms_are_compared_by_their_ratios() {
    // A wide clean group, for which two deviations on the linear scale lie below zero.
    let mut wide = detection(&[40.0, 60.0, 90.0, 100.0, 130.0, 170.0, 250.0, 4.0, 5.0]);
    let rule = ThresholdRule::default();
    let linear = rule.apply(&wide).expect("valid");
    assert_eq!(linear.flagged_count(), 0);
    wide.measure.scale = Scale::Ratio;
    let ratio = rule.apply(&wide).expect("valid");
    assert_eq!(ratio.flagged_count(), 2);
    assert!(ratio.flagged[7] && ratio.flagged[8]);
    let cutoff = ratio.cutoff.expect("there is spread");
    assert!(cutoff > 5.0 && cutoff < 40.0, "{cutoff}");
}

#[test]
fn ties_flag_nothing_and_fractions_flag_their_share() {
    let tied = detection(&[3.0; 10]);
    let robust = ThresholdRule::default().apply(&tied).expect("valid");
    assert_eq!((robust.flagged_count(), robust.cutoff), (0, None));
    let share = ThresholdRule::Fraction { share: 0.25 };
    assert_eq!(share.apply(&tied).expect("valid").flagged_count(), 2);
    assert!(ThresholdRule::Fraction { share: 1.5 }.apply(&tied).is_err());
}
