//! What a run of an experiment has for detectors.

use cd_data::DatasetConfig;
use cd_detect::{LossesOffer, Offer};
use cd_models::Tap;

use super::{Experiment, SearchedImages};

/// More stages than any architecture has: which ones given weights have is seen when they are read.
const MOST_STAGES: usize = 64;

impl Experiment {
    /// What is known before any work; generous where only data or weights tell.
    pub(crate) fn offer(&self) -> Offer {
        Offer {
            taps: self.taps(),
            labels: !self.is_unlabelled(),
            losses: self.losses_offer(),
            clean: match self.detect.trusted {
                0 => 0,
                _ => usize::MAX,
            },
            trainable: true,
        }
    }

    /// Whether nothing tells the classes of the images.
    pub(crate) fn is_unlabelled(&self) -> bool {
        matches!(&self.dataset, DatasetConfig::Folder(folder) if folder.unlabelled)
    }

    /// Epochs of which training records the losses of every image: what is configured, or more where a detector needs it.
    pub(crate) fn recorded_losses(&self) -> usize {
        let detectors = self.detect.detectors.iter();
        let needed = detectors.map(|configured| configured.detector.detector().needs().losses);
        needed.max().unwrap_or(0).max(self.train.record_losses)
    }

    fn losses_offer(&self) -> LossesOffer {
        if self.weights.is_some() {
            return LossesOffer::GivenWeights;
        }
        match self.detect.images {
            SearchedImages::Train => {
                LossesOffer::Recorded(self.recorded_losses().min(self.train.epochs))
            }
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
