//! Which clean images a network is trained on, in which order, and which it is measured on.

use cd_core::random::{named, stream};
use cd_core::{ImageSet, StorageError};
use cd_models::Device;
use cd_models::burn::tensor::Tensor;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::scale::Scale;
use crate::attack::CraftContext;

/// Most images that are held out to measure on.
const MOST_HELD_OUT: usize = 500;

/// The generator for one purpose in one epoch or step.
pub(in crate::attack) fn numbered(seed: u64, purpose: &str, number: usize) -> ChaCha8Rng {
    stream(seed, named(purpose).wrapping_add(number as u64))
}

/// The clean images of a craft: a tenth, at most 500, is held out.
#[derive(Debug)]
pub(in crate::attack) struct Batches<'a> {
    images: &'a ImageSet,
    pub(in crate::attack) training: Vec<usize>,
    pub(in crate::attack) held_out: Vec<usize>,
    pub(in crate::attack) scale: Scale,
    seed: u64,
    pub(in crate::attack) device: Device,
}

impl<'a> Batches<'a> {
    /// Least number of images: one to train on and one held out.
    pub(in crate::attack) const LEAST_IMAGES: usize = 2;

    pub(in crate::attack) fn new(context: &CraftContext<'a>, scale: Scale) -> Self {
        let mut training: Vec<usize> = (0..context.images.len()).collect();
        training.shuffle(&mut stream(context.seed, named("held out by a craft")));
        let kept = training.len() - (training.len() / 10).clamp(1, MOST_HELD_OUT);
        let held_out = training.split_off(kept);
        Self {
            images: context.images,
            training,
            held_out,
            scale,
            seed: context.seed,
            device: context.device.clone().without_autodiff(),
        }
    }

    /// The images of an epoch, or `most` of them, in an order of its own.
    pub(in crate::attack) fn order(&self, purpose: &str, epoch: usize, most: usize) -> Vec<usize> {
        let mut order = self.training.clone();
        order.shuffle(&mut numbered(self.seed, purpose, epoch));
        order.truncate(most);
        order
    }

    /// Images as networks see them, `[B, 3, h, w]`.
    pub(in crate::attack) fn tensor(&self, indices: &[usize]) -> Result<Tensor<4>, StorageError> {
        let images = indices.par_iter().map(|&index| self.images.pixels(index));
        let images = images.collect::<Result<Vec<_>, _>>()?;
        Ok(self.scale.shrunk(&images, &self.device))
    }

    /// True labels.
    pub(in crate::attack) fn labels(&self, indices: &[usize]) -> Vec<u32> {
        let labels = self.images.labels();
        indices.iter().map(|&index| labels[index]).collect()
    }
}
