//! What is left of a picture when all is taken out that pictures usually are.

use cd_core::{CHANNELS, Pixels};
use rayon::prelude::*;

use crate::alike::{View, bent, sketch};
use crate::cosine::Cosine;
use crate::error::DetectError;
use crate::frame::plain_border;
use crate::statistics::median;

/// Keeps divisions finite where all images are equal.
const FLOOR: f64 = 1e-3;
/// Least strength of a coefficient, as a share of its root mean square: in drawings most images may lack it.
const LEAST_SHARE: f64 = 0.1;

/// Whitens pictures by what is usual in a sample of them.
pub(super) struct Residuals {
    height: usize,
    width: usize,
    cosine: Cosine,
    /// How strong each coefficient of the cosine transform usually is, `[H, W]`.
    amplitudes: Vec<f64>,
    /// The middle of whitened pictures, `[3, H, W]`.
    middle: Vec<f32>,
    /// Root mean square of the middle image.
    spread: f32,
}

impl View for Residuals {
    fn columns([height, width]: [usize; 2]) -> usize {
        CHANNELS * height * width
    }

    fn learned(images: Pixels<'_>, sample: &[usize]) -> Result<Self, DetectError> {
        let (height, width) = (images.height(), images.width());
        let mut new = Self {
            height,
            width,
            cosine: Cosine::new(height, width),
            amplitudes: vec![1.0; height * width],
            middle: Vec::new(),
            spread: 1.0,
        };
        let spectra: Vec<Vec<f32>> = sample
            .par_iter()
            .map(|&image| Ok(new.cosine.of(&images.get(image)?)))
            .collect::<Result<_, DetectError>>()?;
        new.amplitudes = (0..height * width)
            .into_par_iter()
            .map(|at| amplitude(&spectra, at, height * width))
            .collect();
        let white: Vec<Vec<f32>> = spectra
            .into_par_iter()
            .map(|spectrum| new.whitened(spectrum))
            .collect();
        new.middle = (0..images.image_len())
            .into_par_iter()
            .map(|at| median(white.iter().map(|one| f64::from(one[at])).collect()) as f32)
            .collect();
        let lengths = white.iter().map(|one| root_mean_square(one));
        new.spread = (median(lengths.collect()) + FLOOR) as f32;
        Ok(new)
    }

    /// `[3, H, W]`, about 1 in the root mean square.
    fn row(&self, pixels: &[u8]) -> Vec<f32> {
        self.of_spectrum(pixels, self.cosine.of(pixels))
    }

    fn sketch_and_row(&self, pixels: &[u8]) -> (Vec<f32>, Vec<f32>) {
        let spectrum = self.cosine.of(pixels);
        let sketch = sketch(&spectrum, [self.height, self.width]);
        (sketch, self.of_spectrum(pixels, spectrum))
    }
}

impl Residuals {
    /// The residual of a picture of this spectrum.
    fn of_spectrum(&self, pixels: &[u8], spectrum: Vec<f32>) -> Vec<f32> {
        let mut values = self.whitened(spectrum);
        for (value, middle) in values.iter_mut().zip(&self.middle) {
            *value = bent((*value - middle) / self.spread);
        }
        self.without_border(pixels, &mut values);
        values
    }

    /// A picture of which every frequency is as strong as every other in the mean of the sample; its brightness is gone.
    fn whitened(&self, mut spectrum: Vec<f32>) -> Vec<f32> {
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

fn root_mean_square(values: &[f32]) -> f64 {
    let squares: f64 = values.iter().map(|&v| f64::from(v).powi(2)).sum();
    (squares / values.len().max(1) as f64).sqrt()
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
    fn bars_are_empty_and_the_rest_is_of_usual_strength() {
        let set = set(12, |image, at| {
            let row = at / 3 / 16;
            if row < 4 && image == 3 {
                250
            } else {
                (at * (image + 7) * 31 % 253) as u8
            }
        });
        let all: Vec<usize> = (0..12).collect();
        let residuals = Residuals::learned((&set).into(), &all).expect("in memory");
        for image in 0..12 {
            let of = residuals.row(&set.pixels(image).expect("in memory"));
            let length = root_mean_square(&of);
            assert!((0.3..1.2).contains(&length), "{length}");
            let bar = of[..6 * 16].iter().all(|&value| value == 0.0);
            assert_eq!(bar, image == 3);
        }
    }

    #[test]
    fn equal_images_leave_nothing_that_is_not_a_number() {
        let set = set(5, |_, _| 7);
        let residuals = Residuals::learned((&set).into(), &[0, 1, 2, 3, 4]).expect("in memory");
        let of = residuals.row(&set.pixels(0).expect("in memory"));
        assert!(of.iter().all(|value| value.is_finite()));
    }
}
