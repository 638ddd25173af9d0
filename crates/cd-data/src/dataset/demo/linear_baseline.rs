//! Shows that the demo pictures need more than a linear classifier.

use cd_models::ImageSet;
use rayon::prelude::*;

use super::{CLASS_NAMES, Stream, draw_set};
use crate::testing::pixels;

const CLASSES: usize = CLASS_NAMES.len();
const EPOCHS: usize = 20;
const BATCH: usize = 100;
const LEARNING_RATE: f32 = 0.003;
const MOMENTUM: f32 = 0.9;

/// Multinomial logistic regression on raw pixels: `weights` is `[classes, features]`.
struct LinearClassifier {
    weights: Vec<Vec<f32>>,
    velocity: Vec<Vec<f32>>,
}

impl LinearClassifier {
    fn new(features: usize) -> Self {
        let zeros = vec![vec![0.0; features]; CLASSES];
        Self {
            weights: zeros.clone(),
            velocity: zeros,
        }
    }

    fn logits(&self, features: &[f32]) -> Vec<f32> {
        self.weights
            .iter()
            .map(|weights| dot(weights, features))
            .collect()
    }

    fn predict(&self, features: &[f32]) -> usize {
        let logits = self.logits(features);
        (0..CLASSES)
            .max_by(|&first, &second| logits[first].total_cmp(&logits[second]))
            .expect("there are classes")
    }

    /// Softmax minus the one-hot label: the gradient of the cross-entropy by the logits.
    fn logit_gradient(&self, features: &[f32], label: usize) -> Vec<f32> {
        let logits = self.logits(features);
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f32> = logits.iter().map(|logit| (logit - highest).exp()).collect();
        let total: f32 = powers.iter().sum();
        (0..CLASSES)
            .map(|class| powers[class] / total - f32::from(u8::from(class == label)))
            .collect()
    }

    /// One step of gradient descent with momentum on a batch.
    fn step(&mut self, batch: &[Vec<f32>], labels: &[u32]) {
        let gradients: Vec<Vec<f32>> = batch
            .par_iter()
            .zip(labels)
            .map(|(features, &label)| self.logit_gradient(features, label as usize))
            .collect();
        let rows = self.weights.par_iter_mut().zip(&mut self.velocity);
        rows.enumerate().for_each(|(class, (weights, velocity))| {
            for value in velocity.iter_mut() {
                *value *= MOMENTUM;
            }
            for (features, gradient) in batch.iter().zip(&gradients) {
                let factor = -LEARNING_RATE * gradient[class] / batch.len() as f32;
                for (value, feature) in velocity.iter_mut().zip(features) {
                    *value += factor * feature;
                }
            }
            for (weight, value) in weights.iter_mut().zip(velocity) {
                *weight += *value;
            }
        });
    }

    fn accuracy(&self, pictures: &[Vec<f32>], labels: &[u32]) -> f32 {
        let right = pictures
            .par_iter()
            .zip(labels)
            .filter(|(features, label)| self.predict(features) == **label as usize)
            .count();
        right as f32 / labels.len() as f32
    }
}

/// Sum of products in eight lanes, which the compiler can keep in one register.
fn dot(first: &[f32], second: &[f32]) -> f32 {
    let mut lanes = [0.0; 8];
    for (left, right) in first.chunks_exact(8).zip(second.chunks_exact(8)) {
        for lane in 0..8 {
            lanes[lane] += left[lane] * right[lane];
        }
    }
    lanes.iter().sum()
}

/// Pixels as -1 to 1 and a constant, in a multiple of eight numbers.
fn features(set: &ImageSet) -> Vec<Vec<f32>> {
    (0..set.len())
        .into_par_iter()
        .map(|index| {
            let pixels = pixels(set, index);
            let scaled = pixels.iter().map(|&value| f32::from(value) / 127.5 - 1.0);
            scaled.chain([1.0; 8]).collect()
        })
        .collect()
}

#[test]
fn a_linear_classifier_fails_on_raw_pixels() {
    let train = draw_set(2000, 1, Stream::Train).expect("small");
    let test = draw_set(1000, 1, Stream::Test).expect("small");
    let train_features = features(&train);
    let test_features = features(&test);
    let mut classifier = LinearClassifier::new(train_features[0].len());
    let mut best = 0.0_f32;
    for _ in 0..EPOCHS {
        let batches = train_features.chunks(BATCH);
        for (batch, labels) in batches.zip(train.labels().chunks(BATCH)) {
            classifier.step(batch, labels);
        }
        let accuracy = classifier.accuracy(&test_features, test.labels());
        best = best.max(accuracy);
    }
    let fitted = classifier.accuracy(&train_features, train.labels());
    assert!(fitted > 0.6, "the classifier did not even fit: {fitted}");
    assert!(best > 0.2, "the pictures tell nothing: {best}");
    assert!(best < 0.65, "a linear classifier reaches {best}");
}
