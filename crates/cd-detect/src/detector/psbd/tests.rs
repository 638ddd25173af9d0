use cd_models::{Device, batch};

use super::*;
use crate::detector::golden::{Golden, auroc, fixture_model};

/// The recipe of the golden files: `SplitMix64` over a hash of the name.
fn recipe(_seed: u64, pass: usize, block: usize, image: u64, count: usize) -> Vec<f32> {
    let name = format!("psbd_train_pass{pass}_block{block}");
    let hash = cd_core::random::named(&name);
    let uniform = |at: usize| {
        let step = (image * count as u64 + at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut z = hash.wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 40) as f32 / (1_u64 << 24) as f32
    };
    (0..count).map(uniform).collect()
}

#[test]
fn losses_of_the_reference_draws_agree() {
    let golden = Golden::ours("detectors");
    let (Some(pictures), Some(reference)) =
        (Golden::shared("detectors"), Golden::shared("detectors2"))
    else {
        return;
    };
    let device = Device::flex();
    let model = fixture_model(&device);
    let images = pictures.images("images_u8", &golden.labels("targets"));
    let numbers: Vec<u64> = (0..32).collect();
    let some = batch(&images, &(0..32).collect::<Vec<_>>(), &device).expect("in memory");
    let rates = [0.1, 0.5];
    let (losses, _) =
        shift::of_batch(&model, some, &numbers, &rates, 0, recipe).expect("has blocks");
    let expected = reference.values("psbd_psu_by_p");
    for image in 0..32 {
        for (at, rate) in [0, 4].into_iter().enumerate() {
            let theirs = expected[rate * 640 + image];
            let ours = f64::from(losses[image * 2 + at]);
            assert!(
                (ours - theirs).abs() < 1e-4,
                "{image}, {rate}: {ours} {theirs}"
            );
        }
    }
}

#[test]
fn the_forms_come_to_the_figures_of_the_reference() {
    let Some(reference) = Golden::shared("detectors2") else {
        return;
    };
    let poisoned = Golden::ours("detectors").values("is_poison");
    let by_rate = |name: &str, count: usize| -> Vec<Vec<f64>> {
        let values = reference.values(name);
        values.chunks_exact(count).map(<[f64]>::to_vec).collect()
    };
    let found = by_rate("psbd_psu_by_p", 640);
    let some = Shifts {
        losses: found[2..5].to_vec(),
        shifted: Vec::new(),
    };
    let area = auroc(&by_ranks(&some).scores(), &poisoned);
    assert!((area - 0.9186).abs() < 0.002, "{area}");
    // Shares of shifted predictions as in detectors2.json.
    let suspects = [0.129, 0.343, 0.552, 0.723, 0.814, 0.869, 0.864, 0.879, 0.9];
    let clean = [0.32, 0.463, 0.642, 0.787, 0.845, 0.895, 0.91, 0.88, 0.9];
    assert_eq!(chosen(&clean, &suspects), 6);
    let published = super::by_rate(
        &Shifts {
            losses: found,
            shifted: suspects.to_vec(),
        },
        &Shifts {
            losses: by_rate("psbd_psu_val_by_p", 200),
            shifted: clean.to_vec(),
        },
    );
    let area = auroc(&published.scores(), &poisoned);
    assert!((area - 0.6507).abs() < 0.002, "{area}");
    let own = published.own.expect("it has a rule");
    assert_eq!(own.flagged_count(), 66);
}
