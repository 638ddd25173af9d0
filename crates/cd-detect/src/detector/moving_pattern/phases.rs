//! Phase correlation: how much two pictures have in common where one of them is moved.

use std::sync::Arc;

use cd_core::CHANNELS;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use crate::frame::plain_border;

/// Noise, in grey levels, below which a frequency of a picture counts less: rounding, and what compression leaves.
const NOISE: f32 = 2.0;
/// Share of a side over which a picture fades out, and by which pictures have to be moved at least: what is in the same place is the
/// matter of another detector, and pictures taken in a row move a little.
const FADE: usize = 32;
const MOVED: usize = 8;

/// The spectrum of a picture of which every frequency is equally strong, `[3, W, H]`, of length 1.
pub(super) type Phases = Vec<Complex<f32>>;

/// Transforms of pictures of one size.
pub(super) struct Correlator {
    height: usize,
    width: usize,
    /// Along rows and along columns, there and back.
    there: [Arc<dyn Fft<f32>>; 2],
    back: [Arc<dyn Fft<f32>>; 2],
}

impl Correlator {
    pub(super) fn new(height: usize, width: usize) -> Self {
        let mut planner = FftPlanner::new();
        Self {
            height,
            width,
            there: [width, height].map(|side| planner.plan_fft_forward(side)),
            back: [width, height].map(|side| planner.plan_fft_inverse(side)),
        }
    }

    /// The phases of bytes `[H, W, 3]`; zeros where a picture is of one colour.
    pub(super) fn phases(&self, pixels: &[u8]) -> Phases {
        let area = self.height * self.width;
        let window = self.window(pixels);
        let inside = window.iter().filter(|&&weight| weight > 0.0).count().max(1) as f32;
        let mut spectrum = Vec::with_capacity(area * CHANNELS);
        for channel in 0..CHANNELS {
            let values = || pixels.iter().skip(channel).step_by(CHANNELS);
            let seen = values().zip(&window).filter(|(_, weight)| **weight > 0.0);
            let mean = seen.map(|(&byte, _)| f32::from(byte)).sum::<f32>() / inside;
            let faded = values().zip(&window);
            let mut plane: Vec<Complex<f32>> = faded
                .map(|(&byte, weight)| Complex::new((f32::from(byte) - mean) * weight, 0.0))
                .collect();
            let [along_rows, along_columns] = &self.there;
            along_rows.process(&mut plane);
            let mut plane = transposed(&plane, self.width);
            along_columns.process(&mut plane);
            spectrum.append(&mut plane);
        }
        let noise = (area * CHANNELS) as f32 * NOISE * NOISE;
        let strengths: Vec<f32> = (0..area)
            .map(|at| {
                let of_channels = (0..CHANNELS).map(|channel| spectrum[channel * area + at]);
                let squares: f32 = of_channels.map(|value| value.norm_sqr()).sum();
                (squares + noise).sqrt()
            })
            .collect();
        for plane in spectrum.chunks_exact_mut(area) {
            for (value, strength) in plane.iter_mut().zip(&strengths) {
                *value /= strength;
            }
        }
        let length = spectrum.iter().map(Complex::norm_sqr).sum::<f32>().sqrt();
        if length > 0.0 {
            for value in &mut spectrum {
                *value /= length;
            }
        }
        spectrum
    }

    /// The largest correlation of `one` with each of two others, wherever they are moved; in [-1, 1].
    pub(super) fn peaks(&self, one: &Phases, others: [&Phases; 2]) -> [f64; 2] {
        let area = self.height * self.width;
        let mut both = vec![Complex::new(0.0, 0.0); area];
        for channel in 0..CHANNELS {
            let plane = channel * area..(channel + 1) * area;
            let other = others.map(|other| &other[plane.clone()]);
            let pairs = other[0].iter().zip(other[1]);
            for ((sum, one), (first, second)) in both.iter_mut().zip(&one[plane]).zip(pairs) {
                // The correlations are real, so that two fit into one transform.
                *sum += one.conj() * (first + Complex::<f32>::i() * second);
            }
        }
        let [along_rows, along_columns] = &self.back;
        along_columns.process(&mut both);
        let mut both = transposed(&both, self.height);
        along_rows.process(&mut both);
        let mut largest = [f32::MIN; 2];
        let near = |at: usize, side: usize| at.min(side - at) <= side / MOVED;
        for (y, row) in both.chunks_exact(self.width).enumerate() {
            let is_near = near(y, self.height);
            for (x, value) in row.iter().enumerate() {
                if is_near && near(x, self.width) {
                    continue;
                }
                largest = [largest[0].max(value.re), largest[1].max(value.im)];
            }
        }
        largest.map(f64::from)
    }

    /// Weights of the pixels `[H, W]`: 0 outside of plain bars, rising from their edges to 1.
    fn window(&self, pixels: &[u8]) -> Vec<f32> {
        let [top, bottom, left, right] = plain_border(pixels, self.height, self.width);
        let ramp = |side: usize, before: usize, after: usize| -> Vec<f32> {
            let fade = (side / FADE).max(2) as f32;
            let weight = |at: usize| {
                let from_edge = (at + 1).saturating_sub(before);
                let from_end = (side - at).saturating_sub(after);
                (from_edge.min(from_end) as f32 / fade).min(1.0)
            };
            (0..side).map(weight).collect()
        };
        let (down, across) = (
            ramp(self.height, top, bottom),
            ramp(self.width, left, right),
        );
        down.iter()
            .flat_map(|one| across.iter().map(move |other| one * other))
            .collect()
    }
}

/// A plane with rows of `width` values, column by column.
fn transposed(plane: &[Complex<f32>], width: usize) -> Vec<Complex<f32>> {
    let column = |x: usize| plane.iter().skip(x).step_by(width).copied();
    (0..width).flat_map(column).collect()
}

#[cfg(test)]
mod tests {
    use cd_core::random::stream;
    use rand::Rng;

    use super::*;

    const SIDE: [usize; 2] = [40, 48];

    fn picture(seed: u64, sticker: Option<[usize; 2]>) -> Vec<u8> {
        let [height, width] = SIDE;
        let mut random = stream(seed, 0);
        let mut pixels: Vec<u8> = (0..height * width * 3).map(|_| random.random()).collect();
        let mut of_sticker = stream(77, 0);
        if let Some([top, left]) = sticker {
            for y in 0..18 {
                for x in 0..18 * 3 {
                    pixels[((top + y) * width + left) * 3 + x] = of_sticker.random();
                }
            }
        }
        pixels
    }

    #[test]
    fn what_two_pictures_share_is_seen_wherever_it_is() {
        let correlator = Correlator::new(SIDE[0], SIDE[1]);
        let phases = |seed, place| correlator.phases(&picture(seed, place));
        let one = phases(1, Some([3, 5]));
        let far = phases(2, Some([20, 29]));
        let none = phases(3, None);
        let [shared, alone] = correlator.peaks(&one, [&far, &none]);
        assert!(shared > 2.0 * alone, "{shared} {alone}");
        // Two at a time give what each gives with itself.
        let [first, second] = correlator.peaks(&one, [&far, &far]);
        assert!((first - second).abs() < 1e-6 && (first - shared).abs() < 1e-6);
        // In the same place it is no matter of this detector.
        let here = phases(4, Some([4, 5]));
        let [near, _] = correlator.peaks(&one, [&here, &here]);
        assert!(near < 1.5 * alone, "{near} {alone}");
    }

    #[test]
    fn a_picture_of_one_colour_has_no_phases() {
        let correlator = Correlator::new(SIDE[0], SIDE[1]);
        let plain = correlator.phases(&vec![9; SIDE[0] * SIDE[1] * 3]);
        assert!(plain.iter().all(|value| value.norm_sqr() == 0.0));
        assert_eq!(correlator.peaks(&plain, [&plain, &plain]), [0.0, 0.0]);
    }
}
