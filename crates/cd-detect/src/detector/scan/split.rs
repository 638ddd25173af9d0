//! A class in two groups, and how much better than one they explain it.

use faer::Mat;
use rand::Rng;

use cd_core::random;

use crate::dense::product;
use crate::points::Points;

/// Rounds until a split is taken as it is.
const ROUNDS: usize = 100;

/// What splitting a class comes to. Rows are inspected images, then clean ones.
#[derive(Debug)]
pub(super) struct Split {
    /// Mean gain of two groups over one.
    pub(super) gain: f64,
    /// How much nearer each inspected image is to the suspicious group than to the other.
    pub(super) margins: Vec<f64>,
    /// Whether each row is in the first group.
    pub(super) groups: Vec<bool>,
    /// Whether the first group is the suspicious one.
    first: bool,
}

/// Random groups to start from; the draws go over the rows in the order of their values.
pub(super) fn start(white: &Points, seed: u64, class: usize) -> Vec<bool> {
    let mut drawn = random::stream(
        seed,
        random::named("contamination").wrapping_add(class as u64),
    );
    let mut groups = vec![false; white.count()];
    for row in white.by_value() {
        groups[row] = drawn.random::<f64>() >= 0.5;
    }
    groups
}

impl Split {
    /// Of `white` rows, whose precision is the identity after multiplying with `root`, from `groups` on; the first `inspected` are
    /// not clean for sure, and `null` is the mean that one class would have.
    pub(super) fn of(
        white: &Points,
        groups: Vec<bool>,
        inspected: usize,
        root: &Mat<f64>,
        null: &[f64],
    ) -> Self {
        let count = white.count();
        if count < 2 {
            // One row, or none, is one group.
            return Self {
                gain: 0.0,
                margins: vec![0.0; inspected],
                first: groups.iter().any(|&group| !group),
                groups,
            };
        }
        let groups = settled(white, two_sided(groups));
        let centres = [white.mean(&groups, false), white.mean(&groups, true)];
        let null = Mat::from_fn(1, null.len(), |_, column| null[column]);
        let null = product(null.as_ref(), root.as_ref());
        let null: Vec<f64> = null.row(0).iter().copied().collect();
        let gain = |row: usize| {
            white.squared(row, &null) - white.squared(row, &centres[usize::from(groups[row])])
        };
        let clean = |wanted: bool| groups[inspected..].iter().filter(|&&g| g == wanted).count();
        let size = |wanted: bool| groups.iter().filter(|&&g| g == wanted).count();
        let suspicious = if inspected == count {
            size(true) <= size(false)
        } else {
            clean(false) >= clean(true)
        };
        let [fine, odd] = [!suspicious, suspicious].map(|group| &centres[usize::from(group)]);
        let margin = |row| white.squared(row, fine) - white.squared(row, odd);
        Self {
            gain: (0..count).map(gain).sum::<f64>() / count as f64,
            margins: (0..inspected).map(margin).collect(),
            first: suspicious,
            groups,
        }
    }

    /// Whether an image is in the suspicious group.
    pub(super) fn suspects(&self, image: usize) -> bool {
        self.groups[image] == self.first
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
fn settled(white: &Points, mut groups: Vec<bool>) -> Vec<bool> {
    for _ in 0..ROUNDS {
        let (first, second) = (white.mean(&groups, true), white.mean(&groups, false));
        let nearer = |row| white.squared(row, &first) < white.squared(row, &second);
        let next: Vec<bool> = (0..white.count()).map(nearer).collect();
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
