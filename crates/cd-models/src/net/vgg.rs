//! VGG with BatchNorm and one linear head, for 32-pixel images.
//!
//! Simonyan, Zisserman: *Very Deep Convolutional Networks for Large-Scale Image Recognition*,
//! ICLR 2015. Parameter names follow the reference (`features.0`, `features.1`, ..., `classifier`).

use burn::module::Module;
use burn::nn::{Linear, LinearConfig, Relu};
use burn::tensor::{Device, Tensor};

use crate::registry::{Architecture, Family, Output, Taps, any_size, golden, map};

use super::conv::Conv;
use super::fold::fold_layers;
use super::layers::{Layer, conv, conv_norm_layers, max_pool, pool, run, scaled};
use super::{Net, Network};

/// Channels of the five stages as published.
pub(super) const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];

/// Shape of a VGG network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VggConfig {
    /// Convolutions in each of the five stages; a max pooling follows each stage.
    pub convolutions: [usize; 5],
    /// Channels of the first stage; 64 as published.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl VggConfig {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> Vgg {
        let (features, entry) = convolutions(self.convolutions, true, self.width, device);
        Vgg {
            features,
            classifier: LinearConfig::new(entry, self.classes).init(device),
        }
    }
}

/// The convolutions of five stages, with or without BatchNorm, and the channels of the last.
pub(super) fn convolutions(
    stages: [usize; 5],
    norm: bool,
    width: usize,
    device: &Device,
) -> (Vec<Layer>, usize) {
    let mut layers = Vec::new();
    let mut entry = 3;
    for (count, channels) in stages.into_iter().zip(CHANNELS) {
        let out = scaled(channels, width, CHANNELS[0]);
        for _ in 0..count {
            let config = conv(entry, out, 3, 1).with_bias(true);
            if norm {
                layers.extend(conv_norm_layers(config, true, device));
            } else {
                layers.push(Layer::Conv(Conv::new(config, device)));
                layers.push(Layer::Relu(Relu::new()));
            }
            entry = out;
        }
        layers.push(Layer::MaxPool(max_pool(2, 2, 0)));
    }
    (layers, entry)
}

/// The layers before the `number`-th max pooling.
pub(super) fn before_pooling(layers: &[Layer], number: usize) -> &[Layer] {
    let is_pool = |layer: &Layer| matches!(layer, Layer::MaxPool(_));
    let stages = layers.split_inclusive(is_pool).take(number);
    let count = stages.map(<[Layer]>::len).sum::<usize>() - 1;
    &layers[..count]
}

/// A VGG network.
#[derive(Module, Debug)]
pub struct Vgg {
    features: Vec<Layer>,
    classifier: Linear,
}

impl Network for Vgg {
    /// Class scores.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`, at least 32 pixels a side
    /// - output: `[B, K]`
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.classifier.forward(self.penultimate(images))
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

    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        pool(run(&self.features, images))
    }

    fn fold(&mut self) {
        fold_layers(&mut self.features);
    }
}

// Registry.

static FAMILY: Family = Family {
    title: "VGG with BatchNorm",
    paper: "Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015",
    names: "the reference's (`features.0`, ..., `classifier`)",
    input: any_size(32, 32),
    default_width: 64,
    small_width: 8,
    stem: "features.0.weight",
    output: Output::Classes("classifier.weight"),
    aliases: &[],
    dialects: &[],
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
    penultimate: 512,
};

/// Builder of a VGG network.
macro_rules! vgg {
    ($convolutions:expr) => {
        |width, classes, device| {
            let config = VggConfig {
                convolutions: $convolutions,
                width,
                classes,
            };
            Net::Vgg(config.init(device))
        }
    };
}

/// VGG networks in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "vgg11",
        title: "VGG-11",
        summary: "8 convolutions with BatchNorm, one linear head",
        family: &FAMILY,
        parameters: 9_231_114,
        taps: &TAPS,
        golden: None,
        build: vgg!([1, 1, 2, 2, 2]),
    },
    Architecture {
        name: "vgg13",
        title: "VGG-13",
        summary: "10 convolutions with BatchNorm, one linear head",
        family: &FAMILY,
        parameters: 9_416_010,
        taps: &TAPS,
        golden: None,
        build: vgg!([2, 2, 2, 2, 2]),
    },
    Architecture {
        name: "vgg16",
        title: "VGG-16",
        summary: "13 convolutions with BatchNorm, one linear head: of the paper's grid",
        family: &FAMILY,
        parameters: 14_728_266,
        taps: &TAPS,
        golden: Some(golden(1.9e-6, 1.6e-6)),
        build: vgg!([2, 2, 3, 3, 3]),
    },
    Architecture {
        name: "vgg19",
        title: "VGG-19",
        summary: "16 convolutions with BatchNorm, one linear head",
        family: &FAMILY,
        parameters: 20_040_522,
        taps: &TAPS,
        golden: None,
        build: vgg!([2, 2, 4, 4, 4]),
    },
];
