use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::{Device, to_host};

use super::*;
use crate::compute::Compute;
use crate::testing::hills;

/// Brightness of the left half against the right one.
fn halves(images: Tensor<4>) -> Tensor<2> {
    let [batch, _, height, width] = images.dims();
    let sum = |part: Tensor<4>| -> Tensor<2> { part.flatten::<2>(1, 3).sum_dim(1) };
    let left = sum(images.clone().narrow(3, 0, width / 2));
    let right = sum(images.narrow(3, width / 2, width / 2));
    Tensor::cat(vec![left, right], 1).reshape([batch, 2]) / height as f64
}

fn images() -> Tensor<4> {
    let values: Vec<f32> = (0..2 * 3 * 6 * 6)
        .map(|at| (at % 17) as f32 / 16.0)
        .collect();
    Tensor::from_data(TensorData::new(values, [2, 3, 6, 6]), &Device::flex())
}

fn masks(method: &CognitiveDistillation) -> Vec<f32> {
    to_host(method.masks(&halves, images()).expect("valid settings"))
}

#[test]
fn a_tail_is_the_mean_of_the_last_masks() {
    let method = CognitiveDistillation::logits().with_learning_rate(0.3);
    let (four, five) = (
        masks(&method.clone().with_steps(4)),
        masks(&method.clone().with_steps(5)),
    );
    let tail = masks(&method.clone().with_steps(5).with_tail(2));
    for ((four, five), tail) in four.iter().zip(&five).zip(&tail) {
        assert!((f32::midpoint(*four, *five) - tail).abs() < 1e-6);
    }
    let all = masks(&method.clone().with_steps(5).with_tail(5));
    assert_eq!(masks(&method.with_steps(5).with_tail(99)), all);
}

#[test]
fn repeats_see_other_colours_and_are_averaged() {
    let method = CognitiveDistillation::logits()
        .with_steps(6)
        .with_learning_rate(0.3);
    let once = masks(&method);
    let twice = masks(&method.clone().with_repeats(2));
    assert_ne!(once, twice);
    assert_eq!(twice, masks(&method.clone().with_repeats(2)));
    assert_eq!(method.with_repeats(2).total_steps(), 12);
}

#[test]
fn a_cosine_ends_gently() {
    let method = CognitiveDistillation::logits()
        .with_steps(10)
        .with_decay(Decay::Cosine);
    assert!((method.learning_rate_at(0) - 0.1).abs() < 1e-12);
    assert!((method.learning_rate_at(5) - 0.05).abs() < 1e-12);
    assert!(method.learning_rate_at(9) < 0.01);
    let constant = CognitiveDistillation::logits();
    assert!((constant.learning_rate_at(99) - 0.1).abs() < 1e-12);
}

#[test]
fn the_paper_preset_changes_nothing_and_all_are_valid() {
    for published in [
        CognitiveDistillation::logits(),
        CognitiveDistillation::features(),
    ] {
        assert_eq!(published.clone().with_preset(Preset::Paper), published);
        for preset in [Preset::Paper, Preset::Fast, Preset::Accurate] {
            let method = published.clone().with_preset(preset);
            method.check().expect("presets are valid");
            assert!(method.total_steps() <= 100);
        }
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let method = CognitiveDistillation::logits();
    for (wrong, key) in [
        (method.clone().with_steps(0), "steps"),
        (method.clone().with_tail(0), "tail"),
        (method.clone().with_repeats(0), "repeats"),
        (method.clone().with_betas([1.0, 0.1]), "betas"),
        (method.clone().with_betas([0.1, f64::NAN]), "betas"),
        (method.clone().with_mask_scale(0.0), "mask_scale"),
        (method.clone().with_mask_scale(1.01), "mask_scale"),
        (method.clone().with_mask_scale(f64::NAN), "mask_scale"),
        (method.clone().with_tolerance(-0.1), "tolerance"),
        (method.clone().with_tolerance(1.0), "tolerance"),
        (method.clone().with_median_mask(0.8), "median_mask"),
    ] {
        let error = wrong.masks(&halves, images()).expect_err(key).to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn a_settled_image_leaves_and_the_others_do_not_notice() {
    let method = CognitiveDistillation::logits()
        .with_steps(60)
        .with_fill(Fill::Stratified);
    let numbers = [0, 1];
    let find = |method: &CognitiveDistillation, rows: std::ops::Range<usize>| {
        let images = images().narrow(0, rows.start, rows.len());
        method
            .distill(&halves, images, &numbers[rows])
            .expect("valid settings")
    };
    let whole = find(&method, 0..2);
    assert_eq!(whole.steps, [60, 60]);
    let early = method.clone().with_tolerance(0.05);
    let both = find(&early, 0..2);
    assert!(
        both.steps.iter().all(|steps| steps % 10 == 0),
        "{:?}",
        both.steps
    );
    assert!(
        both.steps.iter().any(|&steps| steps < 60),
        "{:?}",
        both.steps
    );
    for row in 0..2 {
        let alone = find(&early, row..row + 1);
        assert_eq!(alone.steps[0], both.steps[row]);
        assert!((alone.norms[0] - both.norms[row]).abs() < 1e-4);
        let short = find(&method.clone().with_steps(both.steps[row]), row..row + 1);
        assert!((alone.norms[0] - short.norms[0]).abs() < 1e-4);
    }
}

#[test]
fn an_image_that_settles_later_keeps_its_place() {
    let method = CognitiveDistillation::logits()
        .with_steps(100)
        .with_learning_rate(0.2);
    let tolerances = [0.3, 0.1, 0.03, 0.01, 0.003];
    let mut parted = 0;
    for tolerance in tolerances {
        let early = method.clone().with_tolerance(tolerance);
        let found = early
            .distill(&halves, images(), &[0, 1])
            .expect("valid settings");
        parted += usize::from(found.steps[0] != found.steps[1]);
        for row in 0..2 {
            let image = images().narrow(0, row, 1);
            let alone = early
                .distill(&halves, image, &[row as u64])
                .expect("valid settings");
            assert!((alone.norms[0] - found.norms[row]).abs() < 1e-4);
        }
    }
    assert!(parted > 0, "the images always settled together");
}

#[test]
fn a_coarse_mask_is_smooth_and_as_large_as_the_image() {
    let method = CognitiveDistillation::logits()
        .with_learning_rate(0.3)
        .with_steps(8);
    let coarse = method.clone().with_mask_scale(0.3);
    let found = coarse.masks(&halves, images()).expect("valid settings");
    assert_eq!(found.dims(), [2, 1, 6, 6]);
    let values = to_host(found);
    // Linear between the two centres of a row: equal steps from the second pixel to the fifth.
    let row = &values[..6];
    assert!(
        ((row[2] - row[1]) - (row[4] - row[3])).abs() < 1e-5,
        "{row:?}"
    );
    assert_eq!(coarse.initial_theta(&images()).dims(), [2, 1, 2, 2]);
    let finest = method.clone().with_mask_scale(0.95);
    assert_eq!(masks(&method), masks(&finest));
}

#[test]
fn the_weight_makes_the_median_image_keep_what_is_asked_for() {
    let (set, device) = (hills(16, 4, |_, _| {}), Device::flex());
    let compute = Compute::new(&device);
    let start = CognitiveDistillation::logits()
        .with_steps(60)
        .with_learning_rate(0.3);
    let plain = start.fitted(&halves, (&set).into(), &compute);
    assert_eq!(plain.expect("valid settings"), start);
    for wanted in [0.2, 0.5] {
        let asked = start.clone().with_median_mask(wanted);
        let fitted = asked.fitted(&halves, (&set).into(), &compute);
        let fitted = fitted.expect("valid settings");
        let other = Compute {
            batch_size: 3,
            workers: 2,
            ..compute
        };
        let again = asked.fitted(&halves, (&set).into(), &other);
        assert_eq!(again.expect("valid settings"), fitted);
        let all: Vec<usize> = (0..set.len()).collect();
        let images = cd_models::batch(&set, &all, &device).expect("in memory");
        let numbers: Vec<u64> = (0..16).collect();
        let found = fitted.distill(&halves, images, &numbers);
        let mut norms = found.expect("valid settings").norms;
        norms.sort_by(f64::total_cmp);
        let share = f64::midpoint(norms[7], norms[8]) / 256.0;
        assert!(
            (0.85 * wanted..1.15 * wanted).contains(&share),
            "{share} for {wanted}"
        );
    }
}
