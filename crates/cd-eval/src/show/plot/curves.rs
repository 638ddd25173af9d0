//! The curves that a report shows.

use super::{Line, LinePlot, Tone, WIDE};
use crate::metrics::{PrecisionRecallPoint, RocPoint};

const SQUARE: (f64, f64) = (440.0, 360.0);

/// ROC curves over the diagonal of guessing, as SVG text.
pub fn roc(title: &str, curves: &[(&str, &[RocPoint])]) -> String {
    let mut lines = vec![Line {
        name: "guessing".to_owned(),
        tone: Tone::Reference,
        points: vec![(0.0, 0.0), (1.0, 1.0)],
    }];
    lines.extend(curves.iter().enumerate().map(|(index, (name, points))| {
        Line {
            name: (*name).to_owned(),
            tone: Tone::of_series(index),
            points: points
                .iter()
                .map(|point| (point.false_positive_rate, point.true_positive_rate))
                .collect(),
        }
    }));
    unit_square(title, ["False positive rate", "True positive rate"], lines)
}

/// Precision-recall curves as SVG text, drawn as the steps that average precision sums.
///
/// `poisoned_share` is the share of poisoned images, 0 to 1: the precision of guessing.
pub fn precision_recall(
    title: &str,
    curves: &[(&str, &[PrecisionRecallPoint])],
    poisoned_share: f64,
) -> String {
    let mut lines = vec![Line {
        name: "guessing".to_owned(),
        tone: Tone::Reference,
        points: vec![(0.0, poisoned_share), (1.0, poisoned_share)],
    }];
    lines.extend(
        curves
            .iter()
            .enumerate()
            .map(|(index, (name, points))| Line {
                name: (*name).to_owned(),
                tone: Tone::of_series(index),
                points: steps(points),
            }),
    );
    unit_square(title, ["Recall", "Precision"], lines)
}

/// Values per epoch, epoch 1 first, as SVG text. `range` fixes the vertical axis, for example
/// `Some((0.0, 1.0))` for an accuracy.
pub fn training(
    title: &str,
    y_label: &str,
    curves: &[(&str, &[f64])],
    range: Option<(f64, f64)>,
) -> String {
    let lines = curves
        .iter()
        .enumerate()
        .map(|(index, (name, values))| Line {
            name: (*name).to_owned(),
            tone: Tone::of_series(index),
            points: (1_u32..)
                .map(f64::from)
                .zip(values.iter().copied())
                .collect(),
        });
    LinePlot {
        title: title.to_owned(),
        x_label: "Epoch".to_owned(),
        y_label: y_label.to_owned(),
        x_range: None,
        y_range: range,
        size: WIDE,
        lines: lines.collect(),
    }
    .to_svg()
}

fn unit_square(title: &str, [x_label, y_label]: [&str; 2], lines: Vec<Line>) -> String {
    LinePlot {
        title: title.to_owned(),
        x_label: x_label.to_owned(),
        y_label: y_label.to_owned(),
        x_range: Some((0.0, 1.0)),
        y_range: Some((0.0, 1.0)),
        size: SQUARE,
        lines,
    }
    .to_svg()
}

/// The precision of a point holds for the whole stretch of recall gained since the point before.
fn steps(points: &[PrecisionRecallPoint]) -> Vec<(f64, f64)> {
    let mut corners = Vec::with_capacity(2 * points.len());
    let mut recall = 0.0;
    // The closing point (recall 0, precision 1) is a convention, not a measurement: not drawn.
    for point in points
        .iter()
        .rev()
        .filter(|point| point.threshold.is_some())
    {
        corners.push((recall, point.precision));
        corners.push((point.recall, point.precision));
        recall = point.recall;
    }
    corners
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{average_precision, precision_recall_curve, roc_curve};

    const TRUTH: [bool; 5] = [true, false, true, false, false];
    const SCORES: [f64; 5] = [0.9, 0.8, 0.7, 0.7, 0.1];

    #[test]
    fn the_area_under_the_steps_is_average_precision() {
        let points = precision_recall_curve(&TRUTH, &SCORES).expect("both kinds");
        let area: f64 = steps(&points)
            .windows(2)
            .map(|pair| (pair[1].0 - pair[0].0) * pair[1].1)
            .sum();
        let expected = average_precision(&TRUTH, &SCORES).expect("both kinds");
        assert!((area - expected).abs() < 1e-12);
    }

    #[test]
    fn curves_name_their_axes_and_series() {
        let points = roc_curve(&TRUTH, &SCORES).expect("both kinds");
        let svg = roc("ROC", &[("CD-L", &points), ("STRIP", &points)]);
        for text in [
            "False positive rate",
            "guessing",
            "CD-L",
            "STRIP",
            "cd-line cd-poisoned",
        ] {
            assert!(svg.contains(text), "{text} is missing");
        }
        let points = precision_recall_curve(&TRUTH, &SCORES).expect("both kinds");
        let svg = precision_recall("PR", &[("CD-L", &points)], 0.4);
        assert!(svg.contains("Precision") && svg.contains("cd-line cd-clean"));
    }

    #[test]
    fn training_curves_start_at_epoch_one() {
        let svg = training(
            "Loss",
            "loss",
            &[("train", &[2.0, f64::NAN, 1.0, 0.5])],
            None,
        );
        assert!(svg.contains("Epoch") && !svg.contains("NaN"));
        assert!(svg.contains(">1.0</text>") || svg.contains(">1</text>"));
    }
}
