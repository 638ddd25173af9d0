use cd_models::Device;
use cd_models::burn::tensor::{Tensor, TensorData};

use super::*;
use crate::compute::Compute;
use crate::detector::golden::{Golden, auroc, fixture_model, rates, relative};
use crate::extract::extract;

fn maps(golden: &Golden, name: &str, count: usize) -> Vec<Map> {
    let values: Vec<f32> = golden.values(name).into_iter().map(|v| v as f32).collect();
    let data = TensorData::new(values, [count, 64, 8, 8]);
    Map::of(Tensor::from_data(data, &Device::flex())).collect()
}

#[test]
fn gram_matrices_and_bands_agree() {
    let Some(reference) = Golden::shared("detectors2") else {
        return;
    };
    let first = maps(&reference, "beatrix_layer3_first8", 8)[0].gram(4);
    let difference = relative(&first, &reference.values("beatrix_gram_image0_p4"));
    assert!(difference < 1e-5, "{difference:e}");
    let clean = maps(&reference, "beatrix_layer3_clean_class0", 30);
    let clean: Vec<Vec<f64>> = clean.iter().map(|map| map.gram(4)).collect();
    let bands = Bands::of(&clean.iter().collect::<Vec<_>>());
    for (ours, name) in [(&bands.low, "low"), (&bands.high, "high")] {
        let expected = reference.values(&format!("beatrix_class0_{name}_p4"));
        let difference = relative(ours, &expected);
        assert!(difference < 1e-5, "{name}: {difference:e}");
    }
    let expected = reference.values("beatrix_p4_calibration_deviations");
    let difference = relative(&folded(&clean), &expected[..30]);
    assert!(difference < 1e-3, "{difference:e}");
}

#[test]
fn scores_from_pictures_agree() {
    let golden = Golden::ours("detectors");
    let (Some(pictures), Some(reference), Some(set)) = (
        Golden::shared("detectors"),
        Golden::shared("detectors2"),
        Golden::shared("train_set"),
    ) else {
        return;
    };
    let device = Device::flex();
    let model = fixture_model(&device);
    let images = pictures.images("images_u8", &golden.labels("targets"));
    let clean = set.images("test_images_u8", &set.labels("test_labels"));
    let compute = Compute::new(&device);
    let [seen, of_clean] = [&images, &clean].map(|set| {
        let read = extract(&model, set.into(), &[], true, &compute).expect("finite");
        read.expect("there are no shards")
    });
    let evidence = Evidence {
        predictions: seen.predictions.as_ref(),
        class_count: 10,
        clean: Some(Clean {
            predictions: of_clean.predictions.as_ref(),
            ..Clean::new(&clean)
        }),
        ..Evidence::new(&model, &images, compute)
    };
    let found = Beatrix::default()
        .detect(&evidence)
        .expect("its needs are met");
    let found = found.expect("there are no shards");
    let difference = relative(&found.raw, &reference.values("beatrix_p4_score"));
    assert!(difference < 1e-3, "{difference:e}");
    let poisoned = golden.values("is_poison");
    assert!(auroc(&found.scores(), &poisoned) > 0.998);
    let own = found.own.expect("it has a rule");
    let (hits, alarms) = rates(&own.flagged, &poisoned);
    assert!(
        hits == 1.0 && (alarms - 0.052).abs() < 0.003,
        "{hits} {alarms}"
    );
}
