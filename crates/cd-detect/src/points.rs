//! Points that are grouped: rows that lie together in memory.

#![expect(
    clippy::inline_always,
    reason = "what is inlined is compiled for the vectors of the machine"
)]

use std::cmp::Ordering;
use std::ops::Range;

use cd_core::Matrix;
use faer::{Mat, MatRef};

/// Partial sums of a loop, as many as fill the registers of any machine.
pub(crate) const LANES: usize = 32;

/// The product of two rows, in an order that depends on their length alone.
#[inline(always)]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    folded(a, b, |a, b| a * b)
}

#[inline(always)]
fn folded(a: &[f64], b: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    let (firsts, first_rest) = a.as_chunks::<LANES>();
    let (seconds, second_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in firsts.iter().zip(seconds) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += term(*a, *b);
        }
    }
    let rest = first_rest.iter().zip(second_rest);
    let rest: f64 = rest.map(|(a, b)| term(*a, *b)).sum();
    sums.iter().sum::<f64>() + rest
}

/// Rows of a matrix, each in one piece.
#[derive(Debug)]
pub(crate) struct Points {
    width: usize,
    values: Vec<f64>,
}

impl Points {
    pub(crate) fn of(rows: MatRef<'_, f64>) -> Self {
        let turned: Mat<f64> = rows.transpose().to_owned();
        let columns = (0..turned.ncols()).map(|at| turned.col_as_slice(at));
        Self {
            width: rows.ncols(),
            values: columns.flatten().copied().collect(),
        }
    }

    /// The rows of `matrix` at `indices`, around their mean.
    pub(crate) fn centred(matrix: &Matrix, indices: &[usize]) -> Self {
        let width = matrix.columns();
        let rows = indices.iter().map(|&index| matrix.row(index));
        let values = rows.flatten().map(|&value| f64::from(value));
        let mut points = Self {
            width,
            values: values.collect(),
        };
        let count = points.count().max(1) as f64;
        let middle: Vec<f64> = points.sum().iter().map(|sum| sum / count).collect();
        for row in points.values.chunks_exact_mut(width.max(1)) {
            for (value, middle) in row.iter_mut().zip(&middle) {
                *value -= middle;
            }
        }
        points
    }

    /// Those at `places`.
    pub(crate) fn select(&self, places: &[usize]) -> Self {
        let values = places.iter().flat_map(|&place| self.at(place));
        Self {
            width: self.width,
            values: values.copied().collect(),
        }
    }

    /// Values of a point.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Some of the points as the rows of a matrix.
    pub(crate) fn rows(&self, places: Range<usize>) -> MatRef<'_, f64> {
        let values = &self.values[places.start * self.width..places.end * self.width];
        MatRef::from_row_major_slice(values, places.len(), self.width)
    }

    /// The sum of all points.
    pub(crate) fn sum(&self) -> Vec<f64> {
        let mut sum = vec![0.0; self.width];
        for row in self.values.chunks_exact(self.width.max(1)) {
            for (sum, value) in sum.iter_mut().zip(row) {
                *sum += value;
            }
        }
        sum
    }

    pub(crate) fn squared_length(&self, point: usize) -> f64 {
        dot(self.at(point), self.at(point))
    }

    /// [`squared_length`](Self::squared_length) of every point.
    pub(crate) fn squared_lengths(&self) -> Vec<f64> {
        (0..self.count())
            .map(|point| self.squared_length(point))
            .collect()
    }

    /// Number of points.
    pub(crate) fn count(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    pub(crate) fn at(&self, point: usize) -> &[f64] {
        &self.values[point * self.width..(point + 1) * self.width]
    }

    /// Squared distance of a point to `centre`.
    pub(crate) fn squared(&self, point: usize, centre: &[f64]) -> f64 {
        folded(self.at(point), centre, |a, b| (a - b) * (a - b))
    }

    /// The mean of the points of one group; zeros without any.
    pub(crate) fn mean(&self, groups: &[bool], wanted: bool) -> Vec<f64> {
        let mut sum = vec![0.0; self.width];
        let mut count = 0.0_f64;
        for (point, _) in groups.iter().enumerate().filter(|(_, g)| **g == wanted) {
            count += 1.0;
            for (sum, value) in sum.iter_mut().zip(self.at(point)) {
                *sum += value;
            }
        }
        for sum in &mut sum {
            *sum /= count.max(1.0);
        }
        sum
    }

    /// Points by their values, the first column first: the same whatever order they come in.
    pub(crate) fn by_value(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.count()).collect();
        order.sort_by(|&a, &b| {
            let pairs = self.at(a).iter().zip(self.at(b));
            let mut differing = pairs.map(|(a, b)| a.total_cmp(b));
            differing
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        });
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_rows() {
        let rows = Mat::from_fn(3, 2, |row, column| {
            [[3.0, 1.0], [1.0, 2.0], [1.0, 0.0]][row][column]
        });
        let points = Points::of(rows.as_ref());
        assert_eq!((points.count(), points.at(1)), (3, &[1.0, 2.0][..]));
        assert_eq!(points.by_value(), [2, 1, 0]);
        assert_eq!(points.mean(&[true, false, true], true), [2.0, 0.5]);
        assert_eq!(points.squared(0, &[0.0, 1.0]), 9.0);
        assert_eq!(Points::of(Mat::<f64>::zeros(0, 4).as_ref()).count(), 0);
    }
}
