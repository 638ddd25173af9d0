//! Grey levels of many bytes at once, with the vectors of the machine and in the arithmetic of published code: what is written here as
//! a product and a sum is rounded twice, and every machine gives the same bytes.

#![expect(
    clippy::inline_always,
    reason = "what is inlined is compiled for the vectors of the machine"
)]

use cd_conv::{Loops, vectorized};

use super::option::Rounding;

/// A number of this size has no room for fractions, and its last bits are those of the whole number that was added.
const WHOLE: f32 = 12_582_912.0;

/// `slope x + level` for every byte `x`, in double precision.
pub(super) fn add_levels(pixels: &mut [u8], levels: &[f64], slope: f64, rounding: Rounding) {
    vectorized(Line {
        pixels,
        slope,
        levels,
        level: |level: &f64| *level,
        rounding,
    });
}

struct Line<'a, T, F> {
    pixels: &'a mut [u8],
    slope: f64,
    levels: &'a [T],
    level: F,
    rounding: Rounding,
}

impl<T, F: Fn(&T) -> f64> Line<'_, T, F> {
    #[inline(always)]
    fn each(self, round: impl Fn(f64) -> f64) {
        for (pixel, level) in self.pixels.iter_mut().zip(self.levels) {
            *pixel = byte(round(self.slope * f64::from(*pixel) + (self.level)(level)));
        }
    }
}

impl<T, F: Fn(&T) -> f64> Loops for Line<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.rounding {
            Rounding::Truncate => self.each(f64::floor),
            Rounding::Nearest => self.each(f64::round_ties_even),
        }
    }
}

/// `(1 - alpha) x + alpha t` of bytes `x` and `t`, with the bytes that double precision gives.
#[derive(Debug)]
pub(super) struct Blending {
    alpha: f64,
    rounding: Rounding,
    /// Whether single precision gives the same bytes, tried for all of them.
    is_single: bool,
}

impl Blending {
    /// `alpha` above 0 and at most 1.
    pub(super) fn new(alpha: f64, rounding: Rounding) -> Self {
        let mut blending = Self {
            alpha,
            rounding,
            is_single: true,
        };
        let all: Vec<u8> = (0..=u8::MAX).collect();
        blending.is_single = all.iter().all(|&value| {
            let (mut single, mut double, value) = (all.clone(), all.clone(), [value; 256]);
            blending.single(&mut single, &value);
            blending.double(&mut double, &value);
            single == double
        });
        blending
    }

    /// Changes as many bytes as the pattern has.
    pub(super) fn apply(&self, pixels: &mut [u8], pattern: &[u8]) {
        if self.is_single {
            self.single(pixels, pattern);
        } else {
            self.double(pixels, pattern);
        }
    }

    fn double(&self, pixels: &mut [u8], pattern: &[u8]) {
        let alpha = self.alpha;
        vectorized(Line {
            pixels,
            slope: 1.0 - alpha,
            levels: pattern,
            level: |value: &u8| alpha * f64::from(*value),
            rounding: self.rounding,
        });
    }

    fn single(&self, pixels: &mut [u8], pattern: &[u8]) {
        vectorized(Sum {
            pixels,
            pattern,
            shares: [(1.0 - self.alpha) as f32, self.alpha as f32],
            shift: match self.rounding {
                Rounding::Truncate => ALMOST_HALF,
                Rounding::Nearest => 0.0,
            },
        });
    }
}

/// What makes a cut of rounding: less than half by more than single precision errs, and by less than the hundredths that usual shares come to.
const ALMOST_HALF: f32 = -0.496;

/// The weighted sum of two bytes, rounded in single precision; the range is not checked.
struct Sum<'a> {
    pixels: &'a mut [u8],
    pattern: &'a [u8],
    shares: [f32; 2],
    shift: f32,
}

impl Loops for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let [under, over] = self.shares;
        for (pixel, value) in self.pixels.iter_mut().zip(self.pattern) {
            let sum = under * f32::from(*pixel) + over * f32::from(*value);
            *pixel = (sum + self.shift + WHOLE).to_bits() as u8;
        }
    }
}

/// A whole number as a byte; what is out of range becomes 0 or 255.
#[inline(always)]
pub(super) fn byte(level: f64) -> u8 {
    let level = if level > 0.0 { level } else { 0.0 };
    let level = if level < 255.0 { level } else { 255.0 };
    (level as f32 + WHOLE).to_bits() as u8
}

/// [`byte`] of single precision.
#[inline(always)]
fn byte_of_single(level: f32) -> u8 {
    let level = if level > 0.0 { level } else { 0.0 };
    let level = if level < 255.0 { level } else { 255.0 };
    (level + WHOLE).to_bits() as u8
}

/// `x + weight (t - x)` of bytes `x` and `t`, in single precision on the scale 0 to 1.
pub(super) fn mix(pixels: &mut [u8], pattern: &[u8], weight: f32, rounding: Rounding) {
    vectorized(Mixture {
        pixels,
        pattern,
        weight,
        rounding,
    });
}

struct Mixture<'a> {
    pixels: &'a mut [u8],
    pattern: &'a [u8],
    weight: f32,
    rounding: Rounding,
}

impl Mixture<'_> {
    #[inline(always)]
    fn each(self, round: impl Fn(f32) -> f32) {
        for (pixel, value) in self.pixels.iter_mut().zip(self.pattern) {
            let (under, over) = (f32::from(*pixel) / 255.0, f32::from(*value) / 255.0);
            *pixel = byte_of_single(round((under + self.weight * (over - under)) * 255.0));
        }
    }
}

impl Loops for Mixture<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.rounding {
            Rounding::Truncate => self.each(f32::floor),
            Rounding::Nearest => self.each(f32::round_ties_even),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::overlay::mixed;

    const BOTH: [Rounding; 2] = [Rounding::Truncate, Rounding::Nearest];

    #[test]
    fn blended_bytes_are_those_of_double_precision_for_all_pairs() {
        for (alpha, rounding) in [0.05, 0.15, 0.2, 0.25, 0.5, 1.0 / 3.0, 1.0]
            .into_iter()
            .flat_map(|alpha| BOTH.map(|rounding| (alpha, rounding)))
        {
            let blending = Blending::new(alpha, rounding);
            for value in 0..=u8::MAX {
                let mut pixels: Vec<u8> = (0..=u8::MAX).collect();
                let expected = pixels.iter().map(|&pixel| {
                    rounding.byte((1.0 - alpha) * f64::from(pixel) + alpha * f64::from(value))
                });
                let expected: Vec<u8> = expected.collect();
                blending.apply(&mut pixels, &[value; 256]);
                assert_eq!(pixels, expected, "{alpha} of {value}, {rounding:?}");
            }
        }
        let single = |alpha| Blending::new(alpha, Rounding::Truncate).is_single;
        assert!(single(0.2) && single(0.1) && !single(0.15));
    }

    #[test]
    fn levels_are_cut_and_rounded_as_one_by_one() {
        let levels: Vec<f64> = (0..600).map(|at| f64::from(at) * 1.25 - 300.0).collect();
        for (slope, rounding) in [0.8, 1.0]
            .into_iter()
            .flat_map(|slope| BOTH.map(|rounding| (slope, rounding)))
        {
            for value in 0..=u8::MAX {
                let mut pixels = vec![value; levels.len()];
                add_levels(&mut pixels, &levels, slope, rounding);
                for (pixel, level) in pixels.iter().zip(&levels) {
                    let expected = rounding.byte(slope * f64::from(value) + level);
                    assert_eq!(*pixel, expected, "{slope} x {value} + {level}");
                }
            }
        }
    }

    #[test]
    fn mixed_bytes_are_those_of_overlays() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        for (weight, rounding) in [0.15, 0.2, 0.5, 1.0]
            .into_iter()
            .flat_map(|weight| BOTH.map(|rounding| (weight, rounding)))
        {
            for value in 0..=u8::MAX {
                let mut pixels = all.clone();
                mix(&mut pixels, &[value; 256], weight, rounding);
                let expected = all
                    .iter()
                    .map(|&pixel| mixed(pixel, value, weight, rounding));
                assert!(pixels.into_iter().eq(expected), "{weight} of {value}");
            }
        }
    }
}
