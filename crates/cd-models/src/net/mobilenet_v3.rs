//! MobileNetV3, small and large, for 224-pixel images.
//!
//! Howard et al.: *Searching for MobileNetV3*, ICCV 2019. Parameter names and settings follow torchvision
//! (`features.1.block.0.0`, `features.4.block.2.fc1`, `classifier.0`, `classifier.3`). The dropout of its training is left out.

use burn::module::Module;
use burn::nn::{BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::registry::{Architecture, Family, Output, Taps, any_size, golden_logits, map};

use super::conv::Conv;
use super::curve::{hard_sigmoid, hard_swish, weigh};
use super::fold::{fold_conv, fold_layers};
use super::layers::{
    Layer, conv, pool, pool_to_pixel, run, run_add, run_relu, scaled, with_norm_layers,
};
use super::{Net, Network};

const PUBLISHED_WIDTH: usize = 16;

/// A block as published.
struct Published {
    kernel: usize,
    expanded: usize,
    out: usize,
    squeezes: bool,
    hard: bool,
    stride: usize,
}

const fn block(
    kernel: usize,
    expanded: usize,
    out: usize,
    squeezes: bool,
    hard: bool,
    stride: usize,
) -> Published {
    Published {
        kernel,
        expanded,
        out,
        squeezes,
        hard,
        stride,
    }
}

/// The two published forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MobileNetV3Size {
    /// 11 blocks.
    Small,
    /// 15 blocks.
    Large,
}

impl MobileNetV3Size {
    fn blocks(self) -> &'static [Published] {
        match self {
            Self::Small => &SMALL,
            Self::Large => &LARGE,
        }
    }

    /// Channels of the last map, and of the layer before the last.
    fn last(self) -> [usize; 2] {
        match self {
            Self::Small => [576, 1024],
            Self::Large => [960, 1280],
        }
    }
}

static SMALL: [Published; 11] = [
    block(3, 16, 16, true, false, 2),
    block(3, 72, 24, false, false, 2),
    block(3, 88, 24, false, false, 1),
    block(5, 96, 40, true, true, 2),
    block(5, 240, 40, true, true, 1),
    block(5, 240, 40, true, true, 1),
    block(5, 120, 48, true, true, 1),
    block(5, 144, 48, true, true, 1),
    block(5, 288, 96, true, true, 2),
    block(5, 576, 96, true, true, 1),
    block(5, 576, 96, true, true, 1),
];

static LARGE: [Published; 15] = [
    block(3, 16, 16, false, false, 1),
    block(3, 64, 24, false, false, 2),
    block(3, 72, 24, false, false, 1),
    block(5, 72, 40, true, false, 2),
    block(5, 120, 40, true, false, 1),
    block(5, 120, 40, true, false, 1),
    block(3, 240, 80, false, true, 2),
    block(3, 200, 80, false, true, 1),
    block(3, 184, 80, false, true, 1),
    block(3, 184, 80, false, true, 1),
    block(3, 480, 112, true, true, 1),
    block(3, 672, 112, true, true, 1),
    block(5, 672, 160, true, true, 2),
    block(5, 960, 160, true, true, 1),
    block(5, 960, 160, true, true, 1),
];

/// Shape of a MobileNetV3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MobileNetV3Config {
    /// Which of the two.
    pub size: MobileNetV3Size,
    /// Channels of the stem; all others scale with it. 16 as published.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl MobileNetV3Config {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> MobileNetV3 {
        let channels = |published| scaled(published, self.width, PUBLISHED_WIDTH);
        let blocks = self.size.blocks();
        let [last, hidden] = self.size.last();
        let mut features = vec![Feature::Unit(unit(3, self.width, 3, 2, 1, device))];
        let mut entry = PUBLISHED_WIDTH;
        for block in blocks {
            features.push(Feature::Block(Block::new(entry, block, &channels, device)));
            entry = block.out;
        }
        let unit = unit(channels(entry), channels(last), 1, 1, 1, device);
        features.push(Feature::Unit(unit));
        let hidden = channels(hidden);
        MobileNetV3 {
            features,
            hidden: LinearConfig::new(channels(last), hidden).init(device),
            linear: LinearConfig::new(hidden, self.classes).init(device),
            ends: ends(blocks),
        }
    }
}

/// How many blocks the first stages have together: a stage ends where the number of channels changes.
fn ends(blocks: &[Published]) -> Vec<usize> {
    let changes = blocks.windows(2).enumerate();
    let changes = changes.filter(|(_, pair)| pair[0].out != pair[1].out);
    let ends = changes.map(|(index, _)| index + 1);
    ends.chain([blocks.len()]).collect()
}

/// A convolution with this family's BatchNorm; `groups` of channels are kept apart.
fn unit(
    entry: usize,
    out: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
    device: &Device,
) -> Vec<Layer> {
    let norm = BatchNormConfig::new(out)
        .with_epsilon(1e-3)
        .with_momentum(0.01);
    let config = conv(entry, out, kernel, stride).with_groups(groups);
    with_norm_layers(config, &norm, false, device)
}

/// A MobileNetV3.
#[derive(Module, Debug)]
pub struct MobileNetV3 {
    features: Vec<Feature>,
    hidden: Linear,
    linear: Linear,
    #[module(skip)]
    ends: Vec<usize>,
}

impl MobileNetV3 {
    fn features(&self, images: Tensor<4>, count: usize) -> Tensor<4> {
        let features = self.features.iter().take(count);
        features.fold(images, |x, feature| feature.forward(x))
    }
}

impl Network for MobileNetV3 {
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
        self.ends.len()
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = 16, 24, 40, 80, 112, 160 (large) or 16, 24, 40, 48, 96 (small) at width 16
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        self.features(images, 1 + self.ends[number - 1])
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = 960 (large) or 576 (small) at width 16
    fn deep(&self, images: Tensor<4>) -> Tensor<4> {
        self.features(images, self.features.len())
    }

    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        hard_swish(self.hidden.forward(pool(self.deep(images))))
    }

    /// An activation and a dropout stand between the linear layers of torchvision's head.
    fn public_name(&self, name: String) -> String {
        match name.split_once('.') {
            Some(("hidden", rest)) => format!("classifier.0.{rest}"),
            Some(("linear", rest)) => format!("classifier.3.{rest}"),
            _ => name,
        }
    }

    fn fold(&mut self) {
        for feature in &mut self.features {
            match feature {
                Feature::Unit(layers) => fold_layers(layers),
                Feature::Block(block) => block.fold(),
            }
        }
    }
}

#[derive(Module, Debug)]
enum Feature {
    Unit(Vec<Layer>),
    Block(Block),
}

impl Feature {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Unit(layers) => hard_swish(run(layers, x)),
            Self::Block(block) => block.forward(x),
        }
    }
}

/// Expand, convolve each channel, weigh channels, project.
#[derive(Module, Debug)]
#[expect(
    clippy::struct_field_names,
    reason = "torchvision's name, which parameters are called by"
)]
struct Block {
    block: Vec<Part>,
    hard: bool,
    residual: bool,
}

impl Block {
    /// `entry` channels as published.
    fn new(
        entry: usize,
        published: &Published,
        channels: &impl Fn(usize) -> usize,
        device: &Device,
    ) -> Self {
        let inner = channels(published.expanded);
        let mut block = Vec::new();
        if published.expanded != entry {
            block.push(Part::Unit(unit(channels(entry), inner, 1, 1, 1, device)));
        }
        let (kernel, stride) = (published.kernel, published.stride);
        block.push(Part::Unit(unit(
            inner, inner, kernel, stride, inner, device,
        )));
        if published.squeezes {
            let squeezed = channels(multiple_of_8(published.expanded / 4));
            block.push(Part::Squeeze(SqueezeExcitation::new(
                inner, squeezed, device,
            )));
        }
        let out = channels(published.out);
        block.push(Part::Unit(unit(inner, out, 1, 1, 1, device)));
        Self {
            block,
            hard: published.hard,
            residual: published.stride == 1 && entry == published.out,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let last = self.block.len() - 1;
        let parts = self.block.iter().enumerate();
        parts.fold(x.clone(), |inner, (index, part)| match part {
            // The projection stays linear.
            Part::Unit(layers) if index == last && self.residual => {
                run_add(layers, inner, x.clone())
            }
            Part::Unit(layers) if index == last => run(layers, inner),
            Part::Unit(layers) if self.hard => hard_swish(run(layers, inner)),
            Part::Unit(layers) => run_relu(layers, inner),
            Part::Squeeze(squeeze) => squeeze.forward(inner),
        })
    }

    fn fold(&mut self) {
        for part in &mut self.block {
            match part {
                Part::Unit(layers) => fold_layers(layers),
                Part::Squeeze(squeeze) => {
                    fold_conv(&mut squeeze.fc1, None);
                    fold_conv(&mut squeeze.fc2, None);
                }
            }
        }
    }
}

/// The nearest multiple of 8, at least 8, and at least nine tenths of `channels`.
fn multiple_of_8(channels: usize) -> usize {
    let nearest = ((channels + 4) / 8 * 8).max(8);
    if 10 * nearest < 9 * channels {
        nearest + 8
    } else {
        nearest
    }
}

#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "modules cannot be boxed, and the tensors are elsewhere anyway"
)]
enum Part {
    Unit(Vec<Layer>),
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
        let squeezed = self.fc1.forward_relu(pool_to_pixel(x.clone()));
        weigh(x, hard_sigmoid(self.fc2.forward(squeezed)))
    }
}

// Registry.

static FAMILY: Family = Family {
    title: "MobileNetV3",
    paper: "Howard et al., Searching for MobileNetV3, ICCV 2019",
    names: "torchvision's (timm's are of other settings that names do not tell)",
    input: any_size(224, 1),
    default_width: PUBLISHED_WIDTH,
    small_width: 4,
    stem: "features.0.0.weight",
    output: Output::Classes("classifier.3.weight"),
    aliases: &[],
    dialects: &[],
    published: None,
};

static SMALL_TAPS: Taps = Taps {
    stages: &[
        map(16, 4),
        map(24, 8),
        map(40, 16),
        map(48, 16),
        map(96, 32),
    ],
    deep: map(576, 32),
    penultimate: 1024,
};

static LARGE_TAPS: Taps = Taps {
    stages: &[
        map(16, 2),
        map(24, 4),
        map(40, 8),
        map(80, 16),
        map(112, 16),
        map(160, 32),
    ],
    deep: map(960, 32),
    penultimate: 1280,
};

/// Builder of a MobileNetV3.
macro_rules! mobile {
    ($size:ident) => {
        |width, classes, device| {
            let config = MobileNetV3Config {
                size: MobileNetV3Size::$size,
                width,
                classes,
            };
            Net::MobileNetV3(config.init(device))
        }
    };
}

/// This family in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "mobilenet_v3_small",
        title: "MobileNetV3-Small",
        summary: "11 inverted residual blocks with hard-swish",
        family: &FAMILY,
        parameters: 1_528_106,
        taps: &SMALL_TAPS,
        golden: Some(golden_logits(7.5e-7)),
        build: mobile!(Small),
    },
    Architecture {
        name: "mobilenet_v3_large",
        title: "MobileNetV3-Large",
        summary: "15 inverted residual blocks with hard-swish",
        family: &FAMILY,
        parameters: 4_214_842,
        taps: &LARGE_TAPS,
        golden: Some(golden_logits(2.0e-7)),
        build: mobile!(Large),
    },
];
