//! The strangers of a class: images that came to it from all other classes, told from its own by either half of the class for the other one.

use faer::Mat;

use super::halves::{both, rows_where};
use super::line::Line;
use super::mixture::{Mixture, Others};
use crate::statistics::quantile;

/// Share of the log-odds at either end that do not shape the two hills.
const ENDS: f64 = 0.01;
/// Log-odds that are asked beyond even ones.
const CAUTION: f64 = 0.5;
/// Least share of a part while it is sought, where both are large and where one of them is nearly all.
const LARGE: f64 = 0.2;
const SMALL: f64 = 0.02;

/// What strangers are sought from.
pub(super) enum Start<'s> {
    /// The shares by which each image is one.
    Guessed(&'s [f64]),
    /// Nearly all images are.
    NearlyAll,
}

/// A class in own images and strangers.
pub(super) struct Strangers<'a> {
    /// By how much the class is likelier, in the mean of its images and by the half that did not look for it, with strangers that are of many
    /// classes than with two parts of one kind each.
    pub(super) gain: f64,
    /// The mean logarithm of the likelihood of its images, by that half, up to a number that is the same for all fits in a view.
    pub(super) likelihood: f64,
    /// How far strangers have been moved, in standard deviations, by what it makes likelier in that half; 0 where it makes nothing so.
    pub(super) step: f64,
    /// Share of the class that both halves take for the same.
    pub(super) agreement: f64,
    /// Log-odds that each image is a stranger, by the half without it.
    pub(super) odds: Vec<f64>,
    fits: [Mixture<'a>; 2],
}

impl<'a> Strangers<'a> {
    /// Of a class whose images are the rows. `half` tells to which half each belongs.
    pub(super) fn of(
        rows: &Mat<f64>,
        half: &[bool],
        others: &'a Others,
        start: &Start<'_>,
    ) -> Self {
        let single = Others::single(rows.ncols());
        let halves = [false, true].map(|wanted| rows_where(rows, |row| half[row] == wanted));
        let (mut gain, mut likelihood, mut of_step) = (0.0, 0.0, 0.0);
        let fits = [false, true].map(|wanted| {
            let [seen, unseen] = [wanted, !wanted].map(|which| halves[usize::from(which)].as_ref());
            let (first, least) = match start {
                Start::Guessed(shares) => {
                    let own = shares.iter().zip(half).filter(|(_, half)| **half == wanted);
                    (own.map(|(share, _)| *share).collect(), LARGE)
                }
                Start::NearlyAll => (Mixture::nearly_all(seen, others), SMALL),
            };
            let (fit, own) = Mixture::of(seen, others, first, least);
            let (pair, _) = Mixture::of(seen, &single, own, least);
            let of_fit = fit.log_likelihood(unseen);
            likelihood += of_fit;
            gain += of_fit - pair.log_likelihood(unseen);
            of_step += of_fit - fit.without_step().log_likelihood(unseen);
            fit
        });
        let [of_first, of_second] = fits.each_ref().map(|fit| fit.odds(rows.as_ref()));
        let (odds, agreement) = both(&of_first, &of_second, half);
        let count = half.len().max(1) as f64;
        Self {
            gain: gain / count,
            likelihood: likelihood / count,
            // A bell is likelier by half the square of how far it has been moved.
            step: (2.0 * of_step.max(0.0) / count).sqrt(),
            agreement,
            odds,
            fits,
        }
    }

    /// The two hills of the log-odds; `None` where there are only strangers or none.
    pub(super) fn hills(&self) -> Option<Line> {
        Line::around_zero(&inner(&self.odds))
    }

    /// The log-odds of rows that were not among those of the fit: the mean by both halves.
    pub(super) fn odds_of(&self, rows: &Mat<f64>) -> Vec<f64> {
        let [first, second] = self.fits.each_ref().map(|fit| fit.odds(rows.as_ref()));
        let pairs = first.into_iter().zip(second);
        pairs.map(|(a, b)| f64::midpoint(a, b)).collect()
    }
}

/// The log-odds by where hills part, or as they are, and with caution.
pub(super) fn told(odds: f64, hills: Option<&Line>) -> f64 {
    hills.map_or(odds, |hills| hills.odds(odds)) - CAUTION
}

/// Values with the ends drawn in.
fn inner(values: &[f64]) -> Vec<f64> {
    if values.is_empty() {
        return Vec::new();
    }
    let [least, most] = [ENDS, 1.0 - ENDS].map(|share| quantile(values.to_vec(), share));
    values
        .iter()
        .map(|value| value.clamp(least, most))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bells, five};
    use super::*;

    fn found(stranger: impl Fn(usize) -> Option<usize>) -> (f64, f64, Vec<f64>) {
        let others = five(12);
        let noise = bells(400, 12, 8);
        let rows = Mat::from_fn(400, 12, |row, column| {
            let step = if column == 11 { 2.0 } else { 0.0 };
            noise[(row, column)] + stranger(row).map_or(0.0, |of| others.means[(of, column)] + step)
        });
        let half: Vec<bool> = (0..400).map(|row| row % 4 < 2).collect();
        let found = Strangers::of(&rows, &half, &others, &Start::Guessed(&[0.5; 400]));
        assert_eq!(found.odds_of(&rows).len(), 400);
        let hills = found.hills();
        let odds = found.odds.iter().map(|&odds| told(odds, hills.as_ref()));
        (found.gain, found.agreement, odds.collect())
    }

    #[test]
    fn strangers_of_many_classes_are_found_by_either_half() {
        let (gain, agreement, odds) = found(|row| (row % 2 == 0).then_some(row / 2 % 5));
        assert!(gain > 0.3 && agreement > 0.9, "{gain} {agreement}");
        let odds = odds.iter().enumerate();
        let right = odds.filter(|(row, odds)| (**odds > 0.0) == (row % 2 == 0));
        assert!(right.count() > 370);
    }

    #[test]
    fn strangers_of_one_class_and_a_class_of_its_own_gain_nothing() {
        assert!(found(|row| (row % 2 == 0).then_some(3)).0 < 0.05);
        assert!(found(|_| None).0 < 0.05);
    }

    #[test]
    fn without_images_there_is_nothing() {
        for start in [Start::Guessed(&[]), Start::NearlyAll] {
            let (none, others) = (Mat::zeros(0, 12), five(12));
            let found = Strangers::of(&none, &[], &others, &start);
            assert!(found.hills().is_none() && found.odds.is_empty());
        }
    }
}
