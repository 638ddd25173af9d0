//! Pre-activation ResNet for 32-pixel images: BatchNorm and ReLU before each convolution.
//!
//! He, Zhang, Ren, Sun: *Identity Mappings in Deep Residual Networks*, ECCV 2016. As in the reference
//! the last sum goes to the pooling without a final BatchNorm or ReLU. Parameter names follow the
//! reference (`conv1`, `layer1.0.bn1`, `layer2.0.shortcut.0`, `linear`).

use burn::module::Module;
use burn::nn::{BatchNorm, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::registry::{Architecture, Family, Output, Taps, any_size, golden, map};

use super::conv::Conv;
use super::fold::{fold_conv, fold_layers};
use super::hook::behind_sum;
use super::layers::{Layer, conv, conv_norm_relu, norm, pool, run};
use super::norm::normalize_relu;
use super::{Net, Network};

/// Shape of a pre-activation ResNet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreActResNetConfig {
    /// Residual blocks in each of the four stages.
    pub blocks: [usize; 4],
    /// Blocks of three convolutions whose output is four times as wide, instead of two.
    pub bottleneck: bool,
    /// Channels of the stem and of the first stage's inner convolutions; later stages double it.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl PreActResNetConfig {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> PreActResNet {
        let expansion = if self.bottleneck { 4 } else { 1 };
        let mut entry = self.width;
        let [layer1, layer2, layer3, layer4] = [0, 1, 2, 3].map(|stage| {
            (0..self.blocks[stage])
                .map(|block| {
                    let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                    let block =
                        Block::new(entry, self.width << stage, stride, self.bottleneck, device);
                    entry = (self.width << stage) * expansion;
                    block
                })
                .collect()
        });
        PreActResNet {
            conv1: Conv::new(conv(3, self.width, 3, 1), device),
            layer1,
            layer2,
            layer3,
            layer4,
            linear: LinearConfig::new(entry, self.classes).init(device),
        }
    }
}

/// A pre-activation ResNet.
#[derive(Module, Debug)]
pub struct PreActResNet {
    conv1: Conv,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>,
    linear: Linear,
}

impl Network for PreActResNet {
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
        4
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = width, 2, 4, 8 times width at stages 1 to 4, and four times
    ///   that with bottlenecks
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        [&self.layer1, &self.layer2, &self.layer3, &self.layer4]
            .into_iter()
            .take(number)
            .flatten()
            .fold(self.conv1.forward(images), |x, block| block.forward(x))
    }

    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        pool(self.deep(images))
    }

    /// Only norms right behind a convolution can be folded: the first of a block follows a sum.
    fn fold(&mut self) {
        fold_conv(&mut self.conv1, None);
        [
            &mut self.layer1,
            &mut self.layer2,
            &mut self.layer3,
            &mut self.layer4,
        ]
        .into_iter()
        .flatten()
        .for_each(Block::fold);
    }
}

#[derive(Module, Debug)]
struct Block {
    bn1: BatchNorm,
    conv1: Conv,
    bn2: Option<BatchNorm>,
    conv2: Conv,
    bn3: Option<BatchNorm>,
    conv3: Option<Conv>,
    shortcut: Vec<Layer>,
}

impl Block {
    fn new(entry: usize, inner: usize, stride: usize, bottleneck: bool, device: &Device) -> Self {
        let out = if bottleneck { 4 * inner } else { inner };
        let shortcut = (stride != 1 || entry != out)
            .then(|| Layer::Conv(Conv::new(conv(entry, out, 1, stride), device)));
        let [first, second] = if bottleneck {
            [conv(entry, inner, 1, 1), conv(inner, inner, 3, stride)]
        } else {
            [conv(entry, out, 3, stride), conv(out, out, 3, 1)]
        };
        Self {
            bn1: norm(entry, device),
            conv1: Conv::new(first, device),
            bn2: Some(norm(inner, device)),
            conv2: Conv::new(second, device),
            bn3: bottleneck.then(|| norm(inner, device)),
            conv3: bottleneck.then(|| Conv::new(conv(inner, out, 1, 1), device)),
            shortcut: shortcut.into_iter().collect(),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let entry = normalize_relu(&self.bn1, x.clone());
        // A shortcut convolution sees the activated input, the identity the raw one.
        let skip = match self.shortcut.as_slice() {
            [] => x,
            layers => run(layers, entry.clone()),
        };
        let inner = conv_norm_relu(&self.conv1, self.bn2.as_ref(), entry);
        behind_sum(match &self.conv3 {
            Some(conv3) => {
                conv3.forward(conv_norm_relu(&self.conv2, self.bn3.as_ref(), inner)) + skip
            }
            None => self.conv2.forward(inner) + skip,
        })
    }

    fn fold(&mut self) {
        fold_conv(&mut self.conv1, self.bn2.take());
        fold_conv(&mut self.conv2, self.bn3.take());
        if let Some(conv) = &mut self.conv3 {
            fold_conv(conv, None);
        }
        fold_layers(&mut self.shortcut);
    }
}

// Registry.

static FAMILY: Family = Family {
    title: "Pre-activation ResNet",
    paper: "He et al., Identity Mappings in Deep Residual Networks, ECCV 2016",
    names: "the reference's, or torchvision's (`fc`, `downsample`)",
    input: any_size(32, 1),
    default_width: 64,
    small_width: 8,
    stem: "conv1.weight",
    output: Output::Classes("linear.weight"),
    aliases: &[("fc", "linear"), ("downsample", "shortcut")],
    dialects: &[],
    published: None,
};

static BASIC_TAPS: Taps = Taps {
    stages: &[map(64, 1), map(128, 2), map(256, 4), map(512, 8)],
    deep: map(512, 8),
    penultimate: 512,
};

static BOTTLENECK_TAPS: Taps = Taps {
    stages: &[map(256, 1), map(512, 2), map(1024, 4), map(2048, 8)],
    deep: map(2048, 8),
    penultimate: 2048,
};

/// Builder of a pre-activation ResNet.
macro_rules! preact {
    ($bottleneck:literal, $blocks:expr) => {
        |width, classes, device| {
            let config = PreActResNetConfig {
                blocks: $blocks,
                bottleneck: $bottleneck,
                width,
                classes,
            };
            Net::PreActResNet(config.init(device))
        }
    };
}

/// Pre-activation ResNet family in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "preact_resnet18",
        title: "PreActResNet-18",
        summary: "two pre-activation basic blocks per stage",
        family: &FAMILY,
        parameters: 11_171_146,
        taps: &BASIC_TAPS,
        golden: Some(golden(3.1e-7, 3.1e-7)),
        build: preact!(false, [2, 2, 2, 2]),
    },
    Architecture {
        name: "preact_resnet34",
        title: "PreActResNet-34",
        summary: "3, 4, 6, 3 pre-activation basic blocks",
        family: &FAMILY,
        parameters: 21_279_306,
        taps: &BASIC_TAPS,
        golden: None,
        build: preact!(false, [3, 4, 6, 3]),
    },
    Architecture {
        name: "preact_resnet50",
        title: "PreActResNet-50",
        summary: "3, 4, 6, 3 pre-activation bottleneck blocks",
        family: &FAMILY,
        parameters: 23_509_066,
        taps: &BOTTLENECK_TAPS,
        golden: Some(golden(3.6e-7, 3.8e-7)),
        build: preact!(true, [3, 4, 6, 3]),
    },
    Architecture {
        name: "preact_resnet101",
        title: "PreActResNet-101",
        summary: "3, 4, 23, 3 pre-activation bottleneck blocks: of the paper's grid",
        family: &FAMILY,
        parameters: 42_501_194,
        taps: &BOTTLENECK_TAPS,
        golden: Some(golden(6.5e-7, 5.2e-7)),
        build: preact!(true, [3, 4, 23, 3]),
    },
    Architecture {
        name: "preact_resnet152",
        title: "PreActResNet-152",
        summary: "3, 8, 36, 3 pre-activation bottleneck blocks",
        family: &FAMILY,
        parameters: 58_144_842,
        taps: &BOTTLENECK_TAPS,
        golden: None,
        build: preact!(true, [3, 8, 36, 3]),
    },
];
