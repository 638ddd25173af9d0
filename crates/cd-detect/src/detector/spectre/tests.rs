use super::*;
use crate::detector::golden::{Golden, auroc, rates, relative};
use crate::testing::with_clean;

#[test]
fn the_reference_form_agrees() {
    let golden = Golden::ours("detectors");
    let (Some(reference), Some(set)) = (Golden::shared("detectors2"), Golden::shared("train_set"))
    else {
        return;
    };
    let (labels, poisoned) = (set.labels("test_labels"), golden.values("is_poison"));
    let clean = reference.matrix("scan_clean_features", 128);
    let found = with_clean(&golden, Some((clean, &labels)), |evidence| {
        Spectre::default().detect(&evidence)
    });
    let difference = relative(&found.raw, &reference.values("spectre_ref_tau"));
    assert!(difference < 1e-3, "{difference:e}");
    let area = auroc(&found.scores(), &poisoned);
    assert!((area - 0.997_016).abs() < 0.002, "{area}");
    let own = found.own.expect("it has a rule");
    let (hits, alarms) = rates(&own.flagged, &poisoned);
    assert!(
        hits == 1.0 && (alarms - 0.033).abs() < 0.001,
        "{hits} {alarms}"
    );
}

#[test]
fn the_robust_form_agrees_on_a_synthetic_class() {
    let Some(reference) = Golden::shared("detectors2") else {
        return;
    };
    let values = reference.values("spectre_syn_pca");
    let reduced = Mat::from_fn(630, 24, |row, column| values[row * 24 + column]);
    let tried = [1, 2, 4, 8, 12, 16, 20, 24];
    let found = robust::best(&reduced, 30.0, &tried).expect("some were tried");
    assert_eq!(found.components, 12);
    let poisoned = reference.values("spectre_syn_is_poison");
    let difference = relative(&found.scores, &reference.values("spectre_syn_tau"));
    assert!(difference < 1e-5, "{difference:e}");
    let removed = reference.values("spectre_syn_removed");
    let same = found.removed.iter().zip(&removed);
    assert!(
        same.into_iter()
            .all(|(ours, theirs)| *ours == (*theirs > 0.5))
    );
    assert!(
        (found.excess - 1.923_596_292).abs() < 1e-5,
        "{}",
        found.excess
    );
    assert!(auroc(&found.scores, &poisoned) > 0.999);
    let twelve = reduced.subcols(0, 12).to_owned();
    let kept = filter::kept(&twelve, 30.0 / 630.0, 60);
    let expected = reference.values("spectre_syn_kept_by_robust_filter");
    let expected: Vec<usize> = (0..630).filter(|&row| expected[row] > 0.5).collect();
    assert_eq!(kept, expected);
}
