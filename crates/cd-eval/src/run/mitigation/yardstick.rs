//! What a cure is measured on.

use cd_core::random;
use cd_detect::{Proof, Recovered, Recovery};
use cd_models::{ImageSet, Model, NoProgress, StorageError, predict};
use rand::seq::SliceRandom;

use super::record::{Figures, Measure};
use crate::picture::Picture;
use crate::pipeline::PipelineError;
use crate::run::recovery;
use crate::run::stage::Work;
use crate::run::stage::classifier::Trained;
use crate::run::stage::data::Data;
use crate::trigger;

/// Images per batch of plain predictions.
const BATCH: usize = 250;
/// Training images that are set aside where there are no test images: at most so many, and this share.
const ASIDE: usize = 1000;
const ASIDE_SHARE: f64 = 0.1;
/// Most images that the recovered trigger is put on.
const STAMPED: usize = 500;

/// Images to measure on.
pub(super) struct Yardstick<'a> {
    work: &'a Work<'a>,
    data: &'a Data,
    /// Clean images with their classes.
    accuracy: ImageSet,
    pub(super) accuracy_of: String,
    /// Images with the trigger, with the classes that it leads to.
    success: Option<ImageSet>,
    pub(super) success_of: String,
    recovered: Option<Recovered>,
    aside: Vec<usize>,
    seed: u64,
}

impl<'a> Yardstick<'a> {
    /// By the truth where it is known, and otherwise by the trigger that is recovered from the images `flagged`.
    pub(super) fn of(
        work: &'a Work<'a>,
        data: &'a Data,
        trained: &Trained,
        flagged: &[usize],
        seed: u64,
    ) -> Result<Self, PipelineError> {
        let truth = data.truth.as_ref();
        let tests = truth.and_then(|truth| truth.clean_test().zip(truth.triggered_test()));
        if let Some((clean, triggered)) = tests {
            return Ok(Self {
                work,
                data,
                accuracy_of: format!("{} clean test images", clean.len()),
                success_of: format!("the trigger, on {} test images", triggered.len()),
                accuracy: clean.clone(),
                success: Some(triggered.clone()),
                recovered: None,
                aside: Vec::new(),
                seed,
            });
        }
        let train = data.poisoned.train();
        let (accuracy, accuracy_of, aside) = if let Some(test) = data.poisoned.test() {
            let words = format!("{} test images", test.len());
            (test.clone(), words, Vec::new())
        } else {
            let aside = aside(train.len(), flagged, seed);
            let words = format!(
                "{} unflagged training images that the cure does not see (the first training did)",
                aside.len()
            );
            (train.subset(&aside), words, aside)
        };
        let (success, success_of, recovered) =
            recovered(work, data, trained, flagged, &accuracy, seed)?;
        Ok(Self {
            work,
            data,
            accuracy,
            accuracy_of,
            success,
            success_of,
            recovered,
            aside,
            seed,
        })
    }

    /// Training images that must not be trained on.
    pub(super) fn aside(&self) -> &[usize] {
        &self.aside
    }

    /// What the recovered trigger did before.
    pub(super) fn proof(&self) -> Option<&Proof> {
        self.recovered.as_ref().map(|found| &found.proof)
    }

    /// The recovered trigger.
    pub(super) fn picture(&self) -> Result<Option<Picture>, PipelineError> {
        let train = self.data.poisoned.train();
        let found = self.recovered.as_ref();
        found
            .map(|found| trigger::picture(found, train, self.seed))
            .transpose()
    }

    /// Both figures of a model.
    pub(super) fn figures(&self, model: &Model) -> Result<Figures, StorageError> {
        Ok(Figures {
            accuracy: self.share(model, &self.accuracy)?,
            success: match &self.success {
                Some(set) => self.share(model, set)?,
                None => None,
            },
        })
    }

    fn share(&self, model: &Model, set: &ImageSet) -> Result<Option<Measure>, StorageError> {
        let device = self.work.options.device;
        let found = predict(model, set, BATCH, device, &NoProgress)?;
        Ok(found.accuracy(set.labels()).map(|share| Measure {
            share,
            images: set.len(),
        }))
    }
}

/// Unflagged training images, drawn.
fn aside(count: usize, flagged: &[usize], seed: u64) -> Vec<usize> {
    let mut free: Vec<usize> = (0..count)
        .filter(|at| flagged.binary_search(at).is_err())
        .collect();
    free.shuffle(&mut random::stream(seed, random::named("mitigation aside")));
    free.truncate(ASIDE.min((ASIDE_SHARE * free.len() as f64) as usize));
    free.sort_unstable();
    free
}

/// The trigger of the class that holds most flagged images, on clean images of other classes.
fn recovered(
    work: &Work<'_>,
    data: &Data,
    trained: &Trained,
    flagged: &[usize],
    clean: &ImageSet,
    seed: u64,
) -> Result<(Option<ImageSet>, String, Option<Recovered>), PipelineError> {
    let train = data.poisoned.train();
    let mut counts = vec![0_usize; train.class_count()];
    for &index in flagged {
        counts[train.labels()[index] as usize] += 1;
    }
    let most = (0..counts.len()).max_by_key(|&class| (counts[class], usize::MAX - class));
    let class = most.unwrap_or(0) as u32;
    let settings = Recovery {
        seed,
        ..Recovery::default()
    };
    let predictions = recovery::predictions(work, data, trained)?;
    let found = recovery::proven(work, data, trained, &predictions, class, flagged, &settings)?;
    let Some(found) = found.filter(|found| found.proof.holds()) else {
        let words = "not measured: no trigger could be recovered and proven".to_owned();
        return Ok((None, words, None));
    };
    let from = |label: u32| {
        let sources = found.sources.as_ref();
        label != class && sources.is_none_or(|sources| sources.contains(&label))
    };
    let hosts = (0..clean.len()).filter(|&at| from(clean.labels()[at]));
    let hosts: Vec<usize> = hosts.take(STAMPED).collect();
    let mut set = clean.subset(&hosts);
    for at in 0..set.len() {
        let changed = found.trigger.put(&set.pixels(at)?, at, seed);
        let put = set
            .set_pixels(at, &changed)
            .and_then(|()| set.set_label(at, class));
        put.map_err(|error| PipelineError::Missing(error.to_string()))?;
    }
    let words = format!(
        "the recovered {} that leads to `{}`, on {} of these images",
        found.proof.kind,
        train.class_names()[class as usize],
        set.len()
    );
    Ok((Some(set), words, Some(found)))
}
