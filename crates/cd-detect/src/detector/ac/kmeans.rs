//! Lloyd's k-means for two groups, the best of several starts, which go through the points together.

#![expect(
    clippy::inline_always,
    reason = "what is inlined is compiled for the vectors of the machine"
)]

use std::ops::Range;

use cd_conv::{Loops, vectorized};
use cd_core::random;
use rand::Rng;
use rayon::prelude::*;

use crate::points::{Points, dot};

/// Starts of which the one with the least spread is taken.
const STARTS: u64 = 10;
/// Rounds until a start is taken as it is.
const ROUNDS: usize = 300;
/// A start has settled when no more than one point in so many changes its group.
const SETTLED: usize = 10_000;
/// Points that one thread takes at a time.
const BLOCK: usize = 256;

/// Which of two groups each point is in; all in one where they do not differ.
///
/// The draws go over the points in the order of their values, so the order in which images lie in the set changes nothing.
pub(super) fn two_groups(points: &Points) -> Vec<bool> {
    let order = points.by_value();
    if order.is_empty() {
        return Vec::new();
    }
    let starts = (0..STARTS).into_par_iter();
    let mut starts: Vec<Start> = starts
        .map(|start| Start::drawn(points, &order, start))
        .collect();
    let total = points.sum();
    for _ in 0..ROUNDS {
        let mut open: Vec<&mut Start> = starts.iter_mut().filter(|one| !one.is_settled).collect();
        if open.is_empty() {
            break;
        }
        round(points, &total, &mut open);
    }
    let spreads = starts.par_iter().map(|start| start.spread(points));
    let spreads: Vec<f64> = spreads.collect();
    let best = starts.into_iter().zip(spreads);
    let best = best.min_by(|(_, a), (_, b)| a.total_cmp(b));
    best.map(|(start, _)| start.groups).unwrap_or_default()
}

/// Two centres and what they make of the points.
struct Start {
    centres: [Vec<f64>; 2],
    /// Empty until the first round.
    groups: Vec<bool>,
    is_settled: bool,
}

impl Start {
    /// The second centre far from the first: with a chance that is proportional to the square of its distance.
    fn drawn(points: &Points, order: &[usize], number: u64) -> Self {
        let mut drawn = random::stream(number, random::named("activation clustering"));
        let first = order[drawn.random_range(0..order.len())];
        let far = order.iter().map(|&at| points.squared(at, points.at(first)));
        let far: Vec<f64> = far.collect();
        let mut left = drawn.random::<f64>() * far.iter().sum::<f64>();
        let second = order.iter().zip(&far).find(|(_, far)| {
            left -= *far;
            left < 0.0
        });
        let second = second.map_or(first, |(&at, _)| at);
        Self {
            centres: [first, second].map(|at| points.at(at).to_vec()),
            groups: Vec::new(),
            is_settled: false,
        }
    }

    /// The direction from the first centre to the second, and how far along it the second is nearer.
    fn plane(&self) -> (Vec<f64>, f64) {
        let [first, second] = &self.centres;
        let along = second.iter().zip(first).map(|(b, a)| b - a).collect();
        (along, (dot(second, second) - dot(first, first)) / 2.0)
    }

    /// Takes the groups of a round over, and the means of those as centres; `sum` is that of the second group.
    fn follow(&mut self, groups: Vec<bool>, sum: &[f64], total: &[f64]) {
        let second = groups.iter().filter(|&&second| second).count();
        let first = groups.len() - second;
        let changed = groups.iter().zip(&self.groups);
        let changed = changed.filter(|(new, old)| new != old).count();
        let is_first = self.groups.is_empty();
        self.is_settled =
            second == 0 || first == 0 || (!is_first && changed * SETTLED <= groups.len());
        self.groups = groups;
        if !self.is_settled {
            let rest = total.iter().zip(sum);
            let rest = rest.map(|(total, sum)| (total - sum) / first as f64);
            let mean = sum.iter().map(|sum| sum / second as f64);
            self.centres = [rest.collect(), mean.collect()];
        }
    }

    /// Squares of the distances to the own centre.
    fn spread(&self, points: &Points) -> f64 {
        let groups = self.groups.iter().enumerate();
        let squares =
            groups.map(|(at, &second)| points.squared(at, &self.centres[usize::from(second)]));
        squares.sum()
    }
}

/// Assigns all points to the nearer centre of each start, and moves the centres there.
fn round(points: &Points, total: &[f64], starts: &mut [&mut Start]) {
    let planes: Vec<(Vec<f64>, f64)> = starts.iter().map(|start| start.plane()).collect();
    let blocks: Vec<usize> = (0..points.count()).step_by(BLOCK).collect();
    let blocks = blocks.into_par_iter().map(|first| {
        let range = first..(first + BLOCK).min(points.count());
        vectorized(Assignment {
            points,
            range,
            planes: &planes,
        })
    });
    let blocks: Vec<Vec<Assigned>> = blocks.collect();
    for (number, start) in starts.iter_mut().enumerate() {
        let mut sum = vec![0.0; total.len()];
        let mut groups = Vec::with_capacity(points.count());
        for block in &blocks {
            groups.extend_from_slice(&block[number].groups);
            add(&mut sum, &block[number].sum);
        }
        start.follow(groups, &sum, total);
    }
}

/// Some points under two centres.
struct Assigned {
    groups: Vec<bool>,
    /// Of the points of the second group.
    sum: Vec<f64>,
}

struct Assignment<'a> {
    points: &'a Points,
    range: Range<usize>,
    planes: &'a [(Vec<f64>, f64)],
}

impl Loops for Assignment<'_> {
    type Output = Vec<Assigned>;

    #[inline(always)]
    fn run(self) -> Vec<Assigned> {
        let width = self.points.width();
        let none = || Assigned {
            groups: Vec::with_capacity(self.range.len()),
            sum: vec![0.0; width],
        };
        let mut assigned: Vec<Assigned> = self.planes.iter().map(|_| none()).collect();
        for at in self.range {
            let point = self.points.at(at);
            for (found, (along, middle)) in assigned.iter_mut().zip(self.planes) {
                let second = dot(point, along) > *middle;
                found.groups.push(second);
                if second {
                    add(&mut found.sum, point);
                }
            }
        }
        assigned
    }
}

#[inline(always)]
fn add(sum: &mut [f64], values: &[f64]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += value;
    }
}

#[cfg(test)]
mod tests {
    use faer::Mat;

    use super::*;

    fn groups_of(rows: &Mat<f64>) -> Vec<bool> {
        two_groups(&Points::of(rows.as_ref()))
    }

    #[test]
    fn two_clouds_are_two_groups() {
        let rows = Mat::from_fn(600, 37, |row, column| {
            let cloud = if row % 3 == 0 { 10.0 } else { 0.0 };
            cloud + (row % 9 * 2 + column) as f64 / 20.0
        });
        let groups = groups_of(&rows);
        for (row, group) in groups.iter().enumerate() {
            assert_eq!(group == &groups[0], row % 3 == 0, "{row}");
        }
    }

    #[test]
    fn equal_and_absent_rows_are_no_two_groups() {
        let groups = groups_of(&Mat::zeros(5, 2));
        assert!(groups.iter().all(|group| group == &groups[0]));
        assert_eq!(groups_of(&Mat::zeros(0, 2)), [false; 0]);
        assert_eq!(groups_of(&Mat::zeros(1, 2)).len(), 1);
    }
}
