//! What the registry says of an architecture, and what says it.

use burn::tensor::Device;

use super::dialect::Dialect;
use crate::input_size::InputSize;
use crate::model::normalization::Normalization;
use crate::net::Net;

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

impl Architecture {
    /// The exported name of a parameter that a checkpoint may call otherwise.
    pub(crate) fn exported_name(&self, name: &str) -> String {
        let mut dotted = format!(".{name}.");
        for (alias, ours) in self.family.aliases {
            dotted = dotted.replace(&format!(".{alias}."), &format!(".{ours}."));
        }
        dotted.trim_matches('.').to_owned()
    }

    /// Whether it gives the log-odds of attributes, which an image may have any number of, and not scores of classes, of which
    /// it has one.
    pub fn sees_attributes(&self) -> bool {
        matches!(self.family.output, Output::Attributes(..))
    }
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
    pub(crate) output: Output,
    /// Parts of names, of one or more words between dots, that other checkpoints use, and ours.
    pub(crate) aliases: &'static [(&'static str, &'static str)],
    /// Names of other libraries.
    pub dialects: &'static [Dialect],
    /// Weights that everybody has, where they want their images in a way of their own.
    pub published: Option<Published>,
}

/// How weights that everybody has want their images; files of them do not say so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    /// Number of classes, which tells these weights from others.
    pub classes: usize,
    /// Their input normalisation.
    pub normalization: Normalization,
}

/// What a network says of an image, and how the number of those sayings shows in a state dict.
#[derive(Debug)]
pub(crate) enum Output {
    /// One score per class: the first extent of this parameter.
    Classes(&'static str),
    /// The log-odds of each attribute: the number of parameters with this beginning and end.
    Attributes(&'static str, &'static str),
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

/// Where the penultimate features were not compared.
pub(crate) const fn golden_logits(logits: f64) -> Golden {
    Golden {
        logits,
        penultimate: None,
    }
}

pub(crate) const fn any_size(published: usize, smallest: usize) -> InputSize {
    InputSize::From {
        published,
        smallest,
    }
}
