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

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(side: usize, count: usize) -> ImageSet {
        let mut set = ImageSet::new(side, side, vec!["only".into()]);
        for image in 0..count {
            let bytes = 0..side * side * 3;
            let pixels: Vec<u8> = bytes.map(|at| (image * 37 + at * 11) as u8).collect();
            set.push(image.to_string(), &pixels, 0).expect("fits");
        }
        set
    }

    fn hash(augmentation: Augmentation, side: usize, epoch: usize) -> u64 {
        let set = drawn(side, 10);
        let config = TrainConfig {
            batch_size: 4,
            augmentation,
            seed: 5,
            ..TrainConfig::default()
        };
        let training: Vec<usize> = (0..set.len()).collect();
        let batches = Batches::new(&set, &training, &config, epoch);
        assert_eq!((batches.len(), batches.indices(2).len()), (3, 2));
        let values = (0..batches.len()).flat_map(|number| {
            let data = batches.host(number).expect("in memory");
            data.try_to_vec::<f32>().expect("made of f32")
        });
        values.fold(0xcbf2_9ce4_8422_2325, |hash, value| {
            (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3)
        })
    }

    #[test]
    fn order_and_values_of_a_seed_are_pinned() {
        let found = [
            hash(Augmentation::None, 8, 0),
            hash(Augmentation::CropFlip, 8, 1),
            hash(Augmentation::Erase, 8, 2),
            hash(Augmentation::CropFlip, 320, 1),
        ];
        assert_eq!(
            found,
            [
                10_520_776_512_495_432_008,
                719_834_390_306_476_250,
                8_943_283_649_452_734_532,
                16_300_351_331_553_486_308
            ]
        );
    }
}
