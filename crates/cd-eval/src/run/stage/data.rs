//! The images of a run: loaded, and trusted ones set aside.

use std::path::{Path, PathBuf};
use std::time::Instant;

use cd_core::{Key, Labels, content_key};
use cd_data::{LoadContext, Manifest, NotRead, Poisoned, Split, Truth};
use cd_models::{Classifier, ImageSet, NoProgress, WeightsRequest, predict};

use tracing::warn;

use super::canary::{self, Planted};
use super::sample::{hold_out, positions};
use super::trusted;
use crate::experiment::{Experiment, SearchedImages};
use crate::pipeline::{PipelineError, RunOptions};
use crate::run_dir::BAD_LIST;
use crate::store::{Slot, StageName, Store};

/// Clean data, as the data set has them.
pub(crate) struct Loaded {
    pub(super) split: Split,
    pub(super) trusted: ImageSet,
    /// What remembers the files of the data set.
    slot: Slot,
    started: Instant,
}

/// Everything that the later stages look at.
#[derive(Debug)]
pub(crate) struct Data {
    /// Images under suspicion, as training sees them.
    pub(crate) poisoned: Poisoned,
    /// What is true about them; only evaluation and report look at it.
    pub(crate) truth: Option<Truth>,
    /// Where the trigger is stored, if the attack makes one that is worth it.
    pub(crate) craft: Option<PathBuf>,
    /// Key of all that the images are made from, test images included.
    pub(crate) sources: String,
    /// Key of the training images with their labels.
    pub(crate) train_key: String,
    /// The training images with those behind them that were planted; `None` when nothing was.
    pub(crate) planted: Option<Planted>,
    /// Known clean images; empty when none were set aside.
    pub(crate) trusted: Keyed,
    /// The images that are searched.
    pub(crate) searched: Keyed,
    /// Positions of the searched images in their split.
    pub(crate) positions: Vec<usize>,
    /// Which split they are from.
    pub(crate) searched_images: SearchedImages,
    /// What lies among the files of the data set and was not read.
    pub(crate) not_read: NotRead,
}

/// Images and the key of what they are.
#[derive(Debug)]
pub(crate) struct Keyed {
    pub(crate) set: ImageSet,
    pub(crate) key: String,
}

impl Keyed {
    pub(super) fn of(set: ImageSet) -> Result<Self, PipelineError> {
        let key = content_key(&set)?;
        Ok(Self { set, key })
    }
}

impl Data {
    /// Chooses the searched images.
    pub(super) fn new(
        experiment: &Experiment,
        poisoned: Poisoned,
        truth: Option<Truth>,
        trusted: Keyed,
        sources: String,
        not_read: NotRead,
    ) -> Result<Self, PipelineError> {
        let searched_images = experiment.detect.images;
        let train_key = content_key(poisoned.train())?;
        let (whole, whole_key) = match searched_images {
            SearchedImages::Train => (poisoned.train(), train_key.clone()),
            SearchedImages::Test => {
                let test = poisoned.test().ok_or_else(no_test)?;
                (test, content_key(test)?)
            }
        };
        let manifest = truth
            .as_ref()
            .and_then(|truth| manifest(truth, searched_images));
        let is_poisoned = manifest.map(Manifest::is_poisoned).unwrap_or_default();
        let positions = positions(whole.len(), &is_poisoned, &experiment.detect)?;
        let key = Key::of("searched")
            .text("images", &whole_key)
            .with("positions", &positions);
        Ok(Self {
            searched: Keyed {
                set: whole.subset(&positions),
                key: key.finish(),
            },
            positions,
            searched_images,
            not_read,
            trusted,
            planted: planted(experiment, &poisoned)?,
            craft: None,
            sources,
            train_key,
            poisoned,
            truth,
        })
    }

    /// Whether each searched image is poisoned, where that is known.
    pub(crate) fn searched_truth(&self) -> Option<Vec<bool>> {
        let poisoned = manifest(self.truth.as_ref()?, self.searched_images)?.is_poisoned();
        Some(self.of_searched(&poisoned))
    }

    /// Whether each searched image is a cover, which carries the trigger and keeps its label; `None` where none is.
    pub(crate) fn searched_covers(&self) -> Option<Vec<bool>> {
        let covers = manifest(self.truth.as_ref()?, self.searched_images)?.is_cover();
        let covers = self.of_searched(&covers);
        covers.contains(&true).then_some(covers)
    }

    fn of_searched(&self, of_all: &[bool]) -> Vec<bool> {
        let positions = self.positions.iter();
        positions.map(|&index| of_all[index]).collect()
    }

    /// Number of images of the split that the searched ones are from.
    pub(crate) fn whole_len(&self) -> usize {
        match self.searched_images {
            SearchedImages::Train => self.poisoned.train().len(),
            SearchedImages::Test => self.poisoned.test().map_or(0, ImageSet::len),
        }
    }

    /// What the classifier is trained on, with its key.
    pub(super) fn training(&self) -> (&ImageSet, &str) {
        match &self.planted {
            Some(planted) => (&planted.images.set, &planted.images.key),
            None => (self.poisoned.train(), &self.train_key),
        }
    }
}

/// What the experiment plants; nothing in images that are not trained on.
fn planted(experiment: &Experiment, data: &Poisoned) -> Result<Option<Planted>, PipelineError> {
    let stage = experiment.canary;
    let stage = stage.filter(|_| experiment.given_weights().is_none());
    let with_treatments = experiment.looks_for_patterns_alone();
    let planted = stage.map(|stage| canary::plant(stage, data.train(), with_treatments));
    Ok(planted.transpose()?.flatten())
}

fn no_test() -> PipelineError {
    PipelineError::Missing("`detect.images = \"test\"`, but the data has no test images".into())
}

fn manifest(truth: &Truth, images: SearchedImages) -> Option<&Manifest> {
    match images {
        SearchedImages::Train => Some(truth.train()),
        SearchedImages::Test => truth.test(),
    }
}

/// Loads the data set of `experiment` and sees whether it can be poisoned; what is known of its files lies in `store`,
/// a list of those that are no pictures in `folder`.
pub(crate) fn load(
    experiment: &Experiment,
    folder: &Path,
    store: &Store,
    options: &RunOptions<'_>,
) -> Result<Loaded, PipelineError> {
    let started = Instant::now();
    let key = Key::of("data 1").with("dataset", &experiment.dataset);
    let slot = store.slot(StageName::Data, &key.finish());
    let index = slot.folder();
    let split = experiment.dataset.load_with(&LoadContext {
        progress: options.progress,
        index: Some(&index),
        bad_list: Some(&folder.join(BAD_LIST)),
    })?;
    let split = labelled(split, experiment, options)?;
    if let Labels::Attributes(some) = split.train.annotations() {
        let count = some.count();
        return Err(PipelineError::Missing(format!(
            "the images of data set `{}` have {count} attributes each, and a run needs one class each: name one attribute or a few \
             that make the classes together, such as `classes = [\"{}\"]` of the data set",
            split.name,
            split.train.class_names().first().map_or("", String::as_str)
        )));
    }
    let (split, trusted) = match &experiment.detect.clean {
        Some(clean) => {
            let trusted = trusted::load(clean, &split.train, options.progress)?;
            for doubt in trusted::doubts(&trusted, &split.train)? {
                warn!("{doubt}");
            }
            (split, trusted)
        }
        None => hold_out(split, &experiment.detect)?,
    };
    if let Some(config) = &experiment.poison {
        cd_data::poison::check(&split, config)?;
    }
    Ok(Loaded {
        split,
        trusted,
        slot,
        started,
    })
}

impl Loaded {
    /// Marks the stage as complete, once the run's own folder stands.
    pub(super) fn keep(&self, what: &str) -> Result<&Slot, PipelineError> {
        if !self.slot.is_done() {
            self.slot.make()?;
            self.slot.mark(what, self.started)?;
        }
        Ok(&self.slot)
    }
}

/// Pictures of unknown class get the class that the given weights predict.
fn labelled(
    split: Split,
    experiment: &Experiment,
    options: &RunOptions<'_>,
) -> Result<Split, PipelineError> {
    let weights = experiment.weights.as_deref();
    let weights = weights.filter(|_| experiment.is_unlabelled());
    let Some(weights) = weights else {
        return Ok(split);
    };
    let request = WeightsRequest::under(experiment.weights_key.as_deref());
    let model = request.load(weights, options.device)?;
    model.check_size(split.train.height(), split.train.width())?;
    let batch_size = experiment.detect.batch_size;
    let predictions = predict(
        &model,
        &split.train,
        batch_size,
        options.device,
        &NoProgress,
    )?;
    let names = (0..model.classes()).map(|class| format!("predicted {class}"));
    let train = split
        .train
        .relabelled(names.collect(), |index| predictions.class(index))
        .expect("a predicted class is below the number of classes");
    Ok(Split { train, ..split })
}
