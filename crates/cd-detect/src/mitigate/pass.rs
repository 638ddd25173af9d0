//! One pass over some images, down or up the gradient of their loss.

use std::sync::Arc;

use cd_core::{CHANNELS, Task, ahead, random};
use cd_models::burn::optim::ModuleOptimizer;
use cd_models::burn::tensor::activation::log_softmax;
use cd_models::burn::tensor::{Int, Tensor, TensorData};
use cd_models::{Augmentation, Device, Trainable};
use rand::seq::SliceRandom;

use super::{MitigationError, Parts, Unlearning};

/// Batches that are prepared while the network computes.
const AHEAD: usize = 1;

/// Safe images for each suspect of a step: the statistics of `BatchNorm` stay those of safe images.
const BESIDE: usize = 4;

/// Steps that a pass with ascent takes at least: over few images it goes several times, or the suspects would be forgotten by halves.
const STEPS: usize = 50;

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

/// Mean losses of a pass, as they were when the images were seen.
pub(super) struct Losses {
    pub(super) safe: f64,
    pub(super) suspects: Option<f64>,
}

/// A step: images to learn and images to forget.
struct Turn<'a> {
    safe: &'a [usize],
    suspects: Vec<usize>,
}

impl Pass<'_> {
    /// Goes over the safe images at the learning rate `rate`. With `ascent`, every step also goes up the gradient of a quarter as many
    /// suspects, so many times as fast. They go through the network together: by themselves they would have `BatchNorm` statistics of their own,
    /// under which forgetting them says little of a trigger on a single image.
    pub(super) fn run(
        &self,
        network: &mut Trainable,
        optimizer: &mut ModuleOptimizer,
        rate: f64,
        ascent: Option<f64>,
    ) -> Result<Losses, MitigationError> {
        let safe = self.ordered(self.parts.safe, "safe pass");
        let suspects = self.ordered(self.parts.suspects, "ascent");
        let mut next = suspects.iter().copied().cycle();
        let batches = batches(&safe, self.settings.batch_size);
        let steps = steps(batches.len(), ascent.is_some());
        let safe = batches.into_iter().cycle().take(steps);
        let turns: Vec<Turn<'_>> = safe
            .map(|safe| Turn {
                safe,
                suspects: match ascent {
                    Some(_) => next
                        .by_ref()
                        .take(safe.len().div_ceil(BESIDE).min(suspects.len()))
                        .collect(),
                    None => Vec::new(),
                },
            })
            .collect();
        let mut sums = [0.0; 2];
        let prepare = |at: usize| self.pixels(&turns[at]);
        ahead::each(turns.len(), AHEAD, prepare, |at, images| {
            let turn = &turns[at];
            let losses = self.losses(network, Tensor::from_data(images, self.device), turn);
            let safe = losses.clone().narrow(0, 0, turn.safe.len());
            let mut objective = safe.clone().mean();
            sums[0] += self.finite(&safe)? * turn.safe.len() as f64;
            if let Some(ascent) = ascent.filter(|_| !turn.suspects.is_empty()) {
                let suspects = losses.narrow(0, turn.safe.len(), turn.suspects.len());
                sums[1] += self.finite(&suspects)? * turn.suspects.len() as f64;
                let forgotten = 2.0 * (self.classes.max(2) as f64).ln();
                objective = objective - suspects.clamp_max(forgotten).mean() * ascent;
            }
            network.step(optimizer, rate, objective);
            self.task.advance(1);
            Ok::<(), MitigationError>(())
        })?;
        let forgotten: usize = turns.iter().map(|turn| turn.suspects.len()).sum();
        let kept: usize = turns.iter().map(|turn| turn.safe.len()).sum();
        Ok(Losses {
            safe: sums[0] / kept.max(1) as f64,
            suspects: (forgotten > 0).then(|| sums[1] / forgotten as f64),
        })
    }

    fn ordered(&self, indices: &[usize], purpose: &str) -> Vec<usize> {
        let mut order = indices.to_vec();
        let stream = random::named(purpose).wrapping_add(self.number as u64);
        order.shuffle(&mut random::stream(self.settings.seed, stream));
        order
    }

    /// The mean of `losses`.
    fn finite(&self, losses: &Tensor<1>) -> Result<f64, MitigationError> {
        let loss: f32 = losses.clone().mean().into_scalar();
        let pass = self.number + 1;
        if loss.is_finite() {
            Ok(f64::from(loss))
        } else {
            Err(MitigationError::Diverged { pass, loss })
        }
    }

    /// Cross-entropy of each image, safe ones first.
    fn losses(&self, network: &Trainable, images: Tensor<4>, turn: &Turn<'_>) -> Tensor<1> {
        let indices = turn.safe.iter().chain(&turn.suspects);
        let labels: Vec<i64> = indices
            .map(|&at| i64::from(self.parts.labels[at]))
            .collect();
        let count = labels.len();
        let labels: Tensor<2, Int> =
            Tensor::from_data(TensorData::new(labels, [count, 1]), self.device);
        let shares = log_softmax(network.forward(images), 1);
        shares.gather(1, labels.autodiff()).neg().flatten(0, 1)
    }

    /// Values of a step, `[B, 3, H, W]` in `[0, 1]`: safe images as the augmentation changes them, suspects as they are.
    fn pixels(&self, turn: &Turn<'_>) -> Result<TensorData, MitigationError> {
        let images = self.parts.images;
        let sides = [images.height(), images.width()];
        let plane = sides[0] * sides[1];
        let count = turn.safe.len() + turn.suspects.len();
        let mut values = vec![0.0; count * images.image_len()];
        let each = values.chunks_mut(images.image_len().max(1));
        let as_they_are = Augmentation::None;
        let safe = turn
            .safe
            .iter()
            .map(|&index| (index, &self.settings.augmentation));
        let suspects = turn.suspects.iter().map(|&index| (index, &as_they_are));
        for ((index, augmentation), values) in safe.chain(suspects).zip(each) {
            let source: Arc<[u8]> = images.get(index)?;
            let seed = self.settings.seed;
            let changed = augmentation.changed(&source, sides, seed, self.number, index);
            for (at, &byte) in changed.iter().enumerate() {
                values[at % CHANNELS * plane + at / CHANNELS] = f32::from(byte) / 255.0;
            }
        }
        let shape = [count, CHANNELS, sides[0], sides[1]];
        Ok(TensorData::new(values, shape))
    }
}

/// Steps of a pass over so many batches of safe images.
fn steps(batches: usize, with_ascent: bool) -> usize {
    if with_ascent && batches > 0 {
        batches.max(STEPS)
    } else {
        batches
    }
}

/// Steps of a pass over so many safe images, without and with ascent.
pub(super) fn steps_of_passes(settings: &Unlearning, safe: usize) -> [usize; 2] {
    let order: Vec<usize> = (0..safe).collect();
    let batches = batches(&order, settings.batch_size).len();
    [false, true].map(|with_ascent| steps(batches, with_ascent))
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
    fn a_pass_with_ascent_has_enough_steps() {
        let steps = |safe| steps_of_passes(&Unlearning::default(), safe);
        assert_eq!(steps(600), [5, 50]);
        assert_eq!(steps(7000), [55, 55]);
        assert_eq!(steps(0), [0, 0]);
    }

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
