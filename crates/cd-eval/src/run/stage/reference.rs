//! The reference network: one that was not trained on the images under suspicion, and what it sees in them.

use cd_core::Matrix;
use cd_models::burn::tensor::Tensor;
use cd_models::burn::tensor::module::{adaptive_avg_pool2d, interpolate};
use cd_models::burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use cd_models::{Classifier, InputSize, InputSizeError, Model, Tap, TapError, WeightsRequest};

use super::Work;
use super::data::{Data, Keyed};
use super::features::extracted;
use crate::pipeline::PipelineError;

/// Published sides from here on are those of networks for photographs, which see little in smaller pictures.
const PHOTOGRAPHS: usize = 96;

/// The reference network of a run.
pub(crate) struct Reference {
    model: Model,
    /// Of the network, and of the side at which it sees the images.
    pub(super) key: String,
    /// That side, where it is not their own.
    side: Option<usize>,
}

impl Reference {
    /// The network that the experiment names, if a detector asks for one, for the searched images of `data`.
    pub(crate) fn of(work: &Work<'_>, data: &Data) -> Result<Option<Self>, PipelineError> {
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
        let images = &data.searched.set;
        let own = [images.height(), images.width()];
        let side = side.filter(|&side| own != [side, side]);
        let [height, width] = side.map_or(own, |side| [side, side]);
        model.check_size(height, width)?;
        let fingerprint = model.fingerprint();
        Ok(Some(Self {
            key: match side {
                Some(side) => format!("{fingerprint} at {side}"),
                None => fingerprint,
            },
            model,
            side,
        }))
    }

    /// Its penultimate features of `images`; `None` when parts of other shards are missing.
    pub(super) fn features(
        &self,
        work: &Work<'_>,
        images: &Keyed,
    ) -> Result<Option<Matrix>, PipelineError> {
        let (model, tap) = (&self.model, Tap::Penultimate);
        let resized = self.side.map(|side| Resized { model, side });
        let network: &dyn Classifier = match &resized {
            Some(resized) => resized,
            None => model,
        };
        let seen = extracted(work, network, &self.key, images, Some(tap), self.side)?;
        Ok(seen.and_then(|mut seen| seen.features.remove(&tap)))
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
