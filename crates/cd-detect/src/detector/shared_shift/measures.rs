//! Plain measures of a picture: its colours by and large, where it has how much fine detail, and how many specks.

use std::f64::consts::PI;
use std::ops::Range;

use cd_core::{CHANNELS, Pixels};
use faer::Mat;
use rayon::prelude::*;

use super::specks::{SPECKS, specks};
use crate::error::DetectError;
use crate::statistics::{median, robust_spread};

/// Lowest frequencies along each side, of every channel and of every map of detail.
const OF_COLOURS: usize = 6;
const OF_DETAIL: usize = 8;
/// Differences of the first, second and third order between pixels in a line.
const DIFFERENCES: [&[i32]; ORDERS] = [&[-1, 1], &[1, -2, 1], &[-1, 3, -3, 1]];
const ORDERS: usize = 3;
/// The largest difference of bytes: 255 times the sum of the weights of one sign.
const LARGEST: usize = 4 * 255;
/// Across and down.
const DIRECTIONS: usize = 2;
const COLOURS: usize = CHANNELS * OF_COLOURS * OF_COLOURS;
/// Colours and detail.
const FREQUENCIES: usize = COLOURS + DIRECTIONS * ORDERS * OF_DETAIL * OF_DETAIL;
/// Numbers of a picture.
pub(super) const COLUMNS: usize = FREQUENCIES + SPECKS;
/// Its overall detail: the mean of the first map.
pub(super) const OVERALL: usize = COLOURS;
/// Smaller pictures have no such frequencies.
pub(super) const SMALLEST_SIDE: usize = 16;
/// Values above so many standard deviations are bent towards it.
const BEND: f64 = 3.0;
/// Keeps divisions finite where all pictures are equal.
const FLOOR: f64 = 1e-6;

/// Colours, detail, and everything: what is looked at together.
pub(super) const VIEWS: [Range<usize>; 3] = [0..COLOURS, COLOURS..FREQUENCIES, 0..COLUMNS];

/// Measures pictures of one size, in standard deviations of usual ones.
pub(super) struct Measures {
    height: usize,
    width: usize,
    /// Cosine waves along a column, then along a row, that is shorter by this many pixels.
    waves: [Vec<Waves>; DIRECTIONS],
    /// `ln(1 + size)` of every difference.
    logarithms: Vec<f64>,
    /// The middle of each number and its standard deviation.
    usual: Vec<(f64, f64)>,
}

impl Measures {
    /// Learns what is usual in the images at `sample`, which are not empty.
    pub(super) fn learned(images: Pixels<'_>, sample: &[usize]) -> Result<Self, DetectError> {
        let (height, width) = (images.height(), images.width());
        let waves = [height, width].map(|side| {
            let shorter = 0..=ORDERS;
            shorter.map(|less| Waves::of(side - less)).collect()
        });
        let logarithms = (0..=LARGEST).map(|size| (size as f64).ln_1p()).collect();
        let mut new = Self {
            height,
            width,
            waves,
            logarithms,
            usual: vec![(0.0, 1.0); COLUMNS],
        };
        let plain = numbers(images, sample, |pixels| new.plain(pixels))?;
        new.usual = (0..COLUMNS)
            .into_par_iter()
            .map(|at| {
                let values: Vec<f64> = plain.iter().map(|one| one[at]).collect();
                if at < FREQUENCIES {
                    (median(values.clone()), robust_spread(&values) + FLOOR)
                } else {
                    // Most pictures have no specks.
                    mean_and_deviation(&values)
                }
            })
            .collect();
        Ok(new)
    }

    /// The numbers of bytes `[H, W, 3]`, bent at three standard deviations.
    pub(super) fn of(&self, pixels: &[u8]) -> Vec<f64> {
        bent(&self.plain(pixels), &self.usual)
    }

    fn plain(&self, pixels: &[u8]) -> Vec<f64> {
        let mut numbers = Vec::with_capacity(COLUMNS);
        for channel in 0..CHANNELS {
            let plane = pixels.iter().skip(channel).step_by(CHANNELS);
            let plane: Vec<f64> = plane.map(|&byte| f64::from(byte)).collect();
            self.lowest(&plane, [0, 0], OF_COLOURS, &mut numbers);
        }
        for (order, weights) in DIFFERENCES.iter().enumerate() {
            for direction in 0..DIRECTIONS {
                let mut less = [0, 0];
                less[direction] = order + 1;
                let map = self.detail(pixels, weights, less);
                self.lowest(&map, less, OF_DETAIL, &mut numbers);
            }
        }
        let specks = specks(pixels, self.height, self.width);
        numbers.extend(specks.map(|count| (count as f64).ln_1p()));
        numbers
    }

    /// The logarithm of a difference at every pixel that has one, in the mean of the channels; `less` tells by how many pixels the map is smaller
    /// than the picture, in height and in width.
    fn detail(&self, pixels: &[u8], weights: &[i32], less: [usize; DIRECTIONS]) -> Vec<f64> {
        let step = CHANNELS * if less[0] > 0 { self.width } else { 1 };
        let mut map = Vec::with_capacity(pixels.len() / CHANNELS);
        for y in 0..self.height - less[0] {
            for x in 0..self.width - less[1] {
                let first = (y * self.width + x) * CHANNELS;
                let size = |channel: usize| {
                    let terms = weights.iter().enumerate();
                    let sum: i32 = terms
                        .map(|(at, weight)| weight * i32::from(pixels[first + channel + at * step]))
                        .sum();
                    self.logarithms[sum.unsigned_abs() as usize]
                };
                map.push((0..CHANNELS).map(size).sum::<f64>() / CHANNELS as f64);
            }
        }
        map
    }

    /// Appends the `count * count` lowest frequencies of a plane that is smaller than the picture by `less`.
    fn lowest(
        &self,
        plane: &[f64],
        less: [usize; DIRECTIONS],
        count: usize,
        numbers: &mut Vec<f64>,
    ) {
        let down = &self.waves[0][less[0]];
        let across = &self.waves[1][less[1]];
        let mut sums = vec![0.0; count * count];
        for (y, line) in plane.chunks_exact(across.length).enumerate() {
            for column in 0..count {
                let wave = across.wave(column);
                let along: f64 = line
                    .iter()
                    .zip(wave)
                    .map(|(value, wave)| value * wave)
                    .sum();
                for row in 0..count {
                    sums[row * count + column] += down.wave(row)[y] * along;
                }
            }
        }
        numbers.extend(sums);
    }
}

/// What some images measure, a row for each.
pub(super) fn rows(
    images: Pixels<'_>,
    of: &[usize],
    columns: usize,
    measured: impl Fn(&[u8]) -> Vec<f64> + Sync,
) -> Result<Mat<f64>, DetectError> {
    let rows = numbers(images, of, measured)?;
    let value = |row: usize, column: usize| rows[row][column];
    Ok(Mat::from_fn(rows.len(), columns, value))
}

/// The numbers of each of some images.
pub(super) fn numbers(
    images: Pixels<'_>,
    of: &[usize],
    measured: impl Fn(&[u8]) -> Vec<f64> + Sync,
) -> Result<Vec<Vec<f64>>, DetectError> {
    of.par_iter()
        .map(|&image| Ok(measured(&images.get(image)?)))
        .collect()
}

/// Numbers in the standard deviations of usual ones, bent at three of them.
pub(super) fn bent(numbers: &[f64], usual: &[(f64, f64)]) -> Vec<f64> {
    let numbers = numbers.iter().zip(usual);
    numbers
        .map(|(value, (middle, deviation))| {
            let away = (value - middle) / deviation;
            away / (1.0 + (away / BEND).powi(2)).sqrt()
        })
        .collect()
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / count).sqrt() + FLOOR)
}

/// The longest cosine waves of a line, of length 1.
struct Waves {
    length: usize,
    values: Vec<f64>,
}

impl Waves {
    fn of(length: usize) -> Self {
        let at = |wave: usize, place: usize| {
            let scale = if wave == 0 { 1.0 } else { 2.0 } / length as f64;
            let turn = (2 * place + 1) as f64 * wave as f64 / (2 * length) as f64;
            scale.sqrt() * (PI * turn).cos()
        };
        let waves = 0..OF_COLOURS.max(OF_DETAIL);
        Self {
            length,
            values: waves
                .flat_map(|wave| (0..length).map(move |place| at(wave, place)))
                .collect(),
        }
    }

    fn wave(&self, wave: usize) -> &[f64] {
        &self.values[wave * self.length..][..self.length]
    }
}

#[cfg(test)]
mod tests {
    use cd_core::ImageSet;

    use super::*;
    use crate::cosine::Cosine;

    const SIDE: usize = 20;

    fn set(pixel: impl Fn(usize, usize) -> u8) -> ImageSet {
        let mut set = ImageSet::new(SIDE, SIDE, vec!["any".into()]);
        for image in 0..12 {
            let pixels: Vec<u8> = (0..SIDE * SIDE * 3).map(|at| pixel(image, at)).collect();
            set.push(image.to_string(), &pixels, 0).expect("fits");
        }
        set
    }

    fn noisy() -> ImageSet {
        set(|image, at| (at * (2 * image + 7) * 31 % 253) as u8)
    }

    fn learned(set: &ImageSet) -> Measures {
        let all: Vec<usize> = (0..set.len()).collect();
        Measures::learned(set.into(), &all).expect("in memory")
    }

    #[test]
    fn colours_are_the_lowest_frequencies_and_detail_a_mean_of_logarithms() {
        let set = noisy();
        let measures = learned(&set);
        let pixels = set.pixels(3).expect("in memory");
        let plain = measures.plain(&pixels);
        let spectrum = Cosine::new(SIDE, SIDE).of(&pixels);
        for channel in 0..CHANNELS {
            for (row, column) in [(0, 0), (0, 5), (3, 2), (5, 5)] {
                let expected = spectrum[(channel * SIDE + row) * SIDE + column];
                let found = plain[(channel * OF_COLOURS + row) * OF_COLOURS + column];
                assert!((found - f64::from(expected)).abs() < 1e-2, "{found}");
            }
        }
        let mut sum = 0.0;
        for at in 0..SIDE * SIDE * 3 {
            if at / 3 % SIDE + 1 < SIDE {
                sum += f64::from(pixels[at].abs_diff(pixels[at + 3])).ln_1p() / 3.0;
            }
        }
        // The first wave is one over the root of its length.
        let scale = ((SIDE * (SIDE - 1)) as f64).sqrt();
        let across = COLOURS + OF_DETAIL * OF_DETAIL;
        assert!((plain[across] - sum / scale).abs() < 1e-9);
    }

    #[test]
    fn numbers_are_bent_standard_deviations() {
        let measures = learned(&noisy());
        let flat = measures.of(&[128; SIDE * SIDE * 3]);
        assert_eq!(flat.len(), COLUMNS);
        assert!(flat[FREQUENCIES..].iter().sum::<f64>() < 0.0);
        assert!(flat.iter().all(|value| value.abs() <= BEND));
        assert!(flat[OVERALL] < -2.0, "{}", flat[OVERALL]);
    }

    #[test]
    fn equal_images_leave_nothing_that_is_not_a_number() {
        let measures = learned(&set(|_, _| 7));
        let of = measures.of(&[7; SIDE * SIDE * 3]);
        assert!(of.iter().all(|&value| value == 0.0));
    }
}
