//! The training loop; per-sample losses are kept for detectors that need the history.

use burn::module::Module;
use burn::tensor::Device;
use cd_core::{ImageSet, Labels, Progress, StorageError, Task};

use super::checkpoint::Checkpoints;
use super::config::{Keep, TrainConfig};
use super::epoch::Run;
use super::error::TrainError;
use super::finetune::{continued, head};
use super::history::History;
use super::objective::Objective;
use super::setting::require;
use super::state::{Identity, State};
use super::validation::Split;
use crate::model::Model;
use crate::model::config::ModelConfig;
use crate::net::Net;
use crate::registry::UnknownArchitecture;
use crate::weights::state::StateDict;

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

/// Trains `model` on `set`, continuing from `checkpoints` where a run of the same settings and images stopped.
///
/// The labels of the images decide what is learned: one class each, or several attributes each by a network that sees
/// attributes. With a folder for checkpoints the state is written after every epoch; an interrupted run that is
/// started again ends with the same weights as one that was not.
///
/// # Errors
///
/// When a setting is out of range, the labels are not what the network learns, the loss diverges, or the checkpoint is
/// damaged or of another run.
pub fn train(
    model: &ModelConfig,
    set: &ImageSet,
    config: &TrainConfig,
    checkpoints: Option<Checkpoints<'_>>,
    device: &Device,
    progress: &dyn Progress,
) -> Result<Trained, TrainError> {
    unstarted(config)?;
    trained(&Order {
        model,
        start: None,
        set,
        config,
        checkpoints,
        device,
        progress,
        watch: &|_, _| Ok(()),
    })
}

/// As [`train`], and hands the model to `watch` after every epoch, counted from 0, before its checkpoint is written: with checkpoints an
/// epoch may come twice.
///
/// # Errors
///
/// As [`train`], and those of `watch`.
pub fn train_watched(
    model: &ModelConfig,
    set: &ImageSet,
    config: &TrainConfig,
    checkpoints: Option<Checkpoints<'_>>,
    device: &Device,
    progress: &dyn Progress,
    watch: &dyn Fn(usize, &Model) -> Result<(), StorageError>,
) -> Result<Trained, TrainError> {
    unstarted(config)?;
    trained(&Order {
        model,
        start: None,
        set,
        config,
        checkpoints,
        device,
        progress,
        watch,
    })
}

/// Whether nothing is said of weights to continue from, where there are none.
fn unstarted(config: &TrainConfig) -> Result<(), TrainError> {
    let untouched = config.finetune.is_none();
    let expected = "to be left out, for there are no weights to continue from";
    Ok(require(untouched, "finetune", "set", expected)?)
}

/// Trains a copy of `start` on `set`: with a new head for the classes of `set`, drawn by the seed, and everything else at the lower
/// rate of [`TrainConfig::finetune`], or of its default. Its input normalisation stays.
///
/// Checkpoints and labels are as in [`train`].
///
/// # Errors
///
/// As [`train`].
pub fn fine_tune(
    start: &Model,
    set: &ImageSet,
    config: &TrainConfig,
    checkpoints: Option<Checkpoints<'_>>,
    device: &Device,
    progress: &dyn Progress,
) -> Result<Trained, TrainError> {
    let config = TrainConfig {
        finetune: Some(config.finetune.unwrap_or_default()),
        ..config.clone()
    };
    let model = start.config();
    trained(&Order {
        model,
        start: Some(start),
        set,
        config: &config,
        checkpoints,
        device,
        progress,
        watch: &|_, _| Ok(()),
    })
}

/// What is trained, on what, and who looks on.
struct Order<'a> {
    model: &'a ModelConfig,
    start: Option<&'a Model>,
    set: &'a ImageSet,
    config: &'a TrainConfig,
    checkpoints: Option<Checkpoints<'a>>,
    device: &'a Device,
    progress: &'a dyn Progress,
    watch: &'a dyn Fn(usize, &Model) -> Result<(), StorageError>,
}

fn trained(order: &Order<'_>) -> Result<Trained, TrainError> {
    let Order {
        model,
        start,
        set,
        config,
        device,
        progress,
        ..
    } = *order;
    config.check()?;
    let architecture = model.architecture()?;
    let objective = Objective::of(set, architecture)?;
    check_count(set)?;
    architecture.check_size(set.height(), set.width())?;
    let split = Split::of(set, config)?;
    let plain = device.clone().without_autodiff();
    let classes = set.class_count();
    let net = model.init_net(classes, config.seed, &plain.clone().autodiff())?;
    let head = head(architecture, model.resolved_width()?, classes, &plain);
    let fresh = State {
        net: match start {
            Some(start) => continued(net, start, &head),
            None => net,
        },
        optimizer: config.init_optimizer(),
        history: History::default(),
        best: None,
    };
    let run = Run {
        set,
        architecture,
        objective,
        split: &split,
        config,
        head: &head,
        normalization: start.and_then(Model::normalization),
        device: &plain,
    };
    let wrap = |net: Net| {
        let model = Model::new(net, model.clone(), classes)?;
        Ok(model.with_normalization(run.normalization))
    };
    let watched = |state: &State| {
        let done = state.history.epochs.len();
        Ok((order.watch)(
            done.saturating_sub(1),
            &wrap(state.net.valid())?,
        )?)
    };
    let state = match &order.checkpoints {
        Some(checkpoints) => {
            let identity = Identity {
                model: model.clone(),
                classes,
                images: set.len(),
                content: checkpoints.content(set)?,
                config: config.clone(),
                start: start.map(Model::fingerprint),
            };
            let state = checkpoints.load(&identity, fresh)?;
            epochs(&run, state, progress, |state| {
                watched(state)?;
                Ok(checkpoints.save(&identity, state)?)
            })
        }
        None => epochs(&run, fresh, progress, watched),
    }?;
    finished(state, config.keep, wrap)
}

fn check_count(set: &ImageSet) -> Result<(), TrainError> {
    let (images, classes) = (set.len(), set.class_count());
    let least = match set.annotations() {
        Labels::Attributes(_) => 1,
        Labels::Class(_) | Labels::None => 2,
    };
    if images < 2 || classes < least {
        return Err(TrainError::TooSmall { images, classes });
    }
    Ok(())
}

/// The epochs that are left, each handed to `save`.
fn epochs(
    run: &Run<'_>,
    mut state: State,
    progress: &dyn Progress,
    save: impl Fn(&State) -> Result<(), TrainError>,
) -> Result<State, TrainError> {
    let config = run.config;
    let done = state.history.epochs.len();
    let per_epoch = run.split.training.len();
    let task = Task::start(
        progress,
        "training",
        Some((config.epochs * per_epoch) as u64),
    );
    task.resume((done * per_epoch) as u64);
    for epoch in done..config.epochs {
        if state.history.is_stuck(config.early_stop) {
            tracing::info!(epoch, "stopped early");
            break;
        }
        if epoch < config.record_losses {
            let losses = run.sample_losses(&state.net)?;
            state.history.losses.push(losses);
        }
        state = run.epoch(epoch, state, &task)?;
        save(&state)?;
    }
    Ok(state)
}

fn finished(
    state: State,
    keep: Keep,
    wrap: impl Fn(Net) -> Result<Model, UnknownArchitecture>,
) -> Result<Trained, TrainError> {
    let last = wrap(state.net.valid())?;
    let best = state.best.map(wrap).transpose()?;
    // A ReLU takes NaN for 0, and hides it from the loss.
    for model in [Some(&last), best.as_ref()].into_iter().flatten() {
        if let Some(parameter) = StateDict::of(model.net()).first_non_finite() {
            return Err(TrainError::NotFinite {
                parameter: parameter.to_owned(),
            });
        }
    }
    let model = match (keep, &best) {
        (Keep::Best, Some(best)) => best.clone(),
        _ => last.clone(),
    };
    Ok(Trained {
        model,
        snapshots: best.map(|best| Snapshots { best, last }),
        history: state.history,
    })
}
