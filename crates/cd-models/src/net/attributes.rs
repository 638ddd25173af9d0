//! ResNet-18 with one small head per attribute, for 224-pixel faces (CelebA has 40 attributes).
//!
//! A shared ResNet trunk and linear stem, then a head of two linear layers with two scores (absent,
//! present) for each attribute. Parameter names follow the reference (`conv1`, ..., `stem.fc`,
//! `classifier00.0.fc`, `classifier00.1`).

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::registry::{Architecture, Family, Output, any_size, golden};

use super::layers::{LinearNorm, pool};
use super::resnet::{self, ResNetConfig, Stem, Trunk, torchvision};
use super::{Net, Network};

/// Shape of an attribute network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeResNetConfig {
    /// Channels of the trunk's stem; 64 as published.
    pub width: usize,
    /// Number of attributes, each with a head of its own.
    pub attributes: usize,
}

impl AttributeResNetConfig {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> AttributeResNet {
        let trunk = ResNetConfig {
            blocks: [2, 2, 2, 2],
            bottleneck: false,
            stem: Stem::Large,
            width: self.width,
            classes: 0,
        };
        let features = trunk.features();
        AttributeResNet {
            trunk: trunk.init_trunk(device),
            stem: LinearNorm::new(features, features, device),
            heads: (0..self.attributes)
                .map(|_| Head {
                    hidden: LinearNorm::new(features, features / 2, device),
                    output: LinearConfig::new(features / 2, 2).init(device),
                })
                .collect(),
        }
    }
}

/// A ResNet-18 with a head per attribute.
#[derive(Module, Debug)]
pub struct AttributeResNet {
    trunk: Trunk,
    stem: LinearNorm,
    heads: Vec<Head>,
}

impl AttributeResNet {
    /// Both scores of every attribute.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, K, 2]`, absent before present
    pub fn scores(&self, images: Tensor<4>) -> Tensor<3> {
        let shared = self.penultimate(images);
        let heads = self.heads.iter();
        Tensor::stack(heads.map(|head| head.forward(shared.clone())).collect(), 1)
    }

    /// Both scores of one attribute; `None` when there is no such attribute.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, 2]`, absent before present
    pub fn attribute(&self, images: Tensor<4>, index: usize) -> Option<Tensor<2>> {
        let head = self.heads.get(index)?;
        Some(head.forward(self.penultimate(images)))
    }
}

impl Network for AttributeResNet {
    /// Log-odds of each attribute: its score for present less its score for absent.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, K]`, above zero where the attribute is seen
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let scores = self.scores(images);
        let [absent, present] = [0, 1].map(|side| scores.clone().narrow(2, side, 1));
        (present - absent).squeeze_dim(2)
    }

    fn stages(&self) -> usize {
        4
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = width, 2, 4, 8 times width at stages 1 to 4
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        self.trunk.stage(images, number)
    }

    /// The stem's output, which enters the heads.
    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        relu(self.stem.forward(pool(self.deep(images))))
    }

    fn public_name(&self, name: String) -> String {
        let head = name.strip_prefix("heads.");
        let Some((index, rest)) = head.and_then(|rest| rest.split_once('.')) else {
            return torchvision(&name);
        };
        let rest = rest.replace("hidden.", "0.").replace("output.", "1.");
        format!("classifier{index:0>2}.{rest}")
    }

    fn fold(&mut self) {
        self.trunk.fold();
        self.stem.fold();
        self.heads.iter_mut().for_each(|head| head.hidden.fold());
    }
}

#[derive(Module, Debug)]
struct Head {
    hidden: LinearNorm,
    output: Linear,
}

impl Head {
    fn forward(&self, shared: Tensor<2>) -> Tensor<2> {
        self.output.forward(relu(self.hidden.forward(shared)))
    }
}

// Registry.

static FAMILY: Family = Family {
    title: "ResNet with attribute heads",
    paper: resnet::PAPER,
    names: "the reference's (`stem.fc`, `classifier00.0.fc`, ...)",
    input: any_size(224, 1),
    default_width: 64,
    small_width: 8,
    stem: "conv1.weight",
    output: Output::Attributes("classifier", ".1.weight"),
    aliases: &[("shortcut", "downsample")],
    dialects: &[],
    published: None,
};

/// Attribute networks in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[Architecture {
    name: "attribute_resnet18",
    title: "Attribute ResNet-18",
    summary: "an ImageNet ResNet-18 with a small head per attribute; classes count attributes",
    family: &FAMILY,
    parameters: 12_763_732,
    taps: &resnet::LARGE_BASIC_TAPS,
    golden: Some(golden(5.9e-7, 6.3e-7)),
    build: |width, attributes, device| {
        Net::AttributeResNet(AttributeResNetConfig { width, attributes }.init(device))
    },
}];
