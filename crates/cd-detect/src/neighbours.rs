//! The nearest rows of a set, exactly, in blocks that bound memory.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

use cd_core::Matrix;

use crate::dense::middle;

/// Rows that one thread looks for at a time.
const QUERIES: usize = 256;
/// Rows that they are compared with at a time.
const REFERENCES: usize = 2048;
/// Candidates by single precision beyond those that are asked for; double precision decides among them.
const SPARE: usize = 16;

/// The `k` nearest rows of each row, in ascending order of distance, ties by position.
#[derive(Debug)]
pub(crate) struct Neighbours {
    k: usize,
    found: Vec<(f64, u32)>,
}

impl Neighbours {
    /// Those of every row of `matrix` among its other rows; `k` is at most one less than there are rows.
    pub(crate) fn within(matrix: &Matrix, k: usize) -> Self {
        let k = k.min(matrix.rows().saturating_sub(1));
        Self::search(matrix, matrix, k, true)
    }

    /// Those of every row of `queries` among the rows of `references`; `k` is at most their number.
    pub(crate) fn among(queries: &Matrix, references: &Matrix, k: usize) -> Self {
        let k = k.min(references.rows());
        Self::search(queries, references, k, false)
    }

    /// Neighbours of each row.
    pub(crate) fn k(&self) -> usize {
        self.k
    }

    /// Distances and positions of the neighbours of `row`.
    pub(crate) fn of(&self, row: usize) -> &[(f64, u32)] {
        &self.found[row * self.k..(row + 1) * self.k]
    }

    /// Distance of the last neighbour of `row`; 0 without neighbours.
    pub(crate) fn radius(&self, row: usize) -> f64 {
        self.of(row).last().map_or(0.0, |(distance, _)| *distance)
    }

    fn search(queries: &Matrix, references: &Matrix, k: usize, apart: bool) -> Self {
        if k == 0 {
            return Self {
                k,
                found: Vec::new(),
            };
        }
        let middle = middle(&[references]);
        let scale = scale(references, &middle);
        let less = |matrix: &Matrix| -> Vec<f32> {
            let rows = (0..matrix.rows()).map(|row| matrix.row(row));
            let near = |(v, m): (&f32, &f64)| ((f64::from(*v) - m) * scale) as f32;
            rows.flat_map(|row| row.iter().zip(&middle).map(near))
                .collect()
        };
        // Around their middle, so that less is lost where a long and nearly equal length is subtracted, and no larger than 1, so
        // that the squares of huge values are finite.
        let around = less(references);
        let asked = if apart { None } else { Some(less(queries)) };
        let asked = asked.as_ref().unwrap_or(&around);
        let search = Search {
            queries,
            references,
            asked,
            around: &around,
            lengths: lengths(&around, references.columns()),
            k,
            apart,
        };
        let starts: Vec<usize> = (0..queries.rows()).step_by(QUERIES).collect();
        let blocks = starts.par_iter().map(|&start| search.block(start));
        Self {
            k,
            found: blocks.flatten_iter().collect(),
        }
    }
}

struct Search<'a> {
    queries: &'a Matrix,
    references: &'a Matrix,
    /// Queries and references around the middle of the references.
    asked: &'a [f32],
    around: &'a [f32],
    /// Squared lengths of the references.
    lengths: Vec<f32>,
    k: usize,
    /// Whether a row is no neighbour of the row of its own position.
    apart: bool,
}

impl Search<'_> {
    /// Neighbours of the queries from `start` on.
    fn block(&self, start: usize) -> Vec<(f64, u32)> {
        let width = self.references.columns();
        let count = QUERIES.min(self.queries.rows() - start);
        let block = &self.asked[start * width..(start + count) * width];
        let block = MatRef::from_row_major_slice(block, count, width);
        let mut nearest = vec![Nearest::new(self.k + SPARE); count];
        for first in (0..self.references.rows()).step_by(REFERENCES) {
            let len = REFERENCES.min(self.references.rows() - first);
            let some = &self.around[first * width..(first + len) * width];
            let some = MatRef::from_row_major_slice(some, len, width);
            let mut products = Mat::<f32>::zeros(len, count);
            matmul(
                &mut products,
                Accum::Replace,
                some,
                block.transpose(),
                1.0,
                Par::Seq,
            );
            for (query, nearest) in nearest.iter_mut().enumerate() {
                let own = self.apart.then_some(start + query);
                for (at, product) in products.col(query).iter().enumerate() {
                    let position = first + at;
                    if Some(position) != own {
                        nearest.add(self.lengths[position] - 2.0 * product, position as u32);
                    }
                }
            }
        }
        let exact = nearest.into_iter().enumerate();
        exact
            .flat_map(|(query, nearest)| self.exact(start + query, nearest.found))
            .collect()
    }

    /// The `k` nearest of the candidates, by distances in double precision.
    fn exact(&self, query: usize, candidates: Vec<(f32, u32)>) -> Vec<(f64, u32)> {
        let row = self.queries.row(query);
        let measured = candidates.into_iter().map(|(_, position)| {
            let pairs = row.iter().zip(self.references.row(position as usize));
            let squares = pairs.map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2));
            (squares.sum::<f64>().sqrt(), position)
        });
        let mut measured: Vec<(f64, u32)> = measured.collect();
        measured.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        measured.truncate(self.k);
        measured
    }
}

/// The smallest values so far, unordered.
#[derive(Debug, Clone)]
struct Nearest {
    count: usize,
    limit: f32,
    found: Vec<(f32, u32)>,
}

impl Nearest {
    fn new(count: usize) -> Self {
        Self {
            count,
            limit: f32::INFINITY,
            found: Vec::with_capacity(2 * count),
        }
    }

    fn add(&mut self, value: f32, position: u32) {
        if value > self.limit {
            return;
        }
        self.found.push((value, position));
        if self.found.len() == 2 * self.count {
            let by_value = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
            self.found.select_nth_unstable_by(self.count - 1, by_value);
            self.limit = self.found[self.count - 1].0;
            self.found.truncate(self.count);
        }
    }
}

/// What brings every row to within 1 of the middle.
fn scale(matrix: &Matrix, middle: &[f64]) -> f64 {
    let rows = (0..matrix.rows()).map(|row| matrix.row(row));
    let away = rows.flat_map(|row| row.iter().zip(middle));
    let largest = away
        .map(|(&value, middle)| (f64::from(value) - middle).abs())
        .fold(0.0, f64::max);
    if largest > 0.0 { 1.0 / largest } else { 1.0 }
}

fn lengths(rows: &[f32], width: usize) -> Vec<f32> {
    rows.chunks_exact(width.max(1))
        .map(|row| row.iter().map(|value| value * value).sum())
        .collect()
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use cd_core::random;

    use super::*;

    #[test]
    fn neighbours_are_those_of_a_full_search() {
        let mut drawn = random::stream(1, 0);
        let values = (0..700 * 5).map(|_| drawn.random::<f32>() + 100.0);
        let matrix = Matrix::new(5, values.collect());
        let found = Neighbours::within(&matrix, 7);
        for row in [0, 255, 256, 699] {
            let others = (0..700).filter(|&other| other != row).map(|other| {
                let pairs = matrix.row(row).iter().zip(matrix.row(other));
                let squares = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
                (squares.sum::<f64>().sqrt(), other as u32)
            });
            let mut others: Vec<(f64, u32)> = others.collect();
            others.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert_eq!(found.of(row), &others[..7], "row {row}");
        }
    }

    #[test]
    fn few_rows_have_few_neighbours() {
        let two = Matrix::new(1, vec![1.0, 4.0]);
        let found = Neighbours::within(&two, 16);
        assert_eq!((found.k(), found.radius(0)), (1, 3.0));
        let one = Matrix::new(1, vec![1.0]);
        assert_eq!(Neighbours::within(&one, 16).radius(0), 0.0);
        assert_eq!(
            Neighbours::among(&one, &two, 16).of(0),
            [(0.0, 0), (3.0, 1)]
        );
    }

    #[test]
    fn equal_rows_come_in_their_order_and_huge_values_stay_finite() {
        let equal = Matrix::new(2, vec![3.0; 10]);
        let found = Neighbours::within(&equal, 3);
        assert_eq!(found.of(1), [(0.0, 0), (0.0, 2), (0.0, 3)]);
        let huge = Matrix::new(1, vec![-3e38, 3e38, 2.9e38, 0.0]);
        let found = Neighbours::within(&huge, 2);
        assert_eq!((found.of(1)[0].1, found.of(0)[0].1), (2, 3));
        assert!(found.of(0).iter().all(|(distance, _)| distance.is_finite()));
    }
}
