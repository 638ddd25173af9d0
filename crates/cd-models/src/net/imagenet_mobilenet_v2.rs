//! MobileNetV2 for 224-pixel images.
//!
//! Sandler, Howard, Zhu, Zhmoginov, Chen: *MobileNetV2: Inverted Residuals and Linear Bottlenecks*, CVPR 2018. Parameter names
//! follow torchvision (`features.0.0`, `features.2.conv.0.0`, `features.18.0`, `classifier.1`). Unlike the form for small images
//! of [`mobilenet_v2`](super::mobilenet_v2) it is the paper's: ReLU6, and identities alone as shortcuts. The dropout of training
//! is left out.

use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::registry::{Architecture, Family, Output, Taps, any_size, dialect, golden_logits, map};

use super::fold::fold_layers;
use super::layers::{Layer, conv, conv_norm_layers, pool, run, run_add, run_to_6, scaled};
use super::{Net, Network};

const PUBLISHED_WIDTH: usize = 32;
const LAST: usize = 1280;

/// Expansion, channels, blocks and stride of a stage.
const STAGES: [[usize; 4]; 7] = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
];

/// Shape of a MobileNetV2 for large images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageNetMobileNetV2Config {
    /// Channels of the stem; all others scale with it. 32 as published.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl ImageNetMobileNetV2Config {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> ImageNetMobileNetV2 {
        let channels = |published| scaled(published, self.width, PUBLISHED_WIDTH);
        let mut blocks = Vec::new();
        let mut entry = self.width;
        for [expansion, published, count, stride] in STAGES {
            let out = channels(published);
            for block in 0..count {
                let stride = if block == 0 { stride } else { 1 };
                blocks.push(Block::new(entry, out, expansion, stride, device));
                entry = out;
            }
        }
        let last = channels(LAST);
        ImageNetMobileNetV2 {
            stem: unit(conv(3, self.width, 3, 2), device),
            blocks,
            last: unit(conv(entry, last, 1, 1), device),
            classifier: LinearConfig::new(last, self.classes).init(device),
        }
    }
}

/// A convolution with BatchNorm and ReLU; [`run_to_6`] ends it at 6.
fn unit(config: Conv2dConfig, device: &Device) -> Vec<Layer> {
    conv_norm_layers(config, true, device)
}

/// A MobileNetV2 for large images.
#[derive(Module, Debug)]
pub struct ImageNetMobileNetV2 {
    stem: Vec<Layer>,
    blocks: Vec<Block>,
    last: Vec<Layer>,
    classifier: Linear,
}

impl Network for ImageNetMobileNetV2 {
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
    /// - output: `[B, F, h, w]`; `F` = 16, 24, 32, 64, 96, 160, 320 at width 32
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        let count = STAGES[..number].iter().map(|[_, _, count, _]| count).sum();
        let blocks = self.blocks.iter().take(count);
        blocks.fold(run_to_6(&self.stem, images), |x, block| block.forward(x))
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = 1280 at width 32
    fn deep(&self, images: Tensor<4>) -> Tensor<4> {
        run_to_6(&self.last, self.stage(images, STAGES.len()))
    }

    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        pool(self.deep(images))
    }

    /// torchvision counts everything before the head as one sequence; only its first block does not expand.
    fn public_name(&self, name: String) -> String {
        let parts: Vec<&str> = name.split('.').collect();
        match parts[..] {
            ["stem", ref rest @ ..] => format!("features.0.{}", rest.join(".")),
            ["last", ref rest @ ..] => {
                format!("features.{}.{}", self.blocks.len() + 1, rest.join("."))
            }
            ["blocks", block, part, layer, leaf] => {
                let block = block.parse::<usize>().map_or(0, |block| block + 1);
                let before = usize::from(block > 1);
                let inner = match (part, layer) {
                    ("expand", layer) => format!("0.{layer}"),
                    ("depthwise", layer) => format!("{before}.{layer}"),
                    (_, layer) => (before + 1 + usize::from(layer == "1")).to_string(),
                };
                format!("features.{block}.conv.{inner}.{leaf}")
            }
            ["classifier", leaf] => format!("classifier.1.{leaf}"),
            _ => name,
        }
    }

    fn fold(&mut self) {
        fold_layers(&mut self.stem);
        self.blocks.iter_mut().for_each(Block::fold);
        fold_layers(&mut self.last);
    }
}

/// Expand, convolve each channel, project.
#[derive(Module, Debug)]
struct Block {
    /// Nothing where there is no expansion.
    expand: Vec<Layer>,
    depthwise: Vec<Layer>,
    project: Vec<Layer>,
    residual: bool,
}

impl Block {
    fn new(entry: usize, out: usize, expansion: usize, stride: usize, device: &Device) -> Self {
        let inner = entry * expansion;
        let expand = match expansion {
            1 => Vec::new(),
            _ => unit(conv(entry, inner, 1, 1), device),
        };
        Self {
            expand,
            depthwise: unit(conv(inner, inner, 3, stride).with_groups(inner), device),
            project: conv_norm_layers(conv(inner, out, 1, 1), false, device),
            residual: stride == 1 && entry == out,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let inner = match self.expand.as_slice() {
            [] => x.clone(),
            layers => run_to_6(layers, x.clone()),
        };
        let inner = run_to_6(&self.depthwise, inner);
        if self.residual {
            run_add(&self.project, inner, x)
        } else {
            run(&self.project, inner)
        }
    }

    fn fold(&mut self) {
        fold_layers(&mut self.expand);
        fold_layers(&mut self.depthwise);
        fold_layers(&mut self.project);
    }
}

// Registry.

static FAMILY: Family = Family {
    title: "MobileNetV2, 224-pixel form",
    paper: "Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018",
    names: "torchvision's (`features.0.0`, ..., `classifier.1`), or timm's (`conv_stem`, `blocks.0.0.conv_dw`, ...)",
    input: any_size(224, 1),
    default_width: PUBLISHED_WIDTH,
    small_width: 8,
    stem: "features.0.0.weight",
    output: Output::Classes("classifier.1.weight"),
    aliases: &[],
    dialects: dialect::MOBILENET_V2,
    published: None,
};

static TAPS: Taps = Taps {
    stages: &[
        map(16, 2),
        map(24, 4),
        map(32, 8),
        map(64, 16),
        map(96, 16),
        map(160, 32),
        map(320, 32),
    ],
    deep: map(1280, 32),
    penultimate: 1280,
};

/// This family in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[Architecture {
    name: "imagenet_mobilenet_v2",
    title: "MobileNetV2 (ImageNet)",
    summary: "17 inverted residual blocks with ReLU6",
    family: &FAMILY,
    parameters: 2_236_682,
    taps: &TAPS,
    golden: Some(golden_logits(4.8e-7)),
    build: |width, classes, device| {
        Net::ImageNetMobileNetV2(ImageNetMobileNetV2Config { width, classes }.init(device))
    },
}];
