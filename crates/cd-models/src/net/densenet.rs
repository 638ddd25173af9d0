//! Densely connected networks for 224-pixel images.
//!
//! Huang, Liu, van der Maaten, Weinberger: *Densely Connected Convolutional Networks*, CVPR 2017. Parameter names follow
//! torchvision (`features.conv0`, `features.denseblock1.denselayer1.norm1`, `features.transition1.norm`, `classifier`).

use burn::module::Module;
use burn::nn::pool::AvgPool2dConfig;
use burn::nn::{BatchNorm, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::registry::{Architecture, Family, Output, Taps, any_size, golden_logits, map};

use super::conv::Conv;
use super::fold::fold_conv;
use super::layers::{ConvNorm, conv, conv_norm_relu, max_pool, norm, pool, scaled};
use super::norm::normalize_relu;
use super::{Net, Network};

/// Times that the inner convolution of a layer is wider than what the layer adds.
const BOTTLENECK: usize = 4;

/// Shape of a DenseNet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenseNetConfig {
    /// Layers in each of the four blocks.
    pub layers: [usize; 4],
    /// Channels that a layer adds, as published.
    pub growth: usize,
    /// Channels of the stem as published.
    pub published_width: usize,
    /// Channels of the stem; growth scales with it.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl DenseNetConfig {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> DenseNet {
        let growth = scaled(self.growth, self.width, self.published_width);
        let mut entry = self.width;
        let mut blocks = Vec::new();
        for (number, &layers) in self.layers.iter().enumerate() {
            let layers =
                (0..layers).map(|layer| Layer::new(entry + layer * growth, growth, device));
            let layers: Vec<Layer> = layers.collect();
            entry += layers.len() * growth;
            let ends = number + 1 < self.layers.len();
            let transition = ends.then(|| Transition::new(entry, device));
            if ends {
                entry /= 2;
            }
            blocks.push(Block { layers, transition });
        }
        DenseNet {
            conv0: ConvNorm::new(conv(3, self.width, 7, 2), device),
            blocks,
            norm5: norm(entry, device),
            classifier: LinearConfig::new(entry, self.classes).init(device),
        }
    }
}

/// A DenseNet.
#[derive(Module, Debug)]
pub struct DenseNet {
    conv0: ConvNorm,
    blocks: Vec<Block>,
    norm5: BatchNorm,
    classifier: Linear,
}

impl Network for DenseNet {
    /// Class scores.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, K]`
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.classifier.forward(self.penultimate(images))
    }

    fn stages(&self) -> usize {
        self.blocks.len()
    }

    /// The map before the transition behind block `number`.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = 256, 512, 1024, 1024 at the published width of DenseNet-121
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        let mut x = max_pool(3, 2, 1).forward(self.conv0.forward_relu(images));
        for (index, block) in self.blocks.iter().take(number).enumerate() {
            x = block.layers.iter().fold(x, |x, layer| layer.forward(x));
            if let Some(transition) = block.transition.as_ref().filter(|_| index + 1 < number) {
                x = transition.forward(x);
            }
        }
        x
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` as at the last stage
    fn deep(&self, images: Tensor<4>) -> Tensor<4> {
        normalize_relu(&self.norm5, self.stage(images, self.blocks.len()))
    }

    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        pool(self.deep(images))
    }

    /// torchvision counts blocks, layers and transitions from 1.
    fn public_name(&self, name: String) -> String {
        let name = name.replace("bn0.", "norm0.");
        let parts: Vec<&str> = name.split('.').collect();
        let counted = |number: &str| number.parse::<usize>().map_or(0, |number| number + 1);
        match parts[..] {
            ["classifier", ..] => name,
            ["blocks", block, "layers", layer, ref rest @ ..] => {
                let rest = rest.join(".");
                let (block, layer) = (counted(block), counted(layer));
                format!("features.denseblock{block}.denselayer{layer}.{rest}")
            }
            ["blocks", block, "transition", ref rest @ ..] => {
                format!("features.transition{}.{}", counted(block), rest.join("."))
            }
            _ => format!("features.{name}"),
        }
    }

    /// Only norms right behind a convolution can be folded: most follow what layers have put together.
    fn fold(&mut self) {
        self.conv0.fold();
        for block in &mut self.blocks {
            block.layers.iter_mut().for_each(Layer::fold);
            if let Some(transition) = &mut block.transition {
                fold_conv(&mut transition.conv, None);
            }
        }
    }
}

#[derive(Module, Debug)]
struct Block {
    layers: Vec<Layer>,
    transition: Option<Transition>,
}

/// Adds channels to those that it sees.
#[derive(Module, Debug)]
struct Layer {
    norm1: BatchNorm,
    conv1: Conv,
    norm2: Option<BatchNorm>,
    conv2: Conv,
}

impl Layer {
    fn new(entry: usize, growth: usize, device: &Device) -> Self {
        let inner = BOTTLENECK * growth;
        Self {
            norm1: norm(entry, device),
            conv1: Conv::new(conv(entry, inner, 1, 1), device),
            norm2: Some(norm(inner, device)),
            conv2: Conv::new(conv(inner, growth, 3, 1), device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let entry = normalize_relu(&self.norm1, x.clone());
        let inner = conv_norm_relu(&self.conv1, self.norm2.as_ref(), entry);
        Tensor::cat(vec![x, self.conv2.forward(inner)], 1)
    }

    fn fold(&mut self) {
        fold_conv(&mut self.conv1, self.norm2.take());
        fold_conv(&mut self.conv2, None);
    }
}

/// Halves channels and sides.
#[derive(Module, Debug)]
struct Transition {
    norm: BatchNorm,
    conv: Conv,
}

impl Transition {
    fn new(entry: usize, device: &Device) -> Self {
        Self {
            norm: norm(entry, device),
            conv: Conv::new(conv(entry, entry / 2, 1, 1), device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.conv.forward(normalize_relu(&self.norm, x));
        let halve = AvgPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
        halve.forward(x)
    }
}

// Registry.

/// Of torchvision's checkpoints from before 2018.
const ALIASES: &[(&str, &str)] = &[
    ("norm.1", "norm1"),
    ("norm.2", "norm2"),
    ("conv.1", "conv1"),
    ("conv.2", "conv2"),
];

const fn family(default_width: usize) -> Family {
    Family {
        title: "DenseNet",
        paper: "Huang et al., Densely Connected Convolutional Networks, CVPR 2017",
        names: "torchvision's, and its older ones (`denselayer1.norm.1` for `denselayer1.norm1`)",
        input: any_size(224, 29),
        default_width,
        small_width: 8,
        stem: "features.conv0.weight",
        output: Output::Classes("classifier.weight"),
        aliases: ALIASES,
        dialects: &[],
        published: None,
    }
}

static FAMILY: Family = family(64);
static WIDE: Family = family(96);

static TAPS_121: Taps = Taps {
    stages: &[map(256, 4), map(512, 8), map(1024, 16), map(1024, 32)],
    deep: map(1024, 32),
    penultimate: 1024,
};

static TAPS_161: Taps = Taps {
    stages: &[map(384, 4), map(768, 8), map(2112, 16), map(2208, 32)],
    deep: map(2208, 32),
    penultimate: 2208,
};

/// Builder of a DenseNet.
macro_rules! dense {
    ($layers:expr, $growth:literal, $width:literal) => {
        |width, classes, device| {
            let config = DenseNetConfig {
                layers: $layers,
                growth: $growth,
                published_width: $width,
                width,
                classes,
            };
            Net::DenseNet(config.init(device))
        }
    };
}

/// This family in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "densenet121",
        title: "DenseNet-121",
        summary: "6, 12, 24, 16 layers that add 32 channels each",
        family: &FAMILY,
        parameters: 6_964_106,
        taps: &TAPS_121,
        golden: Some(golden_logits(5e-7)),
        build: dense!([6, 12, 24, 16], 32, 64),
    },
    Architecture {
        name: "densenet161",
        title: "DenseNet-161",
        summary: "6, 12, 36, 24 layers that add 48 channels each",
        family: &WIDE,
        parameters: 26_494_090,
        taps: &TAPS_161,
        golden: Some(golden_logits(5e-7)),
        build: dense!([6, 12, 36, 24], 48, 96),
    },
];
