//! ConvNeXt for 224-pixel images.
//!
//! Liu, Mao, Wu, Feichtenhofer, Darrell, Xie: *A `ConvNet` for the 2020s*, CVPR 2022. Parameter names follow torchvision
//! (`features.0.0`, `features.1.0.block.0`, `features.1.0.layer_scale`, `features.2.1`, `classifier.2`); those of timm, of Hugging
//! Face and of the paper's code are known, too. The stochastic depth of training is left out.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2dConfig;
use burn::nn::{Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::registry::{Architecture, Family, Output, Taps, any_size, dialect, golden_logits, map};

use super::conv::Conv;
use super::curve::gelu;
use super::fold::fold_conv;
use super::layers::{conv, pool};
use super::{Net, Network};

/// What the sum of a block's branch is multiplied with at first, as published.
const LAYER_SCALE: f64 = 1e-6;

/// Shape of a ConvNeXt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvNeXtConfig {
    /// Blocks in each of the four stages.
    pub blocks: [usize; 4],
    /// Channels of the first stage; later stages double it.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl ConvNeXtConfig {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> ConvNeXt {
        let stages = self.blocks.iter().enumerate();
        let stages = stages.map(|(number, &blocks)| {
            let width = self.width << number;
            Stage {
                down: (number > 0).then(|| Down::new(width / 2, width, device)),
                blocks: (0..blocks).map(|_| Block::new(width, device)).collect(),
            }
        });
        let last = self.width << (self.blocks.len() - 1);
        ConvNeXt {
            stem: patches(3, self.width, 4, device),
            stem_norm: layer_norm(self.width, device),
            stages: stages.collect(),
            norm: layer_norm(last, device),
            linear: LinearConfig::new(last, self.classes).init(device),
        }
    }
}

fn layer_norm(channels: usize, device: &Device) -> LayerNorm {
    let config = LayerNormConfig::new(channels);
    config.with_epsilon(1e-6).init(device)
}

/// A convolution whose windows do not overlap.
fn patches(entry: usize, out: usize, side: usize, device: &Device) -> Conv {
    let config = Conv2dConfig::new([entry, out], [side; 2]).with_stride([side; 2]);
    Conv::new(config, device)
}

/// Normalises over the channels of every pixel.
///
/// # Shapes
///
/// - `x`, output: `[B, C, H, W]`
fn normalize_channels(norm: &LayerNorm, x: Tensor<4>) -> Tensor<4> {
    channels_first(norm.forward(channels_last(x)))
}

fn channels_last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

fn channels_first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}

/// A ConvNeXt.
#[derive(Module, Debug)]
pub struct ConvNeXt {
    stem: Conv,
    stem_norm: LayerNorm,
    stages: Vec<Stage>,
    norm: LayerNorm,
    linear: Linear,
}

impl Network for ConvNeXt {
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
        self.stages.len()
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = width times 1, 2, 4, 8 at stages 1 to 4
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        let stem = normalize_channels(&self.stem_norm, self.stem.forward(images));
        let stages = self.stages.iter().take(number);
        stages.fold(stem, |x, stage| stage.forward(x))
    }

    /// The mean over the map, normalised.
    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        self.norm.forward(pool(self.deep(images)))
    }

    fn public_name(&self, name: String) -> String {
        let parts: Vec<&str> = name.split('.').collect();
        let number = |text: &str| text.parse::<usize>().unwrap_or(0);
        match parts[..] {
            ["stem", leaf] => format!("features.0.0.{leaf}"),
            ["stem_norm", leaf] => format!("features.0.1.{leaf}"),
            ["stages", stage, "down", layer, leaf] => {
                let layer = usize::from(layer == "conv");
                format!("features.{}.{layer}.{leaf}", 2 * number(stage))
            }
            ["stages", stage, "blocks", block, ref rest @ ..] => {
                let rest = match *rest {
                    ["conv", leaf] => format!("block.0.{leaf}"),
                    ["norm", leaf] => format!("block.2.{leaf}"),
                    ["first", leaf] => format!("block.3.{leaf}"),
                    ["second", leaf] => format!("block.5.{leaf}"),
                    _ => rest.join("."),
                };
                format!("features.{}.{block}.{rest}", 2 * number(stage) + 1)
            }
            ["norm", leaf] => format!("classifier.0.{leaf}"),
            ["linear", leaf] => format!("classifier.2.{leaf}"),
            _ => name,
        }
    }

    /// There is no BatchNorm here.
    fn fold(&mut self) {
        fold_conv(&mut self.stem, None);
        for stage in &mut self.stages {
            if let Some(down) = &mut stage.down {
                fold_conv(&mut down.conv, None);
            }
            for block in &mut stage.blocks {
                fold_conv(&mut block.conv, None);
            }
        }
    }
}

#[derive(Module, Debug)]
struct Stage {
    down: Option<Down>,
    blocks: Vec<Block>,
}

impl Stage {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = match &self.down {
            Some(down) => down.conv.forward(normalize_channels(&down.norm, x)),
            None => x,
        };
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }
}

/// Halves the sides.
#[derive(Module, Debug)]
struct Down {
    norm: LayerNorm,
    conv: Conv,
}

impl Down {
    fn new(entry: usize, out: usize, device: &Device) -> Self {
        Self {
            norm: layer_norm(entry, device),
            conv: patches(entry, out, 2, device),
        }
    }
}

/// Convolve each channel, normalise, mix channels, add.
#[derive(Module, Debug)]
struct Block {
    conv: Conv,
    norm: LayerNorm,
    first: Linear,
    second: Linear,
    layer_scale: Param<Tensor<3>>,
}

impl Block {
    fn new(width: usize, device: &Device) -> Self {
        let depthwise = conv(width, width, 7, 1).with_groups(width).with_bias(true);
        let scale = Initializer::Constant { value: LAYER_SCALE };
        Self {
            conv: Conv::new(depthwise, device),
            norm: layer_norm(width, device),
            first: LinearConfig::new(width, 4 * width).init(device),
            second: LinearConfig::new(4 * width, width).init(device),
            layer_scale: scale.init([width, 1, 1], device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let inner = channels_last(self.conv.forward(x.clone()));
        let inner = gelu(self.first.forward(self.norm.forward(inner)));
        let inner = self.second.forward(inner);
        let scale = self.layer_scale.val().reshape([1, 1, 1, -1]);
        x + channels_first(inner * scale)
    }
}

// Registry.

static FAMILY: Family = Family {
    title: "ConvNeXt",
    paper: "Liu et al., A ConvNet for the 2020s, CVPR 2022",
    names: "torchvision's, timm's, Hugging Face's or those of the paper's code",
    input: any_size(224, 32),
    default_width: 96,
    small_width: 8,
    stem: "features.0.0.weight",
    output: Output::Classes("classifier.2.weight"),
    aliases: &[],
    dialects: dialect::CONVNEXT,
    published: None,
};

static TAPS: Taps = Taps {
    stages: &[map(96, 4), map(192, 8), map(384, 16), map(768, 32)],
    deep: map(768, 32),
    penultimate: 768,
};

/// This family in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[Architecture {
    name: "convnext_tiny",
    title: "ConvNeXt-Tiny",
    summary: "3, 3, 9, 3 blocks of a 7 x 7 convolution of each channel and two linear layers",
    family: &FAMILY,
    parameters: 27_827_818,
    taps: &TAPS,
    golden: Some(golden_logits(5.3e-7)),
    build: |width, classes, device| {
        let config = ConvNeXtConfig {
            blocks: [3, 3, 9, 3],
            width,
            classes,
        };
        Net::ConvNeXt(config.init(device))
    },
}];
