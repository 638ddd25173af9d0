//! The training loop: SGD with momentum, per-sample losses kept for detectors that need the history.

use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::augment::Augmentation;
use crate::batch::augmented_batch;
use crate::checkpoint::{CheckpointError, Checkpoints, Identity};
use crate::images::ImageSet;
use crate::model::Model;
use crate::model_config::ModelConfig;
use crate::net::Net;
use crate::predict::predict;
use crate::progress::{NoProgress, Progress};
use crate::registry::{InputSizeError, UnknownArchitecture};
use crate::schedule::Schedule;

/// Batches between two looks at the loss; each look waits for the device.
const LOOK_EVERY: usize = 8;

/// Images per batch when nothing is differentiated.
const EVALUATION_BATCH: usize = 250;

/// Settings of a training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training set; at least 1.
    pub epochs: usize,
    /// Images per step; at least 1.
    pub batch_size: usize,
    /// Initial learning rate of SGD, above 0.
    pub learning_rate: f64,
    /// Momentum in `[0, 1)`.
    pub momentum: f64,
    /// Whether momentum looks ahead.
    pub nesterov: bool,
    /// L2 penalty on every parameter, at least 0.
    pub weight_decay: f64,
    /// How the learning rate falls.
    pub schedule: Schedule,
    /// How images are changed.
    pub augmentation: Augmentation,
    /// Drives initial weights, order and augmentation.
    pub seed: u64,
    /// Per-sample losses are recorded at the start of this many first epochs (ABL needs 20).
    pub record_losses: usize,
}

impl Default for TrainConfig {
    /// The paper's CIFAR-10 protocol: 60 epochs, batch 100, SGD .1/.9/5e-4, x0.1 at epochs 45 and 60.
    fn default() -> Self {
        Self {
            epochs: 60,
            batch_size: 100,
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 5e-4,
            schedule: Schedule::MultiStep {
                milestones: vec![45, 60],
                gamma: 0.1,
            },
            augmentation: Augmentation::None,
            seed: 0,
            record_losses: 20,
        }
    }
}

/// What happened in one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochReport {
    /// Counted from 0.
    pub epoch: usize,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Mean cross-entropy over the training images as they were seen.
    pub train_loss: f64,
    /// Accuracy over the training images as they were seen, in `[0, 1]`.
    pub train_accuracy: f64,
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
    /// The frozen model.
    pub model: Model,
    /// Losses and accuracies on the way.
    pub history: History,
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
        optimizer: config.optimizer(),
        history: History::default(),
    };
    let checkpoints = checkpoints.map(Checkpoints::new);
    if let Some(checkpoints) = &checkpoints {
        let (net, optimizer, history) = checkpoints.load(&identity, state.net, state.optimizer)?;
        state = State {
            net,
            optimizer,
            history,
        };
    }
    let done = state.history.epochs.len();
    progress.start("training", Some((config.epochs * set.len()) as u64));
    progress.advance((done * set.len()) as u64);
    for epoch in done..config.epochs {
        if epoch < config.record_losses {
            let losses = sample_losses(&state.net, set, &plain);
            state.history.losses.push(losses);
        }
        state = run_epoch(state, set, config, epoch, &plain, progress)?;
        if let Some(checkpoints) = &checkpoints {
            checkpoints.save(&identity, &state.net, &state.optimizer, &state.history)?;
        }
    }
    progress.finish();
    Ok(Trained {
        model: Model::new(state.net.valid(), model.clone(), set.class_count()),
        history: state.history,
    })
}

struct State {
    net: Net,
    optimizer: ModuleOptimizer,
    history: History,
}

impl TrainConfig {
    fn check(&self) -> Result<(), TrainError> {
        let wrong = |key, value: String, expected| TrainError::Config {
            key,
            value,
            expected,
        };
        if self.epochs == 0 {
            return Err(wrong("epochs", "0".into(), "at least 1"));
        }
        if self.batch_size == 0 {
            return Err(wrong("batch_size", "0".into(), "at least 1"));
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            let value = self.learning_rate.to_string();
            return Err(wrong("learning_rate", value, "a number above 0"));
        }
        if !(0.0..1.0).contains(&self.momentum) {
            let value = self.momentum.to_string();
            return Err(wrong("momentum", value, "a number from 0 to below 1"));
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            let value = self.weight_decay.to_string();
            return Err(wrong("weight_decay", value, "a number of at least 0"));
        }
        Ok(())
    }

    fn optimizer(&self) -> ModuleOptimizer {
        let momentum = MomentumConfig::new()
            .with_momentum(self.momentum)
            .with_dampening(0.0)
            .with_nesterov(self.nesterov);
        SgdConfig::new()
            .with_momentum((self.momentum > 0.0).then_some(momentum))
            .with_weight_decay(Some(WeightDecayConfig::new(self.weight_decay as f32)))
            .init()
    }
}

/// Cross-entropy of every image in evaluation mode.
fn sample_losses(net: &Net, set: &ImageSet, device: &Device) -> Vec<f32> {
    let frozen = net.valid();
    let classifier = |images: Tensor<4>| frozen.forward(images);
    let predictions = predict(&classifier, set, EVALUATION_BATCH, device, &NoProgress);
    let labels = set.labels().iter().enumerate();
    labels
        .map(|(index, &label)| predictions.cross_entropy(index, label))
        .collect()
}

fn run_epoch(
    state: State,
    set: &ImageSet,
    config: &TrainConfig,
    epoch: usize,
    device: &Device,
    progress: &dyn Progress,
) -> Result<State, TrainError> {
    let State {
        mut net,
        mut optimizer,
        mut history,
    } = state;
    let started = Instant::now();
    let order = shuffled(set.len(), config.seed, epoch);
    let steps = order.len().div_ceil(config.batch_size);
    let mut tally = Tally::default();
    let mut learning_rate = config.learning_rate;
    for (step, indices) in order.chunks(config.batch_size).enumerate() {
        let at = epoch as f64 + step as f64 / steps as f64;
        learning_rate = config.learning_rate * config.schedule.factor(at, config.epochs);
        let images = augmented_batch(
            set,
            indices,
            config.augmentation,
            config.seed,
            epoch,
            device,
        );
        let logits = net.forward(images.autodiff());
        let targets = targets(set, indices, device);
        tally.correct.push(correct(&logits, &targets));
        let loss = cross_entropy(logits, targets.autodiff());
        tally.losses.push((loss.clone().inner(), indices.len()));
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        net = optimizer.step(learning_rate, net, gradients);
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
    history.epochs.push(EpochReport {
        epoch,
        learning_rate,
        train_loss: tally.mean_loss(),
        train_accuracy: tally.accuracy(),
        seconds: started.elapsed().as_secs_f64(),
    });
    tracing::debug!(
        epoch,
        loss = tally.mean_loss(),
        accuracy = tally.accuracy(),
        "epoch done"
    );
    Ok(State {
        net,
        optimizer,
        history,
    })
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

fn shuffled(count: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(u64::MAX - epoch as u64);
    let mut order: Vec<usize> = (0..count).collect();
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

/// Mean cross-entropy, `[B, K]` against `[B]`.
fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let picked = log_softmax(logits, 1).gather(1, targets.unsqueeze_dim(1));
    picked.mean().neg()
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::state::StateDict;

    /// Two classes told apart by which half is bright.
    fn halves(count: usize) -> ImageSet {
        let mut set = ImageSet::new(8, 8, vec!["left".into(), "right".into()]);
        for number in 0..count {
            let label = (number % 2) as u32;
            let pixels: Vec<u8> = (0..8 * 8 * 3)
                .map(|at| {
                    let right = (at / 3) % 8 >= 4;
                    let noise = ((at * 31 + number * 17) % 64) as u8;
                    if right == (label == 1) {
                        180 + noise
                    } else {
                        noise
                    }
                })
                .collect();
            set.push(format!("{number}"), &pixels, label).expect("fits");
        }
        set
    }

    fn config(epochs: usize) -> TrainConfig {
        TrainConfig {
            epochs,
            batch_size: 8,
            learning_rate: 0.05,
            schedule: Schedule::Constant,
            record_losses: 2,
            ..TrainConfig::default()
        }
    }

    fn run(epochs: usize, folder: Option<&Path>) -> Result<Trained, TrainError> {
        let model = ModelConfig::from_name("resnet10")?.with_width(4);
        let device = Device::flex();
        train(
            &model,
            &halves(24),
            &config(epochs),
            folder,
            &device,
            &NoProgress,
        )
    }

    #[test]
    fn a_small_network_learns_and_keeps_its_history() {
        let trained = run(4, None).expect("trains");
        let history = &trained.history;
        let losses: Vec<f64> = history.epochs.iter().map(|e| e.train_loss).collect();
        assert!(losses[3] < 0.5 * losses[0], "{losses:?}");
        assert_eq!(history.losses.len(), 2);
        assert_eq!(history.losses[0].len(), 24);
        let mean = |row: &[f32]| row.iter().sum::<f32>() / row.len() as f32;
        assert!((mean(&history.losses[0]) - 2.0_f32.ln()).abs() < 0.3);
    }

    #[test]
    fn resuming_changes_nothing() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let whole = run(3, None).expect("trains");
        let stopper = Stopper::after(24 * 2);
        let model = ModelConfig::from_name("resnet10")
            .expect("registered")
            .with_width(4);
        let set = halves(24);
        let interrupted = std::panic::catch_unwind(|| {
            let folder = Some(folder.path());
            train(&model, &set, &config(3), folder, &Device::flex(), &stopper).map(|_| ())
        });
        assert!(
            interrupted.is_err(),
            "the run was stopped in its third epoch"
        );
        let resumed = run(3, Some(folder.path())).expect("resumes");
        assert_eq!(resumed.history.losses, whole.history.losses);
        let values = |trained: &Trained| StateDict::of(trained.model.net());
        assert_eq!(values(&resumed), values(&whole));
    }

    #[test]
    fn a_checkpoint_of_another_run_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        run(1, Some(folder.path())).expect("trains");
        let error = run(2, Some(folder.path())).expect_err("other settings");
        assert!(error.to_string().contains("training settings"), "{error}");
        let wider = ModelConfig::from_name("resnet10")
            .expect("registered")
            .with_width(8);
        let set = halves(24);
        let folder = Some(folder.path());
        let error = train(
            &wider,
            &set,
            &config(1),
            folder,
            &Device::flex(),
            &NoProgress,
        );
        let error = error.expect_err("other architecture").to_string();
        assert!(error.contains("architecture was"), "{error}");
    }

    #[test]
    fn wrong_settings_and_empty_sets_are_named() {
        let mut wrong = config(1);
        wrong.learning_rate = f64::NAN;
        let model = ModelConfig::from_name("resnet10").expect("registered");
        let set = halves(4);
        let error = train(&model, &set, &wrong, None, &Device::flex(), &NoProgress);
        assert!(
            error
                .expect_err("NaN")
                .to_string()
                .contains("`learning_rate` is NaN")
        );
        let empty = set.subset(&[]);
        let error = train(
            &model,
            &empty,
            &config(1),
            None,
            &Device::flex(),
            &NoProgress,
        );
        assert!(matches!(error, Err(TrainError::TooSmall { images: 0, .. })));
    }

    /// Panics once so many images have been seen, like a process that is killed.
    struct Stopper {
        left: std::sync::Mutex<i64>,
    }

    impl Stopper {
        fn after(images: i64) -> Self {
            let left = std::sync::Mutex::new(images);
            Self { left }
        }
    }

    impl Progress for Stopper {
        fn start(&self, _what: &str, _total: Option<u64>) {}
        fn finish(&self) {}
        fn advance(&self, by: u64) {
            let mut left = self.left.lock().expect("one thread");
            *left -= by as i64;
            assert!(*left >= 0, "stopped");
        }
    }
}
