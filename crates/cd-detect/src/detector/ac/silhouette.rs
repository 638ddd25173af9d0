//! How well each row fits its group.

use faer::{Mat, MatRef};
use rayon::prelude::*;

use crate::dense::product;

/// Rows whose distances to all others are held at a time by each thread.
const BLOCK: usize = 256;

/// Silhouettes of the rows in two groups, -1 to 1: 0 in a group of one row, and where there is only one group.
///
/// Rousseeuw, *Silhouettes: a graphical aid*, 1987, with Euclidean distances.
pub(super) fn silhouettes(rows: MatRef<'_, f64>, groups: &[bool]) -> Vec<f64> {
    let count = rows.nrows();
    let second = groups.iter().filter(|&&second| second).count();
    let sizes = [count - second, second];
    if sizes.contains(&0) {
        return vec![0.0; count];
    }
    let lengths: Vec<f64> = (0..count)
        .map(|row| rows.row(row).iter().map(|value| value * value).sum())
        .collect();
    let starts: Vec<usize> = (0..count).step_by(BLOCK).collect();
    let blocks = starts.par_iter().map(|&start| {
        let size = BLOCK.min(count - start);
        let block: Mat<f64> = rows.subrows(start, size).to_owned();
        let products = product(rows, block.transpose());
        let of = |at: usize| {
            let row = start + at;
            let mut sums = [0.0; 2];
            for (other, product) in products.col(at).iter().enumerate() {
                let squared = lengths[row] + lengths[other] - 2.0 * product;
                if other != row {
                    sums[usize::from(groups[other])] += squared.max(0.0).sqrt();
                }
            }
            silhouette(sums, sizes, usize::from(groups[row]))
        };
        (0..size).map(of).collect::<Vec<f64>>()
    });
    blocks.flatten_iter().collect()
}

/// From the sums of distances to the members of both groups.
fn silhouette(sums: [f64; 2], sizes: [usize; 2], own: usize) -> f64 {
    if sizes[own] == 1 {
        return 0.0;
    }
    let within = sums[own] / (sizes[own] - 1) as f64;
    let across = sums[1 - own] / sizes[1 - own] as f64;
    let larger = within.max(across);
    if larger > 0.0 {
        (across - within) / larger
    } else {
        0.0
    }
}
