//! How features vary: between the means of classes, and within any class alike.

use std::collections::BTreeMap;

use faer::{Mat, MatRef};

use crate::dense::{
    Spectrum, centred, covariance, distance, mean_row, product, trace, with_diagonal,
};
use crate::statistics::members;

/// The fit has settled when a round changes both covariances by no more.
const SETTLED: f64 = 1e-5;
/// Rounds until the fit is taken as it is.
const ROUNDS: usize = 100;
/// Share of the mean variance that the covariance within classes is shrunk by where it cannot have full rank.
const SHRINKAGE: f64 = 0.1;

/// Covariance of the means of classes, and that around them.
pub(super) struct Variation {
    pub(super) between: Mat<f64>,
    pub(super) within: Mat<f64>,
    /// Pseudo-inverse of `within`.
    precision: Mat<f64>,
}

impl Variation {
    /// Of clean rows, by expectation and maximisation.
    pub(super) fn of(rows: MatRef<'_, f64>, labels: &[u32]) -> Self {
        let class_count = labels.iter().max().map_or(0, |&last| last as usize + 1);
        let classes = members(labels, class_count);
        let rows = centred(rows, &mean_row(rows));
        let means: Vec<Vec<f64>> = classes.iter().map(|class| mean_of(&rows, class)).collect();
        let mut variation = Self::around(&rows, labels, &means);
        for _ in 0..ROUNDS {
            let mut gains = BTreeMap::new();
            let means: Vec<Vec<f64>> = classes
                .iter()
                .map(|class| variation.mean(&rows, class, &mut gains))
                .collect();
            let next = Self::around(&rows, labels, &means);
            let change = distance(next.between.as_ref(), variation.between.as_ref())
                + distance(next.within.as_ref(), variation.within.as_ref());
            variation = next;
            if change <= SETTLED {
                break;
            }
        }
        variation
    }

    /// From the mean of each class.
    fn around(rows: &Mat<f64>, labels: &[u32], means: &[Vec<f64>]) -> Self {
        let (count, width) = (rows.nrows(), rows.ncols());
        let mean = |row: usize, column: usize| means[labels[row] as usize][column];
        let of_means = Mat::from_fn(count, width, mean);
        let residuals = Mat::from_fn(count, width, |row, column| {
            rows[(row, column)] - mean(row, column)
        });
        let mut within = covariance(residuals.as_ref(), 1);
        if count <= width {
            let variance = trace(within.as_ref()) / width.max(1) as f64;
            within = with_diagonal(within, SHRINKAGE * variance);
        }
        Self {
            between: covariance(of_means.as_ref(), 1),
            precision: Spectrum::of(within.as_ref()).pseudo_inverse(),
            within,
        }
    }

    /// What turns rows so that the precision is the identity.
    pub(super) fn precision_root(&self) -> Mat<f64> {
        Spectrum::of(self.within.as_ref()).inverse_root()
    }

    /// The mean that all rows would have as one class.
    pub(super) fn class_mean(&self, rows: MatRef<'_, f64>) -> Vec<f64> {
        let all: Vec<usize> = (0..rows.nrows()).collect();
        self.mean(&rows.to_owned(), &all, &mut BTreeMap::new())
    }

    /// The most likely mean of `class`; `gains` keeps what depends on the number of its rows alone.
    fn mean(
        &self,
        rows: &Mat<f64>,
        class: &[usize],
        gains: &mut BTreeMap<usize, Mat<f64>>,
    ) -> Vec<f64> {
        let count = class.len();
        let gain = gains.entry(count).or_insert_with(|| {
            let (width, count) = (rows.ncols(), count as f64);
            let both = Mat::from_fn(width, width, |row, column| {
                count * self.between[(row, column)] + self.within[(row, column)]
            });
            Spectrum::of(both.as_ref()).pseudo_inverse()
        });
        let sum = Mat::from_fn(rows.ncols(), 1, |column, _| {
            class.iter().map(|&row| rows[(row, column)]).sum()
        });
        let steps = [&self.precision, &self.between, gain, &self.within];
        let mean = steps.into_iter().fold(sum, |vector, matrix| {
            product(matrix.as_ref(), vector.as_ref())
        });
        mean.col(0).iter().copied().collect()
    }
}

fn mean_of(rows: &Mat<f64>, class: &[usize]) -> Vec<f64> {
    let count = class.len().max(1) as f64;
    let column = |at| class.iter().map(|&row| rows[(row, at)]).sum::<f64>() / count;
    (0..rows.ncols()).map(column).collect()
}
