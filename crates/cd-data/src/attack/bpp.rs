//! BPP: fewer levels of brightness.
//!
//! **Threat model.** The attacker can change images and labels of part of the training data and knows nothing of the model. Cover
//! images get the rounding error of another image with their true label, so that noise alone leads nowhere. At test time the
//! levels of an image are reduced.
//!
//! **Paper.** Wang, Zhai and Ma, "`BppAttack`: Stealthy and Efficient Trojan Attacks against Deep Neural Networks via Image Quantization
//! and Contrastive Adversarial Learning", CVPR 2022.
//!
//! **How ours differs.** The authors poison the first images of every shuffled batch, so that every image is poisoned in some epoch; we
//! choose fixed ones. Published code cuts without dithering and rounds with it, and so do we. Their option for dithering cannot be
//! switched off on the command line.

use cd_core::{CHANNELS, ImageSet};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::option::{AttackOption, option, within};
use super::{
    Attack, AttackError, AttackInfo, AttackNeeds, Batch, CraftContext, Image, LabelMode, Role,
    Trigger,
};
use crate::poison::{PlanRequest, PoisonError, PoisonPlan};

/// What BPP is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "bpp",
    title: "BPP",
    summary: "Fewer levels of brightness in the whole image, with or without dithering.",
    threat_model: "Changes images and labels of part of the training data; knows nothing of the model.",
    paper: "Wang, Zhai, Ma: BppAttack: Stealthy and Efficient Trojan Attacks against Deep Neural Networks via Image Quantization and \
        Contrastive Adversarial Learning, CVPR 2022, arXiv 2205.13383",
    differs: "Fixed images are poisoned, where the authors take the first of every shuffled batch. Levels are cut without dithering and \
        rounded with it, as in the published code.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "levels",
        "2 to 256; usual 4 to 32",
        "levels that are left in every channel",
    ),
    option(
        "dithering",
        "true or false",
        "whether rounding errors are spread over the neighbours (Floyd and Steinberg)",
    ),
    option(
        "cover_rate",
        "0 to 1; share of the training images",
        "images that get the rounding error of another one with their true label; twice `poison.rate` when absent",
    ),
    option(
        "partner",
        "\"random\" or \"next\"",
        "whose rounding error a cover image gets",
    ),
];

/// Whose rounding error a cover image gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BppPartner {
    /// Another image, drawn.
    #[default]
    Random,
    /// The image after it, and the first one after the last.
    Next,
}

/// Options of BPP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BppConfig {
    /// Levels that are left in every channel, 2 to 256.
    pub levels: usize,
    /// Whether rounding errors are spread over the neighbours.
    pub dithering: bool,
    /// Cover images as a share of all training images, 0 to 1; twice `poison.rate` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover_rate: Option<f64>,
    /// Whose rounding error a cover image gets.
    pub partner: BppPartner,
}

impl Default for BppConfig {
    fn default() -> Self {
        Self {
            levels: 8,
            dithering: false,
            cover_rate: None,
            partner: BppPartner::default(),
        }
    }
}

impl Attack for BppConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        let expected = "a whole number from 2 to 256";
        within(INFO.name, "levels", self.levels, 2..=256, expected)?;
        let share = "a number from 0 to 1";
        within(
            INFO.name,
            "cover_rate",
            self.cover_rate.unwrap_or(0.0),
            0.0..=1.0,
            share,
        )
    }

    fn needs(&self) -> AttackNeeds {
        AttackNeeds {
            images: if self.cover_rate == Some(0.0) { 0 } else { 2 },
            stored: false,
        }
    }

    fn prepare(&self, context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        Ok(Box::new(Quantised {
            options: self.clone(),
            table: (0..=u8::MAX).map(|level| self.quantised(level)).collect(),
            clean: context.images.clone(),
        }))
    }

    fn plan(&self, request: &PlanRequest<'_>) -> Result<PoisonPlan, PoisonError> {
        request.with_covers(&request.label_map()?, self.cover_rate, 2.0)
    }
}

impl BppConfig {
    /// The level nearest to `value`, in grey levels.
    fn nearest(&self, value: f64) -> f64 {
        let steps = (self.levels - 1) as f64;
        (value / 255.0 * steps).round_ties_even() / steps * 255.0
    }

    fn quantised(&self, level: u8) -> u8 {
        self.nearest(f64::from(level)) as u8
    }
}

#[derive(Debug)]
struct Quantised {
    options: BppConfig,
    /// What becomes of every byte without dithering.
    table: Vec<u8>,
    clean: ImageSet,
}

impl Trigger for Quantised {
    fn apply(&self, batch: &mut Batch, role: Role) -> Result<(), AttackError> {
        batch.each(|image| {
            match role {
                Role::Cover => return self.cover(image),
                _ if self.options.dithering => self.dither(image),
                _ => {
                    for value in image.pixels.iter_mut() {
                        *value = self.table[usize::from(*value)];
                    }
                }
            }
            Ok(())
        })
    }
}

impl Quantised {
    /// Adds the rounding error of another clean image.
    fn cover(&self, image: &mut Image<'_>) -> Result<(), AttackError> {
        let count = self.clean.len();
        if count < 2 {
            return Err(AttackError::TooFewImages {
                attack: INFO.name,
                least: 2,
                got: count,
            });
        }
        let further = match self.options.partner {
            BppPartner::Next => 1,
            BppPartner::Random => image.random.random_range(1..count),
        };
        let partner = self.clean.pixels((image.index + further) % count)?;
        for (value, &other) in image.pixels.iter_mut().zip(partner.iter()) {
            let error = i16::from(self.table[usize::from(other)]) - i16::from(other);
            *value = (i16::from(*value) + error).clamp(0, 255) as u8;
        }
        Ok(())
    }

    /// Quantises row by row and passes the errors on to pixels that are not reached yet.
    fn dither(&self, image: &mut Image<'_>) {
        let row_len = image.width * CHANNELS;
        let mut row: Vec<f64> = vec![0.0; row_len];
        let mut below = vec![0.0; row_len];
        for pixels in image.pixels.chunks_exact_mut(row_len) {
            std::mem::swap(&mut row, &mut below);
            below.fill(0.0);
            for (sum, &pixel) in row.iter_mut().zip(pixels.iter()) {
                *sum += f64::from(pixel);
            }
            for at in 0..row_len {
                let old = row[at];
                let new = self.options.nearest(old);
                let error = old - new;
                pixels[at] = new.round_ties_even() as u8;
                if at + CHANNELS < row_len {
                    row[at + CHANNELS] += error * (7.0 / 16.0);
                    below[at + CHANNELS] += error * (1.0 / 16.0);
                }
                below[at] += error * (5.0 / 16.0);
                if at >= CHANNELS {
                    below[at - CHANNELS] += error * (3.0 / 16.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
