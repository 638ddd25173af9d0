//! The images of a class that have the most in common.

use std::collections::BTreeSet;

use cd_core::Matrix;
use faer::Mat;
use rayon::prelude::*;

use super::pattern::Pattern;
use crate::apart::{Apart, Bar, largest_group, sides};
use crate::dense::{Spectrum, gram};
use crate::statistics::median;

/// Images that a search starts from.
const START: (usize, usize) = (5, 30);
/// Directions of the class that searches start along, and images whose nearest others they start from.
const DIRECTIONS: usize = 6;
const NEAREST: usize = 8;
/// Rounds until a search is given up that has not settled.
const ROUNDS: usize = 20;

/// Images of a class that carry the same pattern.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Whether each image of the class is one of them.
    pub(super) members: Vec<bool>,
    pub(super) pattern: Pattern,
    /// Likeness from which an image belongs to the group.
    pub(super) from: f64,
    /// How far its least members lie above twice what others have of the pattern, in standard deviations of the others.
    pub(super) gap: f64,
}

impl Group {
    pub(super) fn count(&self) -> usize {
        self.members.iter().filter(|&&member| member).count()
    }

    /// The group whose gap is widest beside its `border`, of the rows of a class, judged against rows of other classes.
    pub(super) fn widest(
        rows: &Matrix,
        others: &[&[f32]],
        bar: Bar,
        border: impl Fn(usize) -> f64 + Sync,
    ) -> Option<Self> {
        let gram = gram(rows);
        let starts = starts(&gram);
        let settled: Vec<Vec<bool>> = starts
            .par_iter()
            .filter_map(|start| settled(rows, start.clone()))
            .collect();
        let distinct: BTreeSet<Vec<bool>> = settled.into_iter().collect();
        let distinct: Vec<Vec<bool>> = distinct.into_iter().collect();
        let groups: Vec<Self> = distinct
            .into_par_iter()
            .filter_map(|members| Self::judged(rows, members, others, bar))
            .collect();
        let width = |group: &Self| group.gap / border(group.count());
        groups
            .into_iter()
            .max_by(|one, other| width(one).total_cmp(&width(other)))
    }

    /// How far a group stands apart; `None` for one that is too small or has nothing in common.
    fn judged(rows: &Matrix, members: Vec<bool>, others: &[&[f32]], bar: Bar) -> Option<Self> {
        let pattern = Pattern::of(rows, &members).filter(|one| one.values() >= bar.values)?;
        let likenesses = likenesses(rows, &members, &pattern);
        let [inside, outside] = sides(&likenesses, &members);
        let elsewhere = elsewhere(&pattern, others);
        let apart = Apart::of(inside.clone(), outside.clone(), &elsewhere, bar)?;
        Some(Self {
            from: cut(inside, outside),
            gap: apart.gap(),
            members,
            pattern,
        })
    }

    /// The gap between images whose likeness reaches that of the group and all others of a class, by the likenesses of all its images;
    /// `None` where too few do.
    pub(super) fn gap_among(&self, likenesses: &[f64], others: &[&[f32]], bar: Bar) -> Option<f64> {
        let members: Vec<bool> = likenesses.iter().map(|&value| value > self.from).collect();
        let [inside, outside] = sides(likenesses, &members);
        Apart::of(inside, outside, &elsewhere(&self.pattern, others), bar).map(Apart::gap)
    }
}

fn elsewhere(pattern: &Pattern, others: &[&[f32]]) -> Vec<f64> {
    others.iter().map(|row| pattern.likeness(row)).collect()
}

/// Where searches start: images at both ends of the main directions of a class, images with their nearest others, and all that these
/// grow to by likeness of whole images.
fn starts(gram: &Mat<f64>) -> BTreeSet<Vec<bool>> {
    let count = gram.nrows();
    let few = (count / 10).clamp(START.0.min(count), START.1);
    let top = Spectrum::of(gram.as_ref()).top(DIRECTIONS.min(count));
    let mut starts = BTreeSet::new();
    let mut add = |first: Vec<bool>| {
        starts.extend(grown(gram, first.clone()));
        starts.insert(first);
    };
    for direction in 0..top.ncols() {
        for sign in [1.0, -1.0] {
            let along: Vec<f64> = (0..count).map(|row| sign * top[(row, direction)]).collect();
            add(largest(&along, few));
        }
    }
    let near: Vec<f64> = (0..count)
        .map(|row| {
            let column: Vec<f64> = gram.col(row).iter().copied().collect();
            let nearest = largest(&column, START.0 - 1);
            let near = column.iter().zip(&nearest).filter(|(_, is_near)| **is_near);
            near.map(|(likeness, _)| likeness).sum()
        })
        .collect();
    let nearest = largest(&near, NEAREST);
    for row in (0..count).filter(|&row| nearest[row]) {
        let column: Vec<f64> = gram.col(row).iter().copied().collect();
        let mut start = largest(&column, START.0 - 1);
        start[row] = true;
        add(start);
    }
    starts
}

/// The `count` largest of `values`; of equal ones the first.
fn largest(values: &[f64], count: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let mut chosen = vec![false; values.len()];
    for &at in order.iter().take(count) {
        chosen[at] = true;
    }
    chosen
}

/// All images that are at least half as alike to the group as its middle image, again and again.
fn grown(gram: &Mat<f64>, mut members: Vec<bool>) -> Option<Vec<bool>> {
    for _ in 0..ROUNDS {
        let count = members.iter().filter(|&&member| member).count();
        let likeness: Vec<f64> = (0..members.len())
            .map(|row| {
                let column = gram.col(row).iter().zip(&members);
                let sum: f64 = column
                    .filter(|(_, member)| **member)
                    .map(|(value, _)| value)
                    .sum();
                sum / (count - usize::from(members[row])).max(1) as f64
            })
            .collect();
        let [inside, _] = sides(&likeness, &members);
        let from = median(inside) / 2.0;
        let next: Vec<bool> = likeness.iter().map(|&value| value > from).collect();
        if next.iter().filter(|&&member| member).count() < START.0 {
            return None;
        }
        if next == members {
            break;
        }
        members = next;
    }
    Some(members)
}

/// The group that stays the same when its pattern decides who belongs to it; `None` where that leads nowhere.
fn settled(rows: &Matrix, mut members: Vec<bool>) -> Option<Vec<bool>> {
    let most = largest_group(rows.rows());
    for _ in 0..ROUNDS {
        let pattern = Pattern::of(rows, &members)?;
        let likenesses = likenesses(rows, &members, &pattern);
        let [inside, outside] = sides(&likenesses, &members);
        let from = cut(inside, outside);
        let next: Vec<bool> = likenesses.iter().map(|&value| value > from).collect();
        let count = next.iter().filter(|&&member| member).count();
        if count < START.0 || count > most {
            return None;
        }
        if next == members {
            return Some(members);
        }
        members = next;
    }
    Some(members)
}

/// Halfway between the middle images of both sides, the outer one no less than 0.
fn cut(inside: Vec<f64>, outside: Vec<f64>) -> f64 {
    f64::midpoint(median(inside), median(outside).max(0.0))
}

fn likenesses(rows: &Matrix, members: &[bool], pattern: &Pattern) -> Vec<f64> {
    let of = |row: usize| {
        if members[row] {
            pattern.likeness_to_others(rows.row(row))
        } else {
            pattern.likeness(rows.row(row))
        }
    };
    (0..rows.rows()).map(of).collect()
}
