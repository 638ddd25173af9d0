//! MobileNetV2 for 32-pixel images: stem and second stage at stride 1.
//!
//! Sandler, Howard, Zhu, Zhmoginov, Chen: *MobileNetV2: Inverted Residuals and Linear Bottlenecks*,
//! CVPR 2018. Parameter names follow the reference (`conv1`, `layers.0.conv1`,
//! `layers.0.shortcut.0`, `conv2`, `linear`). Unlike the paper, and like the reference, the first
//! block expands too (by 1), activations are plain ReLU, and blocks of stride 1 that change the
//! number of channels have a convolution as shortcut.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::registry::{Architecture, Family, Output, Taps, any_size, golden, map};

use super::conv::Chain;
use super::fold::fold_layers;
use super::layers::{ConvNorm, Layer, conv, conv_norm_layers, pool, run, scaled};
use super::{Net, Network};

const PUBLISHED_WIDTH: usize = 32;
const LAST: usize = 1280;

struct Stage {
    expansion: usize,
    channels: usize,
    blocks: usize,
    stride: usize,
}

const STAGES: [Stage; 7] = [
    stage(1, 16, 1, 1),
    stage(6, 24, 2, 1),
    stage(6, 32, 3, 2),
    stage(6, 64, 4, 2),
    stage(6, 96, 3, 1),
    stage(6, 160, 3, 2),
    stage(6, 320, 1, 1),
];

const fn stage(expansion: usize, channels: usize, blocks: usize, stride: usize) -> Stage {
    Stage {
        expansion,
        channels,
        blocks,
        stride,
    }
}

/// Shape of a MobileNetV2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MobileNetV2Config {
    /// Channels of the stem; all others scale with it. 32 as published.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl MobileNetV2Config {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> MobileNetV2 {
        let channels = |published| scaled(published, self.width, PUBLISHED_WIDTH);
        let mut layers = Vec::new();
        let mut entry = self.width;
        for stage in STAGES {
            let out = channels(stage.channels);
            for block in 0..stage.blocks {
                let stride = if block == 0 { stage.stride } else { 1 };
                layers.push(Block::new(entry, out, stage.expansion, stride, device));
                entry = out;
            }
        }
        let last = channels(LAST);
        MobileNetV2 {
            conv1: ConvNorm::new(conv(3, self.width, 3, 1), device),
            layers,
            conv2: ConvNorm::new(conv(entry, last, 1, 1), device),
            linear: LinearConfig::new(last, self.classes).init(device),
        }
    }
}

/// A MobileNetV2.
#[derive(Module, Debug)]
pub struct MobileNetV2 {
    conv1: ConvNorm,
    layers: Vec<Block>,
    conv2: ConvNorm,
    linear: Linear,
}

impl Network for MobileNetV2 {
    /// Class scores.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, K]`
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.linear.forward(self.penultimate(images))
    }

    fn stages(&self) -> usize {
        STAGES.len()
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = 16, 24, 32, 64, 96, 160, 320 at width 32
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        let blocks = STAGES[..number].iter().map(|stage| stage.blocks).sum();
        self.layers
            .iter()
            .take(blocks)
            .fold(self.conv1.forward_relu(images), |x, block| block.forward(x))
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = 1280 at width 32
    fn deep(&self, images: Tensor<4>) -> Tensor<4> {
        self.conv2.forward_relu(self.stage(images, STAGES.len()))
    }

    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        pool(self.deep(images))
    }

    fn fold(&mut self) {
        self.conv1.fold();
        self.layers.iter_mut().for_each(Block::fold);
        self.conv2.fold();
    }
}

/// Expand, convolve each channel, project.
#[derive(Module, Debug)]
struct Block {
    conv1: ConvNorm,
    conv2: ConvNorm,
    conv3: ConvNorm,
    shortcut: Vec<Layer>,
    residual: bool,
    /// The three convolutions together, once they are folded.
    #[module(skip)]
    chain: Option<Chain>,
}

impl Block {
    fn new(entry: usize, out: usize, expansion: usize, stride: usize, device: &Device) -> Self {
        let inner = entry * expansion;
        let residual = stride == 1;
        let shortcut = if residual && entry != out {
            conv_norm_layers(conv(entry, out, 1, 1), false, device)
        } else {
            Vec::new()
        };
        let depthwise = conv(inner, inner, 3, stride).with_groups(inner);
        Self {
            conv1: ConvNorm::new(conv(entry, inner, 1, 1), device),
            conv2: ConvNorm::new(depthwise, device),
            conv3: ConvNorm::new(conv(inner, out, 1, 1), device),
            shortcut,
            residual,
            chain: None,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        if let Some(chain) = &self.chain {
            let skip = self.residual.then(|| run(&self.shortcut, x.clone()));
            return chain.forward(x, skip);
        }
        let inner = self.conv1.forward_relu(x.clone());
        let inner = self.conv2.forward_relu(inner);
        if self.residual {
            self.conv3.forward_add(inner, run(&self.shortcut, x))
        } else {
            self.conv3.forward(inner)
        }
    }

    fn fold(&mut self) {
        self.conv1.fold();
        self.conv2.fold();
        self.conv3.fold();
        fold_layers(&mut self.shortcut);
        let convs = [&self.conv1, &self.conv2, &self.conv3].map(ConvNorm::folded);
        let [Some(first), Some(second), Some(third)] = convs else {
            return;
        };
        self.chain = Chain::of(&[first, second, third]);
    }
}

// Registry.

static FAMILY: Family = Family {
    title: "MobileNetV2",
    paper: "Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018",
    names: "the reference's (`layers.0.conv1`, ..., `linear`)",
    input: any_size(32, 1),
    default_width: 32,
    small_width: 8,
    stem: "conv1.weight",
    output: Output::Classes("linear.weight"),
    aliases: &[],
    dialects: &[],
    published: None,
};

static TAPS: Taps = Taps {
    stages: &[
        map(16, 1),
        map(24, 1),
        map(32, 2),
        map(64, 4),
        map(96, 4),
        map(160, 8),
        map(320, 8),
    ],
    deep: map(1280, 8),
    penultimate: 1280,
};

/// This family in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[Architecture {
    name: "mobilenet_v2",
    title: "MobileNetV2",
    summary: "17 inverted residual blocks: of the paper's grid",
    family: &FAMILY,
    parameters: 2_296_922,
    taps: &TAPS,
    golden: Some(golden(3.5e-7, 4.2e-7)),
    build: |width, classes, device| {
        Net::MobileNetV2(MobileNetV2Config { width, classes }.init(device))
    },
}];
