//! Independent components by FastICA.
//!
//! Hyvärinen: *Fast and Robust Fixed-Point Algorithms for Independent Component Analysis*, 1999: the symmetric form with the
//! logarithm of the hyperbolic cosine.

use faer::{Mat, MatRef};
use rand::Rng;

use cd_core::random;

use crate::dense::{Spectrum, covariance, product, scale};

/// Rounds until the directions are taken as they are.
const ROUNDS: usize = 200;
/// The directions have settled when a round turns them by no more.
const SETTLED: f64 = 1e-6;

/// The centred rows as `count` independent components, or as many as they have directions of spread; at least 1 column.
pub(super) fn components(rows: MatRef<'_, f64>, count: usize) -> Mat<f64> {
    let spectrum = Spectrum::of(covariance(rows, 0).as_ref());
    let least = spectrum.negligible();
    let spread = spectrum
        .values
        .iter()
        .filter(|&&value| value > least)
        .count();
    let count = count.min(spread);
    if count == 0 {
        return Mat::zeros(rows.nrows(), 1);
    }
    let mut directions = spectrum.top(count);
    for column in 0..count {
        let value = spectrum.values[spectrum.values.len() - 1 - column];
        directions
            .col_mut(column)
            .iter_mut()
            .for_each(|entry| *entry /= value.sqrt());
    }
    let white = product(rows, directions.as_ref());
    let unmixing = unmixing(white.as_ref());
    product(white.as_ref(), unmixing.as_ref())
}

/// Orthogonal directions, as columns, along which white rows are least normal.
fn unmixing(white: MatRef<'_, f64>) -> Mat<f64> {
    let (rows, side) = (white.nrows() as f64, white.ncols());
    let mut drawn = random::stream(0, random::named("independent components"));
    let start = Mat::from_fn(side, side, |_, _| drawn.random::<f64>() - 0.5);
    let mut directions = orthogonal(start.as_ref());
    for _ in 0..ROUNDS {
        let mut curved = product(white, directions.as_ref());
        let mut slopes = vec![0.0; side];
        for (column, slope) in slopes.iter_mut().enumerate() {
            for value in curved.col_mut(column).iter_mut() {
                *value = value.tanh();
                *slope += (1.0 - *value * *value) / rows;
            }
        }
        let mut next = product(white.transpose(), curved.as_ref());
        scale(&mut next, 1.0 / rows);
        let next = Mat::from_fn(side, side, |row, column| {
            next[(row, column)] - slopes[column] * directions[(row, column)]
        });
        let next = orthogonal(next.as_ref());
        let agreement = product(next.transpose(), directions.as_ref());
        let turned = (0..side).map(|at| (1.0 - agreement[(at, at)].abs()).abs());
        let settled = turned.fold(0.0, f64::max) < SETTLED;
        directions = next;
        if settled {
            break;
        }
    }
    directions
}

/// The nearest orthogonal matrix.
fn orthogonal(matrix: MatRef<'_, f64>) -> Mat<f64> {
    let squares = product(matrix.transpose(), matrix);
    let root = Spectrum::of(squares.as_ref()).inverse_root();
    product(matrix, root.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_uniform_sources_are_told_apart() {
        let mut drawn = random::stream(5, 0);
        let sources = Mat::from_fn(4000, 2, |_, _| drawn.random::<f64>() - 0.5);
        let mixed = Mat::from_fn(4000, 2, |row, column| {
            let (a, b) = (sources[(row, 0)], sources[(row, 1)]);
            if column == 0 {
                a + 0.6 * b
            } else {
                0.4 * a - b
            }
        });
        let found = components(mixed.as_ref(), 2);
        for source in 0..2 {
            let best = (0..2).map(|column| {
                let pairs = sources.col(source).iter().zip(found.col(column).iter());
                let product: f64 = pairs.map(|(a, b)| a * b).sum();
                let length = |values: f64| values.sqrt();
                let a: f64 = sources.col(source).iter().map(|v| v * v).sum();
                let b: f64 = found.col(column).iter().map(|v| v * v).sum();
                (product / (length(a) * length(b))).abs()
            });
            let best = best.fold(0.0, f64::max);
            assert!(best > 0.98, "source {source}: {best}");
        }
    }

    #[test]
    fn rows_without_spread_give_a_column_of_zeros() {
        let found = components(Mat::<f64>::zeros(6, 3).as_ref(), 10);
        assert_eq!((found.nrows(), found.ncols(), found[(3, 0)]), (6, 1, 0.0));
    }
}
