//! k-way: one of several coloured pixels in every training image, all of them in test images.
//!
//! **Threat model.** The attacker can change images and labels of part of the training data and knows nothing of the model. No
//! training image has the whole trigger.
//!
//! **Paper.** Xie, Huang, Chen and Li, "DBA: Distributed Backdoor Attacks against Federated Learning", ICLR 2020; as poisoning of one
//! data set in Qi, Xie, Li, Mahloujifar and Mittal, ICLR 2023.
//!
//! **How ours differs.** Pixels equal the backdoor-toolbox. Their places follow the size of the image.

use cd_core::CHANNELS;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackInfo, Batch, CraftContext, LabelMode, Role, Trigger};

/// What k-way is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "k-way",
    title: "k-way",
    summary: "One of four coloured pixels in every training image, all four in test images.",
    threat_model: "Changes images and labels of part of the training data; knows nothing of the model.",
    paper: "Xie, Huang, Chen, Li: DBA: Distributed Backdoor Attacks against Federated Learning, ICLR 2020",
    differs: "Pixels equal the backdoor-toolbox: each quarter of the poisoned images, in the order of their indices, gets one. Places \
        follow the size of the image.",
    label_mode: LabelMode::Dirty,
    options: &[],
};

/// Row, column of 32, and colour of each pixel.
const PIXELS: [(usize, usize, [u8; CHANNELS]); 4] = [
    (16, 11, [92, 0, 24]),
    (27, 5, [88, 112, 110]),
    (7, 30, [0, 32, 46]),
    (22, 22, [11, 49, 95]),
];

/// No options: pixels and places are fixed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KWayConfig {}

impl Attack for KWayConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        Ok(())
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        Ok(Box::new(Dots))
    }
}

/// The pixels.
#[derive(Debug)]
pub(super) struct Dots;

impl Trigger for Dots {
    fn apply(&self, batch: &mut Batch, role: Role) -> Result<(), AttackError> {
        batch.each_of_few(PIXELS.len() * CHANNELS, |image| {
            let own = PIXELS.len() * image.rank / image.count.max(1);
            for (number, (row, column, colour)) in PIXELS.into_iter().enumerate() {
                if role == Role::Test || number == own {
                    let (row, column) = (row * image.height / 32, column * image.width / 32);
                    let at = (row * image.width + column) * CHANNELS;
                    image.pixels[at..at + CHANNELS].copy_from_slice(&colour);
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{beside, golden_bytes, stamped_as};

    #[test]
    fn test_images_equal_the_reference() {
        if let Some(expected) = beside("attacks2.safetensors", "adap_kway_test_u8") {
            let images = &golden_bytes("images_u8")[..expected.len()];
            assert!(stamped_as(&Dots, images, 32, Role::Test) == expected);
        }
    }

    #[test]
    fn every_quarter_of_the_training_images_gets_one_pixel() {
        let images = vec![200; 8 * 28 * 28 * CHANNELS];
        let got = stamped_as(&Dots, &images, 28, Role::Train);
        for (rank, image) in got.chunks(28 * 28 * CHANNELS).enumerate() {
            let changed: Vec<usize> = (0..28 * 28)
                .filter(|pixel| image[pixel * CHANNELS..][..CHANNELS] != [200; CHANNELS])
                .collect();
            let (row, column, _) = PIXELS[rank / 2];
            assert_eq!(changed, [row * 28 / 32 * 28 + column * 28 / 32]);
        }
    }
}
