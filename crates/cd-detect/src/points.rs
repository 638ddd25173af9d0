//! Points that are grouped: rows that lie together in memory.

use std::cmp::Ordering;

use faer::{Mat, MatRef};

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

    /// Number of points.
    pub(crate) fn count(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    pub(crate) fn at(&self, point: usize) -> &[f64] {
        &self.values[point * self.width..(point + 1) * self.width]
    }

    /// Squared distance of a point to `centre`.
    pub(crate) fn squared(&self, point: usize, centre: &[f64]) -> f64 {
        let pairs = self.at(point).iter().zip(centre);
        pairs.map(|(a, b)| (a - b) * (a - b)).sum()
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
