//! Single random changes that a configuration lines up.

use cd_core::random;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::pixels::{cut_out, erased, recoloured, shifted};
use super::window::Window;
use crate::train::setting::{SettingError, at_least_one, require};

/// One random change of a training image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Shifted, the rest black.
    Crop {
        /// Largest shift as a share of the side, in `(0, 1]`.
        #[serde(default = "eighth")]
        reach: f64,
    },
    /// Mirrored left to right half of the time.
    Flip {},
    /// A black square around a random pixel, cut at the border (`DeVries` and Taylor, *Improved
    /// Regularization of Convolutional Neural Networks with Cutout*, 2017).
    Cutout {
        /// Side of the square in pixels, at least 1.
        pixels: usize,
    },
    /// Half of the time, a rectangle of 20 to 80 % of the sides in one random colour (Zhong et al.,
    /// *Random Erasing Data Augmentation*, AAAI 2020).
    Erase {},
    /// Brightness, contrast and saturation, in this order, each times a factor drawn between
    /// `1 - x` and `1 + x`; 0 leaves one alone.
    ColourJitter {
        /// Of brightness, in `[0, 1]`.
        #[serde(default = "fifth")]
        brightness: f64,
        /// Of contrast, in `[0, 1]`.
        #[serde(default = "fifth")]
        contrast: f64,
        /// Of saturation, in `[0, 1]`.
        #[serde(default = "fifth")]
        saturation: f64,
    },
    /// A rectangle of the image enlarged to the image's size, bilinear.
    RandomResizedCrop {
        /// Smallest share of the area, in `(0, 1]`; the largest is 1.
        #[serde(default = "least_area")]
        smallest: f64,
        /// Largest ratio of the longer side to the shorter, relative to the image, at least 1.
        #[serde(default = "four_thirds")]
        elongation: f64,
    },
}

fn eighth() -> f64 {
    0.125
}

fn fifth() -> f64 {
    0.2
}

fn least_area() -> f64 {
    0.08
}

fn four_thirds() -> f64 {
    4.0 / 3.0
}

impl Step {
    pub(super) fn check(&self) -> Result<(), SettingError> {
        let part = |key, value: f64| {
            let holds = value > 0.0 && value <= 1.0;
            require(holds, key, value, "a number above 0, up to 1")
        };
        let unit = |key, value: f64| {
            let holds = (0.0..=1.0).contains(&value);
            require(holds, key, value, "a number from 0 to 1")
        };
        match *self {
            Self::Crop { reach } => part("augmentation.reach", reach),
            Self::Cutout { pixels } => at_least_one("augmentation.pixels", pixels),
            Self::Flip {} | Self::Erase {} => Ok(()),
            Self::ColourJitter {
                brightness,
                contrast,
                saturation,
            } => {
                unit("augmentation.brightness", brightness)?;
                unit("augmentation.contrast", contrast)?;
                unit("augmentation.saturation", saturation)
            }
            Self::RandomResizedCrop {
                smallest,
                elongation,
            } => {
                part("augmentation.smallest", smallest)?;
                let holds = elongation >= 1.0 && elongation.is_finite();
                let expected = "a number of at least 1";
                require(holds, "augmentation.elongation", elongation, expected)
            }
        }
    }

    /// The changed pixels, `[H, W, 3]`.
    fn apply(
        &self,
        source: &[u8],
        (height, width): (usize, usize),
        random: &mut ChaCha8Rng,
    ) -> Vec<u8> {
        match *self {
            Self::Crop { reach } => {
                let mut shift = |side: usize| {
                    let reach = (side as f64 * reach) as i64;
                    random.random_range(-reach..=reach)
                };
                let (down, right) = (shift(height), shift(width));
                shifted(source, height, width, down, right, false)
            }
            Self::Flip {} => shifted(source, height, width, 0, 0, random.random()),
            Self::Cutout { pixels } => cut_out(source, height, width, pixels, random),
            Self::Erase {} => erased(source, height, width, random),
            Self::ColourJitter {
                brightness,
                contrast,
                saturation,
            } => {
                let mut factor = |spread: f64| {
                    let drawn: f64 = random.random_range(-1.0..=1.0);
                    (1.0 + spread * drawn) as f32
                };
                let factors = [factor(brightness), factor(contrast), factor(saturation)];
                recoloured(source, factors)
            }
            Self::RandomResizedCrop {
                smallest,
                elongation,
            } => {
                let window = Window::drawn(height, width, smallest, elongation, random);
                window.enlarged(source, height, width)
            }
        }
    }
}

/// Takes an image through `steps`; a function of the arguments only.
///
/// Each step draws from a place of its own in the random stream of the image, so a step's draws do
/// not depend on how many the steps before it took.
pub(super) fn through(
    steps: &[Step],
    source: &[u8],
    size: (usize, usize),
    (seed, epoch, index): (u64, usize, usize),
) -> Vec<u8> {
    /// Behind everything that the named augmentations draw.
    const START: u128 = 1 << 60;
    const WORDS: u128 = 64;
    const STEPS: u128 = 64;
    let mut random = random::stream(seed, index as u64);
    let mut pixels = source.to_vec();
    for (place, step) in steps.iter().enumerate() {
        let at = epoch as u128 * STEPS + place as u128;
        random.set_word_pos(START + at * WORDS);
        pixels = step.apply(&pixels, size, &mut random);
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Vec<u8> {
        (0..8 * 8 * 3).map(|at| 20 + at as u8).collect()
    }

    fn every_step() -> Vec<Step> {
        vec![
            Step::RandomResizedCrop {
                smallest: 0.3,
                elongation: 1.3,
            },
            Step::Crop { reach: 0.25 },
            Step::Flip {},
            Step::ColourJitter {
                brightness: 0.4,
                contrast: 0.4,
                saturation: 0.4,
            },
            Step::Erase {},
            Step::Cutout { pixels: 3 },
        ]
    }

    fn changed(steps: &[Step], epoch: usize, index: usize) -> Vec<u8> {
        through(steps, &ramp(), (8, 8), (7, epoch, index))
    }

    #[test]
    fn each_step_changes_images_by_epoch_and_index_and_nothing_else() {
        for step in every_step() {
            let steps = [step];
            let all: Vec<Vec<u8>> = (0..40).map(|epoch| changed(&steps, epoch, 3)).collect();
            assert_eq!(changed(&steps, 5, 3), all[5], "{step:?}");
            assert!(all.iter().any(|one| *one != all[0]), "{step:?}");
            assert!(
                (0..40).any(|epoch| changed(&steps, epoch, 4) != all[epoch]),
                "{step:?}"
            );
        }
    }

    #[test]
    fn a_step_draws_the_same_behind_any_other() {
        let cutout = Step::Cutout { pixels: 3 };
        let holes = |first: Step| {
            let pixels = changed(&[first, cutout], 2, 1);
            let holes = pixels.chunks(3).map(|pixel| pixel == [0, 0, 0]);
            holes.collect::<Vec<_>>()
        };
        let jitter = |brightness| Step::ColourJitter {
            brightness,
            contrast: 0.0,
            saturation: 0.0,
        };
        assert_eq!(holes(jitter(0.1)), holes(Step::Flip {}));
    }

    #[test]
    fn cutout_is_a_black_square_cut_at_the_border() {
        let mut whole = 0;
        for epoch in 0..60 {
            let target = changed(&[Step::Cutout { pixels: 3 }], epoch, 0);
            let black = target.chunks(3).filter(|pixel| *pixel == [0, 0, 0]);
            let count = black.count();
            assert!([4, 6, 9].contains(&count), "{count}");
            whole += usize::from(count == 9);
        }
        assert!(whole > 20, "{whole} of 60");
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let text = |step: Step| step.check().expect_err("out of range").to_string();
        assert!(text(Step::Crop { reach: 0.0 }).contains("`augmentation.reach` is 0"));
        assert!(text(Step::Cutout { pixels: 0 }).contains("`augmentation.pixels` is 0"));
        let crop = Step::RandomResizedCrop {
            smallest: 1.5,
            elongation: 1.0,
        };
        assert!(text(crop).contains("`augmentation.smallest` is 1.5"));
        for step in every_step() {
            step.check().expect("in range");
        }
    }
}
