//! One epoch of training.

use std::collections::{BTreeSet, HashSet};
use std::time::Instant;

use burn::module::{Module, ParamId};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use cd_core::{ImageSet, NoProgress, StorageError, Task, ahead};

use super::batches::Batches;
use super::config::TrainConfig;
use super::error::TrainError;
use super::finetune::{ids_of, taken};
use super::gradient;
use super::history::EpochReport;
use super::objective::Objective;
use super::state::State;
use super::tally::Tally;
use super::validation::Split;
use crate::model::normalization::Normalization;
use crate::net::Net;
use crate::predict::{Predictions, predict};
use crate::registry::Architecture;

/// Batches between two looks at the loss.
const LOOK_EVERY: usize = 8;

/// Batches that are prepared while the network computes.
const AHEAD: usize = 1;

/// What the epochs of a run have in common.
pub(super) struct Run<'a> {
    pub(super) set: &'a ImageSet,
    pub(super) architecture: &'static Architecture,
    pub(super) objective: Objective<'a>,
    pub(super) split: &'a Split,
    pub(super) config: &'a TrainConfig,
    /// Names of the parameters of the head.
    pub(super) head: &'a BTreeSet<String>,
    /// What images go through before the network.
    pub(super) normalization: Option<Normalization>,
    /// Without autodiff.
    pub(super) device: &'a Device,
}

impl Run<'_> {
    /// The loss of every image in evaluation mode.
    pub(super) fn sample_losses(&self, net: &Net) -> Result<Vec<f32>, StorageError> {
        let predictions = self.predictions(&net.valid(), self.set)?;
        let losses =
            (0..self.set.len()).map(|index| self.objective.sample_loss(&predictions, index));
        Ok(losses.collect())
    }

    /// Trains for one epoch, counted from 0.
    pub(super) fn epoch(
        &self,
        epoch: usize,
        state: State,
        task: &Task<'_>,
    ) -> Result<State, TrainError> {
        let started = Instant::now();
        let config = self.config;
        let batches = Batches::new(self.set, &self.split.training, config, epoch);
        let steps = batches.len();
        let rate_at = |step: usize| {
            let at = epoch as f64 + step as f64 / steps as f64;
            config.learning_rate * config.schedule.factor(at, config.epochs)
        };
        // Parameters of a network that was read from a checkpoint have other identities than before.
        let trunk = config.finetune.map(|finetune| Trunk {
            head: ids_of(&state.net, self.head),
            rate: finetune.trunk_rate,
        });
        let mut tally = Tally::default();
        let mut held = Some(state);
        let prepare = |step| batches.host(step).map_err(TrainError::from);
        ahead::each(steps, AHEAD, prepare, |step, images| {
            let state = held.take().expect("put back at the end of every step");
            let indices = batches.indices(step);
            let rates = Rates {
                head: rate_at(step),
                trunk: trunk.as_ref(),
            };
            held = Some(self.step(state, images, indices, rates, &mut tally));
            if step % LOOK_EVERY == LOOK_EVERY - 1 || step + 1 == steps {
                tally.look(epoch)?;
                let (number, loss) = (epoch + 1, tally.mean_loss());
                task.note(&format!("epoch {number}/{}, loss {loss:.3}", config.epochs));
            }
            task.advance(indices.len() as u64);
            Ok(())
        })?;
        let state = held.expect("put back at the end of every step");
        let learning_rate = rate_at(steps.saturating_sub(1));
        let seconds = || started.elapsed().as_secs_f64();
        self.ended(epoch, state, &tally, learning_rate, seconds)
    }

    fn step(
        &self,
        state: State,
        images: TensorData,
        indices: &[usize],
        rates: Rates<'_>,
        tally: &mut Tally,
    ) -> State {
        let State {
            net,
            mut optimizer,
            history,
            best,
        } = state;
        let images = self.normalized(Tensor::from_data(images, self.device));
        let logits = net.forward(images.autodiff());
        let targets = self.objective.targets(indices, self.device);
        let right = targets.right(&logits);
        let loss = targets.loss(logits, self.config.label_smoothing);
        tally.add(loss.clone().inner(), right, indices.len());
        let mut gradients = GradientsParams::from_grads(loss.backward(), &net);
        if let Some(largest) = self.config.clip_norm {
            gradients = gradient::clip_norm(gradients, &net, largest);
        }
        State {
            net: rates.step(&mut optimizer, net, gradients),
            optimizer,
            history,
            best,
        }
    }

    /// Measures accuracy on the held-out images and enters the epoch into the history.
    fn ended(
        &self,
        epoch: usize,
        mut state: State,
        tally: &Tally,
        learning_rate: f64,
        seconds: impl Fn() -> f64,
    ) -> Result<State, TrainError> {
        let frozen = state.net.valid();
        let validation_accuracy = match &self.split.held_out {
            Some(held_out) => {
                let predictions = self.predictions(&frozen, held_out)?;
                Objective::of(held_out, self.architecture)?.accuracy(&predictions)
            }
            None => None,
        };
        let report = EpochReport {
            epoch,
            learning_rate,
            train_loss: tally.mean_loss(),
            train_accuracy: tally.accuracy(self.objective.answers()),
            validation_accuracy,
            seconds: seconds(),
        };
        tracing::debug!(
            epoch,
            loss = report.train_loss,
            accuracy = report.train_accuracy,
            validation_accuracy,
            "epoch done"
        );
        state.history.epochs.push(report);
        if state.history.best_epoch() == Some(epoch) {
            state.best = Some(frozen);
        }
        Ok(state)
    }

    fn normalized(&self, images: Tensor<4>) -> Tensor<4> {
        match &self.normalization {
            Some(normalization) => normalization.apply(images),
            None => images,
        }
    }

    fn predictions(&self, frozen: &Net, set: &ImageSet) -> Result<Predictions, StorageError> {
        let classifier = |images: Tensor<4>| frozen.forward(self.normalized(images));
        let batch = evaluation_batch(set.height() * set.width());
        predict(&classifier, set, batch, self.device, &NoProgress)
    }
}

/// The part of a network that given weights are kept in.
struct Trunk {
    /// The other part.
    head: HashSet<ParamId>,
    /// Learning rate as a share of the head's.
    rate: f64,
}

/// Learning rates of a step.
struct Rates<'a> {
    head: f64,
    /// Where it has a rate of its own.
    trunk: Option<&'a Trunk>,
}

impl Rates<'_> {
    fn step(
        self,
        optimizer: &mut ModuleOptimizer,
        net: Net,
        mut gradients: GradientsParams,
    ) -> Net {
        let Some(trunk) = self.trunk else {
            return optimizer.step(self.head, net, gradients);
        };
        let of_head = taken(&mut gradients, &net, &trunk.head);
        let net = optimizer.step(self.head, net, of_head);
        optimizer.step(self.head * trunk.rate, net, gradients)
    }
}

/// Images per batch when nothing is differentiated: fewer where they have more than 64 x 64 pixels, for memory.
fn evaluation_batch(pixels: usize) -> usize {
    const MOST: usize = 250;
    const LEAST: usize = 16;
    (MOST * 64 * 64 / pixels.max(1)).clamp(LEAST, MOST)
}
