//! What a run of an experiment has for detectors.

use std::path::Path;

use cd_detect::{LossesOffer, Offer, Testimony};
use cd_models::Tap;

use super::{Experiment, SearchedImages};

/// More stages than any architecture has: which ones given weights have is seen when they are read.
const MOST_STAGES: usize = 64;

/// Epochs of losses that are recorded where too few were asked for: a single one would show an untrained network.
const USUAL_LOSSES: usize = 20;

impl Experiment {
    /// What is known before any work; generous where only data or weights tell.
    pub(crate) fn offer(&self) -> Offer {
        Offer {
            taps: self.taps(),
            labels: !self.is_unlabelled(),
            losses: self.losses_offer(),
            clean: if self.detect.has_trusted() {
                usize::MAX
            } else {
                0
            },
            trainable: true,
            reference: self.reference().is_some(),
        }
    }

    /// Whether a classifier is trained or given.
    pub fn has_classifier(&self) -> bool {
        self.model.is_some() || self.weights.is_some()
    }

    /// Whether any detector looks at the classifier.
    pub(crate) fn looks_at_classifier(&self) -> bool {
        let mut detectors = self.detect.detectors.iter();
        detectors.any(|one| one.detector.detector().looks_at_classifier())
    }

    /// Whether any detector looks for patterns in the pictures alone.
    pub(crate) fn looks_for_patterns_alone(&self) -> bool {
        let mut detectors = self
            .detect
            .detectors
            .iter()
            .map(|one| one.detector.detector());
        detectors.any(|one| one.testimony() == Testimony::Patterns && !one.looks_at_classifier())
    }

    /// The weights to search with as they are, where nothing is trained.
    pub fn given_weights(&self) -> Option<&Path> {
        let weights = self.weights.as_deref();
        weights.filter(|_| self.train.finetune.is_none())
    }

    /// The file of the reference network, and where the network stands in it. What is fine-tuned has not seen the images before.
    pub(crate) fn reference(&self) -> Option<(&Path, Option<&str>)> {
        if let Some(weights) = &self.detect.features_weights {
            return Some((weights, self.detect.features_key.as_deref()));
        }
        let start = self.weights.as_deref();
        let start = start.filter(|_| self.train.finetune.is_some())?;
        Some((start, self.weights_key.as_deref()))
    }

    /// Whether nothing tells the classes of the images.
    pub(crate) fn is_unlabelled(&self) -> bool {
        self.dataset.dataset().is_unlabelled()
    }

    /// Epochs of which training records the losses of every image: what is configured, and enough where a detector looks at
    /// them and the setting would give it too few.
    pub(crate) fn recorded_losses(&self) -> usize {
        let detectors = self.detect.detectors.iter();
        let needed = detectors.map(|configured| configured.detector.detector().needs().losses);
        let needed = needed.max().unwrap_or(0);
        let configured = self.train.record_losses;
        let recorded = if configured >= needed {
            configured
        } else {
            needed.max(USUAL_LOSSES)
        };
        recorded.min(self.train.epochs)
    }

    fn losses_offer(&self) -> LossesOffer {
        if self.given_weights().is_some() {
            return LossesOffer::GivenWeights;
        }
        match self.detect.images {
            SearchedImages::Train => LossesOffer::Recorded(self.recorded_losses()),
            SearchedImages::Test => LossesOffer::OtherImages,
        }
    }

    fn taps(&self) -> Vec<Tap> {
        let model = self.model.as_ref().filter(|_| self.weights.is_none());
        let architecture = model.and_then(|model| model.architecture().ok());
        let stages = architecture.map_or(MOST_STAGES, |known| known.taps.stages.len());
        let stages = (1..=stages).map(Tap::Stage);
        stages.chain([Tap::Deep, Tap::Penultimate]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(settings: &[&str]) -> usize {
        const TEXT: &str =
            "name = \"x\"\ndataset = { name = \"demo\" }\nmodel = { name = \"resnet10\" }\n";
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        let experiment = Experiment::parse(TEXT, "text", &settings).expect("valid");
        experiment.recorded_losses()
    }

    #[test]
    fn losses_are_recorded_as_configured_or_as_they_are_needed() {
        let abl = "detect.detectors=[{name=\"abl\"}]";
        assert_eq!(recorded(&["train.record_losses=0"]), 0);
        assert_eq!(recorded(&["train.record_losses=0", abl]), 20);
        assert_eq!(
            recorded(&["train.record_losses=0", "train.epochs=13", abl]),
            13
        );
        assert_eq!(recorded(&["train.record_losses=3", abl]), 3);
    }
}
