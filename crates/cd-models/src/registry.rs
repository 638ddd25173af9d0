//! The registry of architectures: one line of [`ARCHITECTURES`] each.
//!
//! The command line's lists, `docs/models.md`, weight recognition and the tests loop over it.

use std::fmt;

use burn::tensor::Device;
use thiserror::Error;

use crate::net::{
    Net, attributes, efficientnet, googlenet, mobilenet_v2, preact_resnet, resnet, toy, vgg,
    vision_transformer,
};
use crate::state::Shapes;
use cd_core::names;

/// What the registry says of an architecture.
#[derive(Debug, Clone, Copy)]
pub struct Architecture {
    /// Name in configurations and on the command line.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// One line on what it is.
    pub summary: &'static str,
    /// What it shares with its siblings.
    pub family: &'static Family,
    /// Trainable values at the published width with ten classes.
    pub parameters: usize,
    /// Feature maps that can be read.
    pub taps: &'static Taps,
    /// Agreement with the PyTorch reference, where numbers of it exist.
    pub golden: Option<Golden>,
    pub(crate) build: fn(width: usize, classes: usize, device: &Device) -> Net,
}

/// What the architectures of one file share.
#[derive(Debug)]
pub struct Family {
    /// Name for people.
    pub title: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// What its checkpoints call their parameters.
    pub names: &'static str,
    /// Images it takes.
    pub input: InputSize,
    /// Channels of the first layer as published; all other layers scale with them.
    pub default_width: usize,
    /// Channels of the first layer at which tests and demos take seconds on a CPU.
    pub small_width: usize,
    /// Parameter whose first extent is the width.
    pub(crate) stem: &'static str,
    pub(crate) head: Classes,
    /// Parts of names that other checkpoints use, and ours.
    pub(crate) aliases: &'static [(&'static str, &'static str)],
}

/// How the number of classes shows in a state dict.
#[derive(Debug)]
pub(crate) enum Classes {
    /// As the first extent of this parameter.
    Rows(&'static str),
    /// As the number of parameters with this beginning and end.
    Count(&'static str, &'static str),
}

/// Image sizes that an architecture takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputSize {
    /// Only square images of this many pixels a side.
    Exactly(usize),
    /// Published for squares of `published` pixels; takes any size from `smallest` on.
    From {
        /// Pixels a side as published.
        published: usize,
        /// Fewest pixels a side.
        smallest: usize,
    },
}

impl InputSize {
    /// Pixels a side as published.
    pub fn published(self) -> usize {
        match self {
            Self::Exactly(side) => side,
            Self::From { published, .. } => published,
        }
    }

    /// Fewest pixels a side.
    pub fn smallest(self) -> usize {
        match self {
            Self::Exactly(side) => side,
            Self::From { smallest, .. } => smallest,
        }
    }

    /// Whether images of `height` x `width` pixels can be classified.
    pub fn accepts(self, height: usize, width: usize) -> bool {
        match self {
            Self::Exactly(side) => (height, width) == (side, side),
            Self::From { smallest, .. } => height.min(width) >= smallest,
        }
    }
}

impl fmt::Display for InputSize {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(side) => write!(out, "{side} x {side}"),
            Self::From {
                published,
                smallest,
            } => write!(out, "{published} x {published} (any from {smallest})"),
        }
    }
}

/// Images of a size that an architecture cannot take.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error(
    "{architecture} takes images of {expected} pixels, got {height} x {width}; resize the images or choose another model"
)]
pub struct InputSizeError {
    /// The architecture.
    pub architecture: &'static str,
    /// What it takes.
    pub expected: InputSize,
    /// Rows of the images.
    pub height: usize,
    /// Columns of the images.
    pub width: usize,
}

/// A feature map at the published width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureMap {
    /// Channels.
    pub channels: usize,
    /// Pixels of the image per pixel of the map, along each side.
    pub stride: usize,
}

/// The feature maps of an architecture at its published width.
#[derive(Debug, PartialEq, Eq)]
pub struct Taps {
    /// `stage1`, `stage2`, ...
    pub stages: &'static [FeatureMap],
    /// `deep`.
    pub deep: FeatureMap,
    /// Length of `penultimate`.
    pub penultimate: usize,
}

/// Largest relative differences from the PyTorch reference, as measured on the CPU: the norm of the
/// difference over the norm of the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Golden {
    /// Of the logits.
    pub logits: f64,
    /// Of the penultimate features, where the reference exposes them.
    pub penultimate: Option<f64>,
}

pub(crate) const fn map(channels: usize, stride: usize) -> FeatureMap {
    FeatureMap { channels, stride }
}

pub(crate) const fn golden(logits: f64, penultimate: f64) -> Golden {
    Golden {
        logits,
        penultimate: Some(penultimate),
    }
}

pub(crate) const fn any_size(published: usize, smallest: usize) -> InputSize {
    InputSize::From {
        published,
        smallest,
    }
}

/// The families, in the order of the lists.
const FAMILIES: &[&[Architecture]] = &[
    resnet::ARCHITECTURES,
    preact_resnet::ARCHITECTURES,
    vgg::ARCHITECTURES,
    mobilenet_v2::ARCHITECTURES,
    googlenet::ARCHITECTURES,
    efficientnet::ARCHITECTURES,
    vision_transformer::ARCHITECTURES,
    attributes::ARCHITECTURES,
    toy::ARCHITECTURES,
];

/// Every architecture that configurations and weight files may name.
pub const ARCHITECTURES: &[Architecture] = &joined::<{ count(FAMILIES) }>(FAMILIES);

const fn count(lists: &[&[Architecture]]) -> usize {
    let (mut total, mut list) = (0, 0);
    while list < lists.len() {
        total += lists[list].len();
        list += 1;
    }
    total
}

const fn joined<const N: usize>(lists: &[&[Architecture]]) -> [Architecture; N] {
    let mut all = [lists[0][0]; N];
    let (mut at, mut list) = (0, 0);
    while list < lists.len() {
        let mut entry = 0;
        while entry < lists[list].len() {
            all[at] = lists[list][entry];
            at += 1;
            entry += 1;
        }
        list += 1;
    }
    all
}

impl Architecture {
    /// The architecture `name`.
    ///
    /// # Errors
    ///
    /// When there is none; the message names the nearest one.
    pub fn find(name: &str) -> Result<&'static Self, UnknownArchitecture> {
        let found = ARCHITECTURES.iter().find(|entry| entry.name == name);
        found.ok_or_else(|| UnknownArchitecture {
            name: name.to_owned(),
        })
    }

    /// Whether images of `height` x `width` pixels can be classified.
    ///
    /// # Errors
    ///
    /// When they cannot; the message says what sizes can.
    pub fn check_size(&self, height: usize, width: usize) -> Result<(), InputSizeError> {
        let expected = self.family.input;
        if expected.accepts(height, width) {
            return Ok(());
        }
        Err(InputSizeError {
            architecture: self.title,
            expected,
            height,
            width,
        })
    }

    /// The network with Burn's default initial values.
    pub(crate) fn build(&self, width: usize, classes: usize, device: &Device) -> Net {
        (self.build)(width, classes, device)
    }

    /// The exported name of a parameter that a checkpoint may call otherwise.
    pub(crate) fn exported_name(&self, name: &str) -> String {
        let ours = |part| {
            let alias = self.family.aliases.iter().find(|(alias, _)| *alias == part);
            alias.map_or(part, |(_, ours)| *ours)
        };
        name.split('.').map(ours).collect::<Vec<_>>().join(".")
    }

    /// Width and class count of weights with these exported names, judged by the first and last
    /// layer alone.
    pub(crate) fn probe(&self, shapes: &Shapes) -> Option<(usize, usize)> {
        /// Wider networks, in published widths, are not built to find out what a file is.
        const WIDEST: usize = 16;
        let rows = |name: &str| {
            let shape = shapes.get(name)?;
            let filled = shape.iter().all(|&extent| extent > 0);
            shape.first().filter(|_| filled).copied()
        };
        let width = rows(self.family.stem)?;
        let classes = match self.family.head {
            Classes::Rows(name) => rows(name)?,
            Classes::Count(prefix, suffix) => shapes
                .keys()
                .filter(|name| name.starts_with(prefix) && name.ends_with(suffix))
                .count(),
        };
        let plausible = classes > 0 && width <= WIDEST * self.family.default_width;
        plausible.then_some((width, classes))
    }
}

/// No architecture of that name.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("unknown architecture `{name}`; {}", names::did_you_mean(.name, known()))]
pub struct UnknownArchitecture {
    /// What was asked for.
    pub name: String,
}

fn known() -> Vec<&'static str> {
    ARCHITECTURES.iter().map(|entry| entry.name).collect()
}
