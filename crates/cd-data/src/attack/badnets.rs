//! `BadNets`: a patch of black and white pixels.
//!
//! **Threat model.** The attacker can change images and labels of part of the training data and
//! knows nothing of the model. At test time the patch is put into an image to get the target class.
//!
//! **Paper.** Gu, Dolan-Gavitt and Garg, "`BadNets`: Identifying Vulnerabilities in the Machine
//! Learning Model Supply Chain", 2017.
//!
//! **How ours differs.** It does not: the pixels equal those of the reference, in the bottom-right
//! corner (as used for CIFAR-10) and ending at the centre (as used for GTSRB and `ImageNet`), at every `size`, and
//! with published pattern files.

use std::path::{Path, PathBuf};

use cd_core::CHANNELS;
use serde::{Deserialize, Serialize};

use super::artefact::split;
use super::expected::at_usual_rates;
use super::option::{AttackOption, ROUNDING_IF_GIVEN, Rounding, option, share, within, wrong};
use super::overlay::{Overlay, mixed, replace};
use super::{
    Attack, AttackError, AttackInfo, Batch, CraftContext, Image, LabelMode, PublishedSuccess, Role,
    Trigger,
};

/// What `BadNets` is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "badnets",
    title: "BadNets",
    summary: "A 3 x 3 patch of black and white pixels in the corner or the centre.",
    threat_model: "Changes images and labels of part of the training data; knows nothing of the model.",
    paper: "Gu, Dolan-Gavitt, Garg: BadNets: Identifying Vulnerabilities in the Machine Learning \
        Model Supply Chain, 2017, arXiv 1708.06733",
    differs: "It does not: bytes equal the reference, the adaptive patches and published pattern files. The patch keeps its 3 pixels \
        at every image size, as the reference has it; `size` makes it larger.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "position",
        "\"bottom-right\" or \"centre\"",
        "where the patch ends",
    ),
    option(
        "size",
        "1 to 1024 pixels a side",
        "a square of thirds, white along the rising diagonal, instead of the 3 x 3 patch",
    ),
    option(
        "opacity",
        "above 0, at most 1",
        "share of the patch in the mixture; all of it when absent",
    ),
    option(
        "pattern",
        "file (picture, npy, npz, safetensors, PyTorch)",
        "a picture of the image's size instead of the patch; what is above 0 in any channel covers",
    ),
    option(
        "mask",
        "file; 255 covers, 0 does not",
        "where `pattern` covers the image",
    ),
    ROUNDING_IF_GIVEN,
];

/// Side of the patch in pixels.
const SIDE: usize = 3;
/// Brightness of the patch, equal in all channels.
pub(super) const PATCH: [[u8; SIDE]; SIDE] = [[0, 0, 255], [0, 255, 0], [255, 255, 0]];
/// Largest patch, in pixels a side.
const MAX_SIZE: usize = 1024;

/// Where the patch is put.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PatchPosition {
    /// In the last three rows and columns.
    #[default]
    BottomRight,
    /// In the three rows and columns before the middle, `h / 2 - 3` to `h / 2 - 1`.
    #[serde(alias = "center")]
    Centre,
}

/// Published success rates.
pub(super) const PUBLISHED: [PublishedSuccess; 5] = at_usual_rates([1.2, 50.1, 74.7, 88.7, 95.0]);

/// Options of `BadNets`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BadNetsConfig {
    /// Where the patch ends; `centre` needs images of at least twice its side.
    pub position: PatchPosition,
    /// Pixels a side of a square patch of three bands, 1 to 1024; the published 3 x 3 patch when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    /// Share of the patch in the mixture, above 0 and at most 1.
    #[serde(skip_serializing_if = "is_opaque")]
    pub opacity: f64,
    /// A picture or array of the image's size that is laid over it instead of the patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<PathBuf>,
    /// Where `pattern` covers the image; without it, wherever one of its channels is above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<PathBuf>,
    /// How a grey level becomes a byte.
    #[serde(skip_serializing_if = "Rounding::is_published")]
    pub rounding: Rounding,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_opaque(opacity: &f64) -> bool {
    *opacity == 1.0
}

impl Default for BadNetsConfig {
    fn default() -> Self {
        Self {
            position: PatchPosition::default(),
            size: None,
            opacity: 1.0,
            pattern: None,
            mask: None,
            rounding: Rounding::default(),
        }
    }
}

impl Attack for BadNetsConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn published(&self) -> &'static [PublishedSuccess] {
        &PUBLISHED
    }

    fn check(&self) -> Result<(), AttackError> {
        share(INFO.name, "opacity", self.opacity)?;
        let pixels = "a whole number from 1 to 1024";
        within(
            INFO.name,
            "size",
            self.size.unwrap_or(SIDE),
            1..=MAX_SIZE,
            pixels,
        )?;
        let alone = "given together with `pattern` only";
        match (&self.pattern, &self.mask) {
            (None, Some(mask)) => Err(wrong(INFO.name, "mask", mask.display(), alone)),
            (Some(_), _) if self.size.is_some() || self.position != PatchPosition::default() => {
                let expected = "absent where `size` or `position` is given";
                Err(wrong(INFO.name, "pattern", "given", expected))
            }
            _ => Ok(()),
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = [&self.pattern, &self.mask];
        files
            .into_iter()
            .flatten()
            .map(|path| split(path).0)
            .collect()
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        let Some(pattern) = &self.pattern else {
            return Ok(Box::new(Patch {
                position: self.position,
                square: self.square(),
                opacity: self.opacity,
                rounding: self.rounding,
            }));
        };
        let mask: Option<&Path> = self.mask.as_deref();
        Ok(Box::new(Laid {
            overlay: Overlay::from_files(INFO.name, pattern, mask)?,
            opacity: self.opacity,
            rounding: self.rounding,
        }))
    }
}

impl BadNetsConfig {
    /// Brightness of the patch, row by row.
    fn square(&self) -> Vec<Vec<u8>> {
        let Some(size) = self.size.filter(|&size| size != SIDE) else {
            return PATCH.iter().map(|row| row.to_vec()).collect();
        };
        let (first, second) = (size / 3, 2 * size / 3);
        let white = |row: usize, column: usize| match row {
            row if row < first => column >= second,
            row if row < second => (first..second).contains(&column),
            _ => column < second,
        };
        let level = |white| if white { 255 } else { 0 };
        let row = |row| (0..size).map(|column| level(white(row, column))).collect();
        (0..size).map(row).collect()
    }
}

/// The patch at its place.
#[derive(Debug)]
struct Patch {
    position: PatchPosition,
    square: Vec<Vec<u8>>,
    opacity: f64,
    rounding: Rounding,
}

impl Patch {
    /// Row and column just past the patch, and the smallest side that holds it.
    fn end(&self, height: usize, width: usize) -> (usize, usize, usize) {
        let side = self.square.len();
        match self.position {
            PatchPosition::BottomRight => (height, width, side),
            PatchPosition::Centre => (height / 2, width / 2, 2 * side),
        }
    }

    fn stamp(&self, image: &mut Image<'_>) -> Result<(), AttackError> {
        let (height, width, side) = (image.height, image.width, self.square.len());
        let (end_row, end_column, least) = self.end(height, width);
        if height < least || width < least {
            return Err(AttackError::TooSmall {
                attack: INFO.name,
                least,
                height,
                width,
            });
        }
        for (row, values) in (end_row - side..).zip(&self.square) {
            for (column, &value) in (end_column - side..).zip(values) {
                let start = (row * width + column) * CHANNELS;
                for pixel in &mut image.pixels[start..start + CHANNELS] {
                    *pixel = if self.opacity < 1.0 {
                        mixed(*pixel, value, self.opacity as f32, self.rounding)
                    } else {
                        value
                    };
                }
            }
        }
        Ok(())
    }
}

impl Trigger for Patch {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        let bytes = self.square.len().pow(2) * CHANNELS;
        batch.each_of_few(bytes, |image| self.stamp(image))
    }
}

/// A pattern of the image's size.
#[derive(Debug)]
struct Laid {
    overlay: Overlay,
    opacity: f64,
    rounding: Rounding,
}

impl Trigger for Laid {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        let (height, width) = (batch.height(), batch.width());
        let spots = self.overlay.spots(height, width, self.opacity)?;
        batch.each_of_few(spots.len(), |image| {
            replace(image.pixels, &spots, self.rounding);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
