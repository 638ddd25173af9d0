//! EfficientNet-B0 for 224-pixel images.
//!
//! Tan, Le: *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*, ICML 2019.
//! Parameter names follow torchvision (`features.1.0.block.0.0`, `classifier.1`). The dropout and
//! stochastic depth that torchvision uses while training are left out.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::registry::{Architecture, Family, Output, Taps, any_size, golden, map};

use super::conv::Conv;
use super::curve::{sigmoid, silu, weigh};
use super::fold::fold_layers;
use super::layers::{Layer, conv, conv_norm_layers, pool, pool_to_pixel, run, run_add, scaled};
use super::{Net, Network};

pub(super) const PUBLISHED_WIDTH: usize = 32;
pub(super) const LAST: usize = 1280;

pub(super) struct Stage {
    pub(super) expansion: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) channels: usize,
    pub(super) blocks: usize,
}

const fn stage(
    expansion: usize,
    kernel: usize,
    stride: usize,
    channels: usize,
    blocks: usize,
) -> Stage {
    Stage {
        expansion,
        kernel,
        stride,
        channels,
        blocks,
    }
}

pub(super) const STAGES: [Stage; 7] = [
    stage(1, 3, 1, 16, 1),
    stage(6, 3, 2, 24, 2),
    stage(6, 5, 2, 40, 2),
    stage(6, 3, 2, 80, 3),
    stage(6, 5, 1, 112, 3),
    stage(6, 5, 2, 192, 4),
    stage(6, 3, 1, 320, 1),
];

/// Shape of an EfficientNet-B0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EfficientNetConfig {
    /// Channels of the stem; all others scale with it. 32 as published.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl EfficientNetConfig {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> EfficientNet {
        let channels = |published| scaled(published, self.width, PUBLISHED_WIDTH);
        let unit = |config| Feature::Conv(conv_norm_layers(config, false, device));
        let mut features = vec![unit(conv(3, self.width, 3, 2))];
        let mut entry = self.width;
        for stage in &STAGES {
            let out = channels(stage.channels);
            let blocks = (0..stage.blocks).map(|block| {
                let stride = if block == 0 { stage.stride } else { 1 };
                let block = Block::new(entry, out, stride, stage, device);
                entry = out;
                block
            });
            features.push(Feature::Stage(blocks.collect()));
        }
        let last = channels(LAST);
        features.push(unit(conv(entry, last, 1, 1)));
        EfficientNet {
            features,
            classifier: LinearConfig::new(last, self.classes).init(device),
        }
    }
}

/// An EfficientNet-B0.
#[derive(Module, Debug)]
pub struct EfficientNet {
    features: Vec<Feature>,
    classifier: Linear,
}

impl Network for EfficientNet {
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
        STAGES.len()
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = 16, 24, 40, 80, 112, 192, 320 at width 32
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        let features = self.features.iter().take(number + 1);
        features.fold(images, |x, feature| feature.forward(x))
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = 1280 at width 32
    fn deep(&self, images: Tensor<4>) -> Tensor<4> {
        let features = self.features.iter();
        features.fold(images, |x, feature| feature.forward(x))
    }

    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        pool(self.deep(images))
    }

    /// A dropout stands before the linear layer in torchvision's head.
    fn public_name(&self, name: String) -> String {
        match name.strip_prefix("classifier.") {
            Some(rest) => format!("classifier.1.{rest}"),
            None => name,
        }
    }

    fn fold(&mut self) {
        for feature in &mut self.features {
            match feature {
                Feature::Conv(layers) => fold_layers(layers),
                Feature::Stage(blocks) => blocks.iter_mut().for_each(Block::fold),
            }
        }
    }
}

#[derive(Module, Debug)]
enum Feature {
    Conv(Vec<Layer>),
    Stage(Vec<Block>),
}

impl Feature {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Conv(layers) => silu(run(layers, x)),
            Self::Stage(blocks) => blocks.iter().fold(x, |x, block| block.forward(x)),
        }
    }
}

/// Expand, convolve each channel, weigh channels, project.
#[derive(Module, Debug)]
struct Block {
    block: Vec<Part>,
    residual: bool,
}

impl Block {
    fn new(entry: usize, out: usize, stride: usize, stage: &Stage, device: &Device) -> Self {
        let inner = entry * stage.expansion;
        let part = |config| Part::Conv(conv_norm_layers(config, false, device));
        let mut block = Vec::new();
        if stage.expansion > 1 {
            block.push(part(conv(entry, inner, 1, 1)));
        }
        let depthwise = conv(inner, inner, stage.kernel, stride).with_groups(inner);
        block.push(part(depthwise));
        block.push(Part::Squeeze(SqueezeExcitation::new(
            inner,
            (entry / 4).max(1),
            device,
        )));
        block.push(part(conv(inner, out, 1, 1)));
        Self {
            block,
            residual: stride == 1 && entry == out,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let last = self.block.len() - 1;
        let parts = self.block.iter().enumerate();
        parts.fold(x.clone(), |inner, (index, part)| match part {
            // The projection stays linear.
            Part::Conv(layers) if index == last && self.residual => {
                run_add(layers, inner, x.clone())
            }
            Part::Conv(layers) if index == last => run(layers, inner),
            Part::Conv(layers) => silu(run(layers, inner)),
            Part::Squeeze(squeeze) => squeeze.forward(inner),
        })
    }

    fn fold(&mut self) {
        for part in &mut self.block {
            if let Part::Conv(layers) = part {
                fold_layers(layers);
            }
        }
    }
}

#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "modules cannot be boxed, and the tensors are elsewhere anyway"
)]
enum Part {
    Conv(Vec<Layer>),
    Squeeze(SqueezeExcitation),
}

/// Weighs channels by what the whole map holds.
#[derive(Module, Debug)]
struct SqueezeExcitation {
    fc1: Conv,
    fc2: Conv,
}

impl SqueezeExcitation {
    fn new(channels: usize, squeezed: usize, device: &Device) -> Self {
        let point = |entry, out| Conv::new(conv(entry, out, 1, 1).with_bias(true), device);
        Self {
            fc1: point(channels, squeezed),
            fc2: point(squeezed, channels),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let squeezed = silu(self.fc1.forward(pool_to_pixel(x.clone())));
        weigh(x, sigmoid(self.fc2.forward(squeezed)))
    }
}

// Registry.

static FAMILY: Family = Family {
    title: "EfficientNet",
    paper: "Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019",
    names: "torchvision's",
    input: any_size(224, 1),
    default_width: 32,
    small_width: 8,
    stem: "features.0.0.weight",
    output: Output::Classes("classifier.1.weight"),
    aliases: &[],
    dialects: &[],
    published: None,
};

pub(super) static TAPS: Taps = Taps {
    stages: &[
        map(16, 2),
        map(24, 4),
        map(40, 8),
        map(80, 16),
        map(112, 16),
        map(192, 32),
        map(320, 32),
    ],
    deep: map(1280, 32),
    penultimate: 1280,
};

/// This family in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[Architecture {
    name: "efficientnet_b0",
    title: "EfficientNet-B0",
    summary: "16 inverted residual blocks that weigh their channels",
    family: &FAMILY,
    parameters: 4_020_358,
    taps: &TAPS,
    golden: Some(golden(4.6e-6, 4.7e-6)),
    build: |width, classes, device| {
        Net::EfficientNet(EfficientNetConfig { width, classes }.init(device))
    },
}];
