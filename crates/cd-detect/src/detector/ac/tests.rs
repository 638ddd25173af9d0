use super::*;
use crate::detector::golden::{Golden, auroc, relative};
use crate::evidence::Evidence;
use crate::testing::of_features;

#[test]
fn silhouettes_of_the_reference_groups_agree() {
    let golden = Golden::ours("detectors");
    let Some(reference) = Golden::shared("detectors") else {
        return;
    };
    let features = golden.matrix("features", 128);
    let groups = reference.values("ac_labels");
    let mut found = vec![0.0; 640];
    for class in members(&golden.labels("targets"), 10) {
        let points = Points::centred(&features, &class);
        let of_class: Vec<bool> = class.iter().map(|&image| groups[image] > 0.5).collect();
        let fits = silhouette::silhouettes(&points, &of_class);
        for (&image, fit) in class.iter().zip(fits) {
            found[image] = fit;
        }
    }
    let expected = reference.values("ac_silhouette_f64_same_labels");
    let difference = relative(&found, &expected);
    assert!(difference < 1e-5, "{difference:e}");
}

#[test]
fn the_best_of_ten_starts_separates_as_the_best_of_a_hundred() {
    let golden = Golden::ours("detectors");
    let poisoned = golden.values("is_poison");
    let found = of_features(&golden, |evidence: Evidence<'_>| {
        Ac::default().detect(&evidence)
    });
    let area = auroc(&found.scores(), &poisoned);
    // Twenty seeds of the reference lie between .5386 and .5843, its best of a hundred starts at .5392.
    assert!((0.5286..=0.5943).contains(&area), "{area}");
    let ten = Ac { components: 10 };
    let found = of_features(&golden, |evidence: Evidence<'_>| ten.detect(&evidence));
    assert!(found.raw.iter().all(|value| value.is_finite()));
}
