use faer::Mat;

use super::*;
use crate::dense::distance;
use crate::detector::golden::{Golden, auroc, rates, relative};
use crate::testing::with_clean;

fn square(golden: &Golden, name: &str) -> Mat<f64> {
    let values = golden.values(name);
    Mat::from_fn(128, 128, |row, column| values[row * 128 + column])
}

#[test]
fn covariances_splits_and_scores_of_the_reference_agree() {
    let golden = Golden::ours("detectors");
    let (Some(reference), Some(set)) = (Golden::shared("detectors2"), Golden::shared("train_set"))
    else {
        return;
    };
    let features = golden.matrix("features", 128);
    let trusted = reference.matrix("scan_clean_features", 128);
    let trusted_labels = set.labels("test_labels");
    let variation = Variation::of(all_rows(&trusted).as_ref(), &trusted_labels);
    for (ours, name) in [
        (&variation.between, "scan_Su"),
        (&variation.within, "scan_Se"),
    ] {
        let expected = square(&reference, name);
        let apart = distance(ours.as_ref(), expected.as_ref());
        let length = distance(expected.as_ref(), Mat::zeros(128, 128).as_ref());
        assert!(apart < 1e-6 * length, "{name}: {apart:e} of {length:e}");
    }
    let root = variation.precision_root();
    let draws = reference.values("scan_init");
    let groups = reference.values("scan_subgroup");
    let of_class = members(&golden.labels("targets"), 10);
    let middle = middle(&[&features, &trusted]);
    let (mut splits, mut place) = (Vec::new(), 0);
    for (class, references) in of_class.iter().zip(members(&trusted_labels, 10)) {
        let rows = stacked(&rows_of(&features, class), &rows_of(&trusted, &references));
        let rows = centred(rows.as_ref(), &middle);
        let white = product(rows.as_ref(), root.as_ref());
        let here = place..place + rows.nrows();
        place = here.end;
        let start = draws[here].iter().map(|&u| u >= 0.5).collect();
        let null = variation.class_mean(rows.as_ref());
        let split = Split::of(
            &Points::of(white.as_ref()),
            start,
            class.len(),
            &root,
            &null,
        );
        // Draws lie class by class, groups by image: the inspected ones, then the clean ones.
        let rows = class.iter().copied();
        let rows = rows.chain(references.iter().map(|image| 640 + image));
        let expected: Vec<bool> = rows.map(|row| groups[row] > 0.5).collect();
        assert_eq!(split.groups, expected);
        splits.push(split);
    }
    let found = detection(&splits, &of_class, 640);
    let margins = of_class.iter().zip(&splits).flat_map(|(class, split)| {
        let pairs = class.iter().copied().zip(split.margins.iter().copied());
        pairs.collect::<Vec<_>>()
    });
    let mut ours = vec![0.0; 640];
    margins.for_each(|(image, margin)| ours[image] = margin);
    let difference = relative(&ours, &reference.values("scan_margin"));
    assert!(difference < 1e-5, "margins: {difference:e}");
    let difference = relative(&found.raw, &reference.values("scan_score"));
    assert!(difference < 1e-5, "scores: {difference:e}");
}

#[test]
fn any_start_finds_the_golden_poison() {
    let golden = Golden::ours("detectors");
    let (Some(reference), Some(set)) = (Golden::shared("detectors2"), Golden::shared("train_set"))
    else {
        return;
    };
    let (labels, poisoned) = (set.labels("test_labels"), golden.values("is_poison"));
    for seed in 0..3 {
        let clean = reference.matrix("scan_clean_features", 128);
        let found = with_clean(&golden, Some((clean, &labels)), |evidence| {
            Scan { seed }.detect(&evidence)
        });
        assert!(auroc(&found.scores(), &poisoned) > 0.998, "seed {seed}");
        let own = found.own.expect("it has a rule");
        assert_eq!(rates(&own.flagged, &poisoned), (1.0, 0.0), "seed {seed}");
    }
}
