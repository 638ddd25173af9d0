//! Cells of a large set: rows that lie together, and the cells around each.
//!
//! k-means on a sample; the order in which rows lie in the set changes nothing.

use std::cmp::Ordering;
use std::ops::Range;

use faer::{Mat, MatRef};
use rayon::prelude::*;

use cd_core::Matrix;

use super::{Frame, QUERIES, Table, lengths, products};

/// Rounds of k-means.
const ROUNDS: usize = 6;
/// Rows of the sample for each cell.
const SAMPLE: usize = 64;

/// How finely a set is divided, and how far around is looked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Rows of a cell in the mean; none has more than twice as many.
    pub cell: usize,
    /// Rows of cells near by, at least.
    pub within: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            cell: 1000,
            within: 50_000,
        }
    }
}

/// A division of all rows.
pub(super) struct Cells {
    /// Where the rows of each cell lie among all, cell by cell.
    ranges: Vec<Range<usize>>,
    /// The centre of each cell, a row each.
    centres: Mat<f32>,
}

impl Cells {
    /// The cells of the rows of `matrix`, and the positions of the rows, cell by cell.
    pub(super) fn of(matrix: &Matrix, frame: &Frame, sizes: &Sizes) -> (Self, Vec<u32>) {
        let order = by_value(matrix);
        let count = order.len().div_ceil(sizes.cell);
        let sample = Table::new(matrix, spaced(&order, SAMPLE * count), frame);
        let centres = learned(&sample, count);
        let nearest = of_all(matrix, &order, frame, centres.as_ref());
        let mut members = vec![Vec::new(); count];
        for (&position, cell) in order.iter().zip(nearest) {
            members[cell].push(position);
        }
        let parts = members.iter().enumerate().flat_map(|(cell, members)| {
            let parts = members.chunks(2 * sizes.cell);
            parts.map(move |part| (cell, part))
        });
        let parts: Vec<(usize, &[u32])> = parts.collect();
        let mut ranges = Vec::with_capacity(parts.len());
        let mut order = Vec::with_capacity(order.len());
        for (_, part) in &parts {
            ranges.push(order.len()..order.len() + part.len());
            order.extend_from_slice(part);
        }
        let centres = Mat::from_fn(parts.len(), centres.ncols(), |part, column| {
            centres[(parts[part].0, column)]
        });
        (Self { ranges, centres }, order)
    }

    pub(super) fn count(&self) -> usize {
        self.ranges.len()
    }

    /// Where the rows of `cell` lie in the order.
    pub(super) fn range(&self, cell: usize) -> Range<usize> {
        self.ranges[cell].clone()
    }

    /// Ranges of the cells whose centres are nearest to that of `cell`, itself first, until they hold `within` rows.
    pub(super) fn near(&self, cell: usize, within: usize) -> Vec<Range<usize>> {
        let distance = |other: usize| {
            let pairs = self
                .centres
                .row(cell)
                .iter()
                .zip(self.centres.row(other).iter());
            let squares = pairs.map(|(a, b)| f64::from(a - b).powi(2));
            (other != cell, squares.sum::<f64>(), other)
        };
        let mut others: Vec<(bool, f64, usize)> = (0..self.count()).map(distance).collect();
        others.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut rows = 0;
        let wanted = others.into_iter().map(|(_, _, other)| self.range(other));
        wanted
            .take_while(|range| {
                let more = rows < within;
                rows += range.len();
                more
            })
            .collect()
    }
}

/// Positions in the order of the values of their rows.
fn by_value(matrix: &Matrix) -> Vec<u32> {
    let mut order: Vec<u32> = (0..matrix.rows() as u32).collect();
    order.par_sort_by(|&a, &b| {
        let pairs = matrix.row(a as usize).iter().zip(matrix.row(b as usize));
        let mut different = pairs.map(|(a, b)| a.total_cmp(b));
        let different = different.find(|order| order.is_ne());
        different.unwrap_or(Ordering::Equal)
    });
    order
}

/// At most `count` of these, evenly spaced.
fn spaced(order: &[u32], count: usize) -> Vec<u32> {
    let count = count.min(order.len());
    (0..count)
        .map(|at| order[at * order.len() / count])
        .collect()
}

/// Centres of `count` groups of the sample.
fn learned(sample: &Table<'_>, count: usize) -> Mat<f32> {
    let (rows, width) = (sample.order.len(), sample.matrix.columns());
    let all = sample.rows(0..rows);
    let mut centres = Mat::from_fn(count, width, |cell, column| {
        all[(cell * rows / count, column)]
    });
    for _ in 0..ROUNDS {
        let nearest = nearest(&sample.values, centres.as_ref());
        let mut sums = vec![0.0; count * width];
        let mut sizes = vec![0_usize; count];
        for (row, &cell) in sample.values.chunks_exact(width.max(1)).zip(&nearest) {
            sizes[cell] += 1;
            let sums = sums[cell * width..][..width].iter_mut();
            sums.zip(row)
                .for_each(|(sum, &value)| *sum += f64::from(value));
        }
        for (cell, &size) in sizes.iter().enumerate().filter(|(_, size)| **size > 0) {
            for column in 0..width {
                centres[(cell, column)] = (sums[cell * width + column] / size as f64) as f32;
            }
        }
    }
    centres
}

/// The nearest centre of every row of the matrix, in this order.
fn of_all(matrix: &Matrix, order: &[u32], frame: &Frame, centres: MatRef<'_, f32>) -> Vec<usize> {
    let blocks = order.par_chunks(16 * QUERIES).map(|some| {
        let table = Table::new(matrix, some.to_vec(), frame);
        nearest(&table.values, centres)
    });
    blocks.flatten_iter().collect()
}

/// The nearest centre of each row.
fn nearest(rows: &[f32], centres: MatRef<'_, f32>) -> Vec<usize> {
    let width = centres.ncols();
    let squares: Vec<f32> = {
        let rows = (0..centres.nrows()).flat_map(|cell| centres.row(cell).iter().copied());
        lengths(&rows.collect::<Vec<f32>>(), width)
    };
    let blocks = rows.par_chunks(QUERIES * width.max(1)).map(|rows| {
        let rows = MatRef::from_row_major_slice(rows, rows.len() / width.max(1), width);
        let products = products(centres, rows);
        let nearest = (0..rows.nrows()).map(|row| {
            let far = squares.iter().zip(products.col(row).iter());
            let far = far
                .map(|(square, product)| square - 2.0 * product)
                .enumerate();
            far.min_by(|a, b| a.1.total_cmp(&b.1))
                .map_or(0, |(cell, _)| cell)
        });
        nearest.collect::<Vec<usize>>()
    });
    blocks.flatten_iter().collect()
}
