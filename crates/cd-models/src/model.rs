//! A frozen network together with what is needed to feed it.

use std::sync::{Arc, OnceLock};

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cd_core::Key;

use crate::classifier::{Classifier, Tap, TapError};
use crate::input_size::InputSizeError;
use crate::net::{AttributeResNet, Net};
use crate::registry::{Architecture, UnknownArchitecture};
use crate::weights::exchange::parameter_count;
use crate::weights::state::StateDict;

pub(crate) mod build;
pub(crate) mod config;
pub(crate) mod head;
pub(crate) mod inside;
pub(crate) mod normalization;
pub(crate) mod trainable;

use config::ModelConfig;
use normalization::Normalization;

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
    architecture: &'static Architecture,
    classes: usize,
    normalization: Option<Normalization>,
}

impl Model {
    /// Wraps a network in inference mode, which is what `config` says.
    pub(crate) fn new(
        net: Net,
        config: ModelConfig,
        classes: usize,
    ) -> Result<Self, UnknownArchitecture> {
        Ok(Self {
            net,
            folded: Arc::default(),
            architecture: config.architecture()?,
            config,
            classes,
            normalization: None,
        })
    }

    /// The same model that first normalises its input.
    #[must_use]
    pub fn with_normalization(mut self, normalization: Option<Normalization>) -> Self {
        self.normalization = normalization;
        self
    }

    /// Its architecture and width.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Its entry in the registry.
    pub fn architecture(&self) -> &'static Architecture {
        self.architecture
    }

    /// Number of classes, or of attributes where the architecture sees those.
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

    /// A hash of all that its answers depend on: architecture, width, classes, weights and input normalisation, 64
    /// hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        Key::of("model 1")
            .text("architecture", self.architecture.name)
            .with("width", &self.width())
            .with("classes", &self.classes)
            .with("normalization", &self.normalization)
            .text("weights", &StateDict::of(&self.net).fingerprint())
            .finish()
    }

    fn width(&self) -> usize {
        let published = self.architecture.family.default_width;
        self.config.width.unwrap_or(published)
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
        self.architecture.check_size(height, width)
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

    #[test]
    fn fingerprints_see_weights_architecture_and_normalisation() {
        let first = model("resnet10");
        assert_eq!(first.fingerprint(), model("resnet10").fingerprint());
        let scaled = |std| {
            let mean = [0.5; 3];
            let normalization = Normalization { mean, std };
            first.clone().with_normalization(Some(normalization))
        };
        let config = first.config().clone();
        let others = [
            scaled([0.25; 3]),
            scaled([0.25, 0.25, 0.26]),
            config.init(3, 2, &Device::flex()).expect("registered"),
            model("resnet18"),
        ];
        let mut found: Vec<String> = others.iter().map(Model::fingerprint).collect();
        found.push(first.fingerprint());
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 5);
    }
}
