//! Parity with scikit-learn on recorded cases.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

const TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
struct Golden {
    metrics: BTreeMap<String, Case>,
}

/// `TPR` and `FPR` hold one entry per side; the second is the one with poisoned as positive.
#[derive(Deserialize)]
struct Case {
    y: Vec<u8>,
    s: Vec<f64>,
    roc_auc: f64,
    average_precision: f64,
    pr_auc: f64,
    fpr: Vec<f64>,
    tpr: Vec<f64>,
    thresholds: Vec<String>,
    precision: Vec<f64>,
    recall: Vec<f64>,
    pred_gt_0_5: Vec<u8>,
    cm: [[usize; 2]; 2],
    #[serde(rename = "TPR")]
    true_positive_rate: [f64; 2],
    #[serde(rename = "FPR")]
    false_positive_rate: [f64; 2],
}

impl Case {
    fn truth(&self) -> Vec<bool> {
        self.y.iter().map(|&label| label == 1).collect()
    }
}

fn cases() -> BTreeMap<String, Case> {
    let text = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/metrics.json"
    ));
    let golden: Golden = serde_json::from_str(text).expect("the recorded cases are valid JSON");
    assert!(golden.metrics.len() >= 7, "cases went missing");
    golden.metrics
}

fn assert_close(case: &str, what: &str, got: f64, expected: f64) {
    // An infinite expectation would make the tolerance infinite too.
    let close = if expected.is_finite() {
        (got - expected).abs() <= TOLERANCE * expected.abs().max(1.0)
    } else {
        got.total_cmp(&expected).is_eq()
    };
    assert!(close, "{case}: {what} is {got}, expected {expected}");
}

fn assert_all_close(case: &str, what: &str, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{case}: number of {what}");
    for (&got, &expected) in got.iter().zip(expected) {
        assert_close(case, what, got, expected);
    }
}

#[test]
fn areas_agree() {
    for (name, case) in cases() {
        let truth = case.truth();
        let auroc = roc_auc(&truth, &case.s).expect("both kinds");
        let average = average_precision(&truth, &case.s).expect("both kinds");
        let trapezoid = precision_recall_auc(&truth, &case.s).expect("both kinds");
        assert_close(&name, "AUROC", auroc, case.roc_auc);
        assert_close(&name, "average precision", average, case.average_precision);
        assert_close(&name, "precision-recall area", trapezoid, case.pr_auc);
    }
}

#[test]
fn roc_points_agree() {
    for (name, case) in cases() {
        let curve = roc_curve(&case.truth(), &case.s).expect("both kinds");
        let false_positive: Vec<f64> = curve.iter().map(|p| p.false_positive_rate).collect();
        let true_positive: Vec<f64> = curve.iter().map(|p| p.true_positive_rate).collect();
        let thresholds: Vec<f64> = curve.iter().map(|p| p.threshold).collect();
        let expected_thresholds: Vec<f64> = case
            .thresholds
            .iter()
            .map(|text| text.parse().expect("a number"))
            .collect();
        assert_all_close(&name, "false positive rates", &false_positive, &case.fpr);
        assert_all_close(&name, "true positive rates", &true_positive, &case.tpr);
        assert_all_close(&name, "thresholds", &thresholds, &expected_thresholds);
    }
}

#[test]
fn precision_recall_points_agree() {
    for (name, case) in cases() {
        let curve = precision_recall_curve(&case.truth(), &case.s).expect("both kinds");
        let precision: Vec<f64> = curve.iter().map(|p| p.precision).collect();
        let recall: Vec<f64> = curve.iter().map(|p| p.recall).collect();
        assert_all_close(&name, "precisions", &precision, &case.precision);
        assert_all_close(&name, "recalls", &recall, &case.recall);
        let rising = curve.windows(2).all(|pair| match pair[1].threshold {
            Some(next) => pair[0].threshold.is_some_and(|this| this < next),
            None => true,
        });
        assert!(rising, "{name}: thresholds do not rise");
        assert_eq!(curve.last().and_then(|point| point.threshold), None);
    }
}

#[test]
fn confusions_agree() {
    for (name, case) in cases() {
        let flagged: Vec<bool> = case.pred_gt_0_5.iter().map(|&flag| flag == 1).collect();
        let counts = confusion(&case.truth(), &flagged).expect("same length");
        let matrix = [
            [counts.true_negatives, counts.false_positives],
            [counts.false_negatives, counts.true_positives],
        ];
        assert_eq!(matrix, case.cm, "{name}");
        let true_positive = counts.true_positive_rate().expect("poison present");
        let false_positive = counts.false_positive_rate().expect("clean present");
        assert_close(&name, "TPR", true_positive, case.true_positive_rate[1]);
        assert_close(&name, "FPR", false_positive, case.false_positive_rate[1]);
    }
}
