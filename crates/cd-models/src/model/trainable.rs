//! A copy of a model whose weights may move, for methods that train what they examine.

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Gradients, Tensor};

use super::Model;
use super::config::ModelConfig;
use super::normalization::Normalization;
use crate::classifier::{Tap, TapError};
use crate::net::Net;

/// A network with gradients and the input normalisation of the model that it was copied from.
///
/// The model itself stays as it is. BatchNorm works in training mode: by the statistics of each batch, which also move the
/// running ones.
///
/// ```
/// use cd_models::burn::optim::SgdConfig;
/// use cd_models::{ModelConfig, burn::tensor::Tensor};
///
/// let device = cd_models::device::parse("cpu")?;
/// let model = ModelConfig::from_name("resnet10")?.with_width(2).init(3, 0, &device)?;
/// let mut copy = model.trainable();
/// let mut optimizer = SgdConfig::new().init();
/// let loss = copy.forward(Tensor::ones([2, 3, 8, 8], &device)).powi_scalar(2).mean();
/// copy.step(&mut optimizer, 0.01, loss);
/// assert_ne!(copy.freeze().fingerprint(), model.fingerprint());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Trainable {
    net: Net,
    config: ModelConfig,
    classes: usize,
    normalization: Option<Normalization>,
}

impl Model {
    /// A copy of the network as it was before folding, whose weights have gradients.
    pub fn trainable(&self) -> Trainable {
        Trainable {
            net: self.net().clone().train(),
            config: self.config().clone(),
            classes: self.classes(),
            normalization: self.normalization(),
        }
    }
}

impl Trainable {
    /// Class scores, or log-odds of attributes; gradients reach the weights, and the images where they ask for them.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]` in `[0, 1]`, on the device of the model, with or without gradients
    /// - output: `[B, K]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.net.forward(self.prepared(images))
    }

    /// Features at `tap`, with gradients as in [`forward`](Self::forward).
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]` in `[0, 1]`, on the device of the model, with or without gradients
    /// - output: `[B, F, h, w]`; `[B, F, 1, 1]` at [`Tap::Penultimate`]
    ///
    /// # Errors
    ///
    /// When the architecture has no such tap.
    pub fn features(&self, images: Tensor<4>, tap: Tap) -> Result<Tensor<4>, TapError> {
        self.net.features(self.prepared(images), tap)
    }

    /// With gradients, and normalised.
    fn prepared(&self, images: Tensor<4>) -> Tensor<4> {
        let images = if images.device().is_autodiff() {
            images
        } else {
            images.autodiff()
        };
        match &self.normalization {
            Some(normalization) => normalization.apply(images),
            None => images,
        }
    }

    /// The network with gradients; it takes images that are normalised already.
    pub fn net(&self) -> &Net {
        &self.net
    }

    pub(crate) fn with_net(self, net: Net) -> Self {
        Self { net, ..self }
    }

    /// One step of `optimizer` down the gradient of `loss`, which came from [`forward`](Self::forward).
    pub fn step(&mut self, optimizer: &mut ModuleOptimizer, learning_rate: f64, loss: Tensor<1>) {
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        self.net = optimizer.step(learning_rate, self.net.clone(), gradients);
    }

    /// One step of `optimizer` down `gradients`, of which those of this network are taken out: for losses that train other networks
    /// beside it.
    pub fn step_with(
        &mut self,
        optimizer: &mut ModuleOptimizer,
        learning_rate: f64,
        gradients: &mut Gradients,
    ) {
        let own = GradientsParams::from_module(gradients, &self.net);
        self.net = optimizer.step(learning_rate, self.net.clone(), own);
    }

    /// A frozen model with the weights as they are now; later steps do not change it.
    pub fn freeze(&self) -> Model {
        let model = Model::new(self.net.valid(), self.config.clone(), self.classes);
        model
            .expect("the configuration of a model")
            .with_normalization(self.normalization)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::optim::SgdConfig;
    use burn::tensor::activation::log_softmax;
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::batch::to_host;
    use crate::classifier::Classifier;

    fn model() -> Model {
        let config = ModelConfig::from_name("resnet10").expect("registered");
        let model = config.with_width(4).init(2, 1, &Device::flex());
        let normalization = Normalization {
            mean: [0.5; 3],
            std: [0.25; 3],
        };
        model
            .expect("registered")
            .with_normalization(Some(normalization))
    }

    /// A dark and a bright image.
    fn images() -> Tensor<4> {
        let pixel = |at: usize| (at % 7) as f32 / 14.0 + if at < 3 * 8 * 8 { 0.0 } else { 0.5 };
        let values = (0..2 * 3 * 8 * 8).map(pixel).collect();
        Tensor::from_data(TensorData::new(values, [2, 3, 8, 8]), &Device::flex())
    }

    fn loss(copy: &Trainable) -> Tensor<1> {
        let shares = log_softmax(copy.forward(images()), 1);
        let right = Tensor::<2>::from_floats([[1.0, 0.0], [0.0, 1.0]], &Device::flex());
        (shares * right.autodiff()).sum().neg()
    }

    #[test]
    fn a_few_steps_lower_the_loss_and_leave_the_model_alone() {
        let model = model();
        let before = model.fingerprint();
        let mut copy = model.trainable();
        let mut optimizer = SgdConfig::new().init();
        let losses: Vec<f32> = (0..5)
            .map(|_| {
                let loss = loss(&copy);
                copy.step(&mut optimizer, 0.05, loss.clone());
                loss.into_scalar()
            })
            .collect();
        let least = losses.iter().copied().fold(f32::INFINITY, f32::min);
        assert!(least < 0.5 * losses[0], "{losses:?}");
        assert_eq!(model.fingerprint(), before);
        let frozen = copy.freeze();
        assert_ne!(frozen.fingerprint(), before);
        let after = frozen.fingerprint();
        let more = loss(&copy);
        copy.step(&mut optimizer, 0.05, more);
        assert_eq!(frozen.fingerprint(), after);
    }

    #[test]
    fn an_untrained_copy_is_the_model() {
        let model = model();
        let frozen = model.trainable().freeze();
        assert_eq!(frozen.fingerprint(), model.fingerprint());
        assert_eq!(
            to_host(frozen.logits(images())),
            to_host(model.logits(images()))
        );
    }
}
