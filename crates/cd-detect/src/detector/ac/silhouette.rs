//! How well each point fits its group.

#![expect(
    clippy::inline_always,
    reason = "what is inlined is compiled for the vectors of the machine"
)]

use cd_conv::{Loops, vectorized};
use cd_core::random;
use rand::seq::index::sample;
use rayon::prelude::*;

use crate::dense::product;
use crate::points::{LANES, Points};

/// Points whose distances to others are held at a time by each thread.
const BLOCK: usize = 256;
/// Most points of a group that others are compared with; of more, so many are drawn.
const MOST: usize = 8192;

/// Silhouettes of the points in two groups, -1 to 1: 0 in a group of one point, and where there is only one group.
///
/// Rousseeuw, *Silhouettes: a graphical aid*, 1987, with Euclidean distances. Distances to a group of more than 8,192 points are those
/// to so many of it, drawn once for all.
pub(super) fn silhouettes(points: &Points, groups: &[bool]) -> Vec<f64> {
    let of_group = [false, true].map(|second| compared(groups, second));
    if of_group.iter().any(Vec::is_empty) {
        return vec![0.0; points.count()];
    }
    let means = of_group.map(|group| means(points, &group));
    let silhouette = |at: usize| {
        let own = usize::from(groups[at]);
        match (means[own][at], means[1 - own][at]) {
            (Some(within), Some(across)) if within.max(across) > 0.0 => {
                (across - within) / within.max(across)
            }
            _ => 0.0,
        }
    };
    (0..points.count()).map(silhouette).collect()
}

/// The points of a group that others are compared with, ascending.
fn compared(groups: &[bool], second: bool) -> Vec<usize> {
    let members = (0..groups.len()).filter(|&at| groups[at] == second);
    let members: Vec<usize> = members.collect();
    if members.len() <= MOST {
        return members;
    }
    let mut drawn = random::stream(u64::from(second), random::named("silhouettes"));
    let drawn = sample(&mut drawn, members.len(), MOST);
    let mut drawn: Vec<usize> = drawn.into_iter().map(|at| members[at]).collect();
    drawn.sort_unstable();
    drawn
}

/// The mean distance of every point to those of `group`, itself left out; `None` without any other.
fn means(points: &Points, group: &[usize]) -> Vec<Option<f64>> {
    let others = points.select(group);
    let lengths = others.squared_lengths();
    let starts: Vec<usize> = (0..points.count()).step_by(BLOCK).collect();
    let blocks = starts.par_iter().map(|&start| {
        let end = (start + BLOCK).min(points.count());
        let block = points.rows(start..end);
        let products = product(others.rows(0..group.len()), block.transpose());
        let mean = |at: usize| {
            let distances = Distances {
                products: products.col_as_slice(at - start),
                lengths: &lengths,
                length: points.squared_length(at),
            };
            let own = group.binary_search(&at).ok();
            let others = group.len() - usize::from(own.is_some());
            let to_itself = own.map_or(0.0, |own| distances.at(own));
            (others > 0).then(|| (vectorized(distances) - to_itself) / others as f64)
        };
        (start..end).map(mean).collect::<Vec<_>>()
    });
    blocks.flatten_iter().collect()
}

/// Distances of a point to others.
struct Distances<'a> {
    /// Of the point with each other one.
    products: &'a [f64],
    /// Squared, of the others.
    lengths: &'a [f64],
    /// Squared.
    length: f64,
}

impl Distances<'_> {
    fn at(&self, other: usize) -> f64 {
        distance(self.length, self.lengths[other], self.products[other])
    }
}

impl Loops for Distances<'_> {
    /// Their sum.
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let (products, last_products) = self.products.as_chunks::<LANES>();
        let (lengths, last_lengths) = self.lengths.as_chunks::<LANES>();
        let mut sums = [0.0; LANES];
        for (products, lengths) in products.iter().zip(lengths) {
            for ((sum, product), length) in sums.iter_mut().zip(products).zip(lengths) {
                *sum += distance(self.length, *length, *product);
            }
        }
        let last = last_products.iter().zip(last_lengths);
        let last = last.map(|(product, length)| distance(self.length, *length, *product));
        sums.iter().sum::<f64>() + last.sum::<f64>()
    }
}

/// The distance of two points, from their squared lengths and their product.
#[inline(always)]
fn distance(one: f64, other: f64, product: f64) -> f64 {
    let squared = one + other - 2.0 * product;
    if squared > 0.0 { squared.sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use faer::Mat;

    use super::*;

    #[test]
    fn silhouettes_are_those_of_the_definition() {
        let values = [0.0, 1.0, 4.0, 6.0];
        let rows = Mat::from_fn(4, 1, |row, _| values[row]);
        let points = Points::of(rows.as_ref());
        let found = silhouettes(&points, &[false, false, true, true]);
        let expected = [4.0 / 5.0, 3.0 / 4.0, 1.5 / 3.5, 3.5 / 5.5];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(silhouettes(&points, &[true; 4]), [0.0; 4]);
        let alone = silhouettes(&points, &[false, false, false, true]);
        assert_eq!(alone[3], 0.0);
    }

    #[test]
    fn large_groups_are_judged_by_some_of_their_points() {
        let rows = Mat::from_fn(20_000, 1, |row, _| {
            let cloud = if row % 2 == 0 { 0.0 } else { 10.0 };
            cloud + (row as f64 * 0.37).sin()
        });
        let groups: Vec<bool> = (0..20_000).map(|row| row % 2 == 1).collect();
        let points = Points::of(rows.as_ref());
        let found = silhouettes(&points, &groups);
        let few = 2000;
        let exact = silhouettes(
            &points.select(&(0..few).collect::<Vec<_>>()),
            &groups[..few],
        );
        for (found, exact) in found.iter().zip(exact) {
            assert!((found - exact).abs() < 0.01, "{found} {exact}");
        }
    }
}
