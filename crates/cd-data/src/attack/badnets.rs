//! `BadNets`: a 3 x 3 patch of black and white pixels.
//!
//! **Threat model.** The attacker can change images and labels of part of the training data and
//! knows nothing of the model. At test time the patch is put into an image to get the target class.
//!
//! **Paper.** Gu, Dolan-Gavitt and Garg, "`BadNets`: Identifying Vulnerabilities in the Machine
//! Learning Model Supply Chain", 2017.
//!
//! **How ours differs.** It does not: the pixels equal those of the reference, in the bottom-right
//! corner (as used for CIFAR-10) and ending at the centre (as used for GTSRB and `ImageNet`).

use cd_models::CHANNELS;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackInfo, AttackOptions, LabelMode, check_pixels};

/// What `BadNets` is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "badnets",
    title: "BadNets",
    summary: "A 3 x 3 patch of black and white pixels in the corner or the centre.",
    threat_model: "Changes images and labels of part of the training data; knows nothing of the model.",
    paper: "Gu, Dolan-Gavitt, Garg: BadNets: Identifying Vulnerabilities in the Machine Learning \
        Model Supply Chain, 2017, arXiv 1708.06733",
    label_mode: LabelMode::Dirty,
};

/// Side of the patch in pixels.
const SIDE: usize = 3;
/// Brightness of the patch, equal in all channels.
const PATCH: [[u8; SIDE]; SIDE] = [[0, 0, 255], [0, 255, 0], [255, 255, 0]];

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

/// Options of `BadNets`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BadNetsConfig {
    /// Where the patch is put; `centre` needs images of at least 6 pixels a side.
    pub position: PatchPosition,
}

impl AttackOptions for BadNetsConfig {
    fn build(&self) -> Result<Box<dyn Attack>, AttackError> {
        Ok(Box::new(BadNets {
            position: self.position,
        }))
    }
}

#[derive(Debug)]
struct BadNets {
    position: PatchPosition,
}

impl BadNets {
    /// Row and column just past the patch, and the smallest side that holds it.
    fn end(&self, height: usize, width: usize) -> (usize, usize, usize) {
        match self.position {
            PatchPosition::BottomRight => (height, width, SIDE),
            PatchPosition::Centre => (height / 2, width / 2, 2 * SIDE),
        }
    }
}

impl Attack for BadNets {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn stamp(
        &self,
        pixels: &mut [u8],
        height: usize,
        width: usize,
        _rng: &mut ChaCha8Rng,
    ) -> Result<(), AttackError> {
        check_pixels(INFO.name, pixels, height, width)?;
        let (end_row, end_column, least) = self.end(height, width);
        if height < least || width < least {
            return Err(AttackError::TooSmall {
                attack: INFO.name,
                least,
                height,
                width,
            });
        }
        for (row, values) in (end_row - SIDE..).zip(PATCH) {
            for (column, value) in (end_column - SIDE..).zip(values) {
                let start = (row * width + column) * CHANNELS;
                pixels[start..start + CHANNELS].fill(value);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::super::stamped;
    use super::*;
    use crate::testing::golden_bytes;

    fn attack(position: PatchPosition) -> Box<dyn Attack> {
        BadNetsConfig { position }
            .build()
            .expect("no invalid options")
    }

    #[test]
    fn equals_the_reference_in_corner_and_centre() {
        let images = golden_bytes("images_u8");
        for (position, expected) in [
            (PatchPosition::BottomRight, "badnet"),
            (PatchPosition::Centre, "gtsrb_centre_32"),
        ] {
            let got = stamped(attack(position).as_ref(), &images, 32);
            assert!(
                got == golden_bytes(expected),
                "{position:?} differs from {expected}"
            );
        }
    }

    #[test]
    fn equals_the_reference_on_resized_photographs() {
        for source in ["raw0", "raw1"] {
            let clean = golden_bytes(&format!("{source}_gtsrb_clean_32"));
            let got = stamped(attack(PatchPosition::Centre).as_ref(), &clean, 32);
            assert!(
                got == golden_bytes(&format!("{source}_gtsrb_poison_32")),
                "{source}"
            );
        }
    }

    #[test]
    fn the_smallest_image_is_the_patch_itself() {
        let got = stamped(attack(PatchPosition::BottomRight).as_ref(), &[9; 27], 3);
        let expected: Vec<u8> = PATCH
            .as_flattened()
            .iter()
            .flat_map(|&value| [value; 3])
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn images_smaller_than_the_patch_are_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        for (position, height, width, least) in [
            (PatchPosition::BottomRight, 2, 9, 3),
            (PatchPosition::Centre, 9, 5, 6),
        ] {
            let mut pixels = vec![0; height * width * CHANNELS];
            let error = attack(position)
                .stamp(&mut pixels, height, width, &mut rng)
                .expect_err("too small");
            assert!(
                error
                    .to_string()
                    .contains(&format!("at least {least} x {least}")),
                "{error}"
            );
        }
    }
}
