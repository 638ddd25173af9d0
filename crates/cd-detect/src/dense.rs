//! Matrices of double precision: products, spectra, covariances. All on one thread, so that bits do not depend on how many there are.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Accum, Mat, MatRef, Par};

use cd_core::Matrix;

/// Rows of `matrix` at `indices`, in double precision.
pub(crate) fn rows_of(matrix: &Matrix, indices: &[usize]) -> Mat<f64> {
    Mat::from_fn(indices.len(), matrix.columns(), |row, column| {
        f64::from(matrix.row(indices[row])[column])
    })
}

/// All rows of `matrix`, in double precision.
pub(crate) fn all_rows(matrix: &Matrix) -> Mat<f64> {
    let indices: Vec<usize> = (0..matrix.rows()).collect();
    rows_of(matrix, &indices)
}

/// `a b`.
pub(crate) fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    matmul(&mut out, Accum::Replace, a, b, 1.0, Par::Seq);
    out
}

/// Cosines of the rows with each other; zeros on the diagonal, so that no row is alike to itself.
pub(crate) fn gram(rows: &Matrix) -> Mat<f64> {
    let count = rows.rows();
    let own = MatRef::from_row_major_slice(rows.values(), count, rows.columns());
    let mut products = Mat::<f32>::zeros(count, count);
    matmul(
        &mut products,
        Accum::Replace,
        own,
        own.transpose(),
        1.0,
        Par::Seq,
    );
    let length = |row: usize| f64::from(products[(row, row)]).max(0.0).sqrt();
    let lengths: Vec<f64> = (0..count).map(length).collect();
    Mat::from_fn(count, count, |row, column| {
        let both = lengths[row] * lengths[column];
        if row == column || both == 0.0 {
            0.0
        } else {
            f64::from(products[(row, column)]) / both
        }
    })
}

/// The mean of all rows of matrices of one width, in double precision; zeros without rows.
pub(crate) fn middle(matrices: &[&Matrix]) -> Vec<f64> {
    let count = matrices.iter().map(|matrix| matrix.rows()).sum::<usize>();
    let count = count.max(1) as f64;
    let mut middle = vec![0.0; matrices.first().map_or(0, |matrix| matrix.columns())];
    for matrix in matrices {
        for row in 0..matrix.rows() {
            for (sum, &value) in middle.iter_mut().zip(matrix.row(row)) {
                *sum += f64::from(value) / count;
            }
        }
    }
    middle
}

/// The mean of the rows; zeros without rows.
pub(crate) fn mean_row(rows: MatRef<'_, f64>) -> Vec<f64> {
    let count = rows.nrows().max(1) as f64;
    let column = |at| rows.col(at).iter().sum::<f64>() / count;
    (0..rows.ncols()).map(column).collect()
}

/// The rows less `middle`.
pub(crate) fn centred(rows: MatRef<'_, f64>, middle: &[f64]) -> Mat<f64> {
    Mat::from_fn(rows.nrows(), rows.ncols(), |row, column| {
        rows[(row, column)] - middle[column]
    })
}

/// Covariance of the columns around their means with divisor `n - less`; zeros when that is not positive.
pub(crate) fn covariance(rows: MatRef<'_, f64>, less: usize) -> Mat<f64> {
    let centred = centred(rows, &mean_row(rows));
    let mut products = product(centred.transpose(), centred.as_ref());
    let divisor = rows.nrows().saturating_sub(less);
    let factor = if divisor == 0 {
        0.0
    } else {
        1.0 / divisor as f64
    };
    scale(&mut products, factor);
    products
}

/// Multiplies every element.
pub(crate) fn scale(matrix: &mut Mat<f64>, factor: f64) {
    for column in 0..matrix.ncols() {
        for value in matrix.col_mut(column).iter_mut() {
            *value *= factor;
        }
    }
}

/// `matrix + value I`.
pub(crate) fn with_diagonal(mut matrix: Mat<f64>, value: f64) -> Mat<f64> {
    for at in 0..matrix.nrows() {
        matrix[(at, at)] += value;
    }
    matrix
}

/// Sum of the diagonal.
pub(crate) fn trace(matrix: MatRef<'_, f64>) -> f64 {
    (0..matrix.nrows()).map(|at| matrix[(at, at)]).sum()
}

/// Square root of the sum of squares of the differences.
pub(crate) fn distance(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> f64 {
    let columns = (0..a.ncols()).flat_map(|at| a.col(at).iter().zip(b.col(at).iter()));
    let squares: f64 = columns.map(|(a, b)| (a - b).powi(2)).sum();
    squares.sqrt()
}

/// Eigenvalues in ascending order and eigenvectors, as columns, of a symmetric matrix.
#[derive(Debug)]
pub(crate) struct Spectrum {
    pub(crate) values: Vec<f64>,
    pub(crate) vectors: Mat<f64>,
}

impl Spectrum {
    /// Zeros and the unit axes where the matrix is not finite or the iteration fails, so that callers stay finite.
    pub(crate) fn of(matrix: MatRef<'_, f64>) -> Self {
        let side = matrix.nrows();
        let mut values = Diag::<f64>::zeros(side);
        let mut vectors = Mat::zeros(side, side);
        let needed = self_adjoint_evd_scratch::<f64>(
            side,
            ComputeEigenvectors::Yes,
            Par::Seq,
            faer::prelude::default(),
        );
        let mut memory = MemBuffer::new(needed);
        let done = self_adjoint_evd(
            matrix,
            values.as_mut(),
            Some(vectors.as_mut()),
            Par::Seq,
            MemStack::new(&mut memory),
            faer::prelude::default(),
        );
        let values: Vec<f64> = values.column_vector().iter().copied().collect();
        if done.is_err() || values.iter().any(|value| !value.is_finite()) {
            return Self {
                values: vec![0.0; side],
                vectors: Mat::identity(side, side),
            };
        }
        Self { values, vectors }
    }

    /// The matrix with `change` applied to its eigenvalues.
    pub(crate) fn map(&self, change: impl Fn(f64) -> f64) -> Mat<f64> {
        let changed: Vec<f64> = self.values.iter().map(|&value| change(value)).collect();
        let side = self.values.len();
        let scaled = Mat::from_fn(side, side, |row, column| {
            self.vectors[(row, column)] * changed[column]
        });
        product(scaled.as_ref(), self.vectors.transpose())
    }

    /// Below it an eigenvalue is a rounding error of zero.
    pub(crate) fn negligible(&self) -> f64 {
        let largest = self
            .values
            .iter()
            .fold(0.0_f64, |most, v| most.max(v.abs()));
        largest * self.values.len() as f64 * f64::EPSILON
    }

    /// Moore and Penrose's inverse.
    pub(crate) fn pseudo_inverse(&self) -> Mat<f64> {
        let least = self.negligible();
        self.map(|value| {
            if value.abs() > least {
                1.0 / value
            } else {
                0.0
            }
        })
    }

    /// The symmetric square root of the pseudo-inverse of a matrix that has no negative eigenvalues.
    pub(crate) fn inverse_root(&self) -> Mat<f64> {
        let least = self.negligible();
        self.map(|value| {
            if value > least {
                value.sqrt().recip()
            } else {
                0.0
            }
        })
    }

    /// Eigenvectors of the `count` largest eigenvalues, the largest first, each with its largest entry positive.
    pub(crate) fn top(&self, count: usize) -> Mat<f64> {
        let side = self.values.len();
        Mat::from_fn(side, count, |row, column| {
            let vector = self.vectors.col(side - 1 - column);
            let largest = vector.iter().copied().fold(0.0_f64, |most: f64, value| {
                if value.abs() > most.abs() {
                    value
                } else {
                    most
                }
            });
            vector[row] * largest.signum()
        })
    }
}

/// How features are scaled so that they vary by one in every direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whitening {
    /// Share of the identity in the correlations.
    pub(crate) shrinkage: f64,
    /// Least spread of a feature, as a share of the mean one: what hardly varies is not made to matter.
    pub(crate) least_spread: f64,
}

impl Whitening {
    /// What rows are multiplied with, of the sums of products of so many around their means; `None` where nothing varies.
    pub(crate) fn of(self, sum: MatRef<'_, f64>, count: usize) -> Option<Mat<f64>> {
        let (correlation, spreads) = self.correlation(sum, count)?;
        let root = Spectrum::of(correlation.as_ref()).inverse_root();
        let side = spreads.len();
        Some(Mat::from_fn(side, side, |row, column| {
            root[(row, column)] / spreads[row]
        }))
    }

    /// Another such matrix, which costs less where there are thousands of features: rows end up in other axes, as far from each other.
    pub(crate) fn triangular(self, sum: MatRef<'_, f64>, count: usize) -> Option<Mat<f64>> {
        let (correlation, spreads) = self.correlation(sum, count)?;
        let inverse = inverse_factor(correlation)?;
        let side = spreads.len();
        Some(Mat::from_fn(side, side, |row, column| {
            inverse[(column, row)] / spreads[row]
        }))
    }

    /// Correlations and spreads of the features.
    fn correlation(self, sum: MatRef<'_, f64>, count: usize) -> Option<(Mat<f64>, Vec<f64>)> {
        let side = sum.nrows();
        let spreads: Vec<f64> = (0..side)
            .map(|at| (sum[(at, at)] / count as f64).sqrt())
            .collect();
        let usual = spreads.iter().sum::<f64>() / side.max(1) as f64;
        if usual.is_nan() || usual <= 0.0 {
            return None;
        }
        let spreads: Vec<f64> = spreads
            .iter()
            .map(|s| s.max(self.least_spread * usual))
            .collect();
        let correlation = Mat::from_fn(side, side, |row, column| {
            let own = sum[(row, column)] / count as f64 / spreads[row] / spreads[column];
            let identity = if row == column { self.shrinkage } else { 0.0 };
            (1.0 - self.shrinkage) * own + identity
        });
        Some((correlation, spreads))
    }
}

/// The inverse of Cholesky's lower factor; `None` where the matrix is not positive definite.
fn inverse_factor(mut matrix: Mat<f64>) -> Option<Mat<f64>> {
    let side = matrix.nrows();
    let needed = cholesky_in_place_scratch::<f64>(side, Par::Seq, faer::prelude::default());
    let mut memory = MemBuffer::new(needed);
    cholesky_in_place(
        matrix.as_mut(),
        faer::prelude::default(),
        Par::Seq,
        MemStack::new(&mut memory),
        faer::prelude::default(),
    )
    .ok()?;
    let mut inverse = Mat::zeros(side, side);
    invert_lower_triangular(inverse.as_mut(), matrix.as_ref(), Par::Seq);
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> Mat<f64> {
        let values = [[4.0, 1.0, 0.0], [1.0, 3.0, 0.0], [0.0, 0.0, 0.0]];
        Mat::from_fn(3, 3, |row, column| values[row][column])
    }

    #[test]
    fn spectra_rebuild_their_matrix_and_invert_what_can_be_inverted() {
        let matrix = matrix();
        let spectrum = Spectrum::of(matrix.as_ref());
        let same = spectrum.map(|value| value);
        assert!(distance(same.as_ref(), matrix.as_ref()) < 1e-12);
        let inverse = spectrum.pseudo_inverse();
        let there_and_back = product(
            product(matrix.as_ref(), inverse.as_ref()).as_ref(),
            matrix.as_ref(),
        );
        assert!(distance(there_and_back.as_ref(), matrix.as_ref()) < 1e-12);
        let root = spectrum.inverse_root();
        let squared = product(root.as_ref(), root.as_ref());
        assert!(distance(squared.as_ref(), inverse.as_ref()) < 1e-12);
        assert!(spectrum.values.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn covariances_are_those_of_the_columns() {
        let rows = Mat::from_fn(3, 2, |row, column| {
            [[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]][row][column]
        });
        let found = covariance(rows.as_ref(), 1);
        for (at, expected) in [((0, 0), 1.0), ((0, 1), 2.0), ((1, 1), 4.0)] {
            assert!((found[at] - expected).abs() < 1e-12);
        }
        let one = Mat::from_fn(1, 2, |_, column| column as f64);
        assert_eq!(trace(covariance(one.as_ref(), 1).as_ref()), 0.0);
    }

    #[test]
    fn both_ways_of_scaling_leave_a_spread_of_one() {
        let rows = Mat::from_fn(40, 3, |row, column| {
            ((row * (3 + column * column) * 7 % 13) * (column + 1) + row % 3) as f64
        });
        let of = covariance(rows.as_ref(), 0);
        let mut sum = of.clone();
        scale(&mut sum, 40.0);
        let whitening = Whitening {
            shrinkage: 0.0,
            least_spread: 0.0,
        };
        let identity = Mat::<f64>::identity(3, 3);
        for by in [
            whitening.of(sum.as_ref(), 40),
            whitening.triangular(sum.as_ref(), 40),
        ] {
            let by = by.expect("they vary");
            let after = product(product(by.transpose(), of.as_ref()).as_ref(), by.as_ref());
            assert!(distance(after.as_ref(), identity.as_ref()) < 1e-9);
        }
        let nothing = Mat::zeros(3, 3);
        assert!(whitening.triangular(nothing.as_ref(), 40).is_none());
    }

    #[test]
    fn matrices_that_are_not_finite_give_zeros() {
        let broken = Mat::from_fn(2, 2, |_, _| f64::NAN);
        assert_eq!(Spectrum::of(broken.as_ref()).values, [0.0, 0.0]);
    }
}
