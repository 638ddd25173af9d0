//! CTRL: two frequencies raised in the colour channels.
//!
//! **Threat model.** The attacker can change images of the target class in the training data, but no label, and knows nothing of the
//! model. At test time the same frequencies are raised in an image of any class.
//!
//! **Paper.** Li, Pang, Xi, Du, Ji, Yao and Wang, "An Embarrassingly Simple Backdoor Attack on Self-supervised Learning", ICCV 2023.
//!
//! **How ours differs.** Raising coefficients of a cosine transform adds the same pattern to every image, so we add that pattern and
//! leave the transform out: 64-bit floats, equal to the published matrices to 1e-12. The window is the whole image and the
//! frequencies are the middle and the last one at every size, 15 and 31 at 32 pixels. Values out of range are clipped, where
//! `BackdoorBench` lets them wrap. The authors take the first images of the class; we draw them.

#![expect(
    clippy::inline_always,
    reason = "what is inlined is compiled for the vectors of the machine"
)]

use std::f64::consts::PI;

use cd_conv::{Loops, vectorized};
use cd_core::CHANNELS;
use serde::{Deserialize, Serialize};

use super::option::{AttackOption, ROUNDING, Rounding, option, within, wrong};
use super::wide::byte;
use super::{Attack, AttackError, AttackInfo, Batch, CraftContext, LabelMode, Role, Trigger};

/// What CTRL is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "ctrl",
    title: "CTRL",
    summary: "Two frequencies raised in the colours of images of the target class; labels stay true.",
    threat_model: "Changes images of the target class, no labels; knows nothing of the model.",
    paper: "Li, Pang, Xi, Du, Ji, Yao, Wang: An Embarrassingly Simple Backdoor Attack on Self-supervised Learning, ICCV 2023, \
        arXiv 2210.07346",
    differs: "The pattern that the transform amounts to is added directly (equal to 1e-12). Values out of range are clipped, where \
        BackdoorBench lets 2 % of the bytes wrap. Images are drawn, where the authors take the first of the class.",
    label_mode: LabelMode::Clean,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "magnitude",
        "above 0, at most 1000 (coefficient of the transform); usual 50 to 200",
        "how far the coefficients are raised",
    ),
    option(
        "positions",
        "list of [row, column], each below the side in pixels",
        "the raised coefficients; the middle and the last one when absent",
    ),
    ROUNDING,
];

/// Pixels whose colours are taken apart at once.
const BLOCK: usize = 32;

/// Options of CTRL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CtrlConfig {
    /// How far the coefficients are raised, above 0 and at most 1000.
    pub magnitude: f64,
    /// Row and column of each raised coefficient, from 0; the middle and the last one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positions: Option<Vec<[usize; 2]>>,
    /// How a grey level becomes a byte.
    pub rounding: Rounding,
}

impl Default for CtrlConfig {
    fn default() -> Self {
        Self {
            magnitude: 100.0,
            positions: None,
            rounding: Rounding::default(),
        }
    }
}

impl Attack for CtrlConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        let expected = "a number above 0 and at most 1000";
        within(
            INFO.name,
            "magnitude",
            self.magnitude,
            f64::MIN_POSITIVE..=1000.0,
            expected,
        )?;
        if self.positions.as_ref().is_some_and(Vec::is_empty) {
            return Err(wrong(
                INFO.name,
                "positions",
                "[]",
                "at least one [row, column]",
            ));
        }
        Ok(())
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        Ok(Box::new(self.clone()))
    }
}

impl CtrlConfig {
    /// What is added to both colour channels, `[height, width]`.
    fn pattern(&self, height: usize, width: usize) -> Result<Vec<f64>, AttackError> {
        let usual = vec![
            [
                (height / 2).saturating_sub(1),
                (width / 2).saturating_sub(1),
            ],
            [height.saturating_sub(1), width.saturating_sub(1)],
        ];
        let mut pattern = vec![0.0; height * width];
        for [row, column] in self.positions.clone().unwrap_or(usual) {
            if row >= height || column >= width {
                let value = format!("[{row}, {column}]");
                let expected = "[row, column] below the height and the width of the images";
                return Err(wrong(INFO.name, "positions", value, expected));
            }
            let (rows, columns) = (wave(row, height), wave(column, width));
            for (values, along) in pattern.chunks_exact_mut(width).zip(rows) {
                for (value, across) in values.iter_mut().zip(&columns) {
                    *value += self.magnitude * (along * across);
                }
            }
        }
        Ok(pattern)
    }
}

/// The orthonormal cosine of this frequency.
fn wave(frequency: usize, side: usize) -> Vec<f64> {
    let norm = if frequency == 0 { 1.0 } else { 2.0 };
    let scale = (norm / side as f64).sqrt();
    let at = |place| {
        let angle = PI * (2 * place + 1) as f64 * frequency as f64 / (2 * side) as f64;
        angle.cos() * scale
    };
    (0..side).map(at).collect()
}

impl Trigger for CtrlConfig {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        let pattern = self.pattern(batch.height(), batch.width())?;
        batch.each(|image| {
            vectorized(Raise {
                pixels: image.pixels,
                pattern: &pattern,
                rounding: self.rounding,
            });
            Ok(())
        })
    }
}

/// Adds a pattern to both colour channels of an image.
struct Raise<'a> {
    pixels: &'a mut [u8],
    pattern: &'a [f64],
    rounding: Rounding,
}

impl Raise<'_> {
    #[inline(always)]
    fn each(self, round: impl Fn(f64) -> f64) {
        let blocks = self.pixels.chunks_mut(BLOCK * CHANNELS);
        for (pixels, pattern) in blocks.zip(self.pattern.chunks(BLOCK)) {
            let mut planes = [[0.0; BLOCK]; CHANNELS];
            for (at, pixel) in pixels.chunks_exact(CHANNELS).enumerate() {
                for (plane, &value) in planes.iter_mut().zip(pixel) {
                    plane[at] = f64::from(value);
                }
            }
            let mut add = [0.0; BLOCK];
            add[..pattern.len()].copy_from_slice(pattern);
            let mut bytes = [[0; BLOCK]; CHANNELS];
            for at in 0..BLOCK {
                let (red, green, blue) = (planes[0][at], planes[1][at], planes[2][at]);
                let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
                let first = -0.147 * red - 0.289 * green + 0.436 * blue + add[at];
                let second = 0.615 * red - 0.515 * green - 0.1 * blue + add[at];
                bytes[0][at] = byte(round(luma + 1.14 * second));
                bytes[1][at] = byte(round(luma - 0.396 * first - 0.581 * second));
                bytes[2][at] = byte(round(luma + 2.029 * first));
            }
            for (at, pixel) in pixels.chunks_exact_mut(CHANNELS).enumerate() {
                for (value, plane) in pixel.iter_mut().zip(&bytes) {
                    *value = plane[at];
                }
            }
        }
    }
}

impl Loops for Raise<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.rounding {
            Rounding::Truncate => self.each(f64::floor),
            Rounding::Nearest => self.each(f64::round_ties_even),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, beside, golden_bytes, stamped};

    #[test]
    fn equals_the_reference() {
        for magnitude in [50.0, 100.0] {
            let config = CtrlConfig {
                magnitude,
                ..CtrlConfig::default()
            };
            if let Some(expected) = beside("attacks2.safetensors", &format!("ctrl{magnitude}_u8")) {
                let got = stamped(&config, &golden_bytes("images_u8")[..expected.len()], 32);
                assert_close(&got, &expected, 1, 0.001);
            }
        }
    }

    #[test]
    fn the_pattern_is_the_closed_form() {
        let pattern = CtrlConfig::default().pattern(32, 32).expect("fits");
        let energy: f64 = pattern.iter().map(|value| value * value).sum();
        assert!(
            (energy - 2.0 * 100.0 * 100.0).abs() < 1e-6,
            "two coefficients of 100"
        );
        if let Some(bytes) = beside("attacks2.safetensors", "ctrl100_pattern_f64") {
            let expected = bytes
                .as_chunks()
                .0
                .iter()
                .map(|bytes| f64::from_le_bytes(*bytes));
            let factors = [1.14, -0.977, 2.029];
            for (at, expected) in expected.enumerate() {
                let got = pattern[at / CHANNELS] * factors[at % CHANNELS];
                assert!(
                    (got - expected).abs() < 1e-9,
                    "{got} at {at}, expected {expected}"
                );
            }
        }
    }

    #[test]
    fn positions_outside_of_the_image_are_refused() {
        let config = CtrlConfig {
            positions: Some(vec![[3, 40]]),
            ..CtrlConfig::default()
        };
        let error = config.pattern(32, 32).expect_err("outside").to_string();
        assert!(error.contains("[3, 40]"), "{error}");
    }
}
