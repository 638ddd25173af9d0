//! Wide residual networks for 32-pixel images.
//!
//! Zagoruyko, Komodakis: *Wide Residual Networks*, BMVC 2016. Parameter names are those of the PyTorch code that backdoor
//! toolboxes have in common (`conv1`, `block1.layer.0.bn1`, `block1.layer.0.convShortcut`, `bn1`, `fc`). A block that changes
//! the number of channels or the stride takes the activated input for its shortcut, too; dropout of training is left out.

use burn::module::Module;
use burn::nn::{BatchNorm, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::registry::{Architecture, Family, Output, Taps, any_size, golden_logits, map};

use super::conv::Conv;
use super::fold::fold_conv;
use super::layers::{conv, conv_norm_relu, norm, pool};
use super::norm::normalize_relu;
use super::{Net, Network};

/// Shape of a wide residual network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WideResNetConfig {
    /// Blocks in each of the three stages: (depth - 4) / 6.
    pub blocks: usize,
    /// Times that stages are wider than those of a plain residual network.
    pub widening: usize,
    /// Channels of the stem; 16 as published.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl WideResNetConfig {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> WideResNet {
        let mut entry = self.width;
        let [block1, block2, block3] = [0, 1, 2].map(|stage| {
            let out = (self.width * self.widening) << stage;
            let layer = (0..self.blocks).map(|block| {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let block = Block::new(entry, out, stride, device);
                entry = out;
                block
            });
            Stage {
                layer: layer.collect(),
            }
        });
        WideResNet {
            conv1: Conv::new(conv(3, self.width, 3, 1), device),
            block1,
            block2,
            block3,
            bn1: norm(entry, device),
            fc: LinearConfig::new(entry, self.classes).init(device),
        }
    }
}

/// A wide residual network.
#[derive(Module, Debug)]
pub struct WideResNet {
    conv1: Conv,
    block1: Stage,
    block2: Stage,
    block3: Stage,
    bn1: BatchNorm,
    fc: Linear,
}

impl Network for WideResNet {
    /// Class scores.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, K]`
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.fc.forward(self.penultimate(images))
    }

    fn stages(&self) -> usize {
        3
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = 1, 2, 4 times width and widening at stages 1 to 3
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        [&self.block1, &self.block2, &self.block3]
            .into_iter()
            .take(number)
            .flat_map(|stage| &stage.layer)
            .fold(self.conv1.forward(images), |x, block| block.forward(x))
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` as at stage 3
    fn deep(&self, images: Tensor<4>) -> Tensor<4> {
        normalize_relu(&self.bn1, self.stage(images, 3))
    }

    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        pool(self.deep(images))
    }

    fn public_name(&self, name: String) -> String {
        name.replace(".shortcut.", ".convShortcut.")
    }

    /// Only norms right behind a convolution can be folded: the first of a block follows a sum.
    fn fold(&mut self) {
        fold_conv(&mut self.conv1, None);
        [&mut self.block1, &mut self.block2, &mut self.block3]
            .into_iter()
            .flat_map(|stage| &mut stage.layer)
            .for_each(Block::fold);
    }
}

#[derive(Module, Debug)]
struct Stage {
    layer: Vec<Block>,
}

#[derive(Module, Debug)]
struct Block {
    bn1: BatchNorm,
    conv1: Conv,
    bn2: Option<BatchNorm>,
    conv2: Conv,
    shortcut: Option<Conv>,
}

impl Block {
    fn new(entry: usize, out: usize, stride: usize, device: &Device) -> Self {
        Self {
            bn1: norm(entry, device),
            conv1: Conv::new(conv(entry, out, 3, stride), device),
            bn2: Some(norm(out, device)),
            conv2: Conv::new(conv(out, out, 3, 1), device),
            shortcut: (entry != out).then(|| Conv::new(conv(entry, out, 1, stride), device)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let entry = normalize_relu(&self.bn1, x.clone());
        let skip = match &self.shortcut {
            None => x,
            Some(shortcut) => shortcut.forward(entry.clone()),
        };
        let inner = conv_norm_relu(&self.conv1, self.bn2.as_ref(), entry);
        self.conv2.forward(inner) + skip
    }

    fn fold(&mut self) {
        fold_conv(&mut self.conv1, self.bn2.take());
        fold_conv(&mut self.conv2, None);
        if let Some(conv) = &mut self.shortcut {
            fold_conv(conv, None);
        }
    }
}

// Registry.

static FAMILY: Family = Family {
    title: "Wide ResNet",
    paper: "Zagoruyko and Komodakis, Wide Residual Networks, BMVC 2016",
    names: "those of the usual PyTorch code (`conv1`, `block1.layer.0.bn1`, ..., `bn1`, `fc`)",
    input: any_size(32, 1),
    default_width: 16,
    small_width: 4,
    stem: "conv1.weight",
    output: Output::Classes("fc.weight"),
    aliases: &[],
    dialects: &[],
    published: None,
};

const fn taps<const W: usize>() -> Taps {
    Taps {
        stages: const { &[map(16 * W, 1), map(32 * W, 2), map(64 * W, 4)] },
        deep: map(64 * W, 4),
        penultimate: 64 * W,
    }
}

static NARROW_TAPS: Taps = taps::<1>();
static DOUBLE_TAPS: Taps = taps::<2>();
static WIDE_TAPS: Taps = taps::<10>();

/// Builder of a wide residual network.
macro_rules! wide {
    ($blocks:literal, $widening:literal) => {
        |width, classes, device| {
            let config = WideResNetConfig {
                blocks: $blocks,
                widening: $widening,
                width,
                classes,
            };
            Net::WideResNet(config.init(device))
        }
    };
}

/// Wide residual networks in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "wide_resnet16_1",
        title: "Wide ResNet-16-1",
        summary: "two blocks per stage, no wider than a plain network: of defences by distillation",
        family: &FAMILY,
        parameters: 175_066,
        taps: &NARROW_TAPS,
        golden: Some(golden_logits(3e-7)),
        build: wide!(2, 1),
    },
    Architecture {
        name: "wide_resnet40_2",
        title: "Wide ResNet-40-2",
        summary: "six blocks per stage, twice as wide as a plain network",
        family: &FAMILY,
        parameters: 2_243_546,
        taps: &DOUBLE_TAPS,
        golden: Some(golden_logits(3e-7)),
        build: wide!(6, 2),
    },
    Architecture {
        name: "wide_resnet28_10",
        title: "Wide ResNet-28-10",
        summary: "four blocks per stage, ten times as wide as a plain network",
        family: &FAMILY,
        parameters: 36_479_194,
        taps: &WIDE_TAPS,
        golden: Some(golden_logits(3e-7)),
        build: wide!(4, 10),
    },
];
