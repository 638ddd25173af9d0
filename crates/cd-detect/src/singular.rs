//! The direction of largest spread.

use rand::Rng;

use cd_core::random;

/// Vectors of a search before it starts again from the best direction in their span.
const SPAN: usize = 32;
/// Rows that are added together, so that sums are fetched from memory once for all of them.
const TOGETHER: usize = 8;
/// Searches until the best direction so far is taken; a few are enough where singular values differ.
const SEARCHES: usize = 200;
/// A direction is found when the matrix turns it by no more than this share of its length.
const TURN: f64 = 1e-13;

/// The right singular vector of the largest singular value, of length 1 and any sign; `None` when all values are 0.
///
/// Found to rounding by Krylov spaces of the Gram matrix, which start from fixed random numbers: equal rows give equal
/// bits. Where several singular values are equal, it is one vector of their span.
pub(crate) fn top_direction(rows: &[Vec<f64>]) -> Option<Vec<f64>> {
    let width = rows.first()?.len();
    if rows.len() >= width {
        return top_eigenvector(&Square::of_columns(rows, width));
    }
    let weights = top_eigenvector(&Square::of_rows(rows))?;
    let mut direction = vec![0.0; width];
    for (row, weight) in rows.iter().zip(weights) {
        add(&mut direction, weight, row);
    }
    normalised(direction)
}

/// A symmetric matrix.
struct Square {
    side: usize,
    values: Vec<f64>,
}

impl Square {
    /// Products of columns with each other.
    fn of_columns(rows: &[Vec<f64>], width: usize) -> Self {
        let mut values = vec![0.0; width * width];
        let (groups, rest) = rows.as_chunks::<TOGETHER>();
        // From the diagonal on; what lies before it is the same.
        for group in groups {
            for column in 0..width {
                let sums = &mut values[column * width..][column..width];
                add_products(sums, group.each_ref().map(|row| &row[column..]));
            }
        }
        for row in rest {
            for column in 0..width {
                let sums = &mut values[column * width..][column..width];
                add(sums, row[column], &row[column..]);
            }
        }
        for row in 0..width {
            for column in 0..row {
                values[row * width + column] = values[column * width + row];
            }
        }
        Self {
            side: width,
            values,
        }
    }

    /// Products of rows with each other.
    fn of_rows(rows: &[Vec<f64>]) -> Self {
        let products = rows.iter().flat_map(|a| rows.iter().map(|b| dot(a, b)));
        Self {
            side: rows.len(),
            values: products.collect(),
        }
    }

    fn times(&self, vector: &[f64]) -> Vec<f64> {
        let rows = self.values.chunks_exact(self.side);
        rows.map(|row| dot(row, vector)).collect()
    }
}

fn top_eigenvector(matrix: &Square) -> Option<Vec<f64>> {
    let mut random = random::stream(0, random::named("top direction"));
    let start = (0..matrix.side).map(|_| random.random::<f64>() - 0.5);
    // Times the matrix: what has no share in any direction of spread is zero then.
    let start: Vec<f64> = start.collect();
    let mut best = normalised(matrix.times(&start))?;
    for _ in 0..SEARCHES {
        best = best_of_span(matrix, best)?;
        let image = matrix.times(&best);
        let value = dot(&image, &best);
        let turned = image
            .iter()
            .zip(&best)
            .map(|(a, b)| (a - value * b).powi(2));
        if turned.sum::<f64>().sqrt() <= TURN * value {
            break;
        }
    }
    Some(best)
}

/// The best direction in the span of a vector and its images under powers of the matrix.
fn best_of_span(matrix: &Square, start: Vec<f64>) -> Option<Vec<f64>> {
    let mut basis = vec![start];
    let mut images = Vec::new();
    while let Some(last) = basis.last() {
        let image = matrix.times(last);
        let mut next = image.clone();
        images.push(image);
        if basis.len() == SPAN.min(matrix.side) {
            break;
        }
        let before = dot(&next, &next).sqrt();
        // Twice, for the first time leaves rounding errors behind.
        for vector in basis.iter().chain(&basis) {
            let share = dot(&next, vector);
            add(&mut next, -share, vector);
        }
        if dot(&next, &next).sqrt() <= TURN * before {
            break;
        }
        basis.push(normalised(next)?);
    }
    let count = basis.len();
    let products = basis.iter().flat_map(|a| images.iter().map(|b| dot(a, b)));
    let weights = top_by_rotations(products.collect(), count);
    let mut best = vec![0.0; matrix.side];
    for (vector, weight) in basis.iter().zip(weights) {
        add(&mut best, weight, vector);
    }
    normalised(best)
}

/// The eigenvector of the largest eigenvalue of a small symmetric matrix, by Jacobi's rotations.
fn top_by_rotations(mut values: Vec<f64>, side: usize) -> Vec<f64> {
    let mut vectors = vec![0.0; side * side];
    (0..side).for_each(|at| vectors[at * side + at] = 1.0);
    let size: f64 = values.iter().map(|value| value.powi(2)).sum();
    for _ in 0..60 {
        let beside = |at: &usize| at / side != at % side;
        let rest = (0..side * side).filter(beside);
        if rest.map(|at| values[at].powi(2)).sum::<f64>() <= 1e-32 * size {
            break;
        }
        for row in 0..side {
            for column in row + 1..side {
                rotate(&mut values, &mut vectors, side, row, column);
            }
        }
    }
    let diagonal = |at: &usize| values[at * side + at];
    let top = (0..side).max_by(|a, b| diagonal(a).total_cmp(&diagonal(b)));
    let top = top.unwrap_or(0);
    (0..side).map(|at| vectors[at * side + top]).collect()
}

/// Turns two axes so that the value at their crossing becomes 0.
fn rotate(values: &mut [f64], vectors: &mut [f64], side: usize, row: usize, column: usize) {
    let crossing = values[row * side + column];
    if crossing == 0.0 {
        return;
    }
    let ratio = (values[column * side + column] - values[row * side + row]) / (2.0 * crossing);
    let tangent = ratio.signum() / (ratio.abs() + ratio.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    let turn = |matrix: &mut [f64], first: usize, second: usize| {
        let (a, b) = (matrix[first], matrix[second]);
        matrix[first] = cosine * a - sine * b;
        matrix[second] = sine * a + cosine * b;
    };
    for at in 0..side {
        turn(values, at * side + row, at * side + column);
        turn(vectors, at * side + row, at * side + column);
    }
    for at in 0..side {
        turn(values, row * side + at, column * side + at);
    }
}

/// Adds each row times its first value, one row after the other.
fn add_products(sums: &mut [f64], rows: [&[f64]; TOGETHER]) {
    let rows = rows.map(|row| &row[..sums.len()]);
    for (at, sum) in sums.iter_mut().enumerate() {
        for row in rows {
            *sum += row[0] * row[at];
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Adds `factor` times `other`.
fn add(sum: &mut [f64], factor: f64, other: &[f64]) {
    for (sum, value) in sum.iter_mut().zip(other) {
        *sum += factor * value;
    }
}

/// `None` for the vector of zeros.
fn normalised(mut vector: Vec<f64>) -> Option<Vec<f64>> {
    let length = dot(&vector, &vector).sqrt();
    if length <= 0.0 {
        return None;
    }
    for value in &mut vector {
        *value /= length;
    }
    Some(vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose spread along known orthogonal directions is known.
    fn rows(count: usize, spreads: &[f64]) -> Vec<Vec<f64>> {
        let mut random = random::stream(1, 0);
        let mut left: Vec<Vec<f64>> = Vec::new();
        for _ in spreads {
            let mut vector: Vec<f64> = (0..count).map(|_| random.random::<f64>() - 0.5).collect();
            for other in left.iter().chain(&left) {
                let share = dot(&vector, other);
                add(&mut vector, -share, other);
            }
            left.push(normalised(vector).expect("random"));
        }
        let value = |row: usize, axis: usize| left[axis][row] * spreads[axis];
        let row = |row| (0..spreads.len()).map(|axis| value(row, axis)).collect();
        (0..count).map(row).collect()
    }

    #[test]
    fn the_widest_axis_is_found_however_close_the_next_one_is() {
        for spreads in [
            vec![1.0, 3.0, 2.0],
            vec![1.0, 1.0 - 1e-4, 0.5, 0.2],
            vec![0.0, 7.0, 0.0],
            (0..60).map(|axis| 1.0 + 1e-3 * f64::from(axis)).collect(),
        ] {
            let widest = spreads.iter().copied().fold(0.0, f64::max);
            for count in [spreads.len() + 5, spreads.len()] {
                let found = top_direction(&rows(count, &spreads)).expect("there is spread");
                for (axis, way) in found.iter().enumerate() {
                    let expected = if spreads[axis] == widest { 1.0 } else { 0.0 };
                    assert!((way.abs() - expected).abs() < 1e-7, "{axis}: {way}");
                }
            }
        }
    }

    #[test]
    fn few_long_rows_have_the_direction_of_their_difference() {
        let rows = vec![
            vec![0.0, 3.0, 0.0, 4.0, 0.0],
            vec![0.0, -3.0, 0.0, -4.0, 0.0],
        ];
        let found = top_direction(&rows).expect("they differ");
        let expected = [0.0, 0.6, 0.0, 0.8, 0.0];
        for (way, expected) in found.iter().zip(expected) {
            assert!((way.abs() - expected).abs() < 1e-12, "{found:?}");
        }
    }

    #[test]
    fn no_spread_has_no_direction() {
        assert_eq!(top_direction(&[]), None);
        assert_eq!(top_direction(&[vec![0.0; 4]]), None);
        assert_eq!(top_direction(&vec![vec![0.0; 2]; 9]), None);
        let tied = top_direction(&[vec![1.0, 0.0], vec![0.0, 1.0]]).expect("spread");
        assert!((dot(&tied, &tied) - 1.0).abs() < 1e-12);
    }
}
