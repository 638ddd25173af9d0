//! The nearest neighbours of many vectors, exactly and in bounded memory.
//!
//! Products of blocks of rows give all distances up to rounding, in single precision and at the speed of matrix products; they choose
//! a short list for each row. Those few are measured once more, difference by difference in double precision, so what is found
//! depends neither on blocks nor on threads.

use cd_core::Matrix;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Rows that are compared at a time: two blocks and their product take some 20 MiB at 512 columns.
const BLOCK: usize = 2048;

/// Rows beyond the nearest that are measured exactly: rounding may have put them on the wrong side.
const MARGIN: usize = 16;

/// The nearest rows of each query, the nearest first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Neighbours {
    each: usize,
    found: Vec<Neighbour>,
}

/// A row that is near.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Neighbour {
    /// Its position.
    pub(crate) row: usize,
    /// Its Euclidean distance.
    pub(crate) distance: f64,
}

impl Neighbours {
    /// The `count` nearest other rows of every row of `rows`, or all others where there are fewer; of equally near ones the first.
    ///
    /// All values must be finite.
    pub(crate) fn among(rows: &Matrix, count: usize) -> Self {
        let each = count.min(rows.rows().saturating_sub(1));
        Self::find(rows, rows, each, true)
    }

    fn find(queries: &Matrix, rows: &Matrix, each: usize, without_self: bool) -> Self {
        if each == 0 {
            let found = Vec::new();
            return Self { each, found };
        }
        let space = Space::of(rows);
        let targets = space.place(rows);
        let norms: Vec<f32> = targets
            .par_chunks(space.columns)
            .map(|row| row.iter().map(|value| value * value).sum())
            .collect();
        let mut found = Vec::with_capacity(queries.rows() * each);
        for start in (0..queries.rows()).step_by(BLOCK) {
            let end = (start + BLOCK).min(queries.rows());
            let block = space.place_rows(queries, start..end);
            let mut lists = vec![ShortList::new(each + MARGIN); end - start];
            for (number, (some, norms)) in targets
                .chunks(BLOCK * space.columns)
                .zip(norms.chunks(BLOCK))
                .enumerate()
            {
                let first = number * BLOCK;
                let products = products(&block, some, space.columns);
                lists
                    .par_iter_mut()
                    .zip(products.par_chunks(norms.len()))
                    .enumerate()
                    .for_each(|(at, (list, products))| {
                        let own = without_self.then(|| (start + at).wrapping_sub(first));
                        list.extend(first, products, norms, own);
                    });
            }
            let exact: Vec<Vec<Neighbour>> = lists
                .into_par_iter()
                .enumerate()
                .map(|(at, list)| list.nearest(each, queries.row(start + at), rows))
                .collect();
            found.extend(exact.into_iter().flatten());
        }
        Self { each, found }
    }

    /// The neighbours of query `index`.
    pub(crate) fn of(&self, index: usize) -> &[Neighbour] {
        &self.found[index * self.each..(index + 1) * self.each]
    }
}

/// Where rows are placed before they are multiplied: around their middle and no larger than 1, which keeps rounding small
/// and huge values finite.
struct Space {
    columns: usize,
    middle: Vec<f64>,
    scale: f64,
}

impl Space {
    fn of(rows: &Matrix) -> Self {
        let (columns, count) = (rows.columns(), rows.rows());
        let mut middle = vec![0.0; columns];
        for index in 0..count {
            for (sum, &value) in middle.iter_mut().zip(rows.row(index)) {
                *sum += f64::from(value) / count as f64;
            }
        }
        let largest = rows.values().par_chunks(columns).map(|row| {
            let away = row.iter().zip(&middle);
            away.map(|(&value, middle)| (f64::from(value) - middle).abs())
                .fold(0.0, f64::max)
        });
        let largest = largest.reduce(|| 0.0, f64::max);
        let scale = if largest > 0.0 { 1.0 / largest } else { 1.0 };
        Self {
            columns,
            middle,
            scale,
        }
    }

    fn place(&self, rows: &Matrix) -> Vec<f32> {
        self.place_rows(rows, 0..rows.rows())
    }

    fn place_rows(&self, rows: &Matrix, range: std::ops::Range<usize>) -> Vec<f32> {
        let values = &rows.values()[range.start * self.columns..range.end * self.columns];
        let mut placed = vec![0.0; values.len()];
        placed
            .par_chunks_mut(self.columns)
            .zip(values.par_chunks(self.columns))
            .for_each(|(placed, row)| {
                for ((placed, &value), middle) in placed.iter_mut().zip(row).zip(&self.middle) {
                    *placed = ((f64::from(value) - middle) * self.scale) as f32;
                }
            });
        placed
    }
}

/// The products of each row of `some` with each of `others`, row after row.
fn products(some: &[f32], others: &[f32], columns: usize) -> Vec<f32> {
    let (rows, targets) = (some.len() / columns, others.len() / columns);
    let mut products = vec![0.0_f32; rows * targets];
    matmul(
        MatMut::from_row_major_slice_mut(&mut products, rows, targets),
        Accum::Replace,
        MatRef::from_row_major_slice(some, rows, columns),
        MatRef::from_row_major_slice(others, targets, columns).transpose(),
        1.0,
        Par::rayon(0),
    );
    products
}

/// The nearest rows so far by rounded distances, the nearest first.
#[derive(Debug, Clone)]
struct ShortList {
    longest: usize,
    found: Vec<(f32, usize)>,
}

impl ShortList {
    fn new(longest: usize) -> Self {
        Self {
            longest,
            found: Vec::with_capacity(longest + 1),
        }
    }

    /// Looks at the rows from `first` on, of which `products` with the query and squared `norms` are known; `own` is left out.
    fn extend(&mut self, first: usize, products: &[f32], norms: &[f32], own: Option<usize>) {
        let mut worst = self.worst();
        for (at, (product, norm)) in products.iter().zip(norms).enumerate() {
            // The square of the query itself is the same for all.
            let distance = norm - 2.0 * product;
            if distance < worst && own != Some(at) {
                let place = self.found.partition_point(|&(other, _)| other <= distance);
                self.found.insert(place, (distance, first + at));
                self.found.truncate(self.longest);
                worst = self.worst();
            }
        }
    }

    fn worst(&self) -> f32 {
        match self.found.get(self.longest - 1) {
            Some(&(distance, _)) => distance,
            None => f32::INFINITY,
        }
    }

    /// The `count` nearest of the list by exact distances from `query`.
    fn nearest(self, count: usize, query: &[f32], rows: &Matrix) -> Vec<Neighbour> {
        let measured = self.found.into_iter().map(|(_, row)| Neighbour {
            row,
            distance: distance(query, rows.row(row)),
        });
        let mut measured: Vec<Neighbour> = measured.collect();
        measured.sort_by(|a, b| {
            let nearer = a.distance.total_cmp(&b.distance);
            nearer.then(a.row.cmp(&b.row))
        });
        measured.truncate(count);
        measured
    }
}

fn distance(one: &[f32], other: &[f32]) -> f64 {
    let pairs = one.iter().zip(other);
    let squares = pairs.map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2));
    squares.sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use cd_core::random;
    use rand::Rng;

    use super::*;

    fn drawn(rows: usize, columns: usize, seed: u64) -> Matrix {
        let mut random = random::stream(seed, 0);
        let values = (0..rows * columns).map(|_| random.random::<f32>() + 5.0);
        Matrix::new(columns, values.collect())
    }

    fn by_hand(rows: &Matrix, count: usize, query: usize) -> Vec<Neighbour> {
        let others = (0..rows.rows()).filter(|&row| row != query);
        let mut all: Vec<Neighbour> = others
            .map(|row| Neighbour {
                row,
                distance: distance(rows.row(query), rows.row(row)),
            })
            .collect();
        all.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        all.truncate(count);
        all
    }

    #[test]
    fn they_are_those_of_a_search_by_hand_across_blocks() {
        let rows = drawn(BLOCK + 300, 7, 1);
        let found = Neighbours::among(&rows, 9);
        for query in [0, 1, 700, BLOCK - 1, BLOCK, BLOCK + 299] {
            assert_eq!(found.of(query), by_hand(&rows, 9, query), "{query}");
        }
    }

    #[test]
    fn equal_rows_come_in_their_order_and_huge_values_stay_finite() {
        let equal = Matrix::new(2, vec![3.0; 10]);
        let rows: Vec<usize> = Neighbours::among(&equal, 3)
            .of(1)
            .iter()
            .map(|n| n.row)
            .collect();
        assert_eq!(rows, [0, 2, 3]);
        let huge = Matrix::new(1, vec![-3e38, 3e38, 2.9e38, 0.0]);
        let found = Neighbours::among(&huge, 2);
        assert_eq!((found.of(1)[0].row, found.of(0)[0].row), (2, 3));
        assert!(found.of(0).iter().all(|one| one.distance.is_finite()));
    }

    #[test]
    fn there_may_be_fewer_rows_than_asked_for() {
        let found = Neighbours::among(&drawn(3, 4, 2), 10);
        assert_eq!(found.of(2).len(), 2);
        assert!(Neighbours::among(&drawn(1, 4, 2), 10).of(0).is_empty());
        assert_eq!(Neighbours::among(&Matrix::default(), 10).each, 0);
    }
}
