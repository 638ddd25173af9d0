//! VGG for 224-pixel images, with and without BatchNorm, and with three linear layers.
//!
//! Simonyan, Zisserman: *Very Deep Convolutional Networks for Large-Scale Image Recognition*, ICLR 2015. Parameter names follow
//! torchvision (`features.0`, ..., `classifier.0`, `classifier.3`, `classifier.6`). The dropout of training is left out.

use burn::module::Module;
use burn::nn::pool::AdaptiveAvgPool2dConfig;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::registry::{Architecture, Family, Output, Taps, any_size, dialect, golden_logits, map};

use super::fold::fold_layers;
use super::layers::{Layer, run, scaled};
use super::vgg::{CHANNELS, before_pooling, convolutions};
use super::{Net, Network};

/// Pixels a side of the map that enters the linear layers.
const SIDE: usize = 7;

/// Units of the inner linear layers as published.
const HIDDEN: usize = 4096;

/// Shape of a VGG network for large images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageNetVggConfig {
    /// Convolutions in each of the five stages; a max pooling follows each stage.
    pub convolutions: [usize; 5],
    /// Whether BatchNorm follows each convolution.
    pub norm: bool,
    /// Channels of the first stage; 64 as published.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl ImageNetVggConfig {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> ImageNetVgg {
        let (features, last) = convolutions(self.convolutions, self.norm, self.width, device);
        let hidden = scaled(HIDDEN, self.width, CHANNELS[0]);
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        ImageNetVgg {
            features,
            first: linear(last * SIDE * SIDE, hidden),
            second: linear(hidden, hidden),
            linear: linear(hidden, self.classes),
        }
    }
}

/// A VGG network for large images.
#[derive(Module, Debug)]
pub struct ImageNetVgg {
    features: Vec<Layer>,
    first: Linear,
    second: Linear,
    linear: Linear,
}

impl Network for ImageNetVgg {
    /// Class scores.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`, at least 32 pixels a side
    /// - output: `[B, K]`
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.linear.forward(self.penultimate(images))
    }

    fn stages(&self) -> usize {
        CHANNELS.len()
    }

    /// The map before the `number`-th max pooling.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = width times 1, 2, 4, 8, 8 at stages 1 to 5
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        run(before_pooling(&self.features, number), images)
    }

    /// Units of the second linear layer.
    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        let map = run(&self.features, images);
        let [.., height, width] = map.dims();
        let map = if [height, width] == [SIDE; 2] {
            map
        } else {
            AdaptiveAvgPool2dConfig::new([SIDE; 2]).init().forward(map)
        };
        let inner = relu(self.first.forward(map.flatten(1, 3)));
        relu(self.second.forward(inner))
    }

    /// Activations and dropouts stand between the linear layers of torchvision's head.
    fn public_name(&self, name: String) -> String {
        match name.split_once('.') {
            Some(("first", leaf)) => format!("classifier.0.{leaf}"),
            Some(("second", leaf)) => format!("classifier.3.{leaf}"),
            Some(("linear", leaf)) => format!("classifier.6.{leaf}"),
            _ => name,
        }
    }

    fn fold(&mut self) {
        fold_layers(&mut self.features);
    }
}

// Registry.

static FAMILY: Family = Family {
    title: "VGG, 224-pixel form",
    paper: "Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015",
    names: "torchvision's (`features.0`, ..., `classifier.6`), or timm's (`pre_logits.fc1`, `head.fc`)",
    input: any_size(224, 32),
    default_width: 64,
    small_width: 4,
    stem: "features.0.weight",
    output: Output::Classes("classifier.6.weight"),
    aliases: &[],
    dialects: dialect::VGG,
    published: None,
};

static TAPS: Taps = Taps {
    stages: &[
        map(64, 1),
        map(128, 2),
        map(256, 4),
        map(512, 8),
        map(512, 16),
    ],
    deep: map(512, 16),
    penultimate: HIDDEN,
};

/// An entry: name, title, summary, parameters, convolutions, and whether BatchNorm follows them.
macro_rules! vgg {
    ($name:literal, $title:literal, $summary:literal, $parameters:literal, $convolutions:expr, $norm:literal) => {
        Architecture {
            name: $name,
            title: $title,
            summary: $summary,
            family: &FAMILY,
            parameters: $parameters,
            taps: &TAPS,
            golden: Some(golden_logits(5e-7)),
            build: |width, classes, device| {
                let config = ImageNetVggConfig {
                    convolutions: $convolutions,
                    norm: $norm,
                    width,
                    classes,
                };
                Net::ImageNetVgg(config.init(device))
            },
        }
    };
}

/// VGG networks for large images in the registry.
#[rustfmt::skip]
pub(crate) const ARCHITECTURES: &[Architecture] = &[
    vgg!("imagenet_vgg11", "VGG-11 (ImageNet)", "8 convolutions, three linear layers", 128_807_306, [1, 1, 2, 2, 2], false),
    vgg!("imagenet_vgg13", "VGG-13 (ImageNet)", "10 convolutions, three linear layers", 128_991_818, [2, 2, 2, 2, 2], false),
    vgg!("imagenet_vgg16", "VGG-16 (ImageNet)", "13 convolutions, three linear layers", 134_301_514, [2, 2, 3, 3, 3], false),
    vgg!("imagenet_vgg19", "VGG-19 (ImageNet)", "16 convolutions, three linear layers", 139_611_210, [2, 2, 4, 4, 4], false),
    vgg!("imagenet_vgg11_bn", "VGG-11 with BatchNorm (ImageNet)", "8 convolutions with BatchNorm, three linear layers", 128_812_810, [1, 1, 2, 2, 2], true),
    vgg!("imagenet_vgg13_bn", "VGG-13 with BatchNorm (ImageNet)", "10 convolutions with BatchNorm, three linear layers", 128_997_706, [2, 2, 2, 2, 2], true),
    vgg!("imagenet_vgg16_bn", "VGG-16 with BatchNorm (ImageNet)", "13 convolutions with BatchNorm, three linear layers", 134_309_962, [2, 2, 3, 3, 3], true),
    vgg!("imagenet_vgg19_bn", "VGG-19 with BatchNorm (ImageNet)", "16 convolutions with BatchNorm, three linear layers", 139_622_218, [2, 2, 4, 4, 4], true),
];
