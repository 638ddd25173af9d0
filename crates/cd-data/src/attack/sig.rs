//! SIG: a sinusoidal signal across the columns, without touching labels.
//!
//! **Threat model.** The attacker can change images of the target class in the training data, but no label,
//! and knows nothing of the model. At test time the same signal is put into an image of any class.
//!
//! **Paper.** Barni, Kallas and Tondi, "A New Backdoor Attack in CNNs by Training Set Corruption Without
//! Label Poisoning", ICIP 2019.
//!
//! **How ours differs.** `stripes`, the default, equals the reference: its signal is stored in unsigned bytes,
//! where negative values wrap to bright ones, and is mixed in. `sine` adds the signal as the paper of the
//! attack has it, and clips.

use std::f64::consts::TAU;

use cd_core::CHANNELS;
use serde::{Deserialize, Serialize};

use super::expected::at_usual_rates;
use super::option::{AttackOption, ROUNDING_IF_GIVEN, Rounding, option, wrong};
use super::wide::{Blending, add_levels};
use super::{
    Attack, AttackError, AttackInfo, Batch, CraftContext, LabelMode, PublishedSuccess, Role,
    Trigger,
};

/// What SIG is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "sig",
    title: "SIG",
    summary: "A sinusoidal signal across the columns of images of the target class; labels stay true.",
    threat_model: "Changes images of the target class, no labels; knows nothing of the model.",
    paper: "Barni, Kallas, Tondi: A New Backdoor Attack in CNNs by Training Set Corruption Without \
        Label Poisoning, ICIP 2019, arXiv 1902.11237",
    differs: "`stripes` equals the reference, whose signal wraps in unsigned bytes; `sine` is the paper's, with the wave of \
        BackdoorBench (amplitude 40, 6 periods). Where the sine is zero but for rounding errors, cutting may take one level.",
    label_mode: LabelMode::Clean,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "signal",
        "\"stripes\" or \"sine\"",
        "mixed-in wrapped stripes, or an added wave",
    ),
    option("alpha", "above 0, at most 1", "share of the stripes"),
    option(
        "amplitude",
        "above 0, at most 255 grey levels",
        "largest change by the sine; 40 in BackdoorBench, 20 in ABL's text",
    ),
    option(
        "frequency",
        "above 0, periods over the width",
        "how fast the sine runs",
    ),
    ROUNDING_IF_GIVEN,
];

/// How the signal gets into the image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SigSignal {
    /// `(1 - alpha) x + alpha v` with `v(column) = 20 sin(0.8 column)`, wrapped into 0 to 255.
    #[default]
    Stripes,
    /// `x + amplitude sin(2 pi frequency column / width)`, clipped.
    Sine,
}

/// Published success rates.
const PUBLISHED: [PublishedSuccess; 5] = at_usual_rates([41.3, 82.4, 83.4, 97.1, 98.3]);

/// Options of SIG.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SigConfig {
    /// How the signal gets into the image.
    pub signal: SigSignal,
    /// Share of the stripes in the mixture, above 0 and at most 1.
    pub alpha: f64,
    /// Largest change by the sine, above 0 and at most 255.
    pub amplitude: f64,
    /// Periods of the sine over the width of the image, above 0.
    pub frequency: f64,
    /// How a grey level becomes a byte.
    #[serde(skip_serializing_if = "Rounding::is_published")]
    pub rounding: Rounding,
}

impl Default for SigConfig {
    fn default() -> Self {
        Self {
            signal: SigSignal::Stripes,
            alpha: 0.2,
            amplitude: 40.0,
            frequency: 6.0,
            rounding: Rounding::default(),
        }
    }
}

impl Attack for SigConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn published(&self) -> &'static [PublishedSuccess] {
        &PUBLISHED
    }

    fn check(&self) -> Result<(), AttackError> {
        within("alpha", self.alpha, 1.0, "a number above 0 and at most 1")?;
        let grey = "a number above 0 and at most 255";
        within("amplitude", self.amplitude, 255.0, grey)?;
        within("frequency", self.frequency, f64::MAX, "a number above 0")
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        Ok(match self.signal {
            SigSignal::Stripes => Box::new(Striped(Blending::new(self.alpha, self.rounding))),
            SigSignal::Sine => Box::new(Wave {
                amplitude: self.amplitude,
                frequency: self.frequency,
                rounding: self.rounding,
            }),
        })
    }
}

#[derive(Debug)]
struct Striped(Blending);

impl Trigger for Striped {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        let level = |column: usize| (20.0 * (0.8 * column as f64).sin()) as i32 as u8;
        let row: Vec<u8> = in_columns(batch.width(), level).collect();
        batch.each(|image| {
            for pixels in image.pixels.chunks_exact_mut(row.len()) {
                self.0.apply(pixels, &row);
            }
            Ok(())
        })
    }
}

/// `amplitude sin(2 pi frequency column / width)` on top.
#[derive(Debug)]
struct Wave {
    amplitude: f64,
    frequency: f64,
    rounding: Rounding,
}

impl Trigger for Wave {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        let width = batch.width() as f64;
        let level =
            |column: usize| self.amplitude * (TAU * self.frequency * column as f64 / width).sin();
        let row: Vec<f64> = in_columns(batch.width(), level).collect();
        batch.each(|image| {
            for pixels in image.pixels.chunks_exact_mut(row.len()) {
                add_levels(pixels, &row, 1.0, self.rounding);
            }
            Ok(())
        })
    }
}

/// What is in every column of a row, for each channel.
fn in_columns<T: Copy>(width: usize, level: impl Fn(usize) -> T) -> impl Iterator<Item = T> {
    (0..width).flat_map(move |column| [level(column); CHANNELS])
}

fn within(
    option: &'static str,
    value: f64,
    most: f64,
    expected: &'static str,
) -> Result<(), AttackError> {
    if value > 0.0 && value <= most {
        return Ok(());
    }
    Err(wrong(INFO.name, option, value, expected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{beside, golden_bytes, stamped};

    #[test]
    fn stripes_equal_the_reference() {
        let images = golden_bytes("images_u8");
        let got = stamped(&SigConfig::default(), &images, 32);
        assert!(got == golden_bytes("sig_a0.2"));
    }

    #[test]
    fn the_sine_equals_the_reference() {
        let images = golden_bytes("images_u8");
        for amplitude in [20.0, 40.0] {
            let config = SigConfig {
                signal: SigSignal::Sine,
                amplitude,
                ..SigConfig::default()
            };
            let name = format!("sig_textbook_d{amplitude}_f6_u8");
            let Some(expected) = beside("attacks2.safetensors", &name) else {
                continue;
            };
            let got = stamped(&config, &images[..expected.len()], 32);
            for (at, (got, expected)) in got.iter().zip(&expected).enumerate() {
                // The sine of column 16 is zero but for rounding.
                let most = u8::from(at / CHANNELS % 32 == 16);
                assert!(got.abs_diff(*expected) <= most, "{name}: byte {at}");
            }
        }
    }

    #[test]
    fn the_sine_has_its_amplitude_and_period_and_is_clipped() {
        let config = SigConfig {
            signal: SigSignal::Sine,
            frequency: 2.0,
            ..SigConfig::default()
        };
        let column = |image: &[u8], column: usize| image[column * CHANNELS];
        let grey = stamped(&config, &[100; 8 * 8 * CHANNELS], 8);
        assert_eq!(
            [0, 1, 3, 5].map(|at| column(&grey, at)),
            [100, 140, 60, 140]
        );
        let dark = stamped(&config, &[10; 8 * 8 * CHANNELS], 8);
        assert_eq!(column(&dark, 3), 0);
    }

    #[test]
    fn bad_options_are_named() {
        let plain = SigConfig::default;
        let bad = [
            (
                "alpha",
                SigConfig {
                    alpha: 1.5,
                    ..plain()
                },
            ),
            (
                "amplitude",
                SigConfig {
                    amplitude: -1.0,
                    ..plain()
                },
            ),
            (
                "frequency",
                SigConfig {
                    frequency: f64::NAN,
                    ..plain()
                },
            ),
        ];
        for (option, config) in bad {
            let error = config.check().expect_err("out of range");
            assert!(
                error.to_string().contains(&format!("`{option}`")),
                "{error}"
            );
        }
    }
}
