//! One pass over some images, down or up the gradient of their loss.

use std::sync::Arc;

use cd_core::{CHANNELS, Task, ahead, random};
use cd_models::burn::optim::ModuleOptimizer;
use cd_models::burn::tensor::activation::log_softmax;
use cd_models::burn::tensor::{Int, Tensor, TensorData};
use cd_models::{Augmentation, Device, StorageError, Trainable};
use rand::seq::SliceRandom;

use super::{MitigationError, Parts, Unlearning};

/// Batches that are prepared while the network computes.
const AHEAD: usize = 1;

/// Whether images are learned or forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Learned, changed by the augmentation.
    Descent,
    /// Forgotten, as they are.
    Ascent,
}

/// What the steps of a pass have in common.
pub(super) struct Pass<'a> {
    pub(super) parts: &'a Parts<'a>,
    pub(super) settings: &'a Unlearning,
    /// From 0; decides order and augmentation.
    pub(super) number: usize,
    pub(super) classes: usize,
    pub(super) device: &'a Device,
    pub(super) task: &'a Task<'a>,
}

impl Pass<'_> {
    /// Goes over the images at `indices` and gives their mean loss as it was when they were seen.
    pub(super) fn run(
        &self,
        network: &mut Trainable,
        optimizer: &mut ModuleOptimizer,
        indices: &[usize],
        rate: f64,
        direction: Direction,
    ) -> Result<f64, MitigationError> {
        let mut order = indices.to_vec();
        let purpose = match direction {
            Direction::Descent => "safe pass",
            Direction::Ascent => "ascent",
        };
        let stream = random::named(purpose).wrapping_add(self.number as u64);
        order.shuffle(&mut random::stream(self.settings.seed, stream));
        let batches = batches(&order, self.settings.batch_size);
        let mut sum = 0.0;
        let prepare = |at: usize| self.pixels(batches[at], direction);
        ahead::each(batches.len(), AHEAD, prepare, |at, images| {
            let batch = batches[at];
            let images = Tensor::from_data(images, self.device);
            let losses = self.losses(network, images, batch);
            let mean: f32 = losses.clone().mean().into_scalar();
            if !mean.is_finite() {
                let pass = self.number + 1;
                return Err(MitigationError::Diverged { pass, loss: mean });
            }
            sum += f64::from(mean) * batch.len() as f64;
            let objective = match direction {
                Direction::Descent => losses.mean(),
                Direction::Ascent => {
                    let forgotten = 2.0 * (self.classes.max(2) as f64).ln();
                    losses.clamp_max(forgotten).mean().neg()
                }
            };
            network.step(optimizer, rate, objective);
            self.task.advance(batch.len() as u64);
            Ok(())
        })?;
        Ok(sum / indices.len().max(1) as f64)
    }

    /// Cross-entropy of each image.
    fn losses(&self, network: &Trainable, images: Tensor<4>, indices: &[usize]) -> Tensor<1> {
        let labels = indices.iter().map(|&index| self.parts.labels[index]);
        let labels: Vec<i64> = labels.map(i64::from).collect();
        let labels = TensorData::new(labels, [indices.len(), 1]);
        let labels: Tensor<2, Int> = Tensor::from_data(labels, self.device);
        let shares = log_softmax(network.forward(images), 1);
        shares.gather(1, labels.autodiff()).neg().flatten(0, 1)
    }

    /// Values of a batch, `[B, 3, H, W]` in `[0, 1]`.
    fn pixels(
        &self,
        indices: &[usize],
        direction: Direction,
    ) -> Result<TensorData, MitigationError> {
        let images = self.parts.images;
        let sides = [images.height(), images.width()];
        let plane = sides[0] * sides[1];
        let as_they_are = Augmentation::None;
        let augmentation = match direction {
            Direction::Descent => &self.settings.augmentation,
            Direction::Ascent => &as_they_are,
        };
        let mut values = vec![0.0; indices.len() * images.image_len()];
        let each = values.chunks_mut(images.image_len().max(1));
        for (&index, values) in indices.iter().zip(each) {
            let source: Arc<[u8]> = images.get(index).map_err(StorageError::from)?;
            let seed = self.settings.seed;
            let changed = augmentation.changed(&source, sides, seed, self.number, index);
            for (at, &byte) in changed.iter().enumerate() {
                values[at % CHANNELS * plane + at / CHANNELS] = f32::from(byte) / 255.0;
            }
        }
        let shape = [indices.len(), CHANNELS, sides[0], sides[1]];
        Ok(TensorData::new(values, shape))
    }
}

/// Parts of at most `size`; one image alone, of which `BatchNorm` has no statistics, joins the part before it.
fn batches(order: &[usize], size: usize) -> Vec<&[usize]> {
    let alone = order.len() > size && order.len() % size == 1;
    if !alone {
        return order.chunks(size).collect();
    }
    let (most, last) = order.split_at(order.len() - size - 1);
    most.chunks(size).chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_image_is_alone_in_its_batch() {
        let order: Vec<usize> = (0..9).collect();
        let sizes = |size| {
            batches(&order, size)
                .iter()
                .map(|b| b.len())
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(4), [4, 5]);
        assert_eq!(sizes(5), [5, 4]);
        assert_eq!(sizes(20), [9]);
        assert_eq!(batches(&order, 4).concat(), order);
    }
}
