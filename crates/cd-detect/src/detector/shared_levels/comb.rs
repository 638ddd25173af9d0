//! Which grey levels an image has more and fewer of than of their neighbours.

use cd_core::{CHANNELS, Pixels};
use rayon::prelude::*;

use crate::alike::{View, bent, sketch};
use crate::cosine::Cosine;
use crate::error::DetectError;
use crate::statistics::{median, robust_spread};

const LEVELS: usize = 256;
/// Levels at both ends that are left out: light and shade that were cut off end there in any picture.
const ENDS: usize = 8;
const KEPT: usize = LEVELS - 2 * ENDS;
/// Smooths nine levels by the parabola through them (Savitzky and Golay, Analytical Chemistry 1964): a hump is no comb.
const PARABOLA: [f32; 9] = [-21.0, 14.0, 39.0, 54.0, 59.0, 54.0, 39.0, 14.0, -21.0];
const SUM: f32 = 231.0;
/// Least standard deviation of an excess: levels that hardly any image has.
const FLOOR: f64 = 0.1;

/// Excesses of levels, in standard deviations of usual images.
pub(super) struct Combs {
    height: usize,
    width: usize,
    cosine: Cosine,
    /// What is usual of each level, and its standard deviation.
    usual: Vec<(f32, f32)>,
    /// Root mean square over usual images.
    spread: f32,
}

impl View for Combs {
    fn columns(_side: [usize; 2]) -> usize {
        CHANNELS * KEPT
    }

    fn learned(images: Pixels<'_>, sample: &[usize]) -> Result<Self, DetectError> {
        let (height, width) = (images.height(), images.width());
        let seen: Vec<Vec<f32>> = sample
            .par_iter()
            .map(|&image| Ok(excesses(&images.get(image)?, width)))
            .collect::<Result<_, DetectError>>()?;
        let usual = (0..CHANNELS * KEPT).map(|at| usual(seen.iter().map(|one| f64::from(one[at]))));
        let mut new = Self {
            height,
            width,
            cosine: Cosine::new(height, width),
            usual: usual.collect(),
            spread: 1.0,
        };
        let squares: f64 = seen
            .into_iter()
            .flat_map(|one| new.bent(one))
            .map(|value| f64::from(value).powi(2))
            .sum();
        let count = (sample.len() * CHANNELS * KEPT).max(1) as f64;
        new.spread = ((squares / count).sqrt().max(FLOOR)) as f32;
        Ok(new)
    }

    /// `[3, 240]`, about 1 in the root mean square.
    fn row(&self, pixels: &[u8]) -> Vec<f32> {
        self.bent(excesses(pixels, self.width))
    }

    fn sketch_and_row(&self, pixels: &[u8]) -> (Vec<f32>, Vec<f32>) {
        let sketch = sketch(&self.cosine.of(pixels), [self.height, self.width]);
        (sketch, self.row(pixels))
    }
}

impl Combs {
    fn bent(&self, mut excesses: Vec<f32>) -> Vec<f32> {
        for (value, (middle, deviation)) in excesses.iter_mut().zip(&self.usual) {
            *value = bent((*value - middle) / deviation) / self.spread;
        }
        excesses
    }
}

/// The middle of these values and their standard deviation, or half of the usual one where most are equal.
fn usual(values: impl Iterator<Item = f64>) -> (f32, f32) {
    let values: Vec<f64> = values.collect();
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    let deviation = robust_spread(&values).max(variance.sqrt() / 2.0) + FLOOR;
    (median(values) as f32, deviation as f32)
}

/// Of each channel of bytes `[H, W, 3]`: how far the number of pixels of each level lies above the parabola through its neighbours, in
/// standard deviations of counted pixels. Pixels that equal the one to the left or above are not counted: areas of one colour.
fn excesses(pixels: &[u8], width: usize) -> Vec<f32> {
    let mut counts = [[0.0_f32; LEVELS]; CHANNELS];
    let line = width * CHANNELS;
    for at in line..pixels.len() {
        let is_first = at % line < CHANNELS;
        let level = pixels[at];
        if !is_first && level != pixels[at - CHANNELS] && level != pixels[at - line] {
            counts[at % CHANNELS][level as usize] += 1.0;
        }
    }
    counts.iter().flat_map(above_parabola).collect()
}

fn above_parabola(counts: &[f32; LEVELS]) -> impl Iterator<Item = f32> {
    (ENDS..LEVELS - ENDS).map(|level| {
        let near = &counts[level - 4..=level + 4];
        let smooth: f32 = near.iter().zip(PARABOLA).map(|(n, share)| n * share).sum();
        let mean = near.iter().sum::<f32>() / near.len() as f32;
        (counts[level] - smooth / SUM) / (mean + 1.0).sqrt()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 32 x 32 pixels, every level four times in each channel, no two neighbours equal, through `curve`.
    fn picture(curve: impl Fn(u8) -> u8) -> Vec<u8> {
        (0..32 * 32 * 3)
            .map(|at| curve((at / 3 * 37 % 256) as u8))
            .collect()
    }

    #[test]
    fn levels_that_a_curve_leaves_out_lie_below_their_neighbours() {
        let even = excesses(&picture(|level| level), 32);
        assert_eq!(even.len(), 3 * KEPT);
        let largest = even.iter().map(|value| value.abs()).fold(0.0, f32::max);
        assert!(largest < 1.5, "{largest}");
        let halved = excesses(&picture(|level| level & !1), 32);
        for (at, value) in halved.iter().enumerate() {
            let is_left_out = at % KEPT % 2 == 1;
            assert_eq!(*value < -1.5, is_left_out, "{at}: {value}");
        }
    }

    #[test]
    fn areas_of_one_colour_do_not_count() {
        let plain = excesses(&[77; 32 * 32 * 3], 32);
        assert!(plain.iter().all(|&value| value == 0.0));
    }
}
