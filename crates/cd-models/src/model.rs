//! A frozen network together with what is needed to feed it.

use std::sync::{Arc, OnceLock};

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::classifier::{Classifier, Tap, TapError};
use crate::model_config::ModelConfig;
use crate::net::{AttributeResNet, Net};
use crate::registry::InputSizeError;
use crate::state::parameter_count;

/// Mean and standard deviation per colour channel, on the `[0, 1]` scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// Subtracted from each channel.
    pub mean: [f32; 3],
    /// Divides each channel; above zero.
    pub std: [f32; 3],
}

impl Normalization {
    /// Whether means are finite and deviations finite and above zero.
    pub fn is_usable(&self) -> bool {
        let positive = self.std.iter().all(|std| std.is_finite() && *std > 0.0);
        positive && self.mean.iter().all(|mean| mean.is_finite())
    }

    fn apply(&self, images: Tensor<4>) -> Tensor<4> {
        let device = images.device().without_autodiff();
        let row = |values: [f32; 3]| -> Tensor<4> {
            Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), &device)
        };
        (images - row(self.mean)) / row(self.std)
    }
}

/// A frozen classifier: network, architecture and input normalisation.
///
/// Images go in as `[0, 1]`; the normalisation is part of the model, so clean and masked images
/// pass through it alike.
#[derive(Debug, Clone)]
pub struct Model {
    net: Net,
    /// The network folded for inference, made when it is first asked.
    folded: Arc<OnceLock<Net>>,
    config: ModelConfig,
    classes: usize,
    normalization: Option<Normalization>,
}

impl Model {
    /// Wraps a network in inference mode.
    pub(crate) fn new(net: Net, config: ModelConfig, classes: usize) -> Self {
        Self {
            net,
            folded: Arc::default(),
            config,
            classes,
            normalization: None,
        }
    }

    /// The same model that first normalises its input.
    #[must_use]
    pub fn with_normalization(mut self, normalization: Option<Normalization>) -> Self {
        self.normalization = normalization;
        self
    }

    /// Its architecture.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Its input normalisation, if it has one.
    pub fn normalization(&self) -> Option<Normalization> {
        self.normalization
    }

    /// The network itself, not folded.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// Number of trainable values: BatchNorm statistics do not count.
    pub fn parameter_count(&self) -> usize {
        parameter_count(&self.net)
    }

    /// One attribute of a model with a head per attribute, as a classifier of two classes (absent,
    /// present); `None` for other models and attributes that there are not.
    pub fn attribute(&self, index: usize) -> Option<AttributeModel<'_>> {
        let Net::AttributeResNet(net) = self.folded() else {
            return None;
        };
        (index < self.classes).then_some(AttributeModel {
            model: self,
            net,
            index,
        })
    }

    /// The device that holds its parameters.
    pub fn device(&self) -> Device {
        use burn::module::Module;
        let devices = self.net.devices();
        devices
            .into_iter()
            .next()
            .expect("every architecture has parameters")
    }

    /// The network that computes: with BatchNorm folded into the layers before it.
    ///
    /// Its logits agree with those of [`net`](Self::net) within 1e-5 relative.
    pub fn folded(&self) -> &Net {
        self.folded.get_or_init(|| self.net.folded())
    }

    fn normalized(&self, images: Tensor<4>) -> Tensor<4> {
        match &self.normalization {
            Some(normalization) => normalization.apply(images),
            None => images,
        }
    }
}

impl Classifier for Model {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.folded().forward(self.normalized(images))
    }

    fn features(&self, images: Tensor<4>, tap: Tap) -> Result<Tensor<4>, TapError> {
        self.folded().features(self.normalized(images), tap)
    }

    fn taps(&self) -> Vec<Tap> {
        self.net.taps()
    }

    fn check_size(&self, height: usize, width: usize) -> Result<(), InputSizeError> {
        match self.config.architecture() {
            Ok(architecture) => architecture.check_size(height, width),
            Err(_) => Ok(()),
        }
    }
}

/// One attribute of a model with a head per attribute; see [`Model::attribute`].
#[derive(Debug, Clone, Copy)]
pub struct AttributeModel<'a> {
    model: &'a Model,
    net: &'a AttributeResNet,
    index: usize,
}

impl Classifier for AttributeModel<'_> {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        let images = self.model.normalized(images);
        self.net
            .attribute(images, self.index)
            .expect("`Model::attribute` checked the index")
    }

    fn features(&self, images: Tensor<4>, tap: Tap) -> Result<Tensor<4>, TapError> {
        self.model.features(images, tap)
    }

    fn taps(&self) -> Vec<Tap> {
        self.model.taps()
    }

    fn check_size(&self, height: usize, width: usize) -> Result<(), InputSizeError> {
        self.model.check_size(height, width)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::batch::to_host;

    fn model(name: &str) -> Model {
        let config = ModelConfig::from_name(name).expect("registered");
        let model = config.with_width(4).init(3, 1, &Device::flex());
        model.expect("registered")
    }

    #[test]
    fn an_attribute_is_a_classifier_of_two_classes() {
        let normalization = Normalization {
            mean: [0.5; 3],
            std: [0.25; 3],
        };
        let faces = model("attribute_resnet18").with_normalization(Some(normalization));
        let images = Tensor::ones([2, 3, 64, 64], &Device::flex());
        let odds = to_host(faces.logits(images.clone()));
        let second = faces.attribute(1).expect("one of three");
        let scores = to_host(second.logits(images));
        assert_eq!(odds[1], scores[1] - scores[0]);
        assert_eq!(odds[4], scores[3] - scores[2]);
        assert!(faces.attribute(3).is_none());
        assert!(model("resnet10").attribute(0).is_none());
    }
}
