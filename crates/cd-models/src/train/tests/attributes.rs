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
    let mut set = ImageSet::with_attributes(32, 32, vec!["sky".into(), "red".into()]);
    for number in 0..count {
        let present = [number % 2 == 0, number / 2 % 2 == 0];
        let pixels: Vec<u8> = (0..32 * 32 * 3)
            .map(|at| {
                let (row, channel) = (at / 3 / 32, at % 3);
                let bright = if present[0] && row < 16 { 100 } else { 0 };
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
    let set = drawn(48);
    let model = ModelConfig::from_name("attribute_resnet18").expect("registered");
    let config = TrainConfig {
        epochs: 20,
        batch_size: 9,
        learning_rate: 0.01,
        schedule: Schedule::Constant,
        record_losses: 20,
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
    assert_eq!((losses.rows(), losses.columns()), (20, 48));
    let mean = |epoch: usize| losses.row(epoch).iter().sum::<f32>() / 48.0;
    assert!((mean(0) - 2.0_f32.ln()).abs() < 0.3, "{}", mean(0));
    assert!(mean(19) < 0.5 * mean(0), "{} to {}", mean(0), mean(19));
    let last = trained.history.epochs.last().expect("twenty");
    assert!(last.train_accuracy > 0.9, "{last:?}");
    assert!(last.validation_accuracy.is_some_and(|right| right > 0.9));
    assert_eq!(trained.model.classes(), 2);

    let predictions = predict(&trained.model, &set, 8, &device, &NoProgress).expect("in memory");
    let Labels::Attributes(attributes) = set.annotations() else {
        panic!("a set with attributes");
    };
    let right = (0..48).flat_map(|index| {
        let odds = predictions.logits(index).iter();
        let pairs = odds.zip(attributes.of(index));
        pairs.filter(|(odds, present)| (**odds > 0.0) == **present)
    });
    assert!(right.count() >= 90);
}
