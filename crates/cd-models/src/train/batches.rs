//! The batches of an epoch: which images, in which order, changed how.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::TensorData;
use cd_core::{ImageSet, StorageError, random};
use rand::seq::SliceRandom;

use super::augment::{Augmentation, Place};
use super::config::TrainConfig;
use crate::batch::filled_batch;

/// All batches of one epoch; a batch is a function of the seed, the epoch and the images, and can be made by any thread.
pub(super) struct Batches<'a> {
    set: &'a ImageSet,
    augmentation: &'a Augmentation,
    seed: u64,
    epoch: usize,
    order: Vec<usize>,
    size: usize,
}

impl<'a> Batches<'a> {
    /// The images `training` of `set` in the order of `epoch`.
    pub(super) fn new(
        set: &'a ImageSet,
        training: &[usize],
        config: &'a TrainConfig,
        epoch: usize,
    ) -> Self {
        let mut order = training.to_vec();
        order.shuffle(&mut random::stream(config.seed, u64::MAX - epoch as u64));
        Self {
            set,
            augmentation: &config.augmentation,
            seed: config.seed,
            epoch,
            order,
            size: config.batch_size,
        }
    }

    /// Number of batches; the last may be smaller.
    pub(super) fn len(&self) -> usize {
        self.order.len().div_ceil(self.size)
    }

    /// The images of batch `number`, as indices into the set.
    pub(super) fn indices(&self, number: usize) -> &[usize] {
        &self.order[self.range(number)]
    }

    /// Batch `number`, `[B, 3, H, W]` in `[0, 1]`.
    pub(super) fn host(&self, number: usize) -> Result<TensorData, StorageError> {
        let (height, width) = (self.set.height(), self.set.width());
        filled_batch(self.indices(number), height, width, |index| {
            let source: Arc<[u8]> = self.set.pixels(index)?;
            let place = Place {
                height,
                width,
                seed: self.seed,
                epoch: self.epoch,
                index,
            };
            Ok(self.augmentation.apply(&source, place).into_owned())
        })
    }

    fn range(&self, number: usize) -> Range<usize> {
        let start = number * self.size;
        start..(start + self.size).min(self.order.len())
    }
}
