//! The registry of architectures: one file and one line of [`ARCHITECTURES`] each.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::classifier::{Tap, TapError};
use crate::init;
use crate::model::Model;
use crate::names;
use crate::resnet::{ResNet, ResNetConfig};
use crate::state::StateDict;

/// A network of any registered architecture.
#[derive(Module, Debug)]
pub enum Net {
    /// CIFAR-style residual network.
    ResNet(ResNet),
}

impl Net {
    /// Class scores; see [`Classifier::logits`](crate::Classifier::logits).
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        match self {
            Self::ResNet(net) => net.forward(images),
        }
    }

    /// Features at `tap`; see [`Classifier::features`](crate::Classifier::features).
    ///
    /// # Errors
    ///
    /// When the architecture has no such tap.
    pub fn features(&self, images: Tensor<4>, tap: Tap) -> Result<Tensor<4>, TapError> {
        match self {
            Self::ResNet(net) => net.features(images, tap),
        }
    }

    /// The taps of this architecture.
    pub fn taps(&self) -> Vec<Tap> {
        match self {
            Self::ResNet(_) => ResNet::taps(),
        }
    }
}

/// What the registry says of an architecture.
pub struct Architecture {
    /// Name in configurations and on the command line.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// One line on what it is.
    pub summary: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// Channels of the stem as published.
    pub default_width: usize,
    build: fn(width: usize, classes: usize, device: &Device) -> Net,
    recognise: fn(&StateDict) -> Option<(usize, usize)>,
}

/// One registry line of a basic-block ResNet.
macro_rules! basic_resnet {
    ($name:literal, $title:literal, $summary:literal, $blocks:expr) => {
        Architecture {
            name: $name,
            title: $title,
            summary: $summary,
            paper: "He et al., Deep Residual Learning for Image Recognition, CVPR 2016",
            default_width: 64,
            build: |width, classes, device| {
                let blocks = $blocks;
                let config = ResNetConfig {
                    blocks,
                    width,
                    classes,
                };
                Net::ResNet(config.init(device))
            },
            recognise: |state| {
                let config = ResNetConfig::recognise(state)?;
                (config.blocks == $blocks).then_some((config.width, config.classes))
            },
        }
    };
}
/// Every architecture that configurations and weight files may name.
pub const ARCHITECTURES: &[Architecture] = &[
    basic_resnet!(
        "resnet10",
        "ResNet-10",
        "one basic block per stage: the small sibling for demos and tests",
        [1, 1, 1, 1]
    ),
    basic_resnet!(
        "resnet18",
        "ResNet-18",
        "two basic blocks per stage: the paper's main classifier",
        [2, 2, 2, 2]
    ),
    basic_resnet!(
        "resnet34",
        "ResNet-34",
        "3, 4, 6, 3 basic blocks",
        [3, 4, 6, 3]
    ),
];

/// No architecture of that name.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("unknown architecture `{name}`; {}", names::did_you_mean(.name, known()))]
pub struct UnknownArchitecture {
    /// What was asked for.
    pub name: String,
}

fn known() -> impl Iterator<Item = &'static str> {
    ARCHITECTURES.iter().map(|entry| entry.name)
}

/// Which network to build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// A name of [`ARCHITECTURES`].
    pub name: String,
    /// Channels of the stem; the published width when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
}

impl ModelConfig {
    /// The architecture `name` at its published width.
    ///
    /// # Errors
    ///
    /// When there is no such architecture; the message names the nearest one.
    pub fn from_name(name: &str) -> Result<Self, UnknownArchitecture> {
        let config = Self {
            name: name.to_owned(),
            width: None,
        };
        config.architecture()?;
        Ok(config)
    }

    /// The same architecture with `width` channels in its stem.
    #[must_use]
    pub fn with_width(mut self, width: usize) -> Self {
        self.width = Some(width);
        self
    }

    /// Channels of the stem.
    ///
    /// # Errors
    ///
    /// When there is no architecture of this name.
    pub fn resolved_width(&self) -> Result<usize, UnknownArchitecture> {
        Ok(self.width.unwrap_or(self.architecture()?.default_width))
    }

    /// The registry entry.
    ///
    /// # Errors
    ///
    /// When there is no architecture of this name.
    pub fn architecture(&self) -> Result<&'static Architecture, UnknownArchitecture> {
        ARCHITECTURES
            .iter()
            .find(|entry| entry.name == self.name)
            .ok_or_else(|| UnknownArchitecture {
                name: self.name.clone(),
            })
    }

    /// A frozen model with fresh weights drawn from `seed`, the same on every device.
    ///
    /// # Errors
    ///
    /// When there is no architecture of this name.
    pub fn init(
        &self,
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Model, UnknownArchitecture> {
        let net = self.init_net(classes, seed, device)?;
        Ok(Model::new(net.valid(), self.clone(), classes))
    }

    /// The bare network with fresh weights drawn from `seed`; trainable on an autodiff device.
    pub(crate) fn init_net(
        &self,
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Net, UnknownArchitecture> {
        let build = self.architecture()?.build;
        let net = build(self.resolved_width()?, classes, device);
        Ok(init::initialize(net, seed))
    }

    /// Reads architecture, width and class count off the names and shapes of `state`.
    pub fn recognise(state: &StateDict) -> Option<(Self, usize)> {
        ARCHITECTURES.iter().find_map(|entry| {
            let (width, classes) = (entry.recognise)(state)?;
            let config = Self {
                name: entry.name.to_owned(),
                width: Some(width),
            };
            Some((config, classes))
        })
    }
}
