//! The order in which images of a class gather around the oddest one.

use super::gradients::{Layer, Rows, add, cosine};

/// Bins of the histograms of closeness.
const BINS: usize = 99;
/// Rounds of the window in which the order has settled.
const WINDOW: usize = 10;
/// How much more the spread of a window counts than its mean.
const STEADINESS: f64 = 5.0;

/// When each image of a class joined.
#[derive(Debug)]
pub(super) struct Order {
    /// 0 for the first image, then the number of the round.
    pub(super) rounds: Vec<usize>,
    /// How much each round changed the histogram of those that were left.
    pub(super) changes: Vec<f64>,
}

/// Lets the images of `class` join the one at place `seed`, those that are closest to it and furthest from the `reference` first.
pub(super) fn gathered(
    rows: &Rows,
    layer: &Layer,
    class: &[usize],
    seed: usize,
    reference: &[f64],
    joining: f64,
) -> Order {
    let mut rounds = vec![0; class.len()];
    let mut left: Vec<usize> = (0..class.len()).filter(|&at| at != seed).collect();
    let mut sum = vec![0.0; layer.columns.len()];
    add(&mut sum, rows.at(layer, class[seed]));
    let from_reference: Vec<f64> = class
        .iter()
        .map(|&image| 1.0 - cosine(rows.at(layer, image), reference))
        .collect();
    let mut changes = Vec::new();
    let mut before = None;
    while !left.is_empty() {
        // The length of a sum does not matter to its angle.
        let rate = |&at: &usize| {
            let from_poison = 1.0 - cosine(rows.at(layer, class[at]), &sum);
            let both = from_poison + from_reference[at];
            if both > 0.0 { from_poison / both } else { 0.5 }
        };
        let rates: Vec<f64> = left.iter().map(rate).collect();
        let joins = joining_now(&rates, joining);
        // Against those that the round before left, as they were seen then.
        let former = before.unwrap_or_else(|| histogram(&rates));
        let after = histogram(&kept(&rates, &joins));
        changes.push(jensen_shannon(former.as_deref(), after.as_deref()));
        before = Some(after);
        let round = changes.len();
        for (&at, _) in left.iter().zip(&joins).filter(|(_, joins)| **joins) {
            rounds[at] = round;
            add(&mut sum, rows.at(layer, class[at]));
        }
        left = kept(&left, &joins);
    }
    Order { rounds, changes }
}

fn kept<T: Copy>(values: &[T], joins: &[bool]) -> Vec<T> {
    let pairs = values.iter().zip(joins);
    pairs
        .filter(|(_, joins)| !**joins)
        .map(|(value, _)| *value)
        .collect()
}

/// Those whose rate, on the scale from the least to the largest, is at most `joining`; at least one.
fn joining_now(rates: &[f64], joining: f64) -> Vec<bool> {
    let low = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let high = rates.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if high <= low {
        return vec![true; rates.len()];
    }
    rates
        .iter()
        .map(|rate| (rate - low) / (high - low) <= joining)
        .collect()
}

/// Shares of the values in each bin; `None` without values.
fn histogram(values: &[f64]) -> Option<Vec<f64>> {
    let mut bins = vec![0.0; BINS];
    for value in values {
        let bin = (value.clamp(0.0, 1.0) * BINS as f64) as usize;
        bins[bin.min(BINS - 1)] += 1.0 / values.len() as f64;
    }
    (!values.is_empty()).then_some(bins)
}

/// Distance of two histograms with the natural logarithm; 1 where one is empty.
fn jensen_shannon(a: Option<&[f64]>, b: Option<&[f64]>) -> f64 {
    let (Some(a), Some(b)) = (a, b) else {
        return 1.0;
    };
    let term = |own: f64, mean: f64| {
        if own > 0.0 {
            own * (own / mean).ln()
        } else {
            0.0
        }
    };
    let sum: f64 = a
        .iter()
        .zip(b)
        .map(|(&a, &b)| {
            let mean = f64::midpoint(a, b);
            term(a, mean) + term(b, mean)
        })
        .sum();
    (sum / 2.0).max(0.0).sqrt()
}

impl Order {
    /// Number of rounds.
    pub(super) fn count(&self) -> usize {
        self.changes.len()
    }

    /// The first round that is no poison any more: where the window begins in which the changes are smallest and steadiest. The first
    /// image is poison in any case.
    pub(super) fn stop(&self) -> usize {
        let changes = &self.changes;
        if changes.len() < WINDOW {
            return self.largest_drop();
        }
        let unsteady = |start: usize| {
            let window = &changes[start..start + WINDOW];
            let mean = window.iter().sum::<f64>() / WINDOW as f64;
            let squares: f64 = window.iter().map(|change| (change - mean).powi(2)).sum();
            mean + STEADINESS * (squares / WINDOW as f64).sqrt()
        };
        let mut best = 0;
        for start in 1..=changes.len() - WINDOW {
            if unsteady(start) < unsteady(best) {
                best = start;
            }
        }
        best
    }

    /// Where the changes fall most from one round to the next; all rounds but the last where they never fall.
    fn largest_drop(&self) -> usize {
        let drop = |at: usize| self.changes[at] - self.changes[at + 1];
        let last = self.changes.len().saturating_sub(1);
        let best = (0..last).reduce(|best, at| if drop(at) > drop(best) { at } else { best });
        let falling = best.filter(|&at| drop(at) > 0.0);
        falling.map_or(self.changes.len(), |at| at + 1)
    }
}
