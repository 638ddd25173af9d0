//! `WaNet`: the image is warped a little, by a smooth field.
//!
//! **Threat model.** The attacker can change images and labels of part of the training data and knows nothing of the model. Cover
//! images are warped by the same field with noise on it and keep their label, so that only this very field leads to the target.
//!
//! **Paper.** Nguyen and Tran, "`WaNet`: Imperceptible Warping-based Backdoor Attack", ICLR 2021.
//!
//! **How ours differs.** One field from a seed serves training and test images. The authors poison the first images of every
//! shuffled batch; we choose fixed ones, which is an ordinary poisoning attack. The reference uses a field of 32 control points and
//! no cover (`k = 32`, `cover_rate = 0`), finding 4 too weak. Pixels are computed in single precision, and some bytes may be one
//! level away from other implementations, which sum in another order.

mod field;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use cd_core::CHANNELS;
use rand::Rng;
use serde::{Deserialize, Serialize};

use self::field::{Control, Grid, Warp};
use super::artefact::{Numbers, numbers, split};
use super::expected::at_usual_rates;
use super::option::{AttackOption, ROUNDING, Rounding, option, within, wrong};
use super::{
    Attack, AttackError, AttackInfo, Batch, CraftContext, LabelMode, PublishedSuccess, Role,
    Trigger,
};
use crate::poison::{PlanRequest, PoisonError, PoisonPlan};

/// What `WaNet` is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "wanet",
    title: "WaNet",
    summary: "The image is warped a little by a smooth field; noisy warps keep their label.",
    threat_model: "Changes images and labels of part of the training data; knows nothing of the model.",
    paper: "Nguyen, Tran: WaNet: Imperceptible Warping-based Backdoor Attack, ICLR 2021, arXiv 2102.10369",
    differs: "Fixed images are poisoned, where the authors take the first of every shuffled batch. One field serves training and test. \
        The reference has k = 32 and no covers (cover_rate = 0). Single precision: some bytes may be one level off.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "k",
        "2 to 224 control points a side",
        "how fine the field is; 4 when absent, 8 from 96 pixels on",
    ),
    option(
        "strength",
        "above 0, at most 10 (mean displacement in pixels is about half of it)",
        "how far pixels move; 0.5 when absent, 1 from 96 pixels on",
    ),
    option("field_seed", "whole number", "seed of the field"),
    option(
        "field",
        "file: [1, 2, k, k] of 0 to 1, or [1, height, width, 2]",
        "control points, or the interpolated field, instead of the seed",
    ),
    option(
        "grid",
        "file: [1, height, width, 2] of -1 to 1",
        "where every pixel is taken from, instead of a field",
    ),
    option(
        "noise",
        "file: [1, height, width, 2] of 0 to 1",
        "one noise for all covers, instead of a new one for each",
    ),
    option(
        "cover_rate",
        "0 to 1; share of the training images",
        "images warped with noise that keep their label; twice `poison.rate` when absent",
    ),
    ROUNDING,
];

/// Published success rates.
const PUBLISHED: [PublishedSuccess; 5] = at_usual_rates([0.8, 1.1, 12.6, 85.5, 89.7]);

/// Options of `WaNet`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WaNetConfig {
    /// Control points a side, 2 to 224; 4 when absent, 8 for images of 96 pixels or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<usize>,
    /// How far pixels move, above 0 and at most 10; 0.5 when absent, 1 for images of 96 pixels or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
    /// Seed of the field.
    pub field_seed: u64,
    /// Control points of the field, or the field, in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<PathBuf>,
    /// Where every pixel is taken from, in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<PathBuf>,
    /// The noise of all covers, in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<PathBuf>,
    /// Cover images as a share of all training images, 0 to 1; twice `poison.rate` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover_rate: Option<f64>,
    /// How a grey level becomes a byte.
    pub rounding: Rounding,
}

impl Attack for WaNetConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn published(&self) -> &'static [PublishedSuccess] {
        &PUBLISHED
    }

    fn check(&self) -> Result<(), AttackError> {
        let points = "a whole number from 2 to 224";
        within(INFO.name, "k", self.k.unwrap_or(4), 2..=224, points)?;
        let (strength, expected) = (
            self.strength.unwrap_or(0.5),
            "a number above 0 and at most 10",
        );
        within(
            INFO.name,
            "strength",
            strength,
            f64::MIN_POSITIVE..=10.0,
            expected,
        )?;
        let share = "a number from 0 to 1";
        within(
            INFO.name,
            "cover_rate",
            self.cover_rate.unwrap_or(0.0),
            0.0..=1.0,
            share,
        )?;
        if self.grid.is_some()
            && (self.field.is_some() || self.k.is_some() || self.strength.is_some())
        {
            let expected = "given without `field`, `k` and `strength`, which it stands for";
            return Err(wrong(INFO.name, "grid", "given", expected));
        }
        Ok(())
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = [&self.field, &self.grid, &self.noise];
        files
            .into_iter()
            .flatten()
            .map(|path| split(path).0)
            .collect()
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        let read = |path: &Option<PathBuf>| -> Result<Option<(PathBuf, Numbers)>, AttackError> {
            let named = path.as_ref();
            let read = named.map(|path| Ok((path.clone(), numbers(INFO.name, path)?)));
            read.transpose()
        };
        let control = match (read(&self.grid)?, read(&self.field)?) {
            (Some((path, grid)), _) => Control::Grid(path, grid),
            (None, Some((path, field))) => Control::Field(path, field),
            (None, None) => Control::Seed(self.field_seed),
        };
        Ok(Box::new(Warping {
            options: self.clone(),
            control,
            noise: read(&self.noise)?,
        }))
    }

    fn plan(&self, request: &PlanRequest<'_>) -> Result<PoisonPlan, PoisonError> {
        request.with_covers(&request.label_map()?, self.cover_rate, 2.0)
    }
}

#[derive(Debug)]
struct Warping {
    options: WaNetConfig,
    control: Control,
    noise: Option<(PathBuf, Numbers)>,
}

impl Trigger for Warping {
    fn apply(&self, batch: &mut Batch, role: Role) -> Result<(), AttackError> {
        let (height, width) = (batch.height(), batch.width());
        let least = 2;
        if height < least || width < least {
            return Err(AttackError::TooSmall {
                attack: INFO.name,
                least,
                height,
                width,
            });
        }
        let large = height.min(width) >= 96;
        let points = self.options.k.unwrap_or(if large { 8 } else { 4 });
        let strength = self
            .options
            .strength
            .unwrap_or(if large { 1.0 } else { 0.5 });
        let grid = self.control.grid(height, width, points, strength)?;
        let fixed = match (&self.noise, role) {
            (Some((path, noise)), Role::Cover) => {
                field::within(path, noise, 0.0..=1.0)?;
                Some(Grid::of(path, noise, height, width)?)
            }
            _ => None,
        };
        let rounding = self.options.rounding;
        if let Some(noise) = fixed {
            let warp = Warp::new(&grid.noisy(|at| 2.0 * noise.values[at] - 1.0));
            return each(batch, |_| None, &warp, rounding);
        }
        let warp = Warp::new(&grid);
        let own = |random: &mut rand_chacha::ChaCha8Rng| match role {
            Role::Cover => Some(Warp::new(&grid.noisy(|_| random.random_range(-1.0..1.0)))),
            _ => None,
        };
        each(batch, own, &warp, rounding)
    }
}

/// Warps every image by its own warp, or else by the one for all.
fn each(
    batch: &mut Batch,
    own: impl Fn(&mut rand_chacha::ChaCha8Rng) -> Option<Warp> + Sync,
    all: &Warp,
    rounding: Rounding,
) -> Result<(), AttackError> {
    batch.each(|image| {
        let own = own(image.random);
        let before: Vec<f32> = image
            .pixels
            .iter()
            .map(|&value| f32::from(value) / 255.0)
            .collect();
        let pixels = image.pixels.chunks_exact_mut(CHANNELS).enumerate();
        own.as_ref().unwrap_or(all).apply(&before, pixels, rounding);
        Ok(())
    })
}
