//! Multinomial logistic regression with a ridge penalty.

mod descent;

use cd_core::Matrix;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// Features that have mean 0 in every column and squared length 1 in the mean, with a last column for the intercept.
pub(crate) struct Standardised {
    columns: usize,
    values: Vec<f32>,
}

impl Standardised {
    /// The rows of `features`, all of them finite; columns that do not vary become 0.
    pub(crate) fn of(features: &Matrix) -> Self {
        let (columns, count) = (features.columns(), features.rows());
        let sums = |value: &dyn Fn(usize, f64) -> f64| {
            let mut sums = vec![0.0; columns];
            for row in 0..count {
                for (column, sum) in sums.iter_mut().enumerate() {
                    *sum += value(column, f64::from(features.row(row)[column])) / count as f64;
                }
            }
            sums
        };
        let means = sums(&|_, value| value);
        let squares = sums(&|column, value| (value - means[column]).powi(2));
        let varying = squares.iter().filter(|&&square| square > 0.0).count();
        let scales: Vec<f64> = squares
            .iter()
            .map(|square| match square {
                0.0 => 0.0,
                _ => 1.0 / (square * varying as f64).sqrt(),
            })
            .collect();
        let mut values = Vec::with_capacity((columns + 1) * count);
        for row in 0..count {
            let row = features.row(row).iter().zip(&means).zip(&scales);
            values.extend(
                row.map(|((&value, mean), scale)| ((f64::from(value) - mean) * scale) as f32),
            );
            values.push(1.0);
        }
        Self {
            columns: columns + 1,
            values,
        }
    }

    fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    fn view(&self) -> MatRef<'_, f32> {
        MatRef::from_row_major_slice(&self.values, self.rows(), self.columns)
    }
}

/// Which weights explain the labels of some of the images.
pub(crate) struct Logistic<'a> {
    pub(crate) features: &'a Standardised,
    /// Below `classes`.
    pub(crate) labels: &'a [u32],
    pub(crate) classes: usize,
    /// The images to learn from.
    pub(crate) used: &'a [bool],
    /// Half of it times the squared weights, the intercepts among them, is added to the mean cross-entropy.
    pub(crate) penalty: f64,
}

impl Logistic<'_> {
    /// The best weights, `[columns, classes]`.
    pub(crate) fn solve(&self) -> Vec<f64> {
        self.solve_from(vec![0.0; self.features.columns * self.classes])
    }

    fn solve_from(&self, start: Vec<f64>) -> Vec<f64> {
        descent::minimum(start, |weights| self.objective(weights))
    }

    /// For every image the largest logit of another class less that of its label; 0 where its class, or every other, has no
    /// image to learn from.
    pub(crate) fn margins(&self, weights: &[f64]) -> Vec<f64> {
        let mut learned = vec![false; self.classes];
        for (&label, _) in self.labels.iter().zip(self.used).filter(|(_, used)| **used) {
            learned[label as usize] = true;
        }
        let logits = self.logits(weights);
        let margin = |(logits, &label): (&[f32], &u32)| {
            let label = label as usize;
            let others = (0..self.classes).filter(|&class| class != label && learned[class]);
            let best = others
                .map(|class| logits[class])
                .fold(f32::NEG_INFINITY, f32::max);
            if learned[label] && best.is_finite() {
                f64::from(best) - f64::from(logits[label])
            } else {
                0.0
            }
        };
        logits
            .chunks(self.classes)
            .zip(self.labels)
            .map(margin)
            .collect()
    }

    /// `[images, classes]`.
    fn logits(&self, weights: &[f64]) -> Vec<f32> {
        let (rows, columns) = (self.features.rows(), self.features.columns);
        let weights: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
        let mut logits = vec![0.0; rows * self.classes];
        matmul(
            MatMut::from_row_major_slice_mut(&mut logits, rows, self.classes),
            Accum::Replace,
            self.features.view(),
            MatRef::from_row_major_slice(&weights, columns, self.classes),
            1.0,
            Par::Seq,
        );
        logits
    }

    /// Mean cross-entropy with penalty, and its gradient.
    fn objective(&self, weights: &[f64]) -> (f64, Vec<f64>) {
        let (rows, columns) = (self.features.rows(), self.features.columns);
        let count = self.used.iter().filter(|used| **used).count().max(1) as f64;
        let mut errors = self.logits(weights);
        let mut loss = 0.0;
        let labelled = self.labels.iter().zip(self.used);
        for (row, (&label, &used)) in errors.chunks_mut(self.classes).zip(labelled) {
            if used {
                loss += into_errors(row, label as usize) / count;
            } else {
                row.fill(0.0);
            }
        }
        let mut slopes = vec![0.0_f32; columns * self.classes];
        matmul(
            MatMut::from_row_major_slice_mut(&mut slopes, columns, self.classes),
            Accum::Replace,
            self.features.view().transpose(),
            MatRef::from_row_major_slice(&errors, rows, self.classes),
            1.0,
            Par::Seq,
        );
        let pairs = slopes.iter().zip(weights);
        let gradient =
            pairs.map(|(&slope, weight)| f64::from(slope) / count + self.penalty * weight);
        let squares: f64 = weights.iter().map(|weight| weight * weight).sum();
        (loss + 0.5 * self.penalty * squares, gradient.collect())
    }
}

/// Turns logits into probabilities less the truth, and gives the cross-entropy.
fn into_errors(row: &mut [f32], label: usize) -> f64 {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let own = f64::from(row[label] - top);
    let mut sum = 0.0;
    for value in row.iter_mut() {
        *value = (*value - top).exp();
        sum += f64::from(*value);
    }
    for value in row.iter_mut() {
        *value = (f64::from(*value) / sum) as f32;
    }
    row[label] -= 1.0;
    sum.ln() - own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem<'a>(
        features: &'a Standardised,
        labels: &'a [u32],
        used: &'a [bool],
    ) -> Logistic<'a> {
        Logistic {
            features,
            labels,
            classes: 3,
            used,
            penalty: 1e-2,
        }
    }

    fn features() -> Standardised {
        let values = (0..24).map(|at| ((at * 7 + at * at) % 11) as f32).collect();
        Standardised::of(&Matrix::new(4, values))
    }

    #[test]
    fn columns_are_standardised_and_constant_ones_vanish() {
        let found = Standardised::of(&Matrix::new(2, vec![1.0, 4.0, 3.0, 4.0]));
        assert_eq!(found.values, [-1.0, 0.0, 1.0, 1.0, 0.0, 1.0]);
        let found = features();
        let squares: f32 = found.values.iter().map(|value| value * value).sum();
        assert!((squares - 12.0).abs() < 1e-4, "{squares}");
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_objective() {
        let (features, labels) = (features(), [0, 1, 2, 0, 1, 1]);
        let used = [true, true, true, false, true, true];
        let problem = problem(&features, &labels, &used);
        let weights: Vec<f64> = (0..15).map(|at| f64::from(at % 4) - 1.5).collect();
        let (_, gradient) = problem.objective(&weights);
        for at in [0, 7, 14] {
            let moved = |by: f64| {
                let mut weights = weights.clone();
                weights[at] += by;
                problem.objective(&weights).0
            };
            let slope = (moved(1e-3) - moved(-1e-3)) / 2e-3;
            assert!(
                (slope - gradient[at]).abs() < 1e-4,
                "{slope} {}",
                gradient[at]
            );
        }
    }

    #[test]
    fn the_solution_has_no_slope_wherever_it_began() {
        let (features, labels) = (features(), [0, 1, 2, 0, 1, 1]);
        let used = [true; 6];
        let problem = problem(&features, &labels, &used);
        let found = problem.solve();
        let slope = problem.objective(&found).1;
        assert!(slope.iter().all(|slope| slope.abs() < 1e-4), "{slope:?}");
        let other = problem.solve_from(vec![3.0; 15]);
        let apart = found.iter().zip(&other).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f64::max) < 2e-2);
    }

    #[test]
    fn what_was_not_learned_is_undecided() {
        let (features, labels) = (features(), [0, 1, 2, 0, 1, 1]);
        let used = [true, true, false, true, true, true];
        let problem = problem(&features, &labels, &used);
        let margins = problem.margins(&problem.solve());
        assert!(margins[2] == 0.0 && margins[0] != 0.0, "{margins:?}");
    }
}
