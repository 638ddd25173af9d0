//! The training loop; per-sample losses are kept for detectors that need the history.

use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::batch::augmented_batch;
use crate::checkpoint::{CheckpointError, Checkpoints, Identity, State};
use crate::model::Model;
use crate::model_config::ModelConfig;
use crate::net::Net;
use crate::predict::{Predictions, predict};
use crate::registry::{InputSizeError, UnknownArchitecture};
use cd_core::ImageSet;
use cd_core::StorageError;
use cd_core::{NoProgress, Progress};

mod config;
mod gradient;
mod validation;

pub use config::{Keep, Moments, Optimizer, TrainConfig};
pub(crate) use config::{at_least_one, is_zero, positive, require};

use validation::Split;

/// Batches between two looks at the loss; each look waits for the device.
const LOOK_EVERY: usize = 8;

/// Images per batch when nothing is differentiated.
const EVALUATION_BATCH: usize = 250;

/// What happened in one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochReport {
    /// Counted from 0.
    pub epoch: usize,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Mean loss over the training images as they were seen: cross-entropy, with smoothed labels
    /// where they are asked for.
    pub train_loss: f64,
    /// Accuracy over the training images as they were seen, in `[0, 1]`.
    pub train_accuracy: f64,
    /// Accuracy over the held-out images after the epoch, in `[0, 1]`; `None` without such images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// What a training run leaves besides the weights.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// One report per epoch.
    pub epochs: Vec<EpochReport>,
    /// Cross-entropy of every training image at the start of each recorded epoch: evaluation mode,
    /// no augmentation, `[epochs][images]`.
    #[serde(skip)]
    pub losses: Vec<Vec<f32>>,
}

/// A trained model and its history.
#[derive(Debug)]
pub struct Trained {
    /// The frozen model: the last, or the best where the settings say so.
    pub model: Model,
    /// Both, where images were held out to tell which is best.
    pub snapshots: Option<Snapshots>,
    /// Losses and accuracies on the way.
    pub history: History,
}

/// Models of one training run.
#[derive(Debug)]
pub struct Snapshots {
    /// After the epoch with the highest accuracy on the held-out images.
    pub best: Model,
    /// After the last epoch.
    pub last: Model,
}

/// Why training stopped.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A setting is out of its range.
    #[error("training: `{key}` is {value}, expected {expected}")]
    Config {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// Its range.
        expected: &'static str,
    },
    /// Nothing to learn from.
    #[error(
        "training: the training set has {images} images in {classes} classes; at least 2 of each are needed"
    )]
    TooSmall {
        /// Number of images.
        images: usize,
        /// Number of classes.
        classes: usize,
    },
    /// The loss became NaN or infinite.
    #[error(
        "training diverged: the loss is {loss} in epoch {epoch}; a smaller learning_rate usually helps (last checkpoint kept)"
    )]
    Diverged {
        /// Epoch, from 0.
        epoch: usize,
        /// The loss.
        loss: f32,
    },
    /// No such architecture.
    #[error(transparent)]
    Architecture(#[from] UnknownArchitecture),
    /// The architecture cannot take images of this size.
    #[error("training: {0}")]
    InputSize(#[from] InputSizeError),
    /// The checkpoint could not be written or continued.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The images could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Trains `model` on `set`, continuing from `checkpoints` where a run of the same settings stopped.
///
/// With a folder for checkpoints the state is written after every epoch; an interrupted run that is
/// started again ends with the same weights as one that was not.
///
/// # Errors
///
/// When a setting is out of range, the loss diverges, or the checkpoint is damaged or of another run.
pub fn train(
    model: &ModelConfig,
    set: &ImageSet,
    config: &TrainConfig,
    checkpoints: Option<&Path>,
    device: &Device,
    progress: &dyn Progress,
) -> Result<Trained, TrainError> {
    config.check()?;
    if set.len() < 2 || set.class_count() < 2 {
        return Err(TrainError::TooSmall {
            images: set.len(),
            classes: set.class_count(),
        });
    }
    let architecture = model.architecture()?;
    architecture.check_size(set.height(), set.width())?;
    let split = Split::of(set, config)?;
    let identity = Identity {
        model: model.clone(),
        classes: set.class_count(),
        images: set.len(),
        config: config.clone(),
    };
    let plain = device.clone().without_autodiff();
    let net = model.init_net(set.class_count(), config.seed, &plain.clone().autodiff())?;
    let mut state = State {
        net,
        optimizer: config.init_optimizer(),
        history: History::default(),
        best: None,
    };
    let checkpoints = checkpoints.map(Checkpoints::new);
    if let Some(checkpoints) = &checkpoints {
        state = checkpoints.load(&identity, state)?;
    }
    let done = state.history.epochs.len();
    let per_epoch = split.training.len();
    progress.start("training", Some((config.epochs * per_epoch) as u64));
    progress.advance((done * per_epoch) as u64);
    for epoch in done..config.epochs {
        if state.history.is_stuck(config.early_stop) {
            tracing::info!(epoch, "stopped early");
            break;
        }
        if epoch < config.record_losses {
            let losses = sample_losses(&state.net, set, &plain)?;
            state.history.losses.push(losses);
        }
        let run = Epoch {
            set,
            split: &split,
            config,
            number: epoch,
            device: &plain,
        };
        state = run.run(state, progress)?;
        if let Some(checkpoints) = &checkpoints {
            checkpoints.save(&identity, &state)?;
        }
    }
    progress.finish();
    let wrap = |net: Net| Model::new(net, model.clone(), set.class_count());
    Ok(finished(state, config.keep, wrap))
}

fn finished(state: State, keep: Keep, wrap: impl Fn(Net) -> Model) -> Trained {
    let last = wrap(state.net.valid());
    let best = state.best.map(wrap);
    let model = match (keep, &best) {
        (Keep::Best, Some(best)) => best.clone(),
        _ => last.clone(),
    };
    Trained {
        model,
        snapshots: best.map(|best| Snapshots { best, last }),
        history: state.history,
    }
}

/// Cross-entropy of every image in evaluation mode.
fn sample_losses(net: &Net, set: &ImageSet, device: &Device) -> Result<Vec<f32>, StorageError> {
    let predictions = predictions(&net.valid(), set, device)?;
    let labels = set.labels().iter().enumerate();
    Ok(labels
        .map(|(index, &label)| predictions.cross_entropy(index, label))
        .collect())
}

fn predictions(frozen: &Net, set: &ImageSet, device: &Device) -> Result<Predictions, StorageError> {
    let classifier = |images: Tensor<4>| frozen.forward(images);
    predict(&classifier, set, EVALUATION_BATCH, device, &NoProgress)
}

/// One epoch to run.
struct Epoch<'a> {
    set: &'a ImageSet,
    split: &'a Split,
    config: &'a TrainConfig,
    /// Counted from 0.
    number: usize,
    /// Without autodiff.
    device: &'a Device,
}

impl Epoch<'_> {
    fn run(&self, mut state: State, progress: &dyn Progress) -> Result<State, TrainError> {
        let Self {
            config,
            number: epoch,
            ..
        } = *self;
        let started = Instant::now();
        let order = shuffled(&self.split.training, config.seed, epoch);
        let steps = order.len().div_ceil(config.batch_size);
        let mut tally = Tally::default();
        let mut learning_rate = config.learning_rate;
        for (step, indices) in order.chunks(config.batch_size).enumerate() {
            let at = epoch as f64 + step as f64 / steps as f64;
            learning_rate = config.learning_rate * config.schedule.factor(at, config.epochs);
            state = self.step(state, indices, learning_rate, &mut tally)?;
            if step % LOOK_EVERY == LOOK_EVERY - 1 || step + 1 == steps {
                tally.look(epoch)?;
                progress.note(&format!(
                    "epoch {}/{}, loss {:.3}",
                    epoch + 1,
                    config.epochs,
                    tally.mean_loss()
                ));
            }
            progress.advance(indices.len() as u64);
        }
        let frozen = state.net.valid();
        let held_out = self.split.held_out.as_ref();
        let validation_accuracy = match held_out {
            Some(held_out) => {
                predictions(&frozen, held_out, self.device)?.accuracy(held_out.labels())
            }
            None => None,
        };
        state.history.epochs.push(EpochReport {
            epoch,
            learning_rate,
            train_loss: tally.mean_loss(),
            train_accuracy: tally.accuracy(),
            validation_accuracy,
            seconds: started.elapsed().as_secs_f64(),
        });
        if state.history.best_epoch() == Some(epoch) {
            state.best = Some(frozen);
        }
        tracing::debug!(
            epoch,
            loss = tally.mean_loss(),
            accuracy = tally.accuracy(),
            validation_accuracy,
            "epoch done"
        );
        Ok(state)
    }

    fn step(
        &self,
        state: State,
        indices: &[usize],
        learning_rate: f64,
        tally: &mut Tally,
    ) -> Result<State, StorageError> {
        let Self {
            set,
            config,
            device,
            ..
        } = *self;
        let State {
            net,
            mut optimizer,
            history,
            best,
        } = state;
        let images = augmented_batch(
            set,
            indices,
            &config.augmentation,
            config.seed,
            self.number,
            device,
        )?;
        let logits = net.forward(images.autodiff());
        let targets = targets(set, indices, device);
        tally.correct.push(correct(&logits, &targets));
        let loss = cross_entropy(logits, targets.autodiff(), config.label_smoothing);
        tally.losses.push((loss.clone().inner(), indices.len()));
        let mut gradients = GradientsParams::from_grads(loss.backward(), &net);
        if let Some(largest) = config.clip_norm {
            gradients = gradient::clip_norm(gradients, &net, largest);
        }
        let net = optimizer.step(learning_rate, net, gradients);
        Ok(State {
            net,
            optimizer,
            history,
            best,
        })
    }
}

/// Losses and hits of an epoch; values stay on the device until they are looked at.
#[derive(Default)]
struct Tally {
    losses: Vec<(Tensor<1>, usize)>,
    correct: Vec<Tensor<1, Int>>,
    loss_sum: f64,
    hits: f64,
    seen: usize,
}

impl Tally {
    fn look(&mut self, epoch: usize) -> Result<(), TrainError> {
        for (loss, count) in self.losses.drain(..) {
            let loss = loss.into_scalar::<f32>();
            if !loss.is_finite() {
                return Err(TrainError::Diverged { epoch, loss });
            }
            self.loss_sum += f64::from(loss) * count as f64;
            self.seen += count;
        }
        for hits in self.correct.drain(..) {
            self.hits += hits.into_scalar::<i64>() as f64;
        }
        Ok(())
    }

    fn mean_loss(&self) -> f64 {
        self.loss_sum / self.seen.max(1) as f64
    }

    fn accuracy(&self) -> f64 {
        self.hits / self.seen.max(1) as f64
    }
}

fn shuffled(indices: &[usize], seed: u64, epoch: usize) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(u64::MAX - epoch as u64);
    let mut order = indices.to_vec();
    order.shuffle(&mut random);
    order
}

fn targets(set: &ImageSet, indices: &[usize], device: &Device) -> Tensor<1, Int> {
    let labels: Vec<i64> = indices
        .iter()
        .map(|&i| i64::from(set.labels()[i]))
        .collect();
    Tensor::from_data(TensorData::new(labels, [indices.len()]), device)
}

fn correct(logits: &Tensor<2>, targets: &Tensor<1, Int>) -> Tensor<1, Int> {
    let predicted = logits.clone().inner().argmax(1).flatten::<1>(0, 1);
    predicted.equal(targets.clone()).int().sum()
}

/// Mean cross-entropy, `[B, K]` against `[B]`, with the share `smoothing` of each target spread
/// evenly over the classes.
fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let log_shares = log_softmax(logits, 1);
    let targets = targets.unsqueeze_dim(1);
    if smoothing == 0.0 {
        return log_shares.gather(1, targets).mean().neg();
    }
    let picked = log_shares.clone().gather(1, targets).mean();
    let even = log_shares.mean();
    (picked * (1.0 - smoothing) + even * smoothing).neg()
}

#[cfg(all(test, feature = "flex"))]
mod tests;
