//! What networks are trained by.

use cd_models::burn::tensor::activation::log_softmax;
use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::{Device, to_host};

/// Keeps the distance of equal drawings from dividing by zero.
const EPSILON: f32 = 1e-7;

/// Classes as rows of zeros and one 1, `[B, classes]`.
fn targets(labels: &[u32], classes: usize, device: &Device) -> Tensor<2> {
    let mut rows = vec![0.0_f32; labels.len() * classes];
    for (row, &label) in rows.chunks_exact_mut(classes).zip(labels) {
        if let Some(value) = row.get_mut(label as usize) {
            *value = 1.0;
        }
    }
    Tensor::from_data(TensorData::new(rows, [labels.len(), classes]), device)
}

/// Mean cross-entropy of scores `[B, K]` against classes.
pub(in crate::attack) fn cross_entropy(scores: Tensor<2>, labels: &[u32]) -> Tensor<1> {
    let [count, classes] = scores.dims();
    let right = targets(labels, classes, &scores.device());
    (log_softmax(scores, 1) * right)
        .sum()
        .neg()
        .div_scalar(count as f32)
}

/// Mean over pairs of the distance of two images over that of what is drawn for them: small where different images get different
/// drawings. Distances are roots of mean squares.
///
/// # Shapes
///
/// - images: `[B, 3, H, W]`; drawings: `[B, C, H, W]`
pub(in crate::attack) fn diversity(images: [Tensor<4>; 2], drawings: [Tensor<4>; 2]) -> Tensor<1> {
    let distance = |[one, other]: [Tensor<4>; 2]| {
        let squares = (one - other).square().mean_dims(&[1, 2, 3]);
        // The root has no slope at zero.
        squares.clamp_min(1e-12).sqrt()
    };
    (distance(images) / distance(drawings).add_scalar(EPSILON)).mean()
}

/// The class with the highest score in each row of `[B, K]`.
pub(in crate::attack) fn predicted(scores: Tensor<2>) -> Vec<u32> {
    let classes = scores.dims()[1];
    let best = |row: &[f32]| {
        let scores = row.iter().zip(0..);
        let best = scores.max_by(|one, other| one.0.total_cmp(other.0));
        best.map_or(0, |(_, class)| class)
    };
    to_host(scores).chunks_exact(classes).map(best).collect()
}

/// How many of these, and of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::attack) struct Share {
    hits: usize,
    of: usize,
}

impl Share {
    /// Counts images that are recognised.
    pub(in crate::attack) fn right(&mut self, scores: Tensor<2>, labels: &[u32]) {
        let pairs = predicted(scores).into_iter().zip(labels);
        self.hits += pairs.filter(|(class, label)| class == *label).count();
        self.of += labels.len();
    }

    /// Counts images of other classes that are sent to `target`.
    pub(in crate::attack) fn sent(&mut self, scores: Tensor<2>, labels: &[u32], target: u32) {
        let pairs = predicted(scores).into_iter().zip(labels);
        let others: Vec<u32> = pairs
            .filter(|(_, label)| **label != target)
            .map(|(class, _)| class)
            .collect();
        self.hits += others.iter().filter(|class| **class == target).count();
        self.of += others.len();
    }

    /// 0 to 1; 0 of none.
    pub(in crate::attack) fn value(self) -> f64 {
        self.hits as f64 / self.of.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_judged_by_their_classes() {
        let device = Device::default();
        let scores = Tensor::<2>::from_floats([[2.0, 0.0], [0.0, 2.0]], &device);
        let (mut right, mut sent) = (Share::default(), Share::default());
        right.right(scores.clone(), &[0, 0]);
        sent.sent(scores.clone(), &[0, 0], 1);
        assert_eq!((right.value(), sent.value()), (0.5, 0.5));
        sent.sent(scores.clone(), &[1, 1], 1);
        assert_eq!(sent, Share { hits: 1, of: 2 });
        let right: f32 = cross_entropy(scores.clone(), &[0, 1]).into_scalar();
        let wrong: f32 = cross_entropy(scores, &[1, 0]).into_scalar();
        assert!((wrong - right - 2.0).abs() < 1e-5, "{right} {wrong}");
    }

    #[test]
    fn equal_drawings_for_different_images_cost_much() {
        let device = Device::default();
        let (zeros, ones) = (
            Tensor::<4>::zeros([2, 3, 4, 4], &device),
            Tensor::<4>::ones([2, 3, 4, 4], &device),
        );
        let images = [zeros.clone(), ones.clone()];
        let apart: f32 = diversity(images.clone(), [zeros.clone(), ones]).into_scalar();
        let same: f32 = diversity(images, [zeros.clone(), zeros]).into_scalar();
        assert!((apart - 1.0).abs() < 1e-3 && same > 1e4, "{apart} {same}");
    }
}
