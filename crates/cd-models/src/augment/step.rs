//! Single random changes that a configuration lines up.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{erased, shifted};
use crate::train::{TrainError, at_least_one, require};
use cd_core::CHANNELS;

/// Share of red, green and blue in what the eye sees as brightness (ITU-R BT.601).
const LUMA: [f32; CHANNELS] = [0.299, 0.587, 0.114];

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
    pub(super) fn check(&self) -> Result<(), TrainError> {
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
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(index as u64);
    let mut pixels = source.to_vec();
    for (place, step) in steps.iter().enumerate() {
        let at = epoch as u128 * STEPS + place as u128;
        random.set_word_pos(START + at * WORDS);
        pixels = step.apply(&pixels, size, &mut random);
    }
    pixels
}

fn cut_out(
    source: &[u8],
    height: usize,
    width: usize,
    side: usize,
    random: &mut ChaCha8Rng,
) -> Vec<u8> {
    let mut span = |extent: usize| {
        let start = random.random_range(0..extent) as i64 - (side / 2) as i64;
        let end = (start + side as i64).min(extent as i64);
        start.max(0) as usize..end as usize
    };
    let (rows, columns) = (span(height), span(width));
    let mut target = source.to_vec();
    for y in rows {
        let row = y * width * CHANNELS;
        target[row + columns.start * CHANNELS..row + columns.end * CHANNELS].fill(0);
    }
    target
}

fn luma(pixel: [f32; CHANNELS]) -> f32 {
    pixel
        .iter()
        .zip(LUMA)
        .map(|(value, share)| value * share)
        .sum()
}

fn recoloured(source: &[u8], [brightness, contrast, saturation]: [f32; 3]) -> Vec<u8> {
    let (pixels, _) = source.as_chunks::<CHANNELS>();
    let bright = |pixel: &[u8; CHANNELS]| pixel.map(|v| (f32::from(v) * brightness).min(255.0));
    let lumas = pixels.iter().map(|pixel| f64::from(luma(bright(pixel))));
    let mean = (lumas.sum::<f64>() / pixels.len().max(1) as f64) as f32;
    let away =
        |from: f32, factor: f32| move |v: f32| (from + (v - from) * factor).clamp(0.0, 255.0);
    let changed = pixels.iter().flat_map(|pixel| {
        let pixel = bright(pixel).map(away(mean, contrast));
        pixel.map(away(luma(pixel), saturation))
    });
    changed.map(|value| value.round() as u8).collect()
}

/// A rectangle inside an image.
struct Window {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
}

impl Window {
    /// Area uniform in `[smallest, 1]`, logarithm of the ratio uniform; sides are cut to the image.
    fn drawn(
        height: usize,
        width: usize,
        smallest: f64,
        elongation: f64,
        random: &mut ChaCha8Rng,
    ) -> Self {
        let area: f64 = random.random_range(smallest..=1.0);
        let reach = elongation.ln();
        let ratio: f64 = random.random_range(-reach..=reach);
        let part = |side: usize, factor: f64| {
            let length = (side as f64 * (area * factor.exp()).sqrt()).round();
            (length as usize).clamp(1, side)
        };
        let (own_height, own_width) = (part(height, -ratio), part(width, ratio));
        Self {
            top: random.random_range(0..=height - own_height),
            left: random.random_range(0..=width - own_width),
            height: own_height,
            width: own_width,
        }
    }

    /// The window at the size of the image, between pixel centres.
    fn enlarged(&self, source: &[u8], height: usize, width: usize) -> Vec<u8> {
        let place = |at: usize, from: usize, own: usize, whole: usize| {
            let exact = (at as f32 + 0.5) * own as f32 / whole as f32 - 0.5;
            let exact = exact.clamp(0.0, (own - 1) as f32);
            let low = exact as usize;
            (
                from + low,
                from + (low + 1).min(own - 1),
                exact - low as f32,
            )
        };
        let mut target = Vec::with_capacity(source.len());
        for y in 0..height {
            let (above, below, down) = place(y, self.top, self.height, height);
            for x in 0..width {
                let (near, far, right) = place(x, self.left, self.width, width);
                for channel in 0..CHANNELS {
                    let at = |y: usize, x: usize| {
                        f32::from(source[(y * width + x) * CHANNELS + channel])
                    };
                    let mix = |y: usize| at(y, near) + (at(y, far) - at(y, near)) * right;
                    let value = mix(above) + (mix(below) - mix(above)) * down;
                    target.push(value.round() as u8);
                }
            }
        }
        target
    }
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
    fn colours_follow_their_factors() {
        let pixels = [100, 100, 100, 200, 0, 50];
        assert_eq!(recoloured(&pixels, [1.0; 3]), pixels);
        assert_eq!(
            recoloured(&pixels, [0.5, 1.0, 1.0]),
            [50, 50, 50, 100, 0, 25]
        );
        assert_eq!(recoloured(&pixels, [2.0, 1.0, 1.0])[3], 255);
        // Without contrast everything is the mean luma: (100 + 0.299 * 200 + 0.114 * 50) / 2.
        assert_eq!(recoloured(&pixels, [1.0, 0.0, 1.0]), [83; 6]);
        // Without saturation each pixel is its own luma.
        let gray = recoloured(&pixels, [1.0, 1.0, 0.0]);
        assert_eq!(gray, [100, 100, 100, 66, 66, 66]);
    }

    #[test]
    fn a_window_of_the_whole_image_is_the_image_and_half_of_it_is_between_pixels() {
        let source = ramp();
        let whole = Window {
            top: 0,
            left: 0,
            height: 8,
            width: 8,
        };
        assert_eq!(whole.enlarged(&source, 8, 8), source);
        let pair = Window {
            top: 0,
            left: 0,
            height: 1,
            width: 2,
        };
        let small = [0, 0, 0, 100, 100, 100, 9, 9, 9, 9, 9, 9];
        let red: Vec<u8> = pair.enlarged(&small, 2, 2).into_iter().step_by(3).collect();
        assert_eq!(red, [0, 100, 0, 100]);
        let one = Window { width: 1, ..pair };
        assert!(one.enlarged(&small, 2, 2).iter().all(|&value| value == 0));
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
