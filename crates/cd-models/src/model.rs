//! A frozen network together with what is needed to feed it.

use std::sync::{Arc, OnceLock};

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::classifier::{Classifier, Tap, TapError};
use crate::model_config::ModelConfig;
use crate::net::Net;
use crate::state::shapes;

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
        let shapes = shapes(&self.net).into_iter();
        let trained = shapes.filter(|(name, _)| !name.contains(".running_"));
        trained
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum()
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

    fn folded(&self) -> &Net {
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
}
