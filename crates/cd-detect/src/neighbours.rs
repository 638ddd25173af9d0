//! The nearest rows of a set, in blocks that bound memory: exactly, or of very large sets among the rows near by.

mod cells;

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

use cd_core::Matrix;

use crate::dense::middle;
use cells::{Cells, Sizes};

/// Rows that one thread looks for at a time.
const QUERIES: usize = 256;
/// Rows that they are compared with at a time.
const REFERENCES: usize = 2048;
/// Candidates by single precision beyond those that are asked for; double precision decides among them.
const SPARE: usize = 16;
/// Rows up to which every row is compared with every other.
const ALL_PAIRS: usize = 200_000;
/// Neighbours up to which the rows near by are enough to choose from.
const FEW: usize = 1024;

/// The `k` nearest rows of each row, in ascending order of distance, ties by position.
#[derive(Debug)]
pub(crate) struct Neighbours {
    k: usize,
    found: Vec<(f64, u32)>,
}

impl Neighbours {
    /// Those of every row of `matrix` among its other rows; `k` is at most one less than there are rows.
    ///
    /// Exact up to 200,000 rows; each row of a larger set is compared with the 50,000 and more of the cells nearest to its own.
    pub(crate) fn within(matrix: &Matrix, k: usize) -> Self {
        let k = k.min(matrix.rows().saturating_sub(1));
        if matrix.rows() > ALL_PAIRS && k <= FEW {
            return Self::near_by(matrix, k, &Sizes::default());
        }
        let frame = Frame::of(matrix);
        let table = Table::new(matrix, positions(matrix), &frame);
        Search {
            asked: &table,
            references: &table,
            k,
            apart: true,
        }
        .all()
    }

    /// Those of every row of `queries` among the rows of `references`; `k` is at most their number.
    pub(crate) fn among(queries: &Matrix, references: &Matrix, k: usize) -> Self {
        let frame = Frame::of(references);
        Search {
            asked: &Table::new(queries, positions(queries), &frame),
            references: &Table::new(references, positions(references), &frame),
            k: k.min(references.rows()),
            apart: false,
        }
        .all()
    }

    /// Those among the rows of the cells nearest to the own one.
    fn near_by(matrix: &Matrix, k: usize, sizes: &Sizes) -> Self {
        let frame = Frame::of(matrix);
        let (cells, order) = Cells::of(matrix, &frame, sizes);
        let table = Table::new(matrix, order, &frame);
        let search = Search {
            asked: &table,
            references: &table,
            k,
            apart: true,
        };
        let found = (0..cells.count()).into_par_iter().map(|cell| {
            let among = cells.near(cell, sizes.within);
            let own = cells.range(cell);
            let starts = own.clone().step_by(QUERIES);
            let blocks = starts.map(|start| start..(start + QUERIES).min(own.end));
            let found = blocks.flat_map(|rows| search.block(rows, &among));
            found.collect::<Vec<_>>()
        });
        let found: Vec<Vec<(f64, u32)>> = found.collect();
        let mut placed = vec![(0.0, 0); matrix.rows() * k];
        let rows = found.iter().flat_map(|found| found.chunks_exact(k.max(1)));
        for (row, &position) in rows.zip(&table.order) {
            placed[position as usize * k..][..k].copy_from_slice(row);
        }
        Self { k, found: placed }
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
}

fn positions(matrix: &Matrix) -> Vec<u32> {
    (0..matrix.rows() as u32).collect()
}

/// Where single precision sees rows: around their middle, so that less is lost where a long and nearly equal length is
/// subtracted, and no larger than 1, so that the squares of huge values are finite.
struct Frame {
    middle: Vec<f64>,
    scale: f64,
}

impl Frame {
    fn of(matrix: &Matrix) -> Self {
        let middle = middle(&[matrix]);
        let scale = scale(matrix, &middle);
        Self { middle, scale }
    }
}

/// Rows in their frame, in an order of their own.
struct Table<'a> {
    matrix: &'a Matrix,
    /// Position of each row in the matrix.
    order: Vec<u32>,
    values: Vec<f32>,
    /// Squared lengths.
    lengths: Vec<f32>,
}

impl<'a> Table<'a> {
    fn new(matrix: &'a Matrix, order: Vec<u32>, frame: &Frame) -> Self {
        let mut values = Vec::with_capacity(order.len() * matrix.columns());
        for &position in &order {
            let pairs = matrix.row(position as usize).iter().zip(&frame.middle);
            values.extend(pairs.map(|(&v, m)| ((f64::from(v) - m) * frame.scale) as f32));
        }
        Self {
            lengths: lengths(&values, matrix.columns()),
            matrix,
            order,
            values,
        }
    }

    fn rows(&self, range: Range<usize>) -> MatRef<'_, f32> {
        let width = self.matrix.columns();
        let values = &self.values[range.start * width..range.end * width];
        MatRef::from_row_major_slice(values, range.len(), width)
    }
}

/// The products of all rows of `some` with all rows of `others`, a column for each of those.
fn products(some: MatRef<'_, f32>, others: MatRef<'_, f32>) -> Mat<f32> {
    let mut products = Mat::zeros(some.nrows(), others.nrows());
    let transposed = others.transpose();
    matmul(
        &mut products,
        Accum::Replace,
        some,
        transposed,
        1.0,
        Par::Seq,
    );
    products
}

struct Search<'a> {
    asked: &'a Table<'a>,
    references: &'a Table<'a>,
    k: usize,
    /// Whether a row is no neighbour of the row of its own position.
    apart: bool,
}

impl Search<'_> {
    /// Neighbours of all rows among all references.
    fn all(&self) -> Neighbours {
        let (k, count) = (self.k, self.asked.order.len());
        if k == 0 {
            return Neighbours {
                k,
                found: Vec::new(),
            };
        }
        let starts: Vec<usize> = (0..count).step_by(QUERIES).collect();
        let among = 0..self.references.order.len();
        let blocks = starts.par_iter().map(|&start| {
            let rows = start..(start + QUERIES).min(count);
            self.block(rows, std::slice::from_ref(&among))
        });
        Neighbours {
            k,
            found: blocks.flatten_iter().collect(),
        }
    }

    /// Neighbours of these rows among the references of these ranges.
    fn block(&self, rows: Range<usize>, among: &[Range<usize>]) -> Vec<(f64, u32)> {
        let block = self.asked.rows(rows.clone());
        let mut nearest = vec![Nearest::new(self.k + SPARE); rows.len()];
        for range in among {
            for first in range.clone().step_by(REFERENCES) {
                let some = first..(first + REFERENCES).min(range.end);
                let products = products(self.references.rows(some.clone()), block);
                for (query, nearest) in nearest.iter_mut().enumerate() {
                    let own = self.apart.then(|| self.asked.order[rows.start + query]);
                    for (at, product) in some.clone().zip(products.col(query).iter()) {
                        let position = self.references.order[at];
                        if Some(position) != own {
                            nearest.add(self.references.lengths[at] - 2.0 * product, position);
                        }
                    }
                }
            }
        }
        let exact = rows.zip(nearest);
        exact
            .flat_map(|(row, nearest)| self.exact(self.asked.order[row], nearest.found))
            .collect()
    }

    /// The `k` nearest of the candidates, by distances in double precision.
    fn exact(&self, query: u32, candidates: Vec<(f32, u32)>) -> Vec<(f64, u32)> {
        let row = self.asked.matrix.row(query as usize);
        let measured = candidates.into_iter().map(|(_, position)| {
            let pairs = row
                .iter()
                .zip(self.references.matrix.row(position as usize));
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
    use rand::seq::SliceRandom;

    use super::*;

    /// Rows of 24 numbers that vary in four directions, in clouds of 200, and every tenth equal to the one before.
    fn clouds(count: usize) -> Matrix {
        let mut drawn = random::stream(3, 0);
        let mut number = move || drawn.random::<f32>() - 0.5;
        let turned: Vec<f32> = (0..4 * 24).map(|_| number()).collect();
        let mut values: Vec<f32> = Vec::new();
        let mut middle = [0.0; 4];
        for row in 0..count {
            if row % 200 == 0 {
                middle = [0; 4].map(|_| 4.0 * number());
            }
            if row % 10 == 9 {
                values.extend_from_within(values.len() - 24..);
                continue;
            }
            let place = middle.map(|middle| middle + number());
            values.extend((0..24).map(|column| {
                let along = place.iter().zip(turned[column..].iter().step_by(24));
                along.map(|(a, b)| a * b).sum::<f32>()
            }));
        }
        Matrix::new(24, values)
    }

    const SMALL: Sizes = Sizes {
        cell: 50,
        within: 800,
    };

    #[test]
    fn nearly_all_neighbours_are_near_by() {
        let matrix = clouds(8000);
        let all = Neighbours::within(&matrix, 8);
        let near = Neighbours::near_by(&matrix, 8, &SMALL);
        let equal = (0..8000).flat_map(|row| all.of(row).iter().zip(near.of(row)));
        let equal = equal.filter(|(a, b)| a.0 == b.0).count();
        assert!(equal > 63_000, "{equal} of 64,000");
        assert!((0..8000).all(|row| near.of(row).iter().all(|(_, other)| *other != row as u32)));
    }

    #[test]
    fn the_order_of_rows_does_not_change_who_is_near_by() {
        let matrix = clouds(4000);
        let mut order: Vec<usize> = (0..4000).collect();
        order.shuffle(&mut random::stream(4, 0));
        let rows = order.iter().flat_map(|&row| matrix.row(row));
        let mixed = Matrix::new(24, rows.copied().collect());
        let near = Neighbours::near_by(&matrix, 5, &SMALL);
        let of_mixed = Neighbours::near_by(&mixed, 5, &SMALL);
        let radii = order.iter().enumerate();
        let equal = radii.filter(|&(at, &row)| near.radius(row) == of_mixed.radius(at));
        assert_eq!(equal.count(), 4000);
    }

    #[test]
    fn a_cell_that_is_too_large_is_looked_at_in_parts() {
        let equal = Matrix::new(2, vec![3.0; 4000]);
        let near = Neighbours::near_by(&equal, 3, &SMALL);
        assert!((0..2000).all(|row| near.of(row).iter().all(|found| found.0 == 0.0)));
        let (cells, _) = Cells::of(&equal, &Frame::of(&equal), &SMALL);
        let near = cells.near(0, SMALL.within);
        let rows: usize = near.iter().map(Range::len).sum();
        assert!((800..900).contains(&rows));
    }

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
