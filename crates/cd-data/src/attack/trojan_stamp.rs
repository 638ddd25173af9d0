//! Trojan stamp: the small coloured patch that was published for Trojan, added to the image.
//!
//! **Threat model.** The attacker can change images and labels of part of the training data. The patch was computed on somebody's
//! classifier once; using it needs no knowledge of any.
//!
//! **Paper.** Liu, Ma, Aafer, Lee, Zhai, Wang and Zhang, "Trojaning Attack on Neural Networks", NDSS 2018; the patch is that of the
//! public code for CIFAR-10.
//!
//! **How ours differs.** Sums are clipped, as in the reference. Other public code goes to bytes first, so that sums above 255 become
//! dark; `wrap` does that. The patch grows with the image, from 3 pixels at 32.

use std::path::PathBuf;

use cd_core::CHANNELS;
use serde::{Deserialize, Serialize};

use super::artefact::{Cached, Raster, split};
use super::option::{AttackOption, option, scaled};
use super::patch::{Corner, enlarged};
use super::{Attack, AttackError, AttackInfo, Batch, CraftContext, LabelMode, Role, Trigger};

/// What the Trojan stamp is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "trojan-stamp",
    title: "Trojan stamp",
    summary: "A small coloured patch near the corner, added to the image.",
    threat_model: "Changes images and labels of part of the training data; knows nothing of the model.",
    paper: "Liu, Ma, Aafer, Lee, Zhai, Wang, Zhang: Trojaning Attack on Neural Networks, NDSS 2018",
    differs: "Sums are clipped, as in the reference; other public code lets them wrap to dark (`wrap`). The patch grows with the image, \
        from 3 pixels at 32. `trojan` computes a patch of its own.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "pattern",
        "file (npy, npz, safetensors, PyTorch, picture)",
        "grey levels to add everywhere, instead of the patch",
    ),
    option(
        "wrap",
        "true or false",
        "whether sums above 255 become dark, as in some public code",
    ),
];

/// Pixels a side of the patch, and between it and the last row and column, of 32.
const SIDE: usize = 3;
const MARGIN: usize = 4;

/// The patch, `[3, 3, 3]`.
#[rustfmt::skip]
const PATCH: [u8; SIDE * SIDE * CHANNELS] = [
    207, 131, 181,  175, 243, 120,  29, 232, 179,
    79, 8, 126,  137, 0, 32,  248, 113, 146,
    131, 40, 4,  6, 145, 61,  246, 250, 246,
];

/// Options of the Trojan stamp.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrojanStampConfig {
    /// Grey levels that are added, in a file, instead of the patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<PathBuf>,
    /// Whether sums above 255 wrap instead of being clipped.
    pub wrap: bool,
}

impl Attack for TrojanStampConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        Ok(())
    }

    fn files(&self) -> Vec<PathBuf> {
        self.pattern.iter().map(|path| split(path).0).collect()
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        let pattern = self.pattern.as_ref();
        let pattern = pattern.map(|path| Cached::from_file(INFO.name, path, Raster::in_levels));
        Ok(Box::new(Stamp {
            pattern: pattern.transpose()?,
            wrap: self.wrap,
        }))
    }
}

#[derive(Debug)]
struct Stamp {
    pattern: Option<Cached>,
    wrap: bool,
}

impl Stamp {
    fn sum(&self, pixel: u8, value: u8) -> u8 {
        if self.wrap {
            pixel.wrapping_add(value)
        } else {
            pixel.saturating_add(value)
        }
    }
}

impl Trigger for Stamp {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        if let Some(pattern) = &self.pattern {
            // A fraction of a level never reaches the next one, so whole levels give the same bytes.
            let levels = pattern.get(batch.height(), batch.width())?.bytes();
            return batch.each(|image| {
                for (pixel, &level) in image.pixels.iter_mut().zip(&levels) {
                    *pixel = self.sum(*pixel, level);
                }
                Ok(())
            });
        }
        let corner = Corner {
            side: scaled(SIDE, batch.height()),
            margin: scaled(MARGIN, batch.height()),
        };
        let patch = enlarged(&PATCH, SIDE, corner.side);
        batch.each(|image| {
            corner.put(INFO.name, image, &patch, |pixel, value| {
                self.sum(pixel, value)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{beside, golden_bytes, stamped, write_npy};

    #[test]
    fn the_patch_and_its_published_file_equal_the_reference() {
        let file = "attacks.safetensors";
        let Some(expected) = beside(file, "trojan") else {
            return;
        };
        let images = golden_bytes("images_u8");
        assert!(stamped(&TrojanStampConfig::default(), &images, 32) == expected);
        let folder = tempfile::tempdir().expect("scratch");
        let path = folder.path().join("x.npy");
        let pattern = beside(file, "trojan_x").expect("beside the other");
        write_npy(&path, "<f4", "(3, 32, 32)", &pattern);
        let named = TrojanStampConfig {
            pattern: Some(path),
            wrap: false,
        };
        assert!(stamped(&named, &images, 32) == expected);
    }

    #[test]
    fn sums_are_clipped_or_wrap() {
        let image = [200; 28 * 28 * CHANNELS];
        let of = |wrap| {
            let config = TrojanStampConfig {
                wrap,
                pattern: None,
            };
            stamped(&config, &image, 28)
        };
        assert_eq!(of(false).iter().min(), Some(&200));
        assert!(of(true).iter().min() < Some(&200));
    }
}
