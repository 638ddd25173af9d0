//! How a network wants its images scaled.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Mean and standard deviation per colour channel, on the `[0, 1]` scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// Subtracted from each channel.
    pub mean: [f32; 3],
    /// Divides each channel; above zero.
    pub std: [f32; 3],
}

impl Normalization {
    /// Whether means are finite and deviations finite and above zero.
    pub fn is_usable(&self) -> bool {
        let positive = self.std.iter().all(|std| std.is_finite() && *std > 0.0);
        positive && self.mean.iter().all(|mean| mean.is_finite())
    }

    /// # Shapes
    ///
    /// - `images`, output: `[B, 3, H, W]`
    pub(crate) fn apply(&self, images: Tensor<4>) -> Tensor<4> {
        let device = images.device().without_autodiff();
        let row = |values: [f32; 3]| -> Tensor<4> {
            Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), &device)
        };
        (images - row(self.mean)) / row(self.std)
    }
}
