//! Where and how a computation over a whole set runs. Nothing of it changes results.

use std::path::Path;

use cd_core::{NoProgress, Progress};
use cd_models::Device;

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
    /// Images computed at a time; bounds memory. Above 64 it is rounded down to a multiple of 64.
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
    /// The same with batches that forward passes over images of `height` x `width` pixels are fastest with: of about as many pixels as
    /// four images of 224 pixels a side. The feature maps of more are larger than the system's allocator keeps, and getting them
    /// anew for every layer took as long as computing them (EfficientNet-Lite0, 32 images: 24 s beside 25 s; 4 images: 0.7 s).
    #[must_use]
    pub fn with_batches_for(mut self, height: usize, width: usize) -> Self {
        const PIXELS: usize = 4 * 224 * 224;
        let most = PIXELS / (height * width).max(1);
        self.batch_size = self.batch_size.min(most.max(1));
        self
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
