//! The registry of architectures: one line of [`ARCHITECTURES`] each.
//!
//! The command line's lists, `docs/models.md`, weight recognition and the tests loop over it.

use burn::tensor::Device;
use thiserror::Error;

use crate::input_size::InputSizeError;
use crate::net::{
    Net, attributes, convnext, densenet, efficientnet, efficientnet_lite, googlenet,
    imagenet_mobilenet_v2, imagenet_vgg, mobilenet_v2, mobilenet_v3, preact_resnet, resnet, toy,
    vgg, vision_transformer, wide_resnet,
};
use cd_core::names;

pub(crate) mod dialect;
mod entry;

pub use dialect::Dialect;
pub(crate) use dialect::Place;
pub use entry::{Architecture, Family, FeatureMap, Golden, Published, Taps};
pub(crate) use entry::{Output, any_size, golden, golden_logits, map};

/// The families, in the order of the lists.
const FAMILIES: &[&[Architecture]] = &[
    resnet::ARCHITECTURES,
    preact_resnet::ARCHITECTURES,
    wide_resnet::ARCHITECTURES,
    vgg::ARCHITECTURES,
    imagenet_vgg::ARCHITECTURES,
    mobilenet_v2::ARCHITECTURES,
    imagenet_mobilenet_v2::ARCHITECTURES,
    mobilenet_v3::ARCHITECTURES,
    densenet::ARCHITECTURES,
    googlenet::ARCHITECTURES,
    efficientnet::ARCHITECTURES,
    efficientnet_lite::ARCHITECTURES,
    convnext::ARCHITECTURES,
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
