//! A class in two groups, and how much better than one they explain it.

use faer::{Mat, MatRef};
use rand::Rng;

use cd_core::random;

use crate::dense::product;

/// Rounds until a split is taken as it is.
const ROUNDS: usize = 100;

/// What splitting a class comes to. Rows are inspected images, then clean ones.
#[derive(Debug)]
pub(super) struct Split {
    /// Mean gain of two groups over one.
    pub(super) gain: f64,
    /// How much nearer each inspected image is to the suspicious group than to the other.
    pub(super) margins: Vec<f64>,
    /// Whether each inspected image is in the suspicious group.
    pub(super) suspicious: Vec<bool>,
    /// Whether each row is in the first group.
    #[cfg(test)]
    pub(super) groups: Vec<bool>,
}

/// Random groups to start from; the draws go over the rows in the order of their values.
pub(super) fn start(rows: MatRef<'_, f64>, seed: u64, class: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..rows.nrows()).collect();
    order.sort_by(|&a, &b| {
        let pairs = rows.row(a).iter().zip(rows.row(b).iter());
        let mut differing = pairs.map(|(a, b)| a.total_cmp(b));
        differing
            .find(|order| order.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut drawn = random::stream(
        seed,
        random::named("contamination").wrapping_add(class as u64),
    );
    let mut groups = vec![false; rows.nrows()];
    for row in order {
        groups[row] = drawn.random::<f64>() >= 0.5;
    }
    groups
}

impl Split {
    /// Of `white` rows, whose precision is the identity after multiplying with `root`, from `groups` on; the first `inspected` are
    /// not clean for sure, and `null` is the mean that one class would have.
    pub(super) fn of(
        white: MatRef<'_, f64>,
        groups: Vec<bool>,
        inspected: usize,
        root: &Mat<f64>,
        null: &[f64],
    ) -> Self {
        let count = white.nrows();
        if count < 2 {
            return Self::single(inspected, groups);
        }
        let groups = settled(white, two_sided(groups));
        let centres = [mean(white, &groups, false), mean(white, &groups, true)];
        let null = Mat::from_fn(1, null.len(), |_, column| null[column]);
        let null = product(null.as_ref(), root.as_ref());
        let null: Vec<f64> = null.row(0).iter().copied().collect();
        let gain = |row: usize| {
            squared(white, row, &null) - squared(white, row, &centres[usize::from(groups[row])])
        };
        let clean = |wanted: bool| groups[inspected..].iter().filter(|&&g| g == wanted).count();
        let size = |wanted: bool| groups.iter().filter(|&&g| g == wanted).count();
        let suspicious = if inspected == count {
            size(true) <= size(false)
        } else {
            clean(false) >= clean(true)
        };
        let [fine, odd] = [!suspicious, suspicious].map(|group| &centres[usize::from(group)]);
        let margin = |row| squared(white, row, fine) - squared(white, row, odd);
        Self {
            gain: (0..count).map(gain).sum::<f64>() / count as f64,
            margins: (0..inspected).map(margin).collect(),
            suspicious: groups[..inspected]
                .iter()
                .map(|&g| g == suspicious)
                .collect(),
            #[cfg(test)]
            groups,
        }
    }

    /// One row, or none, is one group.
    #[cfg_attr(
        not(test),
        expect(clippy::needless_pass_by_value, reason = "kept in tests")
    )]
    fn single(inspected: usize, groups: Vec<bool>) -> Self {
        #[cfg(not(test))]
        drop(groups);
        Self {
            gain: 0.0,
            margins: vec![0.0; inspected],
            suspicious: vec![false; inspected],
            #[cfg(test)]
            groups,
        }
    }
}

/// The same with the first row moved over where a group is empty.
fn two_sided(mut groups: Vec<bool>) -> Vec<bool> {
    if groups.iter().all(|&group| group == groups[0]) {
        groups[0] = !groups[0];
    }
    groups
}

/// Moves rows to the nearer centre until none moves, all groups swap, or one would be empty.
fn settled(white: MatRef<'_, f64>, mut groups: Vec<bool>) -> Vec<bool> {
    for _ in 0..ROUNDS {
        let (first, second) = (mean(white, &groups, true), mean(white, &groups, false));
        let nearer = |row| squared(white, row, &first) < squared(white, row, &second);
        let next: Vec<bool> = (0..white.nrows()).map(nearer).collect();
        if next.iter().all(|&group| group == next[0]) {
            break;
        }
        let moved = next.iter().zip(&groups).filter(|(a, b)| a != b).count();
        groups = next;
        if moved == 0 || moved == groups.len() {
            break;
        }
    }
    groups
}

fn mean(rows: MatRef<'_, f64>, groups: &[bool], wanted: bool) -> Vec<f64> {
    let chosen: Vec<usize> = (0..groups.len())
        .filter(|&row| groups[row] == wanted)
        .collect();
    let count = chosen.len().max(1) as f64;
    let column = |at| chosen.iter().map(|&row| rows[(row, at)]).sum::<f64>() / count;
    (0..rows.ncols()).map(column).collect()
}

fn squared(rows: MatRef<'_, f64>, row: usize, centre: &[f64]) -> f64 {
    let pairs = rows.row(row).iter().zip(centre);
    pairs.map(|(a, b)| (a - b) * (a - b)).sum()
}
