//! What is left of a picture when all is taken out that pictures usually are.

use cd_core::{CHANNELS, Pixels};
use rayon::prelude::*;

use crate::cosine::Cosine;
use crate::error::DetectError;
use crate::frame::plain_border;
use crate::statistics::median;

/// Residuals above so many standard deviations are bent towards it, so that no image counts for its few sharpest edges.
const BEND: f32 = 1.0;
/// Keeps divisions finite where all images are equal.
const FLOOR: f64 = 1e-3;
/// Least strength of a coefficient, as a share of its root mean square: in drawings most images may lack it.
const LEAST_SHARE: f64 = 0.1;
/// Images whose sums are added up together; fixed, so that sums do not depend on the number of threads.
const TOGETHER: usize = 64;

/// Whitens pictures by what is usual in a sample of them.
#[derive(Debug)]
pub(super) struct Residuals {
    height: usize,
    width: usize,
    cosine: Cosine,
    /// How strong each coefficient of the cosine transform usually is, `[H, W]`.
    amplitudes: Vec<f64>,
    /// What whitened pictures have in common, `[3, H, W]`.
    mean: Vec<f32>,
    spread: f32,
}

impl Residuals {
    /// Learns what is usual in the images at `sample`, which are not empty.
    pub(super) fn learned(images: Pixels<'_>, sample: &[usize]) -> Result<Self, DetectError> {
        let (height, width) = (images.height(), images.width());
        let mut new = Self {
            height,
            width,
            cosine: Cosine::new(height, width),
            amplitudes: vec![1.0; height * width],
            mean: vec![0.0; images.image_len()],
            spread: 1.0,
        };
        let count = sample.len().max(1) as f64;
        let spectra: Vec<Vec<f32>> = sample
            .par_iter()
            .map(|&image| Ok(new.cosine.of(&images.get(image)?)))
            .collect::<Result<_, DetectError>>()?;
        new.amplitudes = (0..height * width)
            .into_par_iter()
            .map(|at| amplitude(&spectra, at, height * width))
            .collect();
        drop(spectra);
        let whitened = sums(images, sample, |pixels| {
            let white = new.whitened(pixels);
            let squares: f64 = white.iter().map(|&v| f64::from(v).powi(2)).sum();
            let values = white.into_iter().map(f64::from);
            values.chain([squares]).collect()
        })?;
        let (squares, totals) = whitened.split_last().expect("the squares stand last");
        let mut variance = squares / count;
        for (mean, total) in new.mean.iter_mut().zip(totals) {
            *mean = (total / count) as f32;
            variance -= (total / count).powi(2);
        }
        let variance = (variance / images.image_len().max(1) as f64).max(0.0);
        new.spread = (variance.sqrt() + FLOOR) as f32;
        Ok(new)
    }

    /// The residual of bytes `[H, W, 3]`: `[3, H, W]`, as long as a picture of ones, or 0 where nothing is left.
    pub(super) fn of(&self, pixels: &[u8]) -> Vec<f32> {
        let mut values = self.whitened(pixels);
        for (value, mean) in values.iter_mut().zip(&self.mean) {
            let away = (*value - mean) / self.spread;
            *value = away / (1.0 + (away / BEND).powi(2)).sqrt();
        }
        self.without_border(pixels, &mut values);
        let squares: f64 = values.iter().map(|&v| f64::from(v).powi(2)).sum();
        if squares > 0.0 {
            let scale = (values.len() as f64 / squares).sqrt() as f32;
            values.iter_mut().for_each(|value| *value *= scale);
        }
        values
    }

    /// A picture of which every frequency is as strong as every other in the mean of the sample; its brightness is gone.
    fn whitened(&self, pixels: &[u8]) -> Vec<f32> {
        let mut spectrum = self.cosine.of(pixels);
        for plane in spectrum.chunks_exact_mut(self.amplitudes.len().max(1)) {
            for (value, amplitude) in plane.iter_mut().zip(&self.amplitudes) {
                *value = (f64::from(*value) / amplitude) as f32;
            }
            plane[0] = 0.0;
        }
        self.cosine.back(&spectrum)
    }

    /// Empties bars around the picture, of one colour line by line, and their edges: many photographs have them.
    fn without_border(&self, pixels: &[u8], residual: &mut [f32]) {
        let [top, bottom, left, right] = plain_border(pixels, self.height, self.width);
        for plane in residual.chunks_exact_mut(self.height * self.width) {
            for (y, row) in plane.chunks_exact_mut(self.width).enumerate() {
                if y < top || y >= self.height - bottom {
                    row.fill(0.0);
                } else {
                    row[..left].fill(0.0);
                    row[self.width - right..].fill(0.0);
                }
            }
        }
    }
}

/// How strong a coefficient is in the middle image, so that a trigger in fewer than half of them does not hide itself.
fn amplitude(spectra: &[Vec<f32>], at: usize, pixels: usize) -> f64 {
    let of_channels = |spectrum: &'_ Vec<f32>| {
        std::array::from_fn::<_, CHANNELS, _>(|channel| spectrum[channel * pixels + at])
    };
    let values = spectra.iter().flat_map(of_channels);
    let sizes: Vec<f64> = values.map(|value| f64::from(value.abs())).collect();
    let squares = sizes.iter().map(|size| size * size).sum::<f64>();
    let mean = (squares / sizes.len().max(1) as f64).sqrt();
    median(sizes).max(LEAST_SHARE * mean) + FLOOR
}

/// Sums of what `of` makes of each image.
fn sums(
    images: Pixels<'_>,
    sample: &[usize],
    of: impl Fn(&[u8]) -> Vec<f64> + Sync,
) -> Result<Vec<f64>, DetectError> {
    let add = |mut sum: Vec<f64>, values: Vec<f64>| {
        if sum.is_empty() {
            return values;
        }
        for (sum, value) in sum.iter_mut().zip(values) {
            *sum += value;
        }
        sum
    };
    let parts: Vec<Vec<f64>> = sample
        .par_chunks(TOGETHER)
        .map(|chunk| {
            chunk.iter().try_fold(Vec::new(), |sum, &image| {
                Ok(add(sum, of(&images.get(image)?)))
            })
        })
        .collect::<Result<_, DetectError>>()?;
    Ok(parts.into_iter().fold(Vec::new(), add))
}

#[cfg(test)]
mod tests {
    use cd_core::ImageSet;

    use super::*;

    fn set(count: usize, pixel: impl Fn(usize, usize) -> u8) -> ImageSet {
        let mut set = ImageSet::new(16, 16, vec!["any".into()]);
        for image in 0..count {
            let pixels: Vec<u8> = (0..16 * 16 * 3).map(|at| pixel(image, at)).collect();
            set.push(image.to_string(), &pixels, 0).expect("fits");
        }
        set
    }

    #[test]
    fn bars_are_empty_and_the_rest_is_of_one_length() {
        let set = set(12, |image, at| {
            let row = at / 3 / 16;
            match row < 4 && image == 3 {
                true => 250,
                false => (at * (image + 7) * 31 % 253) as u8,
            }
        });
        let all: Vec<usize> = (0..12).collect();
        let residuals = Residuals::learned((&set).into(), &all).expect("in memory");
        for image in 0..12 {
            let of = residuals.of(&set.pixels(image).expect("in memory"));
            let squares: f32 = of.iter().map(|v| v * v).sum();
            assert!((squares / of.len() as f32 - 1.0).abs() < 1e-3, "{squares}");
            let bar = of[..6 * 16].iter().all(|&value| value == 0.0);
            assert_eq!(bar, image == 3);
        }
    }

    #[test]
    fn equal_images_leave_nothing_that_is_not_a_number() {
        let set = set(5, |_, _| 7);
        let residuals = Residuals::learned((&set).into(), &[0, 1, 2, 3, 4]).expect("in memory");
        let of = residuals.of(&set.pixels(0).expect("in memory"));
        assert!(of.iter().all(|value| value.is_finite()));
    }
}
