//! EfficientNet-Lite0 for 224-pixel images.
//!
//! Of the EfficientNet-Lite family of the TensorFlow TPU repository, 2020, after Tan, Le: *EfficientNet: Rethinking Model Scaling
//! for Convolutional Neural Networks*, ICML 2019: no weighing of channels, and ReLU6 for SiLU. Strides pad as TensorFlow's
//! `SAME` does, so most of the padding of a stride of 2 stands right and below. Parameter names follow the PyTorch package
//! `efficientnet-lite-pytorch` (`_conv_stem`, `_bn0`, `_blocks.0._depthwise_conv`, ..., `_fc`). Dropout and stochastic depth of
//! training are left out.

use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::nn::{BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::ops::PadMode;
use burn::tensor::{Device, Tensor};

use crate::model::normalization::Normalization;
use crate::registry::{Architecture, Family, Output, Published, any_size, golden_logits};

use super::efficientnet::{LAST, PUBLISHED_WIDTH, STAGES, Stage, TAPS};
use super::layers::{ConvNorm, conv, pool, scaled};
use super::{Net, Network};

const STEM_KERNEL: usize = 3;
const STEM_STRIDE: usize = 2;

/// Shape of an EfficientNet-Lite0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EfficientNetLiteConfig {
    /// Channels of the stem; all others scale with it. 32 as published.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl EfficientNetLiteConfig {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> EfficientNetLite {
        let channels = |published| scaled(published, self.width, PUBLISHED_WIDTH);
        let mut blocks = Vec::new();
        let mut entry = self.width;
        for stage in &STAGES {
            let out = channels(stage.channels);
            for block in 0..stage.blocks {
                let stride = if block == 0 { stage.stride } else { 1 };
                blocks.push(Block::new(entry, out, stride, stage, device));
                entry = out;
            }
        }
        let last = channels(LAST);
        EfficientNetLite {
            conv_stem: unit(same(conv(3, self.width, STEM_KERNEL, STEM_STRIDE)), device),
            blocks,
            conv_head: unit(conv(entry, last, 1, 1), device),
            linear: LinearConfig::new(last, self.classes).init(device),
        }
    }
}

/// An EfficientNet-Lite0.
#[derive(Module, Debug)]
pub struct EfficientNetLite {
    conv_stem: ConvNorm,
    blocks: Vec<Block>,
    conv_head: ConvNorm,
    linear: Linear,
}

impl Network for EfficientNetLite {
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
    /// - output: `[B, F, h, w]`; `F` = 16, 24, 40, 80, 112, 192, 320 at width 32
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        let count = STAGES[..number].iter().map(|stage| stage.blocks).sum();
        let blocks = self.blocks.iter().take(count);
        let images = even(images, STEM_STRIDE);
        let stem = self.conv_stem.forward_relu6(images);
        blocks.fold(stem, |x, block| block.forward(x))
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = 1280 at width 32
    fn deep(&self, images: Tensor<4>) -> Tensor<4> {
        self.conv_head
            .forward_relu6(self.stage(images, STAGES.len()))
    }

    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        pool(self.deep(images))
    }

    fn public_name(&self, name: String) -> String {
        let parts = name.split('.').map(|part| match part {
            "blocks" => "_blocks",
            "conv_stem" => "_conv_stem",
            "conv_head" => "_conv_head",
            "conv_expand" => "_expand_conv",
            "conv_depthwise" => "_depthwise_conv",
            "conv_project" => "_project_conv",
            "bn_stem" | "bn_expand" => "_bn0",
            "bn_head" | "bn_depthwise" => "_bn1",
            "bn_project" => "_bn2",
            "linear" => "_fc",
            other => other,
        });
        parts.collect::<Vec<_>>().join(".")
    }

    fn fold(&mut self) {
        self.conv_stem.fold();
        self.blocks.iter_mut().for_each(Block::fold);
        self.conv_head.fold();
    }
}

/// A convolution with this family's BatchNorm.
fn unit(config: Conv2dConfig, device: &Device) -> ConvNorm {
    let norm = BatchNormConfig::new(config.channels[1]);
    ConvNorm::with_norm(config, &norm.with_epsilon(1e-3).with_momentum(0.01), device)
}

/// Padding as `SAME` does it: to a map as large as the input over the stride, rounded up, where inputs of stride 2 come from [`even`].
fn same(config: Conv2dConfig) -> Conv2dConfig {
    if config.stride == [1, 1] {
        return config;
    }
    let behind = config.kernel_size[0] / 2;
    let before = behind - 1;
    config.with_padding(PaddingConfig2d::Explicit(before, before, behind, behind))
}

/// `x` as a convolution of stride 2 by [`same`] wants it: a row and a column of zeros in front where their number is odd, for then as
/// much padding stands in front as behind.
fn even(x: Tensor<4>, stride: usize) -> Tensor<4> {
    let [.., height, width] = x.dims();
    let missing = [height, width].map(|extent| if stride == 1 { 0 } else { extent % 2 });
    if missing == [0, 0] {
        return x;
    }
    x.pad(missing.map(|zeros| (zeros, 0)), PadMode::Constant(0.0))
}

/// Expand, convolve each channel, project.
#[derive(Module, Debug)]
struct Block {
    conv_expand: Option<ConvNorm>,
    conv_depthwise: ConvNorm,
    stride: usize,
    conv_project: ConvNorm,
    residual: bool,
}

impl Block {
    fn new(entry: usize, out: usize, stride: usize, stage: &Stage, device: &Device) -> Self {
        let inner = entry * stage.expansion;
        let expands = stage.expansion > 1;
        let depthwise = conv(inner, inner, stage.kernel, stride).with_groups(inner);
        Self {
            conv_expand: expands.then(|| unit(conv(entry, inner, 1, 1), device)),
            conv_depthwise: unit(same(depthwise), device),
            stride,
            conv_project: unit(conv(inner, out, 1, 1), device),
            residual: stride == 1 && entry == out,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let inner = match &self.conv_expand {
            Some(expand) => expand.forward_relu6(x.clone()),
            None => x.clone(),
        };
        let inner = self.conv_depthwise.forward_relu6(even(inner, self.stride));
        if self.residual {
            self.conv_project.forward_add(inner, x)
        } else {
            self.conv_project.forward(inner)
        }
    }

    fn fold(&mut self) {
        self.conv_expand.iter_mut().for_each(ConvNorm::fold);
        self.conv_depthwise.fold();
        self.conv_project.fold();
    }
}

// Registry.

static FAMILY: Family = Family {
    title: "EfficientNet-Lite",
    paper: "The EfficientNet-Lite models of the TensorFlow TPU repository, 2020, after Tan and Le, EfficientNet, ICML 2019",
    names: "those of `efficientnet-lite-pytorch` (`_conv_stem`, `_blocks.0._depthwise_conv`, ..., `_fc`)",
    input: any_size(224, 1),
    default_width: PUBLISHED_WIDTH,
    small_width: 8,
    stem: "_conv_stem.weight",
    output: Output::Classes("_fc.weight"),
    aliases: &[],
    dialects: &[],
    published: Some(Published {
        classes: 1000,
        normalization: Normalization {
            mean: [127.0 / 255.0; 3],
            std: [128.0 / 255.0; 3],
        },
    }),
};

/// This family in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[Architecture {
    name: "efficientnet_lite0",
    title: "EfficientNet-Lite0",
    summary: "16 inverted residual blocks with ReLU6; the published weights take pixels as (x - 127) / 128",
    family: &FAMILY,
    parameters: 3_383_818,
    taps: &TAPS,
    golden: Some(golden_logits(2.2e-7)),
    build: |width, classes, device| {
        Net::EfficientNetLite(EfficientNetLiteConfig { width, classes }.init(device))
    },
}];

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Distribution;
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::ConvOptions;

    use super::*;
    use crate::batch::to_host;
    use crate::net::conv::Conv;

    /// Zeros around as TensorFlow's `SAME` puts them for a stride of 2: half of what is missing in front, rounded down.
    fn as_defined(x: Tensor<4>, kernel: usize) -> Tensor<4> {
        let [.., height, width] = x.dims();
        let around = |extent: usize| {
            let total = ((extent.div_ceil(2) - 1) * 2 + kernel).saturating_sub(extent);
            (total / 2, total - total / 2)
        };
        x.pad([around(height), around(width)], PadMode::Constant(0.0))
    }

    #[test]
    fn strides_pad_as_tensorflow_does() {
        let device = Device::flex();
        for (kernel, extents) in [
            (3, [6, 9]),
            (3, [5, 8]),
            (5, [8, 7]),
            (5, [9, 6]),
            (3, [1, 2]),
        ] {
            for groups in [1, 4] {
                let config = conv(4, 4, kernel, 2).with_groups(groups);
                let layer = Conv::new(same(config), &device);
                let [height, width] = extents;
                let x = Tensor::random([2, 4, height, width], Distribution::Default, &device);
                let options = ConvOptions::new([2, 2], [0, 0], [1, 1], groups);
                let expected = as_defined(x.clone(), kernel);
                let expected = conv2d(expected, layer.weight.val(), None, options);
                let got = layer.forward(even(x, 2));
                assert_eq!(got.dims(), expected.dims(), "{kernel} {extents:?}");
                for (got, expected) in to_host(got).iter().zip(to_host(expected)) {
                    assert!((got - expected).abs() < 1e-5, "{kernel} {extents:?}");
                }
            }
        }
    }
}
