//! The reference network: one that was not trained on the images under suspicion, and what it sees in them.

use cd_core::Matrix;
use cd_models::burn::tensor::Tensor;
use cd_models::burn::tensor::module::{adaptive_avg_pool2d, interpolate};
use cd_models::burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use cd_models::{Classifier, InputSize, InputSizeError, Model, Tap, TapError, WeightsRequest};

use super::Work;
use super::data::Keyed;
use super::features::extracted;
use crate::pipeline::PipelineError;

/// Published sides from here on are those of networks for photographs, which see little in smaller pictures.
const PHOTOGRAPHS: usize = 96;

/// The reference network of a run.
pub(super) struct Reference {
    model: Model,
    fingerprint: String,
    /// The side at which it sees the images, where that is not their own.
    side: Option<usize>,
}

impl Reference {
    /// The network that the experiment names, if a detector asks for one.
    pub(super) fn of(work: &Work<'_>) -> Result<Option<Self>, PipelineError> {
        let experiment = work.experiment;
        let mut detectors = experiment.detect.detectors.iter();
        let wanted = detectors.any(|one| one.detector.detector().needs().reference);
        let Some((path, key)) = experiment.reference().filter(|_| wanted) else {
            return Ok(None);
        };
        let model = WeightsRequest::under(key).load(path, work.options.device)?;
        let input = model.architecture().family.input;
        let side = experiment.detect.features_size.or(match input {
            InputSize::Exactly(side) => Some(side),
            InputSize::From { published, .. } => (published >= PHOTOGRAPHS).then_some(published),
        });
        Ok(Some(Self {
            fingerprint: model.fingerprint(),
            model,
            side,
        }))
    }

    /// Key of the network and of the side at which it sees `images`.
    pub(super) fn key(&self, images: &Keyed) -> String {
        match self.resized(images) {
            Some(side) => format!("{} at {side}", self.fingerprint),
            None => self.fingerprint.clone(),
        }
    }

    /// Its penultimate features of `images`; `None` when parts of other shards are missing.
    pub(super) fn features(
        &self,
        work: &Work<'_>,
        images: &Keyed,
    ) -> Result<Option<Matrix>, PipelineError> {
        let key = self.key(images);
        let tap = Tap::Penultimate;
        let seen = match self.resized(images) {
            Some(side) => {
                let resized = Resized {
                    model: &self.model,
                    side,
                };
                resized.model.check_size(side, side)?;
                extracted(work, &resized, &key, images, Some(tap))?
            }
            None => {
                let (height, width) = (images.set.height(), images.set.width());
                self.model.check_size(height, width)?;
                extracted(work, &self.model, &key, images, Some(tap))?
            }
        };
        Ok(seen.and_then(|mut seen| seen.features.remove(&tap)))
    }

    fn resized(&self, images: &Keyed) -> Option<usize> {
        let own = [images.set.height(), images.set.width()];
        self.side.filter(|&side| own != [side, side])
    }
}

/// A network that sees images at another side.
struct Resized<'a> {
    model: &'a Model,
    side: usize,
}

impl Resized<'_> {
    /// Larger images are averaged, smaller ones interpolated between the middles of their pixels.
    fn resize(&self, images: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = images.dims();
        let size = [self.side; 2];
        if height >= self.side && width >= self.side {
            return adaptive_avg_pool2d(images, size);
        }
        let options = InterpolateOptions::new(InterpolateMode::Bilinear);
        let options = options.with_align_corners(false).with_output_size(size);
        interpolate(images, options)
    }
}

impl Classifier for Resized<'_> {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.model.logits(self.resize(images))
    }

    fn features(&self, images: Tensor<4>, tap: Tap) -> Result<Tensor<4>, TapError> {
        self.model.features(self.resize(images), tap)
    }

    fn taps(&self) -> Vec<Tap> {
        self.model.taps()
    }

    fn check_size(&self, _height: usize, _width: usize) -> Result<(), InputSizeError> {
        self.model.check_size(self.side, self.side)
    }
}
