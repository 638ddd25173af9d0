//! The robust filter: rows without those that lift the fourth moments.

use faer::Mat;

use crate::dense::{Spectrum, covariance, distance, product, scale, trace};
use crate::statistics::{deviations, median};

/// A row this many times as far out as its length allows is dropped at once.
const FAR: f64 = 10.0;
/// Chance with which a good row may be taken for such a one.
const CHANCE: f64 = 0.1;
/// Rounds of the power iteration.
const POWERS: usize = 500;
/// The power iteration has settled when a round changes the value by no more than this share.
const SETTLED: f64 = 1e-12;

/// The rows that stay when at most `limit` are removed, where `share` may be poison.
pub(super) fn kept(rows: &Mat<f64>, share: f64, limit: usize) -> Vec<usize> {
    let least = rows.nrows().saturating_sub(limit);
    let mut kept: Vec<usize> = (0..rows.nrows()).collect();
    while kept.len() > least {
        let white = whitened(rows, &kept);
        let next = match far_out(&white) {
            Some(near) => near,
            None => match heavy_tail(&white, share) {
                Some(near) => near,
                None => break,
            },
        };
        let next = at_least(&next, least, kept.len());
        if next.len() == kept.len() {
            break;
        }
        kept = next.into_iter().map(|at| kept[at]).collect();
    }
    kept
}

/// Positions in ascending order of suspicion, cut where the first of the suspicious ones stands.
struct Ordered {
    order: Vec<usize>,
    stay: usize,
}

/// Positions that stay: at least `least`, the least suspicious ones, in their order.
fn at_least(ordered: &Ordered, least: usize, count: usize) -> Vec<usize> {
    let stay = ordered.stay.max(least).min(count);
    let mut chosen = ordered.order[..stay].to_vec();
    chosen.sort_unstable();
    chosen
}

/// The rows at `kept`, with their mean square as the identity.
fn whitened(rows: &Mat<f64>, kept: &[usize]) -> Mat<f64> {
    let some = Mat::from_fn(kept.len(), rows.ncols(), |row, column| {
        rows[(kept[row], column)]
    });
    let mut squares = product(some.transpose(), some.as_ref());
    scale(&mut squares, 1.0 / kept.len().max(1) as f64);
    product(
        some.as_ref(),
        Spectrum::of(squares.as_ref()).inverse_root().as_ref(),
    )
}

/// Rows that are far too long; `None` when there are none.
fn far_out(white: &Mat<f64>) -> Option<Ordered> {
    let (count, width) = (white.nrows() as f64, white.ncols() as f64);
    let lengths: Vec<f64> = (0..white.nrows())
        .map(|row| white.row(row).iter().map(|value| value * value).sum())
        .collect();
    let border = FAR * width * (count / CHANCE).ln();
    let stay = lengths.iter().filter(|&&length| length < border).count();
    (stay < lengths.len()).then(|| ordered(&lengths, stay))
}

/// Rows in the tail along the direction in which fourth moments are largest; `None` when they are as of a normal distribution.
fn heavy_tail(white: &Mat<f64>, share: f64) -> Option<Ordered> {
    let away = tail_deviations(white, share)?;
    let mut sorted = away.clone();
    sorted.sort_by(f64::total_cmp);
    let logarithm = (1.0 / share).ln();
    for (at, &value) in sorted.iter().enumerate().filter(|(_, value)| **value > 3.0) {
        let border = value - 3.0;
        let tail = if border <= 10.0 * logarithm {
            1.0
        } else {
            3.0 * share / (border * border.ln()).powi(2)
        };
        if (at + 1) as f64 / sorted.len() as f64 >= tail {
            let stay = away.iter().filter(|&&value| value <= border).count();
            return Some(ordered(&away, stay));
        }
    }
    None
}

/// How far each row lies from the median along that direction; `None` when its moment is within the bound.
pub(super) fn tail_deviations(white: &Mat<f64>, share: f64) -> Option<Vec<f64>> {
    let direction = Moment::of(white);
    let logarithm = (1.0 / share).ln();
    let length = distance(
        direction.matrix.as_ref(),
        Mat::zeros(white.ncols(), white.ncols()).as_ref(),
    );
    if direction.value <= (1.0 + 10.0 * share * logarithm * logarithm) * length * length {
        return None;
    }
    let turned = product(white.as_ref(), direction.matrix.as_ref());
    let trace = trace(direction.matrix.as_ref());
    let along = |row| {
        let pairs = turned.row(row).iter().zip(white.row(row).iter());
        (pairs.map(|(a, b)| a * b).sum::<f64>() - trace) / std::f64::consts::SQRT_2
    };
    let along: Vec<f64> = (0..white.nrows()).map(along).collect();
    Some(deviations(&along, median(along.clone())))
}

fn ordered(values: &[f64], stay: usize) -> Ordered {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    Ordered { order, stay }
}

/// The eigenvector of largest magnitude of the fourth moments less their trace part, as a symmetric matrix of length 1.
struct Moment {
    value: f64,
    matrix: Mat<f64>,
}

impl Moment {
    /// By powers of the operator, which is applied without being built: it has `k^2` rows and columns.
    fn of(white: &Mat<f64>) -> Self {
        let (count, side) = (white.nrows().max(1) as f64, white.ncols());
        // Starts from the spread of the longest rows: it has a share in every direction that matters.
        let lengths: Vec<f64> = (0..white.nrows())
            .map(|row| white.row(row).iter().map(|value| value * value).sum())
            .collect();
        let weighted = weighted_squares(white, &lengths);
        let mut matrix = normalised(Mat::from_fn(side, side, |row, column| {
            weighted[(row, column)] / count + covariance_seed(row, column)
        }));
        let mut value = 0.0;
        for _ in 0..POWERS {
            let turned = product(white.as_ref(), matrix.as_ref());
            let weights: Vec<f64> = (0..white.nrows())
                .map(|row| {
                    let pairs = turned.row(row).iter().zip(white.row(row).iter());
                    pairs.map(|(a, b)| a * b).sum()
                })
                .collect();
            let mut image = weighted_squares(white, &weights);
            scale(&mut image, 1.0 / count);
            let trace = trace(matrix.as_ref());
            for at in 0..side {
                image[(at, at)] -= trace;
            }
            let next: f64 = (0..side)
                .flat_map(|column| image.col(column).iter().zip(matrix.col(column).iter()))
                .map(|(a, b)| a * b)
                .sum();
            let settled = (next - value).abs() <= SETTLED * next.abs();
            value = next;
            matrix = normalised(image);
            if settled {
                break;
            }
        }
        Self { value, matrix }
    }
}

/// Breaks ties between directions that the rows do not tell apart.
fn covariance_seed(row: usize, column: usize) -> f64 {
    1e-3 / (1 + row + column) as f64
}

/// The sum of `weight y y'` over the rows.
fn weighted_squares(rows: &Mat<f64>, weights: &[f64]) -> Mat<f64> {
    let weighted = Mat::from_fn(rows.nrows(), rows.ncols(), |row, column| {
        rows[(row, column)] * weights[row]
    });
    product(rows.transpose(), weighted.as_ref())
}

fn normalised(mut matrix: Mat<f64>) -> Mat<f64> {
    let length = distance(
        matrix.as_ref(),
        Mat::zeros(matrix.nrows(), matrix.ncols()).as_ref(),
    );
    if length > 0.0 {
        scale(&mut matrix, 1.0 / length);
    }
    matrix
}

/// Covariance of the rows at `kept` with divisor `n - less`.
pub(super) fn covariance_of(rows: &Mat<f64>, kept: &[usize], less: usize) -> Mat<f64> {
    let some = Mat::from_fn(kept.len(), rows.ncols(), |row, column| {
        rows[(kept[row], column)]
    });
    covariance(some.as_ref(), less)
}
