//! How much of the finest detail an image has from place to place, beside its coarser detail.

use cd_core::{CHANNELS, Pixels};
use faer::Mat;
use rayon::prelude::*;

use crate::alike::{View, sketch};
use crate::cosine::Cosine;
use crate::dense::Spectrum;
use crate::error::DetectError;
use crate::statistics::{median, robust_spread};

/// Across and down.
const DIRECTIONS: usize = 2;
/// Lowest frequencies of a map along each side that are kept.
const COARSE: usize = 32;
/// Differences along a line, of offsets -3 to 3: the finest detail (order six), and three coarser ones that foretell it.
const FINEST: [f32; 7] = [-1.0, 6.0, -15.0, 20.0, -15.0, 6.0, -1.0];
const COARSER: [[f32; 7]; 3] = [
    [0.0, 0.0, -1.0, 2.0, -1.0, 0.0, 0.0],
    [0.0, 0.0, -0.5, 0.0, 0.5, 0.0, 0.0],
    [0.0, -0.25, 0.0, 0.0, 0.0, 0.25, 0.0],
];
const TERMS: usize = COARSER.len() + 1;
/// Grey levels that are added to a difference before its logarithm is taken.
const DARK: f32 = 1.0;
/// Values above so many standard deviations are bent towards it.
const BEND: f64 = 3.0;
/// Keeps divisions finite where all images are equal.
const FLOOR: f64 = 1e-3;

/// Maps of sharpness, in standard deviations of usual images.
pub(super) struct Sharpness {
    height: usize,
    width: usize,
    cosine: Cosine,
    /// What coarser differences foretell of the finest, in each direction; the last is added.
    foretold: [[f64; TERMS]; DIRECTIONS],
    /// What is usual of each frequency, and its standard deviation.
    usual: Vec<(f64, f64)>,
    /// Root mean square over usual images.
    spread: f64,
}

impl View for Sharpness {
    fn columns([height, width]: [usize; 2]) -> usize {
        DIRECTIONS * height.min(COARSE) * width.min(COARSE)
    }

    fn learned(images: Pixels<'_>, sample: &[usize]) -> Result<Self, DetectError> {
        let (height, width) = (images.height(), images.width());
        let mut new = Self {
            height,
            width,
            cosine: Cosine::new(height, width),
            foretold: [[0.0; TERMS]; DIRECTIONS],
            usual: Vec::new(),
            spread: 1.0,
        };
        for direction in 0..DIRECTIONS {
            let sums: Vec<Sums> = sample
                .par_iter()
                .map(|&image| Ok(Sums::of(&new.logarithms(&images.get(image)?, direction))))
                .collect::<Result<_, DetectError>>()?;
            new.foretold[direction] = sums.into_iter().fold(Sums::default(), Sums::and).solved();
        }
        let seen: Vec<Vec<f64>> = sample
            .par_iter()
            .map(|&image| Ok(new.frequencies(&images.get(image)?)))
            .collect::<Result<_, DetectError>>()?;
        new.usual = (0..Self::columns([height, width]))
            .into_par_iter()
            .map(|at| {
                let values: Vec<f64> = seen.iter().map(|one| one[at]).collect();
                let deviation = robust_spread(&values) + FLOOR;
                (median(values), deviation)
            })
            .collect();
        let count = (seen.len() * new.usual.len()).max(1) as f64;
        let squares: f64 = seen
            .into_iter()
            .flat_map(|one| new.bent(one))
            .map(|value| f64::from(value).powi(2))
            .sum();
        new.spread = (squares / count).sqrt().max(FLOOR);
        Ok(new)
    }

    /// `[2, 32, 32]`, about 1 in the root mean square.
    fn row(&self, pixels: &[u8]) -> Vec<f32> {
        self.bent(self.frequencies(pixels))
    }

    fn sketch_and_row(&self, pixels: &[u8]) -> (Vec<f32>, Vec<f32>) {
        let sketch = sketch(&self.cosine.of(pixels), [self.height, self.width]);
        (sketch, self.row(pixels))
    }
}

impl Sharpness {
    fn bent(&self, frequencies: Vec<f64>) -> Vec<f32> {
        let each = frequencies.into_iter().zip(&self.usual);
        each.map(|(value, (middle, deviation))| {
            let away = (value - middle) / deviation;
            (away / (1.0 + (away / BEND).powi(2)).sqrt() / self.spread) as f32
        })
        .collect()
    }

    /// The lowest frequencies of both maps, without their mean.
    fn frequencies(&self, pixels: &[u8]) -> Vec<f64> {
        let mut kept = Vec::with_capacity(Self::columns([self.height, self.width]));
        for (direction, foretold) in self.foretold.iter().enumerate() {
            let mut map = self.logarithms(pixels, direction).map(foretold);
            self.cosine.of_plane(&mut map);
            map[0] = 0.0;
            for row in map.chunks_exact(self.width).take(COARSE) {
                kept.extend_from_slice(&row[..self.width.min(COARSE)]);
            }
        }
        kept
    }

    /// Logarithms of the differences along a direction of bytes `[H, W, 3]`, in the mean of the channels.
    fn logarithms(&self, pixels: &[u8], direction: usize) -> Logarithms {
        let (height, width) = (self.height as isize, self.width as isize);
        let mut logarithms = Logarithms::default();
        for y in 0..height {
            for x in 0..width {
                let mut sums = [0.0; TERMS];
                for channel in 0..CHANNELS {
                    let line: [f32; 7] = std::array::from_fn(|at| {
                        let step = at as isize - 3;
                        let (y, x) = if direction == 0 {
                            (y, (x + step).clamp(0, width - 1))
                        } else {
                            ((y + step).clamp(0, height - 1), x)
                        };
                        f32::from(pixels[(y * width + x) as usize * CHANNELS + channel])
                    });
                    let sized = |weights: &[f32; 7]| {
                        let sum: f32 = line.iter().zip(weights).map(|(v, w)| v * w).sum();
                        f64::from((sum.abs() + DARK).ln()) / CHANNELS as f64
                    };
                    sums[0] += sized(&FINEST);
                    for (sum, weights) in sums[1..].iter_mut().zip(&COARSER) {
                        *sum += sized(weights);
                    }
                }
                logarithms.0.push(sums);
            }
        }
        logarithms
    }
}

/// Of each pixel the logarithm of the finest difference, then of the coarser ones.
#[derive(Default)]
struct Logarithms(Vec<[f64; TERMS]>);

impl Logarithms {
    /// How far the finest differences lie above what is foretold.
    fn map(&self, foretold: &[f64; TERMS]) -> Vec<f64> {
        let one = |[finest, coarser @ ..]: &[f64; TERMS]| {
            let of_coarser: f64 = coarser.iter().zip(foretold).map(|(v, by)| v * by).sum();
            finest - of_coarser - foretold[TERMS - 1]
        };
        self.0.iter().map(one).collect()
    }
}

/// Sums of products that least squares ask for.
#[derive(Default)]
struct Sums {
    squares: [[f64; TERMS]; TERMS],
    products: [f64; TERMS],
}

impl Sums {
    fn of(logarithms: &Logarithms) -> Self {
        let mut sums = Self::default();
        for &[finest, second, first, wide] in &logarithms.0 {
            let terms = [second, first, wide, 1.0];
            for (row, one) in terms.iter().enumerate() {
                sums.products[row] += one * finest;
                for (column, other) in terms.iter().enumerate() {
                    sums.squares[row][column] += one * other;
                }
            }
        }
        sums
    }

    fn and(mut self, other: Self) -> Self {
        for row in 0..TERMS {
            self.products[row] += other.products[row];
            for column in 0..TERMS {
                self.squares[row][column] += other.squares[row][column];
            }
        }
        self
    }

    /// The shares of the terms that come nearest to the finest differences.
    fn solved(&self) -> [f64; TERMS] {
        let squares = Mat::from_fn(TERMS, TERMS, |row, column| self.squares[row][column]);
        let inverse = Spectrum::of(squares.as_ref()).pseudo_inverse();
        std::array::from_fn(|row| {
            let products = self.products.iter().enumerate();
            products
                .map(|(column, one)| inverse[(row, column)] * one)
                .sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use cd_core::ImageSet;
    use cd_core::random::stream;
    use rand::Rng;

    use super::*;

    const SIDE: usize = 32;

    fn noise(image: u64) -> Vec<u8> {
        let mut random = stream(image, 3);
        (0..SIDE * SIDE * 3)
            .map(|_| random.random_range(60..190))
            .collect()
    }

    #[test]
    fn a_blurred_half_of_a_picture_is_less_sharp_than_foretold() {
        let mut set = ImageSet::new(SIDE, SIDE, vec!["any".into()]);
        for image in 0..30 {
            set.push(image.to_string(), &noise(image), 0).expect("fits");
        }
        let all: Vec<usize> = (0..30).collect();
        let sharpness = Sharpness::learned((&set).into(), &all).expect("in memory");
        let mut pixels = noise(99);
        let plain = pixels.clone();
        for row in pixels.chunks_exact_mut(SIDE * 3) {
            for at in (3..SIDE * 3 / 2).rev() {
                row[at] = u8::midpoint(row[at], row[at - 3]);
            }
        }
        let map = |pixels: &[u8]| sharpness.logarithms(pixels, 0).map(&sharpness.foretold[0]);
        let half = |map: &[f64], from: usize| {
            let rows = map.chunks_exact(SIDE);
            rows.flat_map(|row| &row[from..from + SIDE / 2])
                .sum::<f64>()
                / (SIDE * SIDE / 2) as f64
        };
        let (blurred, sharp) = (map(&pixels), map(&plain));
        assert!(half(&sharp, 0).abs() < 0.1);
        assert!(half(&blurred, 0) < -0.5, "{}", half(&blurred, 0));
        assert!(half(&blurred, SIDE / 2).abs() < 0.1);
    }

    #[test]
    fn equal_images_leave_nothing_that_is_not_a_number() {
        let mut set = ImageSet::new(5, 7, vec!["any".into()]);
        for image in 0..4 {
            set.push(image.to_string(), &[9; 5 * 7 * 3], 0)
                .expect("fits");
        }
        let sharpness = Sharpness::learned((&set).into(), &[0, 1, 2, 3]).expect("in memory");
        let row = sharpness.row(&[9; 5 * 7 * 3]);
        assert_eq!(row.len(), 2 * 5 * 7);
        assert!(row.iter().all(|value| value.is_finite()));
    }
}
