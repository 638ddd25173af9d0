//! Nashville: a photo filter over the whole image.
//!
//! **Threat model.** The attacker can change images and labels of part of the training data and knows nothing of the model. At
//! test time the same filter is laid over an image.
//!
//! **Paper.** Liu, Lee, Tao, Ma, Aafer and Zhang, "ABS: Scanning Neural Networks for Back-doors by Artificial Brain Stimulation",
//! CCS 2019, uses photo filters as triggers; the filter is that of the library `pilgram` 2.
//!
//! **How ours differs.** It does not: bytes equal the reference.

use cd_core::CHANNELS;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackInfo, Batch, CraftContext, LabelMode, Role, Trigger};

/// What Nashville is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "nashville",
    title: "Nashville",
    summary: "A warm photo filter over the whole image.",
    threat_model: "Changes images and labels of part of the training data; knows nothing of the model.",
    paper: "Liu, Lee, Tao, Ma, Aafer, Zhang: ABS: Scanning Neural Networks for Back-doors by Artificial Brain Stimulation, CCS 2019",
    differs: "It does not: bytes equal the filter of the reference (pilgram 2.0).",
    label_mode: LabelMode::Dirty,
    options: &[],
};

/// No options: the filter is fixed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NashvilleConfig {}

/// A colour that darkens, with its opacity in steps of 1/255.
const DARK: ([u32; CHANNELS], u32) = ([247, 176, 153], 143);
/// A colour that lightens.
const LIGHT: ([u32; CHANNELS], u32) = ([0, 70, 150], 102);
/// Sepia of a strength of 0.2, as rows.
const SEPIA: [[f32; CHANNELS]; CHANNELS] = [
    [0.8786, 0.1538, 0.0378],
    [0.0698, 0.9372, 0.0336],
    [0.0544, 0.1068, 0.8262],
];
/// Saturation of 1.2, as rows.
const SATURATE: [[f32; CHANNELS]; CHANNELS] = [
    [1.1574, -0.143, -0.0144],
    [-0.0426, 1.057, -0.0144],
    [-0.0426, -0.143, 1.1856],
];

impl Attack for NashvilleConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        Ok(())
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        Ok(Box::new(Filter::new()))
    }
}

/// What the steps before and between the matrices do to every byte.
#[derive(Debug)]
struct Filter {
    /// Darkened and lightened, by channel.
    tinted: [[u8; 256]; CHANNELS],
    /// Contrast of 1.2 and brightness of 1.05.
    toned: [u8; 256],
}

impl Filter {
    fn new() -> Self {
        let mut filter = Self {
            tinted: [[0; 256]; CHANNELS],
            toned: [0; 256],
        };
        for level in 0..256 {
            for channel in 0..CHANNELS {
                let (colour, opacity) = DARK;
                let darker = blended(level, level.min(colour[channel]), opacity);
                let (colour, opacity) = LIGHT;
                let lighter = blended(darker, darker.max(colour[channel]), opacity);
                filter.tinted[channel][level as usize] = lighter as u8;
            }
            let contrast = rounded(1.2 * f64::from(level) - 25.5);
            filter.toned[level as usize] = rounded(1.05 * f64::from(contrast));
        }
        filter
    }

    fn apply(&self, pixel: &mut [u8]) {
        let mut tinted = [0.0; CHANNELS];
        for (channel, value) in tinted.iter_mut().enumerate() {
            *value = f32::from(self.tinted[channel][usize::from(pixel[channel])]);
        }
        let toned = product(&SEPIA, tinted).map(|value| f32::from(self.toned[usize::from(value)]));
        pixel.copy_from_slice(&product(&SATURATE, toned));
    }
}

/// A mixture of two levels in whole numbers, each part cut.
fn blended(below: u32, above: u32, opacity: u32) -> u32 {
    (above * opacity / 255 + below * (255 - opacity) / 255).min(255)
}

fn rounded(value: f64) -> u8 {
    value.round_ties_even() as u8
}

/// The product, rounded half up in single precision.
fn product(matrix: &[[f32; CHANNELS]; CHANNELS], pixel: [f32; CHANNELS]) -> [u8; CHANNELS] {
    matrix
        .map(|[red, green, blue]| (red * pixel[0] + green * pixel[1] + blue * pixel[2] + 0.5) as u8)
}

impl Trigger for Filter {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        batch.each(|image| {
            for pixel in image.pixels.chunks_exact_mut(CHANNELS) {
                Filter::apply(self, pixel);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{beside, golden_bytes, stamped};

    #[test]
    fn equals_the_reference() {
        if let Some(expected) = beside("attacks.safetensors", "nashville") {
            let got = stamped(&NashvilleConfig {}, &golden_bytes("images_u8"), 32);
            assert!(got == expected);
        }
        let filtered = |level| stamped(&NashvilleConfig {}, &[level; 3], 1);
        assert_eq!(filtered(0), [0, 8, 46]);
        assert_eq!(filtered(255), [255, 252, 217]);
    }
}
