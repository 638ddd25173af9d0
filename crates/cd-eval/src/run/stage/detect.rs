//! Numbers and masks of every detector, streamed to disk part by part.

use std::path::Path;

use cd_core::{Key, Matrix};
use cd_detect::{Clean, Detection, Detector, DetectorConfig, Evidence, Offer, Testimony};
use cd_models::burn::tensor::Tensor;
use cd_models::{Classifier, ImageSet, read_losses};

use super::classifier::Trained;
use super::data::{Data, Keyed};
use super::decide::{self, Decided};
use super::features::{Seen, seen};
use super::reference::Reference;
use super::train::LOSSES;
use super::{Work, masks, numbers};
use crate::experiment::ConfiguredDetector;
use crate::pipeline::PipelineError;
use crate::store::{Slot, StageName, discard};

/// Folder of partial results inside the stage.
const PARTS: &str = "parts";

/// Runs the detectors that look at no classifier, before hours of training, and says what they have found.
pub(crate) fn ahead(work: &Work<'_>, data: &Data) -> Result<(), PipelineError> {
    if !work.experiment.has_classifier() {
        return Ok(());
    }
    let labels = work.experiment.detector_labels();
    for (label, configured) in labels.iter().zip(&work.experiment.detect.detectors) {
        if configured.detector.detector().looks_at_classifier() {
            continue;
        }
        let search = Search::of_run(work, data, &configured.detector, None, None);
        let Some(slot) = search.run(label)? else {
            continue;
        };
        let found = numbers::read(&slot.folder(), data.searched.set.len())?;
        let names = data.searched.set.class_names();
        for class in found.classes.iter().filter(|class| class.is_target) {
            tracing::warn!(
                "`{label}`: {} of the {} images of `{}` stand apart; the search goes on for what only a classifier shows",
                class.group,
                class.images,
                names.get(class.class as usize).map_or("?", String::as_str)
            );
        }
    }
    Ok(())
}

/// Runs every detector and its rule; `None` when parts of other shards are missing.
pub(crate) fn all(
    work: &Work<'_>,
    data: &Data,
    trained: Option<&Trained>,
    reference: Option<&Reference>,
) -> Result<Option<Vec<Decided>>, PipelineError> {
    let labels = work.experiment.detector_labels();
    let detectors = &work.experiment.detect.detectors;
    let offer = offer(work, data, trained);
    for (label, configured) in labels.iter().zip(detectors) {
        let detector = configured.detector.detector();
        detector.needs().check(label, &offer)?;
    }
    let run = |(label, configured): (&String, &ConfiguredDetector)| {
        let search = Search::of_run(work, data, &configured.detector, trained, reference);
        let slot = search.run(label)?;
        let rule = configured.rule(&work.experiment.detect);
        slot.map(|slot| decide::decided(work, data, label, rule, &slot))
            .transpose()
    };
    let every = || labels.iter().zip(detectors);
    let mut found: Vec<Option<Decided>> = every().map(run).collect::<Result<_, _>>()?;
    // The shard that ends last finds what others have finished since it looked.
    for (decided, detector) in found.iter_mut().zip(every()) {
        if decided.is_none() {
            *decided = run(detector)?;
        }
    }
    Ok(found.into_iter().collect())
}

/// What this run has for detectors, now that data and classifier are there.
fn offer(work: &Work<'_>, data: &Data, trained: Option<&Trained>) -> Offer {
    let trusted = &data.trusted.set;
    let rarest = trusted.class_counts().into_iter().min();
    Offer {
        taps: trained.map_or(Vec::new(), |trained| trained.model.taps()),
        clean: rarest.unwrap_or(0),
        ..work.experiment.offer()
    }
}

/// One detector on a set.
pub(super) struct Search<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) data: &'a Data,
    pub(super) searched: Searched<'a>,
    /// Absent where no detector looks at it.
    pub(super) trained: Option<&'a Trained>,
    pub(super) reference: Option<&'a Reference>,
    pub(super) config: &'a DetectorConfig,
}

/// The images that are searched.
#[derive(Clone, Copy)]
pub(super) struct Searched<'a> {
    pub(super) images: &'a Keyed,
    /// Their places among those of training.
    pub(super) positions: &'a [usize],
}

impl<'a> Search<'a> {
    /// The search of a detector of the run through the images that the run searches.
    fn of_run(
        work: &'a Work<'a>,
        data: &'a Data,
        config: &'a DetectorConfig,
        trained: Option<&'a Trained>,
        reference: Option<&'a Reference>,
    ) -> Self {
        let searched = Searched {
            images: &data.searched,
            positions: &data.positions,
        };
        Self {
            work,
            data,
            searched,
            trained,
            reference,
            config,
        }
    }

    /// The stage of this detector, shown in the run; `None` when parts of other shards are missing.
    fn run(&self, label: &str) -> Result<Option<Slot>, PipelineError> {
        let name = format!("detect/{label}");
        let slot = self.stored(&name)?;
        if let Some(slot) = &slot {
            self.work.run.publish(&name, slot, &[masks::NAME])?;
        }
        Ok(slot)
    }

    /// The stage of this detector, which the run knows as `name`; `None` when parts of other shards are missing.
    pub(super) fn stored(&self, name: &str) -> Result<Option<Slot>, PipelineError> {
        let slot = self.work.slot(name, StageName::Detect, &self.key())?;
        let what = self.config.detector().info().title;
        let parts = slot.join(PARTS);
        let compute = |_: &Path| self.detection(&parts, slot.key());
        let complete = self.work.share(&slot, what, compute, |folder, detection| {
            numbers::write(folder, &detection)?;
            match &detection.masks {
                Some(masks) => Ok(masks::write(folder, masks)?),
                None => Ok(()),
            }
        })?;
        if !complete {
            return Ok(None);
        }
        discard(&parts)?;
        slot.check(&[numbers::NAME])?;
        Ok(Some(slot))
    }

    fn key(&self) -> String {
        let detector = self.config.detector();
        let needs = detector.needs();
        let trained = self.trained.filter(|_| detector.looks_at_classifier());
        let training = trained.and_then(|trained| trained.training.as_ref());
        let training = training.filter(|_| needs.losses > 0);
        // Those that judge classes keep what they find of each since version 2, and masks of the searched since 3.
        let version = match detector.testimony() {
            Testimony::Classes => "detect 3",
            _ => "detect 1",
        };
        let key = Key::of(version)
            .with("detector", self.config)
            .text("classifier", trained.map_or("none", |trained| &trained.key))
            .text("images", &self.searched.images.key)
            .text("trusted", &self.data.trusted.key)
            .with("training", &training.map(Slot::key))
            .text("device", self.work.options.device_name);
        let key = match detector.revision() {
            1 => key,
            later => key.with("revision", &later),
        };
        match self.reference.filter(|_| needs.reference) {
            Some(reference) => key.text("reference", &reference.key),
            None => key,
        }
        .finish()
    }

    /// Gives the detector what it needs, and its share of the work.
    fn detection(&self, parts: &Path, key: &str) -> Result<Option<Detection>, PipelineError> {
        let detector = self.config.detector();
        let Some(found) = self.seen(detector, self.searched.images)? else {
            return Ok(None);
        };
        let mut trusted = None;
        if !self.data.trusted.set.is_empty() {
            trusted = self.seen(detector, &self.data.trusted)?;
            if trusted.is_none() {
                return Ok(None);
            }
        }
        let mut reference = None;
        if let Some(network) = self.reference.filter(|_| detector.needs().reference) {
            reference = network.features(self.work, self.searched.images)?;
            if reference.is_none() {
                return Ok(None);
            }
        }
        let losses = self.losses(detector)?;
        let images = &self.searched.images.set;
        let model: &dyn Classifier = match self.trained {
            Some(trained) => &trained.model,
            None => &unasked,
        };
        let evidence = Evidence {
            labels: labels(images),
            class_count: images.class_count(),
            predictions: found.predictions.as_ref(),
            features: &found.features,
            losses: losses.as_ref(),
            clean: trusted.as_ref().map(|trusted| self.clean(trusted)),
            trainable: self.trained.map(|trained| &trained.model),
            reference: reference.as_ref(),
            ..Evidence::new(model, images, self.work.compute(parts, key))
        };
        Ok(detector.detect(&evidence)?)
    }

    fn seen(&self, detector: &dyn Detector, images: &Keyed) -> Result<Option<Seen>, PipelineError> {
        match self.trained {
            Some(trained) => seen(self.work, trained, images, &detector.needs()),
            None => Ok(Some(Seen::default())),
        }
    }

    fn clean<'b>(&'b self, seen: &'b Seen) -> Clean<'b> {
        let images = &self.data.trusted.set;
        Clean {
            images: images.into(),
            labels: labels(images),
            predictions: seen.predictions.as_ref(),
            features: &seen.features,
        }
    }

    /// The losses of training of the searched images, in their order.
    fn losses(&self, detector: &dyn Detector) -> Result<Option<Matrix>, PipelineError> {
        let training = self.trained.and_then(|trained| trained.training.as_ref());
        let Some(training) = training.filter(|_| detector.needs().losses > 0) else {
            return Ok(None);
        };
        let losses = read_losses(&training.join(LOSSES), self.data.training().0.len())?;
        Ok(Some(losses.select_columns(self.searched.positions)))
    }
}

/// Stands where a classifier would: says nothing of any image.
fn unasked(images: Tensor<4>) -> Tensor<2> {
    images.mean_dims(&[1, 2, 3]).flatten(1, 3).zeros_like()
}

fn labels(set: &ImageSet) -> Option<&[u32]> {
    (set.labels().len() == set.len()).then(|| set.labels())
}
