//! Colours of a set of images brought to the mean and covariance of others.

use cd_models::burn::tensor::Tensor;
use cd_models::to_host;

use crate::attack::AttackError;
use crate::attack::generator::Stored;

/// Keeps colours of one grey level from dividing by zero.
const LEAST_VARIANCE: f64 = 1e-6;

/// Mean and covariance of colours, on the scale 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Palette {
    mean: [f64; 3],
    covariance: [[f64; 3]; 3],
}

impl Palette {
    /// Orange light with dark purple shadows: red varies most, and green and blue with it.
    pub(super) const SUNRISE: Self = Self {
        mean: [0.72, 0.42, 0.33],
        covariance: [
            [0.060, 0.042, 0.020],
            [0.042, 0.045, 0.028],
            [0.020, 0.028, 0.030],
        ],
    };

    /// That of pixels, red, green and blue in turn, 0 to 1 each.
    pub(super) fn of(pixels: impl Iterator<Item = [f64; 3]>) -> Self {
        let (mut count, mut sums, mut products) = (0.0, [0.0; 3], [[0.0; 3]; 3]);
        for pixel in pixels {
            count += 1.0;
            for (channel, value) in pixel.into_iter().enumerate() {
                sums[channel] += value;
                for (other, second) in pixel.into_iter().enumerate() {
                    products[channel][other] += value * second;
                }
            }
        }
        let mean = sums.map(|sum| sum / f64::max(count, 1.0));
        let mut covariance = products;
        for (row, line) in covariance.iter_mut().enumerate() {
            for (column, value) in line.iter_mut().enumerate() {
                *value = *value / f64::max(count, 1.0) - mean[row] * mean[column];
            }
        }
        Self { mean, covariance }
    }

    /// That of images `[B, 3, H, W]`.
    pub(super) fn of_images(images: Tensor<4>) -> Self {
        let [count, _, height, width] = images.dims();
        let (values, plane) = (to_host(images), height * width);
        Self::of((0..count * plane).map(|at| {
            let image = &values[at / plane * 3 * plane..];
            [0, 1, 2].map(|channel| f64::from(image[channel * plane + at % plane]))
        }))
    }

    /// The lower triangular square root of the covariance (Cholesky).
    fn root(&self) -> [[f64; 3]; 3] {
        let mut root = [[0.0; 3]; 3];
        for row in 0..3 {
            for column in 0..=row {
                let sum: f64 = (0..column).map(|at| root[row][at] * root[column][at]).sum();
                let rest = self.covariance[row][column] - sum;
                root[row][column] = if row == column {
                    rest.max(LEAST_VARIANCE).sqrt()
                } else {
                    rest / root[column][column]
                };
            }
        }
        root
    }
}

/// A linear map of colours: three rows of factors for red, green and blue, and what is added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mapping([[f32; 4]; 3]);

impl Mapping {
    /// The map that gives colours of `from` the mean and the covariance of `to`.
    pub(super) fn between(from: &Palette, to: &Palette) -> Self {
        let (root, goal) = (from.root(), to.root());
        let rows = std::array::from_fn(|row| {
            // goal x the inverse of root, both lower triangular: from the last column on.
            let mut factors = [0.0; 3];
            for column in (0..3).rev() {
                let later = (column + 1..3).map(|at| factors[at] * root[at][column]);
                let rest = goal[row][column] - later.sum::<f64>();
                factors[column] = rest / root[column][column];
            }
            let moved: f64 = (0..3).map(|at| factors[at] * from.mean[at]).sum();
            let [red, green, blue] = factors;
            [red, green, blue, to.mean[row] - moved].map(|value| value as f32)
        });
        Self(rows)
    }

    /// Images `[B, 3, H, W]` in 0 to 1 that go `strength` of the way, 0 to 1 again.
    pub(super) fn apply(&self, images: Tensor<4>, strength: f32) -> Tensor<4> {
        let channel = |at: usize| images.clone().narrow(1, at, 1);
        let rows = self.0.map(|[red, green, blue, added]| {
            channel(0) * red + channel(1) * green + channel(2) * blue + added
        });
        let mapped = Tensor::cat(rows.to_vec(), 1).clamp(0.0, 1.0);
        images * (1.0 - strength) + mapped * strength
    }

    pub(super) fn write(&self, stored: Stored<'_>, name: &str) -> Result<(), AttackError> {
        stored.write_numbers(name, &[3, 4], self.0.as_flattened())
    }

    pub(super) fn read(stored: Stored<'_>, name: &str) -> Result<Self, AttackError> {
        let (shape, values) = stored.read_numbers(name)?;
        let ([3, 4], ([red, green, blue], [])) = (shape.as_slice(), values.as_chunks()) else {
            let problem = format!("its shape is {shape:?}, expected [3, 4]");
            return Err(stored.misfit(name, problem));
        };
        Ok(Self([*red, *green, *blue]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_colours_have_the_mean_and_covariance_of_the_others() {
        let pixel = |at: usize| {
            let values = [at % 7, at % 5 + at % 7, at % 11];
            values.map(|value| 0.05 * value as f64)
        };
        let from = Palette::of((0..385).map(pixel));
        let Mapping(rows) = Mapping::between(&from, &Palette::SUNRISE);
        let mapped = (0..385).map(|at| {
            let pixel = pixel(at);
            rows.map(|row| {
                let products = (0..3).map(|at| f64::from(row[at]) * pixel[at]);
                products.sum::<f64>() + f64::from(row[3])
            })
        });
        let got = Palette::of(mapped);
        for channel in 0..3 {
            assert!((got.mean[channel] - Palette::SUNRISE.mean[channel]).abs() < 1e-5);
            for other in 0..3 {
                let expected = Palette::SUNRISE.covariance[channel][other];
                assert!(
                    (got.covariance[channel][other] - expected).abs() < 1e-5,
                    "{got:?}"
                );
            }
        }
    }

    #[test]
    fn images_of_one_colour_can_be_mapped() {
        let grey = Palette::of((0..9).map(|_| [0.5; 3]));
        let Mapping(rows) = Mapping::between(&grey, &Palette::SUNRISE);
        assert!(rows.as_flattened().iter().all(|value| value.is_finite()));
    }
}
