//! Smooth random fields, for leaves, clouds and dirt.

use rand::Rng;

use super::canvas::SIDE;
use super::geometry::Point;

/// A random field over the picture: values 0 to 1 that vary smoothly from place to place.
#[derive(Debug, Clone)]
pub(super) struct SmoothNoise {
    octaves: [Lattice; 2],
}

impl SmoothNoise {
    /// A field whose coarse features are about `feature` pixels wide (2 or more); finer ones, half
    /// as wide and half as strong, are added.
    pub(super) fn draw(rng: &mut impl Rng, feature: f32) -> Self {
        Self {
            octaves: [
                Lattice::draw(rng, feature),
                Lattice::draw(rng, feature / 2.0),
            ],
        }
    }

    /// The field's value at a place in the picture.
    pub(super) fn at(&self, place: Point) -> f32 {
        let [coarse, fine] = &self.octaves;
        (2.0 * coarse.at(place) + fine.at(place)) / 3.0
    }
}

/// Random values on a square grid.
#[derive(Debug, Clone)]
struct Lattice {
    spacing: f32,
    columns: usize,
    values: Vec<f32>,
}

impl Lattice {
    fn draw(rng: &mut impl Rng, spacing: f32) -> Self {
        let columns = (SIDE as f32 / spacing).ceil() as usize + 1;
        let values = (0..columns * columns).map(|_| rng.random()).collect();
        Self {
            spacing,
            columns,
            values,
        }
    }

    fn at(&self, place: Point) -> f32 {
        let (column, across) = self.cell(place.x);
        let (row, down) = self.cell(place.y);
        let value = |row: usize, column: usize| self.values[row * self.columns + column];
        let blend = |first: f32, second: f32, fraction: f32| first + (second - first) * fraction;
        blend(
            blend(value(row, column), value(row, column + 1), across),
            blend(value(row + 1, column), value(row + 1, column + 1), across),
            down,
        )
    }

    /// Index of the grid cell of a coordinate, and the eased position in it, 0 to 1.
    fn cell(&self, coordinate: f32) -> (usize, f32) {
        let scaled = (coordinate / self.spacing).max(0.0);
        let cell = (scaled as usize).min(self.columns - 2);
        let inside = (scaled - cell as f32).min(1.0);
        (cell, inside * inside * (3.0 - 2.0 * inside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::demo::geometry::point;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn values_vary_but_smoothly_and_stay_in_range() {
        let noise = SmoothNoise::draw(&mut ChaCha8Rng::seed_from_u64(3), 6.0);
        let values: Vec<f32> = (0..320)
            .map(|step| noise.at(point(step as f32 / 10.0, 32.0 - step as f32 / 10.0)))
            .collect();
        assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
        let steepest = values
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).abs())
            .fold(0.0, f32::max);
        assert!(steepest > 0.0 && steepest < 0.12, "{steepest}");
    }
}
