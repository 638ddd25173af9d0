//! Laws that hold for every ranking.
#![expect(
    clippy::float_cmp,
    reason = "areas depend on counts only, so equal rankings give equal bits"
)]

use proptest::prelude::*;

use super::*;

/// Truths with both kinds, and scores from a small grid so that ties are common.
fn ranked_images() -> impl Strategy<Value = (Vec<bool>, Vec<f64>)> {
    proptest::collection::vec((any::<bool>(), -8_i32..8), 2..60)
        .prop_filter("both kinds of image", |images| {
            images.iter().any(|image| image.0) && images.iter().any(|image| !image.0)
        })
        .prop_map(|images| {
            images
                .into_iter()
                .map(|(poisoned, step)| (poisoned, f64::from(step) / 4.0))
                .unzip()
        })
}

type Metric = fn(&[bool], &[f64]) -> Result<f64, MetricError>;

const METRICS: [Metric; 3] = [roc_auc, average_precision, precision_recall_auc];

fn value(metric: Metric, truth: &[bool], scores: &[f64]) -> f64 {
    metric(truth, scores).expect("both kinds are present")
}

proptest! {
    #[test]
    fn only_the_order_of_scores_matters((truth, scores) in ranked_images()) {
        let mapped: Vec<f64> = scores.iter().map(|score| 3.0 * score.exp() - 40.0).collect();
        for metric in METRICS {
            prop_assert_eq!(value(metric, &truth, &scores), value(metric, &truth, &mapped));
        }
    }

    #[test]
    fn negated_scores_mirror_the_area((truth, scores) in ranked_images()) {
        let negated: Vec<f64> = scores.iter().map(|score| -score).collect();
        let sum = value(roc_auc, &truth, &scores) + value(roc_auc, &truth, &negated);
        prop_assert!((sum - 1.0).abs() < 1e-12, "sum {}", sum);
    }

    #[test]
    fn the_order_of_images_does_not_matter(
        (truth, scores) in ranked_images(),
        keys in proptest::collection::vec(any::<u64>(), 60),
    ) {
        let mut order: Vec<usize> = (0..truth.len()).collect();
        order.sort_by_key(|&image| keys[image]);
        let shuffled_truth: Vec<bool> = order.iter().map(|&image| truth[image]).collect();
        let shuffled_scores: Vec<f64> = order.iter().map(|&image| scores[image]).collect();
        for metric in METRICS {
            prop_assert_eq!(
                value(metric, &truth, &scores),
                value(metric, &shuffled_truth, &shuffled_scores)
            );
        }
    }

    #[test]
    fn area_is_the_share_of_pairs_won((truth, scores) in ranked_images()) {
        let (mut won, mut pairs) = (0.0, 0.0);
        for poisoned in (0..truth.len()).filter(|&image| truth[image]) {
            for clean in (0..truth.len()).filter(|&image| !truth[image]) {
                pairs += 1.0;
                won += match scores[poisoned].total_cmp(&scores[clean]) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                };
            }
        }
        prop_assert!((value(roc_auc, &truth, &scores) - won / pairs).abs() < 1e-12);
    }

    #[test]
    fn areas_lie_between_zero_and_one((truth, scores) in ranked_images()) {
        for metric in METRICS {
            let value = value(metric, &truth, &scores);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&value), "value {}", value);
        }
    }

    #[test]
    fn the_roc_curve_rises_and_spans_the_area((truth, scores) in ranked_images()) {
        let curve = roc_curve(&truth, &scores).expect("both kinds are present");
        let mut area = 0.0;
        for pair in curve.windows(2) {
            let step = pair[1].false_positive_rate - pair[0].false_positive_rate;
            prop_assert!(step >= 0.0);
            prop_assert!(pair[1].true_positive_rate >= pair[0].true_positive_rate);
            prop_assert!(pair[1].threshold < pair[0].threshold);
            area += step * (pair[0].true_positive_rate + pair[1].true_positive_rate) / 2.0;
        }
        let last = curve.last().expect("a curve has points");
        prop_assert_eq!((last.false_positive_rate, last.true_positive_rate), (1.0, 1.0));
        prop_assert!((area - value(roc_auc, &truth, &scores)).abs() < 1e-12);
    }

    #[test]
    fn a_selection_of_everything_is_everything((truth, scores) in ranked_images()) {
        let ranking = Ranking::new(&truth, &scores).expect("valid");
        let all: Vec<usize> = (0..ranking.len()).collect();
        prop_assert_eq!(ranking.roc_auc_of(&all), roc_auc(&truth, &scores).ok());
        prop_assert_eq!(
            ranking.average_precision_of(&all),
            average_precision(&truth, &scores).ok()
        );
        prop_assert_eq!(
            ranking.precision_recall_auc_of(&all),
            precision_recall_auc(&truth, &scores).ok()
        );
    }
}
