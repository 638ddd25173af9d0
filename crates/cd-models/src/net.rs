//! Networks: one file per family, and one enum over all of them.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::classifier::{Tap, TapError};

pub(crate) mod attributes;
pub(crate) mod block;
pub(crate) mod conv;
pub(crate) mod convnext;
#[cfg(feature = "flex")]
mod cpu;
mod curve;
pub(crate) mod densenet;
pub(crate) mod efficientnet;
pub(crate) mod efficientnet_lite;
mod fold;
pub(crate) mod googlenet;
pub(crate) mod hook;
pub(crate) mod imagenet_mobilenet_v2;
pub(crate) mod imagenet_vgg;
mod layers;
pub(crate) mod mobilenet_v2;
pub(crate) mod mobilenet_v3;
pub(crate) mod norm;
mod pool;
pub(crate) mod preact_resnet;
pub(crate) mod resnet;
pub(crate) mod toy;
pub(crate) mod vgg;
pub(crate) mod vision_transformer;
pub(crate) mod wide_resnet;

pub use attributes::{AttributeResNet, AttributeResNetConfig};
pub use convnext::{ConvNeXt, ConvNeXtConfig};
pub use densenet::{DenseNet, DenseNetConfig};
pub use efficientnet::{EfficientNet, EfficientNetConfig};
pub use efficientnet_lite::{EfficientNetLite, EfficientNetLiteConfig};
pub use googlenet::{GoogLeNet, GoogLeNetConfig};
pub use imagenet_mobilenet_v2::{ImageNetMobileNetV2, ImageNetMobileNetV2Config};
pub use imagenet_vgg::{ImageNetVgg, ImageNetVggConfig};
pub use mobilenet_v2::{MobileNetV2, MobileNetV2Config};
pub use mobilenet_v3::{MobileNetV3, MobileNetV3Config, MobileNetV3Size};
pub use preact_resnet::{PreActResNet, PreActResNetConfig};
pub use resnet::{ResNet, ResNetConfig, Stem};
pub use toy::{Toy, ToyConfig};
pub use vgg::{Vgg, VggConfig};
pub use vision_transformer::{VisionTransformer, VisionTransformerConfig};
pub use wide_resnet::{WideResNet, WideResNetConfig};

/// What every family of networks does; feature taps follow from it.
pub trait Network {
    /// Class scores.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, K]`
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;

    /// Number of stages with a tap of their own.
    fn stages(&self) -> usize;

    /// Output of stage `number`, from 1 to [`stages`](Self::stages).
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4>;

    /// The last feature map before pooling.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`
    fn deep(&self, images: Tensor<4>) -> Tensor<4> {
        self.stage(images, self.stages())
    }

    /// The vector that enters the head.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F]`
    fn penultimate(&self, images: Tensor<4>) -> Tensor<2>;

    /// PyTorch's name of the parameter at path `name` of the Rust structure.
    fn public_name(&self, name: String) -> String {
        name
    }

    /// Folds every BatchNorm that directly follows a convolution or linear layer into it.
    ///
    /// For inference only: the running statistics become part of the weights, and parameter names
    /// change.
    fn fold(&mut self);
}

/// A network of any registered architecture.
#[derive(Module, Debug)]
pub enum Net {
    /// Residual network.
    ResNet(ResNet),
    /// Pre-activation residual network.
    PreActResNet(PreActResNet),
    /// VGG with BatchNorm.
    Vgg(Vgg),
    /// MobileNetV2.
    MobileNetV2(MobileNetV2),
    /// GoogLeNet.
    GoogLeNet(GoogLeNet),
    /// EfficientNet-B0.
    EfficientNet(EfficientNet),
    /// EfficientNet-Lite0.
    EfficientNetLite(EfficientNetLite),
    /// ConvNeXt.
    ConvNeXt(ConvNeXt),
    /// DenseNet.
    DenseNet(DenseNet),
    /// MobileNetV2 for large images.
    ImageNetMobileNetV2(ImageNetMobileNetV2),
    /// VGG for large images.
    ImageNetVgg(ImageNetVgg),
    /// MobileNetV3.
    MobileNetV3(MobileNetV3),
    /// Wide residual network.
    WideResNet(WideResNet),
    /// The reference's small network.
    Toy(Toy),
    /// Residual network with a head per attribute.
    AttributeResNet(AttributeResNet),
    /// Vision transformer.
    VisionTransformer(VisionTransformer),
}

/// What is inside `$net`, whatever its family.
macro_rules! inside {
    ($net:expr) => {
        match $net {
            Net::ResNet(net) => net,
            Net::PreActResNet(net) => net,
            Net::Vgg(net) => net,
            Net::MobileNetV2(net) => net,
            Net::GoogLeNet(net) => net,
            Net::EfficientNet(net) => net,
            Net::EfficientNetLite(net) => net,
            Net::ConvNeXt(net) => net,
            Net::DenseNet(net) => net,
            Net::ImageNetMobileNetV2(net) => net,
            Net::ImageNetVgg(net) => net,
            Net::MobileNetV3(net) => net,
            Net::WideResNet(net) => net,
            Net::Toy(net) => net,
            Net::AttributeResNet(net) => net,
            Net::VisionTransformer(net) => net,
        }
    };
}

impl Net {
    /// The network behind the enum.
    pub fn network(&self) -> &dyn Network {
        inside!(self)
    }

    fn network_mut(&mut self) -> &mut dyn Network {
        inside!(self)
    }

    /// Class scores; see [`Classifier::logits`](crate::Classifier::logits).
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.network().forward(images)
    }

    /// Features at `tap`; see [`Classifier::features`](crate::Classifier::features).
    ///
    /// # Errors
    ///
    /// When the architecture has no such tap.
    pub fn features(&self, images: Tensor<4>, tap: Tap) -> Result<Tensor<4>, TapError> {
        let network = self.network();
        match tap {
            Tap::Stage(number) if (1..=network.stages()).contains(&number) => {
                Ok(network.stage(images, number))
            }
            Tap::Stage(_) => Err(TapError::Missing {
                tap,
                available: self.taps(),
            }),
            Tap::Deep => Ok(network.deep(images)),
            Tap::Penultimate => {
                let vector = network.penultimate(images);
                let [batch, features] = vector.dims();
                Ok(vector.reshape([batch, features, 1, 1]))
            }
        }
    }

    /// The taps of this architecture.
    pub fn taps(&self) -> Vec<Tap> {
        let stages = (1..=self.network().stages()).map(Tap::Stage);
        stages.chain([Tap::Deep, Tap::Penultimate]).collect()
    }

    /// The network with every BatchNorm that directly follows a convolution or linear layer folded
    /// into that layer: the same function in inference, with fewer operations.
    #[must_use]
    pub fn folded(&self) -> Self {
        let mut net = self.valid();
        net.network_mut().fold();
        net
    }
}
