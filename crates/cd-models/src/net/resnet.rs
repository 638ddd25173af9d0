//! ResNet, in the 32-pixel form of the reference and in the 224-pixel form of torchvision.
//!
//! He, Zhang, Ren, Sun: *Deep Residual Learning for Image Recognition*, CVPR 2016. The 32-pixel form
//! has a 3x3 stem and no max pooling, and the reference's parameter names (`conv1`, `bn1`,
//! `layer1.0.conv1`, `layer2.0.shortcut.0`, `linear`); the 224-pixel form has a 7x7 stem of stride 2
//! with max pooling, and torchvision's names (`downsample` for `shortcut`, `fc` for `linear`).

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::Network;
use super::fold::fold_layers;
use super::layers::{ConvNorm, Layer, conv, conv_norm_layers, max_pool, pool, run};

mod entries;

pub(crate) use entries::ARCHITECTURES;
pub(super) use entries::{LARGE_BASIC_TAPS, PAPER};

/// How an image enters a ResNet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stem {
    /// 3x3 convolution at full resolution, for images of about 32 pixels.
    Small,
    /// 7x7 convolution of stride 2 and 3x3 max pooling of stride 2, for about 224 pixels.
    Large,
}

/// Shape of a ResNet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResNetConfig {
    /// Residual blocks in each of the four stages.
    pub blocks: [usize; 4],
    /// Blocks of three convolutions whose output is four times as wide, instead of two.
    pub bottleneck: bool,
    /// How images enter.
    pub stem: Stem,
    /// Channels of the stem and of the first stage's inner convolutions; later stages double it.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl ResNetConfig {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> ResNet {
        ResNet {
            trunk: self.init_trunk(device),
            linear: LinearConfig::new(self.features(), self.classes).init(device),
        }
    }

    /// Everything before the head.
    pub(super) fn init_trunk(&self, device: &Device) -> Trunk {
        let mut entry = self.width;
        let [layer1, layer2, layer3, layer4] = [0, 1, 2, 3].map(|stage| {
            (0..self.blocks[stage])
                .map(|block| {
                    let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                    let block =
                        Block::new(entry, self.width << stage, stride, self.bottleneck, device);
                    entry = (self.width << stage) * self.expansion();
                    block
                })
                .collect()
        });
        let stem = match self.stem {
            Stem::Small => conv(3, self.width, 3, 1),
            Stem::Large => conv(3, self.width, 7, 2),
        };
        Trunk {
            conv1: ConvNorm::new(stem, device),
            layer1,
            layer2,
            layer3,
            layer4,
            stem: self.stem,
        }
    }

    /// Channels of the last feature map.
    pub(super) fn features(&self) -> usize {
        self.width * 8 * self.expansion()
    }

    fn expansion(&self) -> usize {
        if self.bottleneck { 4 } else { 1 }
    }
}

/// A ResNet.
#[derive(Module, Debug)]
pub struct ResNet {
    trunk: Trunk,
    linear: Linear,
}

impl Network for ResNet {
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
        self.trunk.stage(images, number)
    }

    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        pool(self.deep(images))
    }

    fn public_name(&self, name: String) -> String {
        match self.trunk.stem {
            Stem::Small => name,
            Stem::Large => torchvision(&name).replace("linear.", "fc."),
        }
    }

    fn fold(&mut self) {
        self.trunk.fold();
    }
}

/// torchvision calls the shortcut `downsample`.
pub(super) fn torchvision(name: &str) -> String {
    name.replace(".shortcut.", ".downsample.")
}

/// The convolutional part of a ResNet.
#[derive(Module, Debug)]
pub(super) struct Trunk {
    conv1: ConvNorm,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>,
    #[module(skip)]
    stem: Stem,
}

impl Trunk {
    /// Output of stage `number`, from 1 to 4.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`
    pub(super) fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        let stem = self.conv1.forward_relu(images);
        let stem = match self.stem {
            Stem::Small => stem,
            Stem::Large => max_pool(3, 2, 1).forward(stem),
        };
        [&self.layer1, &self.layer2, &self.layer3, &self.layer4]
            .into_iter()
            .take(number)
            .flatten()
            .fold(stem, |x, block| block.forward(x))
    }

    pub(super) fn fold(&mut self) {
        self.conv1.fold();
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
    conv1: ConvNorm,
    conv2: ConvNorm,
    conv3: Option<ConvNorm>,
    shortcut: Vec<Layer>,
}

impl Block {
    fn new(entry: usize, inner: usize, stride: usize, bottleneck: bool, device: &Device) -> Self {
        let out = if bottleneck { 4 * inner } else { inner };
        let shortcut = if stride != 1 || entry != out {
            conv_norm_layers(conv(entry, out, 1, stride), false, device)
        } else {
            Vec::new()
        };
        let unit = |config| ConvNorm::new(config, device);
        if bottleneck {
            return Self {
                conv1: unit(conv(entry, inner, 1, 1)),
                conv2: unit(conv(inner, inner, 3, stride)),
                conv3: Some(unit(conv(inner, out, 1, 1))),
                shortcut,
            };
        }
        Self {
            conv1: unit(conv(entry, out, 3, stride)),
            conv2: unit(conv(out, out, 3, 1)),
            conv3: None,
            shortcut,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let inner = self.conv1.forward_relu(x.clone());
        let skip = run(&self.shortcut, x);
        match &self.conv3 {
            Some(conv3) => conv3.forward_add_relu(self.conv2.forward_relu(inner), skip),
            None => self.conv2.forward_add_relu(inner, skip),
        }
    }

    fn fold(&mut self) {
        self.conv1.fold();
        self.conv2.fold();
        self.conv3.iter_mut().for_each(ConvNorm::fold);
        fold_layers(&mut self.shortcut);
    }
}
