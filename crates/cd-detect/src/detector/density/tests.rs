use super::forest::{Node, Tree, usual_depth};
use super::*;
use crate::detector::golden::{Golden, auroc, relative};
use crate::testing::of_features;

#[test]
fn scores_of_neighbours_agree() {
    let golden = Golden::ours("detectors");
    let Some(reference) = Golden::shared("detectors2") else {
        return;
    };
    let features = golden.matrix("features", 128);
    let neighbours = Neighbours::within(&features, 16);
    let positions = reference.values("density_neighbours_k16");
    for row in 0..640 {
        for (at, (_, position)) in neighbours.of(row).iter().enumerate() {
            assert_eq!(
                f64::from(*position),
                positions[row * 16 + at],
                "row {row}, {at}"
            );
        }
    }
    for (name, found) in [
        ("knn", scores::distances(&neighbours, 640)),
        ("lid", scores::dimensions(&neighbours, 640)),
        ("slof", scores::outlier_factors(&neighbours, 640)),
        ("dao", scores::aware_factors(&neighbours, 640)),
    ] {
        let expected = reference.values(&format!("density_{name}_k16"));
        let difference = relative(&found, &expected);
        assert!(difference < 1e-4, "{name}: {difference:e}");
    }
}

#[test]
fn trees_of_the_reference_give_its_scores() {
    let golden = Golden::ours("detectors");
    let Some(reference) = Golden::shared("detectors2") else {
        return;
    };
    let columns = ["feature", "threshold", "left", "right", "node_samples"];
    let [feature, border, left, right, samples] =
        columns.map(|name| reference.values(&format!("iforest_{name}")));
    let nodes = feature.len() / 100;
    let trees: Vec<Tree> = (0..100)
        .map(|tree| {
            let node = |at: usize| {
                let at = tree * nodes + at;
                if feature[at] < 0.0 {
                    return Node::Leaf(samples[at].max(0.0) as usize);
                }
                Node::Split {
                    feature: feature[at] as usize,
                    border: border[at],
                    next: [left[at] as usize, right[at] as usize],
                }
            };
            Tree((0..nodes).map(node).collect())
        })
        .collect();
    let features = golden.matrix("features", 128);
    let found: Vec<f64> = (0..640)
        .map(|row| {
            let depths = trees.iter().map(|tree| tree.depth(features.row(row)));
            (-depths.sum::<f64>() / 100.0 / usual_depth(256)).exp2()
        })
        .collect();
    let difference = relative(&found, &reference.values("iforest_score_seed0"));
    assert!(difference < 1e-6, "{difference:e}");
}

#[test]
fn forests_of_our_own_separate_as_those_of_the_reference() {
    let golden = Golden::ours("detectors");
    let poisoned = golden.values("is_poison");
    for seed in 0..3 {
        let forest = IsolationForest {
            seed,
            ..IsolationForest::default()
        };
        let found = of_features(&golden, |evidence| forest.detect(&evidence));
        let area = auroc(&found.scores(), &poisoned);
        // Twenty seeds of the reference.
        assert!((0.573..=0.769).contains(&area), "seed {seed}: {area}");
    }
}
