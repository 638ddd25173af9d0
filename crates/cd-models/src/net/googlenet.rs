//! GoogLeNet for 32-pixel images: a 192-channel stem, nine inception modules, BatchNorm throughout.
//!
//! Szegedy et al.: *Going Deeper with Convolutions*, CVPR 2015. As in the reference, the 5x5 path is
//! two 3x3 convolutions and there are no auxiliary heads. Parameter names follow the reference
//! (`pre_layers.0`, `a3.b1.0`, `a3.b2.3`, ..., `linear`).

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::registry::{Architecture, Family, Output, Taps, any_size, golden, map};

use super::fold::fold_layers;
use super::layers::{Layer, conv, conv_norm_layers, joined, max_pool, pool, run, scaled};
use super::{Net, Network};

const PUBLISHED_WIDTH: usize = 192;

/// Channels of an inception module's paths.
struct Paths {
    one: usize,
    three: [usize; 2],
    five: [usize; 2],
    pooled: usize,
}

const fn paths(one: usize, three: [usize; 2], five: [usize; 2], pooled: usize) -> Paths {
    Paths {
        one,
        three,
        five,
        pooled,
    }
}

/// Modules a3, b3, a4, ..., b5.
const MODULES: [Paths; 9] = [
    paths(64, [96, 128], [16, 32], 32),
    paths(128, [128, 192], [32, 96], 64),
    paths(192, [96, 208], [16, 48], 64),
    paths(160, [112, 224], [24, 64], 64),
    paths(128, [128, 256], [24, 64], 64),
    paths(112, [144, 288], [32, 64], 64),
    paths(256, [160, 320], [32, 128], 128),
    paths(256, [160, 320], [32, 128], 128),
    paths(384, [192, 384], [48, 128], 128),
];

/// Shape of a GoogLeNet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogLeNetConfig {
    /// Channels of the stem; all others scale with it. 192 as published.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl GoogLeNetConfig {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> GoogLeNet {
        let mut entry = self.width;
        let [a3, b3, a4, b4, c4, d4, e4, a5, b5] = MODULES.map(|paths| {
            let (module, out) = Inception::new(entry, &paths, self.width, device);
            entry = out;
            module
        });
        GoogLeNet {
            pre_layers: unit(3, self.width, 3, device),
            a3,
            b3,
            a4,
            b4,
            c4,
            d4,
            e4,
            a5,
            b5,
            linear: LinearConfig::new(entry, self.classes).init(device),
        }
    }
}

/// Convolution with bias, BatchNorm, ReLU.
fn unit(entry: usize, out: usize, kernel: usize, device: &Device) -> Vec<Layer> {
    conv_norm_layers(conv(entry, out, kernel, 1).with_bias(true), true, device)
}

/// A GoogLeNet.
#[derive(Module, Debug)]
pub struct GoogLeNet {
    pre_layers: Vec<Layer>,
    a3: Inception,
    b3: Inception,
    a4: Inception,
    b4: Inception,
    c4: Inception,
    d4: Inception,
    e4: Inception,
    a5: Inception,
    b5: Inception,
    linear: Linear,
}

impl Network for GoogLeNet {
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

    /// Stage 1 is the stem, stages 2 to 4 the inception modules between max poolings.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = 192, 480, 832, 1024 at width 192
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        let stages: [&[&Inception]; 3] = [
            &[&self.a3, &self.b3],
            &[&self.a4, &self.b4, &self.c4, &self.d4, &self.e4],
            &[&self.a5, &self.b5],
        ];
        let mut x = run(&self.pre_layers, images);
        for (index, modules) in stages.into_iter().take(number - 1).enumerate() {
            if index > 0 {
                x = max_pool(3, 2, 1).forward(x);
            }
            x = modules.iter().fold(x, |x, module| module.forward(x));
        }
        x
    }

    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        pool(self.deep(images))
    }

    fn fold(&mut self) {
        fold_layers(&mut self.pre_layers);
        [
            &mut self.a3,
            &mut self.b3,
            &mut self.a4,
            &mut self.b4,
            &mut self.c4,
            &mut self.d4,
            &mut self.e4,
            &mut self.a5,
            &mut self.b5,
        ]
        .into_iter()
        .flat_map(|module| {
            [
                &mut module.b1,
                &mut module.b2,
                &mut module.b3,
                &mut module.b4,
            ]
        })
        .for_each(fold_layers);
    }
}

/// Four paths side by side, joined along the channels.
#[derive(Module, Debug)]
struct Inception {
    b1: Vec<Layer>,
    b2: Vec<Layer>,
    b3: Vec<Layer>,
    b4: Vec<Layer>,
}

impl Inception {
    /// The module and its number of output channels.
    fn new(entry: usize, paths: &Paths, width: usize, device: &Device) -> (Self, usize) {
        let channels = |published| scaled(published, width, PUBLISHED_WIDTH);
        let one = channels(paths.one);
        let three = paths.three.map(channels);
        let five = paths.five.map(channels);
        let pooled = channels(paths.pooled);
        let unit = |entry, out, kernel| unit(entry, out, kernel, device);
        let mut behind_pool = vec![Layer::MaxPool(max_pool(3, 1, 1))];
        behind_pool.extend(unit(entry, pooled, 1));
        let module = Self {
            b1: unit(entry, one, 1),
            b2: [unit(entry, three[0], 1), unit(three[0], three[1], 3)]
                .into_iter()
                .flatten()
                .collect(),
            b3: [
                unit(entry, five[0], 1),
                unit(five[0], five[1], 3),
                unit(five[1], five[1], 3),
            ]
            .into_iter()
            .flatten()
            .collect(),
            b4: behind_pool,
        };
        (module, one + three[1] + five[1] + pooled)
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let paths = [&self.b1, &self.b2, &self.b3, &self.b4];
        joined(paths.map(|layers| run(layers, x.clone())).to_vec())
    }
}

// Registry.

static FAMILY: Family = Family {
    title: "GoogLeNet",
    paper: "Szegedy et al., Going Deeper with Convolutions, CVPR 2015",
    names: "the reference's (`pre_layers.0`, `a3.b1.0`, ..., `linear`)",
    input: any_size(32, 1),
    default_width: 192,
    small_width: 24,
    stem: "pre_layers.0.weight",
    output: Output::Classes("linear.weight"),
    aliases: &[],
    dialects: &[],
    published: None,
};

static TAPS: Taps = Taps {
    stages: &[map(192, 1), map(480, 1), map(832, 2), map(1024, 4)],
    deep: map(1024, 4),
    penultimate: 1024,
};

/// This family in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[Architecture {
    name: "googlenet",
    title: "GoogLeNet",
    summary: "nine inception modules with BatchNorm: of the paper's grid",
    family: &FAMILY,
    parameters: 6_166_250,
    taps: &TAPS,
    golden: Some(golden(2.3e-7, 3.7e-7)),
    build: |width, classes, device| Net::GoogLeNet(GoogLeNetConfig { width, classes }.init(device)),
}];
