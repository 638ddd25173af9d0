//! Where and how a computation over a whole set runs. Nothing of it changes results.

use std::path::Path;

use cd_core::{NoProgress, Pixels, Progress};
use cd_models::{Device, images_at_once};

/// Which parts of a set this process works on, so that several share the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// This process, from 0.
    pub index: usize,
    /// Number of processes.
    pub count: usize,
}

impl Shard {
    /// The only process.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether part `number` is this process's.
    pub(crate) fn has(self, number: usize) -> bool {
        number % self.count.max(1) == self.index
    }
}

/// A folder for partial results.
#[derive(Debug, Clone, Copy)]
pub struct Store<'a> {
    /// The folder; made when it is not there.
    pub folder: &'a Path,
    /// Fingerprint of the model and the images; partial results of another one are refused.
    pub fingerprint: &'a str,
}

/// Where to compute, how much at a time, and where partial results are kept.
#[derive(Clone, Copy)]
pub struct Compute<'a> {
    /// Where to compute.
    pub device: &'a Device,
    /// Images computed at a time, at most; bounds memory. Above 64 it is rounded down to a multiple of 64.
    pub batch_size: usize,
    /// Batches computed at the same time: on a CPU as many as threads, on a GPU 1. While one is computed, the next is read.
    pub workers: usize,
    /// Which parts to compute.
    pub shard: Shard,
    /// Where partial results are kept; without it they are gone when the process ends.
    pub store: Option<Store<'a>>,
    /// Told about every finished batch.
    pub progress: &'a dyn Progress,
}

impl<'a> Compute<'a> {
    /// The same with batches for a network that sees images of `height` x `width` pixels, whatever the size of the pictures: see
    /// [`images_at_once`].
    #[must_use]
    pub fn with_batches_for(mut self, height: usize, width: usize) -> Self {
        self.batch_size = images_at_once(self.batch_size, height, width, self.device);
        self
    }

    /// How many of `images` to compute at a time: not a matter of the number of workers, on which no result may depend.
    pub(crate) fn at_once(&self, images: Pixels<'_>) -> usize {
        images_at_once(
            self.batch_size,
            images.height(),
            images.width(),
            self.device,
        )
    }

    /// Everything in this process, 32 images at a time, nothing kept.
    pub fn new(device: &'a Device) -> Self {
        Self {
            device,
            batch_size: 32,
            workers: 1,
            shard: Shard::WHOLE,
            store: None,
            progress: &NoProgress,
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use cd_models::ImageSet;

    use super::*;

    #[test]
    fn large_images_are_computed_singly() {
        let device = Device::flex();
        let set = |side| ImageSet::new(side, side, vec!["a".into()]);
        let compute = Compute::new(&device);
        let at_once = |side| compute.at_once((&set(side)).into());
        assert_eq!([32, 64, 96, 224, 500].map(at_once), [32, 12, 5, 1, 1]);
        assert_eq!(compute.with_batches_for(112, 112).batch_size, 4);
    }
}
