//! The form without clean images: the covariance of what a robust filter leaves.

use faer::Mat;

use super::entropy::Entropy;
use super::filter::{covariance_of, kept};
use super::{Judged, LEAST, Spectre};
use crate::dense::{Spectrum, centred, covariance, mean_row, product};

/// Numbers of components that are tried.
const TRIED: usize = 10;

/// What one number of components comes to.
#[derive(Debug)]
pub(super) struct Outcome {
    #[cfg(test)]
    pub(super) components: usize,
    pub(super) scores: Vec<f64>,
    /// Rows with the largest scores, one and a half budgets of them.
    pub(super) removed: Vec<bool>,
    /// The weighted spread of all components once those rows are gone.
    pub(super) excess: f64,
}

/// A class judged by itself.
pub(super) fn judged(rows: Mat<f64>, settings: &Spectre) -> Judged {
    let count = rows.nrows();
    if count < LEAST[1] {
        return Judged::not(count);
    }
    let rows = centred(rows.as_ref(), &mean_row(rows.as_ref()));
    let most = settings.components.min(count / 4).min(rows.ncols()).max(1);
    let axes = Spectrum::of(covariance(rows.as_ref(), 0).as_ref()).top(most);
    let reduced = product(rows.as_ref(), axes.as_ref());
    let budget = settings.budget * count as f64;
    let best = best(&reduced, budget, &tried(most));
    best.map_or_else(
        || Judged::not(count),
        |outcome| Judged {
            flagged: outcome.removed,
            excess: Some(outcome.excess),
            scores: outcome.scores,
        },
    )
}

/// Numbers of components to try, up to `most`: even steps of their square roots.
fn tried(most: usize) -> Vec<usize> {
    let root = (most as f64).sqrt();
    let steps = (0..TRIED).map(|step| {
        let at = 1.0 + (root - 1.0) * step as f64 / (TRIED - 1) as f64;
        (at * at).round() as usize
    });
    let mut steps: Vec<usize> = steps.collect();
    steps.dedup();
    steps
}

/// The outcome with the largest excess over the numbers of components `tried`, the first of equal ones.
pub(super) fn best(reduced: &Mat<f64>, budget: f64, tried: &[usize]) -> Option<Outcome> {
    let outcomes = tried
        .iter()
        .map(|&components| outcome(reduced, budget, components));
    outcomes.reduce(|best, next| {
        if next.excess > best.excess {
            next
        } else {
            best
        }
    })
}

fn outcome(reduced: &Mat<f64>, budget: f64, components: usize) -> Outcome {
    let count = reduced.nrows();
    let rows = reduced.subcols(0, components).to_owned();
    let share = budget / count as f64;
    let kept = kept(&rows, share, (2.0 * budget).floor() as usize);
    let whitening = Spectrum::of(covariance_of(&rows, &kept, 0).as_ref()).inverse_root();
    let white = product(rows.as_ref(), whitening.as_ref());
    let scores = if components == 1 {
        white.col(0).iter().map(|value| value * value).collect()
    } else {
        let middle = mean_row(white.as_ref());
        let white = centred(white.as_ref(), &middle);
        let entropy = Entropy::of_spread(&covariance(white.as_ref(), 1));
        entropy.scores(&white)
    };
    let removed = largest(&scores, (1.5 * budget).round() as usize);
    let left: Vec<usize> = (0..count).filter(|&row| !removed[row]).collect();
    let whole = Spectrum::of(covariance_of(reduced, &left, 1).as_ref()).inverse_root();
    let white = product(reduced.as_ref(), whole.as_ref());
    Outcome {
        #[cfg(test)]
        components,
        excess: Entropy::of_spread(&covariance(white.as_ref(), 1)).excess,
        scores,
        removed,
    }
}

/// Marks the `count` largest values, the first of equal ones.
fn largest(values: &[f64], count: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let mut marked = vec![false; values.len()];
    order.iter().take(count).for_each(|&at| marked[at] = true);
    marked
}
