//! Training on attributes.

use burn::tensor::Device;
use cd_core::{ImageSet, Labels, NoProgress};

use crate::model::config::ModelConfig;
use crate::predict::predict;
use crate::train::config::TrainConfig;
use crate::train::run::train;
use crate::train::schedule::Schedule;

/// Attributes drawn into the images: a bright upper half, a red tint.
fn drawn(count: usize) -> ImageSet {
    let mut set = ImageSet::with_attributes(16, 16, vec!["sky".into(), "red".into()]);
    for number in 0..count {
        let present = [number % 2 == 0, number / 2 % 2 == 0];
        let pixels: Vec<u8> = (0..16 * 16 * 3)
            .map(|at| {
                let (row, channel) = (at / 3 / 16, at % 3);
                let bright = if present[0] && row < 8 { 100 } else { 0 };
                let tint = if present[1] && channel == 0 { 90 } else { 0 };
                bright + tint + ((at * 31 + number * 17) % 50) as u8
            })
            .collect();
        set.push_attributes(number.to_string(), &pixels, &present)
            .expect("two attributes");
    }
    set
}

#[test]
fn a_tiny_network_learns_two_attributes() {
    let set = drawn(24);
    let model = ModelConfig::from_name("attribute_resnet18").expect("registered");
    let config = TrainConfig {
        epochs: 8,
        batch_size: 8,
        learning_rate: 0.05,
        schedule: Schedule::Constant,
        record_losses: 8,
        validation: 0.25,
        ..TrainConfig::default()
    };
    let device = Device::flex();
    let trained = train(
        &model.with_width(4),
        &set,
        &config,
        None,
        &device,
        &NoProgress,
    );
    let trained = trained.expect("trains");
    let losses = trained.history.losses_matrix();
    assert_eq!((losses.rows(), losses.columns()), (8, 24));
    let mean = |epoch: usize| losses.row(epoch).iter().sum::<f32>() / 24.0;
    assert!((mean(0) - 2.0_f32.ln()).abs() < 0.3, "{}", mean(0));
    assert!(mean(7) < 0.5 * mean(0), "{} to {}", mean(0), mean(7));
    let last = trained.history.epochs.last().expect("eight");
    assert!(last.train_accuracy > 0.9, "{last:?}");
    assert!(last.validation_accuracy.is_some_and(|right| right <= 1.0));
    assert_eq!(trained.model.classes(), 2);

    let predictions = predict(&trained.model, &set, 8, &device, &NoProgress).expect("in memory");
    let Labels::Attributes(attributes) = set.annotations() else {
        panic!("a set with attributes");
    };
    let right = (0..24).flat_map(|index| {
        let odds = predictions.logits(index).iter();
        let pairs = odds.zip(attributes.of(index));
        pairs.filter(|(odds, present)| (**odds > 0.0) == **present)
    });
    assert!(right.count() >= 44);
}
