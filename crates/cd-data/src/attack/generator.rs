//! What attacks whose trigger a network paints have in common: networks from images to images, images at the size at which those see
//! them, the order of training, how good a trigger is, and files.
//!
//! Networks see images of at most `side` pixels a side. Larger ones are shrunk for them, and what a network says is enlarged again:
//! training at 224 pixels costs 49 times as much as at 32.

mod autoencoder;
mod batches;
mod imported;
mod learner;
mod likeness;
mod loss;
mod record;
mod scale;
mod stored;

pub(super) use autoencoder::{Autoencoder, resized};
pub(super) use batches::{Batches, numbered};
pub(super) use imported::Imported;
pub(super) use learner::Learner;
pub(super) use likeness::Likeness;
pub(super) use loss::{Share, cross_entropy, diversity};
pub use record::{CraftCurve, CraftFigure, CraftRecord};
pub(super) use scale::{Scale, paint};
pub(super) use stored::Stored;

use super::option::within;
use super::{AttackError, AttackNeeds};

/// What training the networks of an attack needs.
pub(super) const NEEDS: AttackNeeds = AttackNeeds {
    images: Batches::LEAST_IMAGES,
    stored: true,
};

/// Fails unless networks have 1 to 256 channels in their first stage and see images of 8 to 1,024 pixels a side.
pub(super) fn check_networks(
    attack: &'static str,
    width: usize,
    side: usize,
) -> Result<(), AttackError> {
    let channels = "a whole number from 1 to 256";
    within(attack, "width", width, 1..=256, channels)?;
    let pixels = "a whole number from 8 to 1024";
    within(attack, "side", side, 8..=1024, pixels)
}
