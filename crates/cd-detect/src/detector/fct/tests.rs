use cd_models::Device;

use super::*;
use crate::compute::Compute;
use crate::detector::golden::{Golden, fixture_model, relative};

#[test]
fn turned_and_shifted_pictures_are_those_of_the_reference() {
    let golden = Golden::ours("detectors");
    let Some(reference) = Golden::shared("detectors") else {
        return;
    };
    let images = reference.images("images_u8", &golden.labels("targets"));
    let expected = reference.images("fct_final_u8", &golden.labels("targets"));
    let (angles, shifts) = (
        reference.values("fct_angle"),
        reference.values("fct_translate"),
    );
    for image in 0..640 {
        let transform = Transform {
            angle: angles[image],
            shift: [shifts[2 * image] as i64, shifts[2 * image + 1] as i64],
        };
        let pixels = images.pixels(image).expect("in memory");
        let ours = transform.apply(&pixels, 32, 32);
        let theirs = expected.pixels(image).expect("in memory");
        assert!(ours[..] == theirs[..], "image {image}: {transform:?}");
    }
}

#[test]
fn changes_and_fine_tuning_agree() {
    let golden = Golden::ours("detectors");
    let (Some(reference), Some(_)) = (Golden::shared("detectors"), Golden::shared("fct_finetuned"))
    else {
        return;
    };
    let device = Device::flex();
    let model = fixture_model(&device);
    let labels = golden.labels("targets");
    let images = reference.images("images_u8", &labels);
    let moved = reference.images("fct_final_u8", &labels);
    let some: Vec<usize> = (0..640).step_by(10).collect();
    let [before, after] =
        [&images, &moved].map(|set| batch(set, &some, &device).expect("in memory"));
    let found = changes(&model, before, after).expect("has the tap");
    let expected = reference.values("fct_score_no_finetune_f64");
    let expected: Vec<f64> = some.iter().map(|&image| expected[image]).collect();
    let difference = relative(&found, &expected);
    assert!(difference < 1e-4, "{difference:e}");
    let evidence = Evidence {
        labels: Some(&labels),
        class_count: 10,
        ..Evidence::new(&model, &images, Compute::new(&device))
    };
    let one = Fct { rounds: 1, seed: 0 };
    let (_, losses) = one.tuned(&evidence, &model, &labels).expect("readable");
    let expected = reference.values("fct_finetune_losses_f64_first2epochs");
    for (ours, theirs) in losses.iter().zip(&expected) {
        assert!(
            (f64::from(*ours) - theirs).abs() < 1e-4,
            "{losses:?} {expected:?}"
        );
    }
    assert_eq!(losses.len(), 5);
}

#[test]
fn draws_stay_within_their_ranges() {
    for number in 0..200 {
        let drawn = Transform::drawn(0, number, 32, 16);
        assert!(drawn.angle.abs() <= 180.0);
        assert!(
            drawn.shift[0].abs() <= 3 && drawn.shift[1].abs() <= 6,
            "{drawn:?}"
        );
    }
}
