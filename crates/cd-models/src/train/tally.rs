//! Losses and right answers of an epoch as it runs.

use burn::tensor::{Int, Tensor};

use super::error::TrainError;

/// Values stay on the device until they are looked at, for each look waits for it.
#[derive(Default)]
pub(super) struct Tally {
    losses: Vec<(Tensor<1>, usize)>,
    right: Vec<Tensor<1, Int>>,
    loss_sum: f64,
    right_sum: f64,
    seen: usize,
}

impl Tally {
    /// A batch of `count` images.
    pub(super) fn add(&mut self, loss: Tensor<1>, right: Tensor<1, Int>, count: usize) {
        self.losses.push((loss, count));
        self.right.push(right);
    }

    /// Waits for what was added so far.
    pub(super) fn look(&mut self, epoch: usize) -> Result<(), TrainError> {
        for (loss, count) in self.losses.drain(..) {
            let loss = loss.into_scalar::<f32>();
            if !loss.is_finite() {
                return Err(TrainError::Diverged { epoch, loss });
            }
            self.loss_sum += f64::from(loss) * count as f64;
            self.seen += count;
        }
        for right in self.right.drain(..) {
            self.right_sum += right.into_scalar::<i64>() as f64;
        }
        Ok(())
    }

    pub(super) fn mean_loss(&self) -> f64 {
        self.loss_sum / self.seen.max(1) as f64
    }

    /// Share of right answers where there are so many `answers` for an image.
    pub(super) fn accuracy(&self, answers: usize) -> f64 {
        self.right_sum / (self.seen * answers).max(1) as f64
    }
}
