use cd_models::{Device, batch};

use super::*;
use crate::detector::golden::{Golden, auroc, fixture_model};

/// Convolutions of the golden model by their channels, in its order.
fn layers() -> Vec<Layer> {
    let mut first = 0;
    let widths = [16, 32, 64, 128].into_iter().flat_map(|width| [width; 4]);
    widths
        .enumerate()
        .map(|(at, width)| {
            let columns = first..first + width;
            first = columns.end;
            Layer {
                name: at.to_string(),
                columns,
            }
        })
        .collect()
}

#[test]
fn gaps_targets_and_order_agree() {
    let golden = Golden::ours("detectors");
    let Some(reference) = Golden::shared("detectors2") else {
        return;
    };
    let found = Rows(reference.matrix("agpd_grad_all_layers", 960));
    let trusted = Rows(reference.matrix("agpd_clean_grad_all_layers", 960));
    let classes = members(&golden.labels("targets"), 10);
    let references: Vec<Vec<usize>> = (0..10)
        .map(|class| (class * 10..class * 10 + 10).collect())
        .collect();
    let (gaps, layers) = (reference.values("agpd_gap"), layers());
    for (at, layer) in layers.iter().enumerate() {
        for (class, images) in classes.iter().enumerate() {
            let mean = trusted.mean(layer, &references[class]).expect("ten images");
            let spread = targets::Spread::of(&found, layer, images, &mean).expect("images");
            let expected = gaps[at * 10 + class];
            assert!(
                (spread.gap - expected).abs() < 1e-5,
                "{at} {class}: {}",
                spread.gap
            );
        }
    }
    let detection = Agpd::default().judged(&found, &trusted, &layers, &classes, &references);
    let expected = reference.values("agpd_score");
    let apart = detection
        .raw
        .iter()
        .zip(&expected)
        .map(|(a, b)| (a - b).abs());
    let apart = apart.fold(0.0, f64::max);
    assert!(apart < 1e-4, "{apart:e}");
    let area = auroc(&detection.raw, &golden.values("is_poison"));
    assert!((area - 0.9526).abs() < 0.002, "{area}");
    let own = detection.own.expect("it has a rule");
    assert_eq!(own.flagged_count(), 0);
}

#[test]
fn rounds_of_the_reference_agree() {
    let golden = Golden::ours("detectors");
    let Some(reference) = Golden::shared("detectors2") else {
        return;
    };
    let found = Rows(reference.matrix("agpd_forced_grad", 128));
    let trusted = Rows(reference.matrix("agpd_forced_clean_grad", 128));
    let layer = Layer {
        name: "layer4.1.conv1".to_owned(),
        columns: 0..128,
    };
    let all: Vec<usize> = (0..found.count()).collect();
    let mean = trusted
        .mean(&layer, &(0..10).collect::<Vec<_>>())
        .expect("ten images");
    let spread = targets::Spread::of(&found, &layer, &all, &mean).expect("images");
    assert_eq!(spread.seed, 39);
    let order = order::gathered(&found, &layer, &all, spread.seed, &mean, 0.05);
    assert_eq!(order.count(), 43);
    let expected = reference.values("agpd_forced_round");
    let ours: Vec<f64> = order.rounds.iter().map(|&round| round as f64).collect();
    assert_eq!(ours, expected);
    for (ours, theirs) in order.changes.iter().zip([0.139_059_856_8, 0.378_499_304_3]) {
        assert!((ours - theirs).abs() < 1e-6, "{:?}", &order.changes[..4]);
    }
    assert_eq!(order.stop(), 2);
    assert_eq!(golden.values("is_poison").len(), 640);
}

#[test]
fn gradients_of_pictures_agree() {
    let golden = Golden::ours("detectors");
    let (Some(pictures), Some(reference)) =
        (Golden::shared("detectors"), Golden::shared("detectors2"))
    else {
        return;
    };
    let device = Device::flex();
    let model = fixture_model(&device);
    let labels = golden.labels("targets");
    let images = pictures.images("images_u8", &labels);
    let some = batch(&images, &(0..16).collect::<Vec<_>>(), &device).expect("in memory");
    let (width, rows) = gradients::of_batch(&model, some, &labels[..16]);
    assert_eq!(width, 960);
    let expected = reference.values("agpd_grad_all_layers");
    let apart = rows
        .iter()
        .zip(&expected)
        .map(|(a, b)| (f64::from(*a) - b).abs());
    let apart = apart.fold(0.0, f64::max);
    assert!(apart < 1e-6, "{apart:e}");
}
