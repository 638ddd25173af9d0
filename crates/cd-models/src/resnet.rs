//! ResNet for 32-pixel images: 3x3 stem, no max pooling, average pooling at the end.
//!
//! He, Zhang, Ren, Sun: *Deep Residual Learning for Image Recognition*, CVPR 2016. Parameter names
//! follow the PyTorch reference (`conv1`, `bn1`, `layer1.0.conv1`, `layer2.0.shortcut.0`, `linear`).

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::classifier::{Tap, TapError};
use crate::state::StateDict;

/// Shape of a basic-block ResNet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResNetConfig {
    /// Basic blocks in each of the four stages.
    pub blocks: [usize; 4],
    /// Channels of the stem and first stage; later stages double it.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl ResNetConfig {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> ResNet {
        let width = self.width;
        let stage = |number: usize| {
            let out = width << number;
            let entry = if number == 0 { width } else { out / 2 };
            let stride = if number == 0 { 1 } else { 2 };
            (0..self.blocks[number])
                .map(|block| match block {
                    0 => BasicBlock::new(entry, out, stride, device),
                    _ => BasicBlock::new(out, out, 1, device),
                })
                .collect()
        };
        ResNet {
            conv1: conv3x3(3, width, 1, device),
            bn1: BatchNormConfig::new(width).init(device),
            layer1: stage(0),
            layer2: stage(1),
            layer3: stage(2),
            layer4: stage(3),
            linear: LinearConfig::new(width * 8, self.classes).init(device),
        }
    }

    /// Reads the shape off a set of weights, if it is one of a basic-block ResNet.
    pub fn recognise(state: &StateDict) -> Option<Self> {
        let stem = state.shape("conv1.weight")?;
        let head = state.shape("linear.weight")?;
        let mut blocks = [0; 4];
        for (stage, count) in blocks.iter_mut().enumerate() {
            let conv = |block| format!("layer{}.{block}.conv1.weight", stage + 1);
            *count = (0..64)
                .take_while(|&b| state.shape(&conv(b)).is_some())
                .count();
        }
        let bottleneck = state.shape("layer1.0.conv3.weight").is_some();
        let plausible = stem.len() == 4 && head.len() == 2 && blocks.iter().all(|&n| n > 0);
        (plausible && !bottleneck).then(|| Self {
            blocks,
            width: stem[0],
            classes: head[0],
        })
    }
}

/// A basic-block ResNet.
#[derive(Module, Debug)]
pub struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    layer1: Vec<BasicBlock>,
    layer2: Vec<BasicBlock>,
    layer3: Vec<BasicBlock>,
    layer4: Vec<BasicBlock>,
    linear: Linear,
}

impl ResNet {
    /// Class scores.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, K]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let pooled = pool(self.stages(images, 4));
        self.linear.forward(pooled.flatten(1, 3))
    }

    /// Features at `tap`.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = width, 2, 4, 8 times width at stages 1 to 4
    ///
    /// # Errors
    ///
    /// When `tap` is a stage beyond the fourth.
    pub fn features(&self, images: Tensor<4>, tap: Tap) -> Result<Tensor<4>, TapError> {
        match tap {
            Tap::Stage(number @ 1..=4) => Ok(self.stages(images, number)),
            Tap::Deep => Ok(self.stages(images, 4)),
            Tap::Penultimate => Ok(pool(self.stages(images, 4))),
            Tap::Stage(_) => Err(TapError::Missing {
                tap,
                available: Self::taps(),
            }),
        }
    }

    /// The taps of every ResNet.
    pub fn taps() -> Vec<Tap> {
        let mut taps: Vec<Tap> = (1..=4).map(Tap::Stage).collect();
        taps.extend([Tap::Deep, Tap::Penultimate]);
        taps
    }

    fn stages(&self, images: Tensor<4>, count: usize) -> Tensor<4> {
        let stem = relu(self.bn1.forward(self.conv1.forward(images)));
        [&self.layer1, &self.layer2, &self.layer3, &self.layer4]
            .into_iter()
            .take(count)
            .flatten()
            .fold(stem, |x, block| block.forward(x))
    }
}

/// Mean over the whole map, `[B, F, h, w]` to `[B, F, 1, 1]`.
fn pool(map: Tensor<4>) -> Tensor<4> {
    map.mean_dims(&[2, 3])
}

#[derive(Module, Debug)]
struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    shortcut: Option<(Conv2d, BatchNorm)>,
}

impl BasicBlock {
    fn new(entry: usize, out: usize, stride: usize, device: &Device) -> Self {
        let reshapes = stride != 1 || entry != out;
        Self {
            conv1: conv3x3(entry, out, stride, device),
            bn1: BatchNormConfig::new(out).init(device),
            conv2: conv3x3(out, out, 1, device),
            bn2: BatchNormConfig::new(out).init(device),
            shortcut: reshapes.then(|| {
                let conv = Conv2dConfig::new([entry, out], [1, 1])
                    .with_stride([stride, stride])
                    .with_bias(false)
                    .init(device);
                (conv, BatchNormConfig::new(out).init(device))
            }),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let inner = relu(self.bn1.forward(self.conv1.forward(x.clone())));
        let inner = self.bn2.forward(self.conv2.forward(inner));
        let skip = match &self.shortcut {
            Some((conv, norm)) => norm.forward(conv.forward(x)),
            None => x,
        };
        relu(inner + skip)
    }
}

fn conv3x3(entry: usize, out: usize, stride: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([entry, out], [3, 3])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .with_bias(false)
        .init(device)
}
