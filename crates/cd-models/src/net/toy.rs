//! The reference's small network for 28-pixel images: two convolutions and two linear layers.
//!
//! Parameter names follow the reference (`block1.0.out_conv.0`, `fc1.0`, `fc2`).

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::input_size::InputSize;
use crate::registry::{Architecture, Family, Golden, Output, Taps, map};

use super::fold::fold_layers;
use super::layers::{Layer, LinearNorm, conv, conv_norm_layers, max_pool, run};
use super::{Net, Network};

/// Pixels a side.
pub(super) const SIDE: usize = 28;

/// Shape of the toy network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToyConfig {
    /// Channels of the first convolution; 32 as published. Later layers have twice and four times it.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl ToyConfig {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> Toy {
        let unit = |entry, out| {
            let config = conv(entry, out, 3, 1).with_bias(true);
            conv_norm_layers(config, true, device)
        };
        let side = SIDE / 4;
        Toy {
            block1: unit(3, self.width),
            block2: unit(self.width, 2 * self.width),
            fc1: LinearNorm::new(2 * self.width * side * side, 4 * self.width, device),
            fc2: LinearConfig::new(4 * self.width, self.classes).init(device),
        }
    }
}

/// The toy network.
#[derive(Module, Debug)]
pub struct Toy {
    block1: Vec<Layer>,
    block2: Vec<Layer>,
    fc1: LinearNorm,
    fc2: Linear,
}

impl Network for Toy {
    /// Class scores.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, 28, 28]`
    /// - output: `[B, K]`
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.fc2.forward(self.penultimate(images))
    }

    fn stages(&self) -> usize {
        2
    }

    /// The map before the `number`-th max pooling.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, 28, 28]`
    /// - output: `[B, F, h, w]`; `F` = width, then twice the width
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        let first = run(&self.block1, images);
        if number == 1 {
            return first;
        }
        run(&self.block2, max_pool(2, 2, 0).forward(first))
    }

    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        let map = max_pool(2, 2, 0).forward(self.deep(images));
        relu(self.fc1.forward(map.flatten(1, 3)))
    }

    fn public_name(&self, name: String) -> String {
        name.replace("block1.", "block1.0.out_conv.")
            .replace("block2.", "block2.0.out_conv.")
            .replace("fc1.fc.", "fc1.0.")
            .replace("fc1.bn.", "fc1.1.")
    }

    fn fold(&mut self) {
        fold_layers(&mut self.block1);
        fold_layers(&mut self.block2);
        self.fc1.fold();
    }
}

// Registry.

static FAMILY: Family = Family {
    title: "Toy",
    paper: "Huang et al., Distilling Cognitive Backdoor Patterns within an Image, ICLR 2023 (code)",
    names: "the reference's (`block1.0.out_conv.0`, `fc1.0`, `fc2`)",
    input: InputSize::Exactly(28),
    default_width: 32,
    small_width: 8,
    stem: "block1.0.out_conv.0.weight",
    output: Output::Classes("fc2.weight"),
    aliases: &[],
    dialects: &[],
    published: None,
};

static TAPS: Taps = Taps {
    stages: &[map(32, 1), map(64, 2)],
    deep: map(64, 2),
    penultimate: 128,
};

/// This family in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[Architecture {
    name: "toy",
    title: "Toy network",
    summary: "two convolutions and two linear layers for 28-pixel images",
    family: &FAMILY,
    parameters: 422_666,
    taps: &TAPS,
    golden: Some(Golden {
        logits: 3.6e-7,
        penultimate: None,
    }),
    build: |width, classes, device| Net::Toy(ToyConfig { width, classes }.init(device)),
}];
