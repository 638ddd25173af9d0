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

use cd_core::CHANNELS;
use serde::{Deserialize, Serialize};

use super::{
    Attack, AttackError, AttackInfo, Batch, CraftContext, Image, LabelMode, Role, Trigger,
};

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

impl BadNetsConfig {
    /// Row and column just past the patch, and the smallest side that holds it.
    fn end(&self, height: usize, width: usize) -> (usize, usize, usize) {
        match self.position {
            PatchPosition::BottomRight => (height, width, SIDE),
            PatchPosition::Centre => (height / 2, width / 2, 2 * SIDE),
        }
    }

    fn stamp(&self, image: &mut Image<'_>) -> Result<(), AttackError> {
        let (height, width) = (image.height, image.width);
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
                image.pixels[start..start + CHANNELS].fill(value);
            }
        }
        Ok(())
    }
}

impl Attack for BadNetsConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        Ok(())
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        Ok(Box::new(self.clone()))
    }
}

impl Trigger for BadNetsConfig {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        batch.each(|image| self.stamp(image))
    }
}

#[cfg(test)]
mod tests {
    use cd_core::random::stream;

    use super::*;
    use crate::testing::{golden_bytes, stamped};

    fn attack(position: PatchPosition) -> BadNetsConfig {
        BadNetsConfig { position }
    }

    #[test]
    fn equals_the_reference_in_corner_and_centre() {
        let images = golden_bytes("images_u8");
        for (position, expected) in [
            (PatchPosition::BottomRight, "badnet"),
            (PatchPosition::Centre, "gtsrb_centre_32"),
        ] {
            let got = stamped(&attack(position), &images, 32);
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
            let got = stamped(&attack(PatchPosition::Centre), &clean, 32);
            assert!(
                got == golden_bytes(&format!("{source}_gtsrb_poison_32")),
                "{source}"
            );
        }
    }

    #[test]
    fn the_smallest_image_is_the_patch_itself() {
        let got = stamped(&attack(PatchPosition::BottomRight), &[9; 27], 3);
        let expected: Vec<u8> = PATCH
            .as_flattened()
            .iter()
            .flat_map(|&value| [value; 3])
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn images_smaller_than_the_patch_are_refused() {
        for (position, height, width, least) in [
            (PatchPosition::BottomRight, 2, 9, 3),
            (PatchPosition::Centre, 9, 5, 6),
        ] {
            let mut batch = Batch::new(height, width);
            batch
                .push(&vec![0; height * width * CHANNELS], 0, 0, stream(0, 0))
                .expect("one image");
            let error = attack(position)
                .apply(&mut batch, Role::Train)
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
