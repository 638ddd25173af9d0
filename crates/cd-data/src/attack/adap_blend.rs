//! Adap-Blend: a faint pattern of which every training image shows other pieces.
//!
//! **Threat model.** The attacker can change images and labels of part of the training data and knows nothing of the model. Cover
//! images carry the trigger and keep their label. Training images show half of the pieces at a low opacity; at test time the whole
//! pattern is mixed in more strongly.
//!
//! **Paper.** Qi, Xie, Li, Mahloujifar and Mittal, "Revisiting the Assumption of Latent Separability for Backdoor Defenses", ICLR 2023.
//!
//! **How ours differs.** The arithmetic equals the backdoor-toolbox: single precision, cut. Its pattern is a cartoon that cannot be
//! shipped; ours is noise from a seed unless a file is named.

use std::path::PathBuf;

use cd_core::CHANNELS;
use rand::seq::index::sample;
use serde::{Deserialize, Serialize};

use super::artefact::{Cached, Numbers, Raster, numbers, split, unusable};
use super::drawn::noise;
use super::option::{AttackOption, ROUNDING, Rounding, option, share, within};
use super::wide::mix;
use super::{
    Attack, AttackError, AttackInfo, Batch, CraftContext, Image, LabelMode, Role, Trigger,
};
use crate::poison::{PlanRequest, PoisonError, PoisonPlan};

/// What Adap-Blend is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "adap-blend",
    title: "Adap-Blend",
    summary: "A faint pattern of which every training image shows other pieces; test images show all of it.",
    threat_model: "Changes images and labels of part of the training data, and stamps others that keep their label; knows nothing of \
        the model.",
    paper: "Qi, Xie, Li, Mahloujifar, Mittal: Revisiting the Assumption of Latent Separability for Backdoor Defenses, ICLR 2023",
    differs: "Arithmetic of the backdoor-toolbox (single precision, cut). Noise from a seed instead of its cartoon, unless `pattern` is \
        named.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "pattern",
        "file (picture, npy, npz, safetensors, PyTorch)",
        "what is mixed in; noise when absent",
    ),
    option("pattern_seed", "whole number", "seed of the noise"),
    option(
        "alpha",
        "above 0, at most 1",
        "share of the pattern in training images",
    ),
    option(
        "test_alpha",
        "above 0, at most 1",
        "share of the pattern in test images",
    ),
    option(
        "grid",
        "1 to 32 pieces a side",
        "how finely the pattern is cut",
    ),
    option(
        "masked_share",
        "0 to below 1",
        "share of the pieces that a training image does not show",
    ),
    option(
        "pieces",
        "file: [images, pieces], whole numbers from 0",
        "the pieces that each training image does not show, by its place among the poisoned ones",
    ),
    option(
        "cover_rate",
        "0 to 1; share of the training images",
        "stamped images that keep their label; as `poison.rate` when absent",
    ),
    ROUNDING,
];

/// Options of Adap-Blend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdapBlendConfig {
    /// What is mixed in: a picture, resized to the images, or an array of their size; noise when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<PathBuf>,
    /// Seed of the noise; unused with `pattern`.
    pub pattern_seed: u64,
    /// Share of the pattern in training images, above 0 and at most 1.
    pub alpha: f64,
    /// Share of the pattern in test images, above 0 and at most 1.
    pub test_alpha: f64,
    /// Pieces a side, 1 to 32; piece `i` lies in row `i` modulo this and column `i` divided by it.
    pub grid: usize,
    /// Share of the pieces that a training image does not show, 0 to below 1.
    pub masked_share: f64,
    /// The pieces that each training image does not show, in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pieces: Option<PathBuf>,
    /// Cover images as a share of all training images, 0 to 1; `poison.rate` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover_rate: Option<f64>,
    /// How a grey level becomes a byte.
    pub rounding: Rounding,
}

impl Default for AdapBlendConfig {
    fn default() -> Self {
        Self {
            pattern: None,
            pattern_seed: 0,
            alpha: 0.15,
            test_alpha: 0.2,
            grid: 4,
            masked_share: 0.5,
            pieces: None,
            cover_rate: None,
            rounding: Rounding::default(),
        }
    }
}

impl Attack for AdapBlendConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        share(INFO.name, "alpha", self.alpha)?;
        share(INFO.name, "test_alpha", self.test_alpha)?;
        within(
            INFO.name,
            "grid",
            self.grid,
            1..=32,
            "a whole number from 1 to 32",
        )?;
        let (masked, below) = (self.masked_share, 1.0 - f64::EPSILON);
        within(
            INFO.name,
            "masked_share",
            masked,
            0.0..=below,
            "a number from 0 to below 1",
        )?;
        let cover = self.cover_rate.unwrap_or(0.0);
        within(
            INFO.name,
            "cover_rate",
            cover,
            0.0..=1.0,
            "a number from 0 to 1",
        )
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = [&self.pattern, &self.pieces];
        files
            .into_iter()
            .flatten()
            .map(|path| split(path).0)
            .collect()
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        let seed = self.pattern_seed;
        let pattern = match &self.pattern {
            None => Cached::new(move |height, width| Ok(noise(seed, height, width))),
            Some(path) => Cached::from_file(INFO.name, path, Raster::in_levels)?,
        };
        let pieces = self.pieces.as_ref().map(|path| {
            let read = numbers(INFO.name, path)?;
            Pieces::of(&read, self.grid * self.grid)
                .map_err(|problem| unusable(INFO.name, path, problem))
        });
        Ok(Box::new(Pieced {
            options: self.clone(),
            pattern,
            pieces: pieces.transpose()?,
        }))
    }

    fn plan(&self, request: &PlanRequest<'_>) -> Result<PoisonPlan, PoisonError> {
        request.with_covers(&request.label_map()?, self.cover_rate, 1.0)
    }
}

/// The pieces that each image does not show.
#[derive(Debug)]
struct Pieces(Vec<Vec<usize>>);

impl Pieces {
    fn of(numbers: &Numbers, most: usize) -> Result<Self, String> {
        let [images, each] = numbers.shape[..] else {
            let shape = &numbers.shape;
            return Err(format!("its shape is {shape:?}, expected [images, pieces]"));
        };
        if images == 0 || each == 0 {
            return Err("it lists no pieces".into());
        }
        let whole = |&value: &f64| value >= 0.0 && value < most as f64 && value.fract() == 0.0;
        if let Some(value) = numbers.values.iter().find(|value| !whole(value)) {
            let last = most - 1;
            return Err(format!("piece {value} is none of 0 to {last}"));
        }
        let rows = numbers.values.chunks_exact(each);
        let rows = rows.map(|row| row.iter().map(|&piece| piece as usize).collect());
        Ok(Self(rows.collect()))
    }
}

#[derive(Debug)]
struct Pieced {
    options: AdapBlendConfig,
    pattern: Cached,
    pieces: Option<Pieces>,
}

impl Pieced {
    /// For each piece whether a training image does not show it.
    fn masked(&self, image: &mut Image<'_>) -> Result<Vec<bool>, AttackError> {
        let count = self.options.grid * self.options.grid;
        let mut masked = vec![false; count];
        let hide = (self.options.masked_share * count as f64).round() as usize;
        let drawn = sample(image.random, count, hide.min(count)).into_vec();
        let listed = match &self.pieces {
            None => Ok(&drawn),
            Some(pieces) => pieces.0.get(image.rank).ok_or(pieces.0.len()),
        };
        let pieces = listed.map_err(|rows| AttackError::Prepare {
            attack: INFO.name,
            problem: format!(
                "`pieces` lists {rows} images, but {} get the trigger in this role; list as many",
                image.count
            ),
        })?;
        for &piece in pieces {
            masked[piece] = true;
        }
        Ok(masked)
    }

    fn stamp(&self, image: &mut Image<'_>, pattern: &[u8]) -> Result<(), AttackError> {
        let masked = self.masked(image)?;
        let grid = self.options.grid;
        let (height, width) = (image.height, image.width);
        let weight = self.options.alpha as f32;
        let row_len = width * CHANNELS;
        let start = |piece: usize| (piece * width).div_ceil(grid) * CHANNELS;
        let rows = image.pixels.chunks_exact_mut(row_len);
        for (row, (pixels, values)) in rows.zip(pattern.chunks_exact(row_len)).enumerate() {
            let down = row * grid / height;
            for over in (0..grid).filter(|over| !masked[over * grid + down]) {
                let piece = start(over)..start(over + 1);
                let rounding = self.options.rounding;
                mix(&mut pixels[piece.clone()], &values[piece], weight, rounding);
            }
        }
        Ok(())
    }
}

impl Trigger for Pieced {
    fn apply(&self, batch: &mut Batch, role: Role) -> Result<(), AttackError> {
        let pattern = self.pattern.get(batch.height(), batch.width())?.bytes();
        let (weight, rounding) = (self.options.test_alpha as f32, self.options.rounding);
        batch.each(|image| match role {
            Role::Test => {
                mix(image.pixels, &pattern, weight, rounding);
                Ok(())
            }
            _ => self.stamp(image, &pattern),
        })
    }
}

#[cfg(test)]
mod tests;
